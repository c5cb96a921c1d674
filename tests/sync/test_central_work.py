"""What is noted to be opened outlasts whoever looks at it, and what several publish ends with the newest."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pytest

from edge.records.fields import Stream
from sync.central import database, station
from sync.central.plan import Plan
from sync.central.receipts import SignedReceipt
from sync.wire.keyset import Use
from tests.sync.central_world import Centre, Unit, make_centre, through


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return make_centre(tmp_path)


@pytest.fixture
def unit(centre: Centre) -> Unit:
    unit = centre.unit()
    unit.visit()
    return unit


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Any) -> None:  # noqa: ANN401  any call
    """Once, between the opening of a round and its commit."""
    commit, left = Plan.commit, [happens]

    def late(plan: Plan, *arguments: Any) -> list[SignedReceipt]:  # noqa: ANN401  as commit has them
        while left:
            left.pop()()
        return commit(plan, *arguments)

    monkeypatch.setattr(Plan, "commit", late)


def test_what_lands_while_somebody_looks_is_looked_at_again(
    centre: Centre, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, 2))  # so that nothing else is a reason
    centre.land(unit.batch(Stream.VITALS, 3, 4))
    meanwhile(monkeypatch, lambda: centre.land(unit.batch(Stream.VITALS, 5, 10)))
    centre.exploder.round()
    assert through(centre) == 4
    assert centre.value("SELECT count(*) FROM work") == 1
    centre.explode()
    assert through(centre) == 10
    assert centre.rows("SELECT 1 FROM work") == []


def test_a_killed_exploder_leaves_its_notes_to_the_next(
    centre: Centre, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre.land(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))

    def killed() -> None:
        raise KeyboardInterrupt

    meanwhile(monkeypatch, killed)
    with pytest.raises(KeyboardInterrupt):
        centre.exploder.round()
    assert centre.rows("SELECT 1 FROM entries") == []
    noted = [stream for (stream,) in centre.rows("SELECT stream FROM work ORDER BY stream")]
    assert noted == ["", "vitals"]
    centre.explode()
    assert through(centre) == 10


def test_a_round_whose_units_became_one_with_others_is_done_again(
    centre: Centre, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre.unit("van-01")

    def granted() -> None:
        onlooker = database.connect(centre.home.database)
        with database.write(onlooker):
            onlooker.execute(
                "INSERT INTO grants (unit, former, backup, reason, given_by, granted_ms)"
                " VALUES ('van-07', 'van-01', '', '', '', 0)"
            )
        onlooker.close()

    centre.land(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    meanwhile(monkeypatch, granted)
    assert centre.exploder.round() == []
    assert centre.rows("SELECT 1 FROM entries") == []
    centre.explode()
    assert through(centre) == 10


class Publishing:
    """A broker's end that keeps what was published; quiet once told to be."""

    def __init__(self) -> None:
        self.quiet = False
        self.published: list[bytes] = []

    def publish(self, _key: Hashable, _topic: str, payload: bytes) -> None:
        self.published.append(payload)


def test_the_newest_receipt_is_said_last_whoever_wrote_it(centre: Centre, unit: Unit) -> None:
    here = station.prepare(centre.home, "collect", Use.LANDED, None)
    link: Any = Publishing()
    first = centre.lander.land([unit.key_message(), unit.batch(Stream.VITALS, 1, 4)])
    here.publish(link, first)
    newer = centre.lander.land([unit.batch(Stream.VITALS, 5, 10)])  # somebody else's, published before ours
    here.settle(link, centre.connection)
    assert link.published == [receipt.raw for receipt in first]  # not while ours is under way
    link.quiet = True
    here.settle(link, centre.connection)
    here.settle(link, centre.connection)
    several = centre.connection.sideways
    assert link.published == [receipt.raw for receipt in (*first, *(newer if several else []))]


def test_one_of_several_leads_and_another_takes_over(centre: Centre) -> None:
    one, two = (database.connect(centre.home.database) for _ in range(2))
    first, second = station.Lead(one, "explode", centre.clock), station.Lead(two, "explode", centre.clock)
    assert first
    assert bool(second) is not centre.connection.sideways
    one.close()
    third = station.Lead(two, "explode", centre.clock)  # at its next look
    for _ in range(1000):
        if third:
            break
        third = station.Lead(two, "explode", centre.clock)
    assert third
    two.close()
