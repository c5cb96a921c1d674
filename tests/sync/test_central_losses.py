"""What a unit reports lost is counted once, less what the centre has of it."""

from pathlib import Path

import pytest

from edge.agent import payloads
from edge.cbor import Value
from edge.records.fields import Field, Kind, Stream
from sync.central import losses, standing
from tests.sync.central_world import Centre, Unit, make_centre
from tests.sync.test_central_history import journal_again, reborn, whole


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return make_centre(tmp_path)


def report(unit: Unit, *spans: tuple[bytes, int, int, int]) -> None:
    unit.append(Stream.ALERT, Kind.VOID, payloads.void(spans, "unreadable"))


def send(unit: Unit, centre: Centre) -> None:
    """Bring everything of the unit's two streams of care to the centre."""
    for stream in (Stream.ALERT, Stream.VITALS):
        centre.take(unit.key_message(), *unit.batches(stream, len(unit.journal[stream])))


def test_what_is_lost_is_what_never_came(centre: Centre) -> None:
    unit = centre.unit()
    unit.visit()  # entries 2 to 10
    centre.take(*whole(unit, 4))  # up to 4 were delivered
    child = reborn(unit, 4, again=False)
    for seq in (5, 6, 9, 10):
        journal_again(child, unit, seq)
    report(child, (unit.epoch, Stream.VITALS, 3, 3), (unit.epoch, Stream.VITALS, 7, 8))
    send(child, centre)
    assert losses.lost(centre.connection, "van-07") == 2
    [said] = standing.units(centre.home)
    assert said.lost == 2
    assert centre.rows("SELECT unit, detail FROM alarms WHERE code = 'loss-reported'") == [
        ("van-07", "vitals 3 to 3, vitals 7 to 8")
    ]
    centre.take(*whole(unit))  # a spool that was thought lost
    assert losses.lost(centre.connection, "van-07") == 0


def test_a_report_that_comes_again_is_one(centre: Centre) -> None:
    unit = centre.unit()
    report(unit, (bytes(8), Stream.VITALS, 2, 4))
    report(unit, (bytes(8), Stream.VITALS, 2, 4), (bytes(8), Stream.AUDIT, 9, 9))
    send(unit, centre)
    assert losses.lost(centre.connection, "van-07") == 4
    assert centre.value("SELECT count(*) FROM losses") == 2


@pytest.mark.parametrize(
    "spans",
    [5, [1], [[bytes(8), 1, 2]], [[bytes(7), 1, 2, 3]], [[bytes(8), 5, 2, 3]], [[bytes(8), 1, 3, 2]],
     [[bytes(8), 1, 0, 2]], [["x", 1, 2, 3]]],
)  # fmt: skip
def test_a_report_in_another_form_harms_nothing(centre: Centre, spans: Value) -> None:
    unit = centre.unit()
    unit.append(Stream.ALERT, Kind.VOID, {Field.SPANS: spans, Field.REASON: 7})
    unit.visit()
    send(unit, centre)
    assert losses.lost(centre.connection, "van-07") == 0
    assert centre.value("SELECT count(*) FROM patients") == 1
