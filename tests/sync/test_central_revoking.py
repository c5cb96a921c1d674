"""Revoked units: believed as far as before, held beyond, never thrown away, never without bound."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.records.fields import Stream
from sync.central import revoking, setup, standing
from sync.central.revoking import NotRevoked, Range, State
from sync.central.setup import EnrolmentRefused
from tests.sync.central_world import Centre, Unit, make_centre


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return make_centre(tmp_path)


@pytest.fixture
def unit(centre: Centre) -> Unit:
    """Ten vitals entries, of which the first five have landed."""
    unit = centre.unit()
    unit.visit()
    centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, 5))
    return unit


def revoke(centre: Centre, state: State) -> revoking.Revocation:
    return revoking.revoke(centre.home, "van-07", state, "stolen", by="hakim", clock=centre.clock)


def landed(centre: Centre) -> int:
    return centre.last("landed").streams[Stream.VITALS].through


def test_a_retired_unit_is_taken_up_to_the_tips_it_signed(centre: Centre, unit: Unit) -> None:
    rest = unit.batch(Stream.VITALS, 6, 10)
    done = revoke(centre, State.RETIRED)
    assert done.through[unit.epoch_hex, "vitals"] == 10
    centre.take(rest)
    assert landed(centre) == 10
    unit.visit()
    centre.take(unit.batch(Stream.VITALS, 11, 19))
    assert landed(centre) == 10
    [kept] = revoking.held(centre.home)
    assert (kept.stream, kept.first, kept.last) == ("vitals", 11, 19)


def test_a_compromised_unit_is_taken_up_to_the_last_receipted_head(centre: Centre, unit: Unit) -> None:
    rest = unit.batch(Stream.VITALS, 6, 10)
    done = revoke(centre, State.COMPROMISED)
    assert done.through == {(unit.epoch_hex, "vitals"): 5}
    centre.land(rest, unit.batch(Stream.AUDIT, 1, 1), unit.batch(Stream.VITALS, 1, 5))
    assert landed(centre) == 5
    assert centre.counters()["van-07", "held"] == 2
    assert centre.value("SELECT count(*) FROM alarms WHERE code = 'revoked-unit-sends'") == 1
    centre.land(rest)
    assert centre.counters()["van-07", "held-repeated"] == 1
    [shown] = standing.units(centre.home)
    assert (shown.revoked, shown.held) == ("compromised", 2)


def test_what_an_operator_approves_lands_and_is_opened(centre: Centre, unit: Unit) -> None:
    revoke(centre, State.COMPROMISED)
    first, second = unit.batch(Stream.VITALS, 6, 8), unit.batch(Stream.VITALS, 9, 10)
    centre.land(first, second)
    wanted = Range(stream="vitals", last=8)
    assert revoking.let_land(centre.home, "van-07", wanted, by="leila", clock=centre.clock) == 1
    centre.explode()
    assert landed(centre) == 8
    assert centre.last("opened").streams[Stream.VITALS].through == 8
    assert [(each.first, each.last) for each in revoking.held(centre.home)] == [(9, 10)]
    with pytest.raises(NotRevoked):
        revoking.let_land(centre.home, "van-07", wanted, by="leila", clock=centre.clock)
    revoking.let_land(centre.home, "van-07", Range(), by="leila", clock=centre.clock)
    centre.explode()
    assert centre.last("opened").streams[Stream.VITALS].through == 10
    assert centre.value("SELECT held_bytes FROM revocations") == 0


def test_a_new_epoch_of_a_revoked_unit_is_held_and_its_key_messages_are_few(
    centre: Centre, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoke(centre, State.RETIRED)
    monkeypatch.setattr(revoking, "MOST_SESSIONS", 3)
    again = Unit(unit.name, unit.keyset)
    again.sign_private = unit.sign_private
    centre.clock.wall_ms += 1000
    for _ in range(5):
        again.new_session()
        centre.land(again.key_message())
    centre.land(again.batch(Stream.VITALS, 1, 1))
    assert centre.counters()["van-07", "held-full"] == 2
    assert centre.counters()["van-07", "held"] == 1
    assert centre.value("SELECT count(*) FROM spans WHERE epoch = ?", again.epoch_hex) == 0


def test_a_flood_of_a_compromised_unit_is_held_up_to_its_quota(
    centre: Centre, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoke(centre, State.COMPROMISED)
    monkeypatch.setattr(revoking, "MOST_HELD", 8)
    for _ in range(20):
        centre.land(unit.batch(Stream.VITALS, 6, 10))  # sealed anew each time: never the same bytes
    assert centre.value("SELECT count(*) FROM held") == 8
    assert centre.counters()["van-07", "held-full"] == 12
    monkeypatch.setattr(revoking, "MOST_HELD", 100)
    monkeypatch.setattr(revoking, "MOST_HELD_BYTES", 10)
    centre.land(unit.batch(Stream.VITALS, 6, 10))
    assert centre.value("SELECT count(*) FROM held") == 8


def test_other_units_notice_nothing(centre: Centre, unit: Unit) -> None:
    revoke(centre, State.COMPROMISED)
    other = centre.unit("van-08")
    other.visit()
    [held, *_] = [unit.batch(Stream.VITALS, 6, 10)]
    centre.land(held, other.key_message(), other.batch(Stream.VITALS, 1, 10))
    assert centre.last("landed", "van-08").streams[Stream.VITALS].through == 10


def refused(work: Callable[[], object]) -> str:
    with pytest.raises((NotRevoked, EnrolmentRefused)) as error:
        work()
    return error.value.stable_code


def test_what_makes_no_sense_changes_nothing(centre: Centre, unit: Unit) -> None:
    home, clock = centre.home, centre.clock
    assert refused(lambda: revoking.revoke(home, "van-99", State.RETIRED, "x", by="y", clock=clock)) == (
        "unit-unknown"
    )
    assert refused(lambda: revoking.revoke(home, "van-07", State.RETIRED, " ", by="y", clock=clock)) == (
        "reason-refused"
    )
    assert refused(lambda: revoking.revoke(home, "van-07", State.RETIRED, "x", by="", clock=clock)) == (
        "person-refused"
    )
    assert refused(lambda: revoking.let_land(home, "van-07", Range(), by="y", clock=clock)) == "nothing-held"
    revoke(centre, State.RETIRED)
    assert refused(lambda: revoke(centre, State.RETIRED)) == "unit-revoked"
    revoke(centre, State.COMPROMISED)  # a retired one may turn out to be in other hands
    assert refused(lambda: revoke(centre, State.RETIRED)) == "unit-revoked"
    assert refused(lambda: setup.enrol(home, unit.request(), clock)) == "unit-revoked"
