"""The centre's keys over the years: made beside the ones there are, and opened with while needed."""

from pathlib import Path

import pytest

from edge.records.fields import Field, Kind, Stream
from sync.central import keyring
from sync.central.home import CentreError, read_file
from sync.central.keyring import KeysRefused
from sync.central.receipts import ReceiptWriter
from sync.wire import cose, keys, keyset, sessions
from sync.wire.keyset import Use
from tests.sync.central_world import REALM, Centre, Unit, make_centre


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return make_centre(tmp_path)


def know(unit: Unit, centre: Centre) -> None:
    """The unit takes the present keyset."""
    unit.keyset = centre.keyset = centre.home.read_keyset(REALM)


def test_what_was_sealed_to_a_former_key_is_opened_beside_what_is_sealed_to_the_new(centre: Centre) -> None:
    unit = centre.unit()
    unit.visit()
    early = [unit.key_message(), unit.batch(Stream.VITALS, 1, 4)]
    [new] = keyring.rotate(centre.home, Use.SEAL_TO)
    [present, former] = centre.home.read_seal_to_keys(REALM)
    assert keys.sealing_public(present) == new.key != keys.sealing_public(former)
    know(unit, centre)
    unit.new_session()
    assert len(sessions.recipients(cose.read(unit.key_file.content).payload)) == 2
    centre.exploder.open_with((present, former))
    centre.take(*early, unit.key_message(), unit.batch(Stream.VITALS, 5, 10))
    assert centre.last("opened").streams[Stream.VITALS].through == 10


def test_a_retired_sealing_key_is_still_shown_while_only_it_opens_what_waits(centre: Centre) -> None:
    unit = centre.unit()
    unit.visit()
    [former] = centre.keyset.of_use(Use.SEAL_TO)
    centre.land(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    keyring.rotate(centre.home, Use.SEAL_TO)
    keyring.retire(centre.home, former.kid.hex())
    [shown] = [each for each in keyring.look(centre.home).keys if each.kid == former.kid.hex()]
    assert (shown.named, shown.use, shown.waiting) == (False, "seal-to", 1)
    assert shown.file is not None
    centre.exploder.open_with(centre.home.read_seal_to_keys(REALM))
    centre.explode()
    assert centre.last("opened").streams[Stream.VITALS].through == 10
    [shown] = [each for each in keyring.look(centre.home).keys if each.kid == former.kid.hex()]
    assert shown.waiting == 0


@pytest.mark.parametrize("use", [Use.LANDED, Use.OPENED])
def test_receipts_of_a_former_key_are_said_anew_by_the_present_one(centre: Centre, use: Use) -> None:
    unit = centre.unit()
    unit.visit()
    centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    [former] = centre.keyset.of_use(use)
    [new] = keyring.rotate(centre.home, use)
    keyring.retire(centre.home, former.kid.hex())
    writer = ReceiptWriter(use.value, REALM, 1, read_file(centre.home.key_file(use)))
    [said] = writer.recent(centre.connection, centre.clock.wall_ms)
    assert cose.read(said.raw).kid == new.kid
    know(unit, centre)
    assert centre.last(use.value).streams[Stream.VITALS].through == 10
    assert writer.recent(centre.connection, centre.clock.wall_ms) == [said]  # and only once


def test_what_a_unit_says_it_believes_is_shown_and_never_falls(centre: Centre) -> None:
    unit = centre.unit()
    for version in ("2", "1", "12", "nonsense", "-3"):
        unit.append(Stream.AUDIT, Kind.ACCESS, {Field.ACTION: "keyset.pinned", Field.OBJECT: version})
    assert keyring.look(centre.home).units == {"van-07": None}
    centre.take(unit.key_message(), unit.batch(Stream.AUDIT, 1, 6))
    assert keyring.look(centre.home).units == {"van-07": 12}


def test_a_centre_made_without_a_use_gets_its_first_keys(centre: Centre) -> None:
    """As one that was made before erasing existed."""
    for key in centre.keyset.of_use(Use.RECORDS):
        keyring.retire(centre.home, key.kid.hex(), compromised=True)
    with pytest.raises(KeysRefused, match=r"records-1\.key still lies here"):
        keyring.add(centre.home, Use.RECORDS)
    for path in centre.home.records_keys:
        path.unlink()
    made = keyring.add(centre.home, Use.RECORDS)
    named = centre.home.read_keyset(REALM)
    assert [key.key for key in named.of_use(Use.RECORDS)] == [key.key for key in made]
    assert {keys.signing_public(read_file(path)) for path in centre.home.records_keys} == {
        key.key for key in made
    }
    with pytest.raises(KeysRefused) as refused:
        keyring.add(centre.home, Use.RECORDS)
    assert refused.value.stable_code == "key-there"


@pytest.mark.parametrize("use", list(Use))
def test_every_use_is_rotated_and_retired(centre: Centre, use: Use) -> None:
    if not centre.keyset.of_use(use):
        keyring.add(centre.home, use)
        [only] = centre.home.read_keyset(REALM).of_use(use)
        with pytest.raises(KeysRefused) as refused:
            keyring.retire(centre.home, only.kid.hex())
        assert refused.value.stable_code == "key-needed"
    before = centre.home.read_keyset(REALM)
    for path in (*centre.home.records_keys, centre.home.recovery_key):
        path.unlink(missing_ok=True)
    made = keyring.rotate(centre.home, use)
    after = centre.home.read_keyset(REALM)
    assert after.version == before.version + 1
    assert after.of_use(use) == (*made, *before.of_use(use)), "the newest is named first"
    for key in before.of_use(use):
        keyring.retire(centre.home, key.kid.hex())
    assert centre.home.read_keyset(REALM).of_use(use) == tuple(made)


@pytest.mark.parametrize("use", [Use.LANDED, Use.OPENED, Use.SEAL_TO, Use.ADVICE])
def test_the_key_that_the_centre_uses_is_not_taken_from_it_by_mistake(centre: Centre, use: Use) -> None:
    if not centre.keyset.of_use(use):
        keyring.add(centre.home, use)
    [former] = centre.home.read_keyset(REALM).of_use(use)
    [used] = keyring.rotate(centre.home, use)
    with pytest.raises(KeysRefused) as refused:
        keyring.retire(centre.home, used.kid.hex())
    assert refused.value.stable_code == "key-needed"
    assert centre.home.read_keyset(REALM).of_use(use) == (used, former)
    centre.home.read_key(use, REALM)

    keyring.retire(centre.home, used.kid.hex(), compromised=True)
    with pytest.raises(CentreError, match=use.value) as stopped:
        centre.home.read_key(use, REALM)
    assert "keys rotate" in stopped.value.next_step
    keyring.rotate(centre.home, use)
    centre.home.read_key(use, REALM)


def test_a_root_that_is_none_of_ours_changes_nothing(centre: Centre, tmp_path: Path) -> None:
    before = centre.home.keyset.read_bytes()
    stranger = tmp_path / "stranger.key"
    stranger.write_bytes(keys.make_signing())
    for root in (stranger, centre.home.seal_to_key):
        with pytest.raises(KeysRefused) as refused:
            keyring.rotate(centre.home, Use.LANDED, root)
        assert refused.value.stable_code == "root-wrong"
    assert centre.home.keyset.read_bytes() == before
    centre.home.read_key(Use.LANDED, REALM)
    keyring.rotate(centre.home, Use.LANDED, centre.home.cold_key)  # when the hot one is lost
    assert cose.read(centre.home.keyset.read_bytes()).kid == keys.kid(centre.home.read_roots()[1])


@pytest.mark.parametrize("use", [Use.SEAL_TO, Use.LANDED])
@pytest.mark.parametrize("step", ["sign", "replace"])
def test_cut_short_anywhere_every_named_key_has_its_private_half(
    centre: Centre, monkeypatch: pytest.MonkeyPatch, use: Use, step: str
) -> None:
    """As a kill would: whatever was reached, the processes start, and rotating again goes on."""

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(keyring, {"sign": "_sign", "replace": "_take_the_place"}[step], killed)
    with pytest.raises(Killed):
        keyring.rotate(centre.home, use)
    monkeypatch.undo()
    private = centre.home.read_key(use, REALM)
    assert private
    if use is Use.SEAL_TO:
        held = {keys.sealing_public(each) for each in centre.home.read_seal_to_keys(REALM)}
        assert {key.key for key in centre.home.read_keyset(REALM).of_use(use)} <= held
    keyring.rotate(centre.home, use)
    assert centre.home.read_key(use, REALM) != private


def test_two_commands_at_once_do_not_lose_one_another(centre: Centre) -> None:
    with keyring._alone(centre.home), pytest.raises(CentreError) as refused:
        keyring.rotate(centre.home, Use.LANDED)
    assert refused.value.stable_code == "already-running"
    assert keyset.read(centre.home.keyset.read_bytes(), centre.home.read_roots(), REALM).version == 1
