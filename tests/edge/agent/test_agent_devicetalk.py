"""What a reading says beside its values, and where a receiver says the unit is. Pure."""

import dataclasses
import datetime
from decimal import Decimal

import pytest

from edge.agent.devicetalk import clock_off_s, flags_of, is_live, news_of, record_of
from edge.agent.whereabouts import FRESH_FOR_S, BetterClock, Whereabouts
from edge.clock import ClockQuality, Moment
from edge.vitals.identity import Identity
from edge.vitals.place import NoPosition, Place, Position
from edge.vitals.reading import Reading

CUFF = Identity("A&D", "UA-651BLE", "1", "1.02", 90)
AT = datetime.datetime(2026, 11, 20, 7, 31)  # noqa: DTZ001  a device's own clock has no zone


def battery(percent: int | None) -> Identity:
    return dataclasses.replace(CUFF, battery_percent=percent)


@pytest.mark.parametrize(
    ("before", "now", "noted"),
    [
        (None, None, None),
        (None, Identity(), None),
        (None, CUFF, CUFF),
        (CUFF, CUFF, None),
        (CUFF, battery(81), None),
        (CUFF, battery(80), battery(80)),
        (battery(80), CUFF, CUFF),
        (battery(11), battery(10), battery(10)),
        (battery(10), battery(11), battery(11)),
        (battery(10), battery(1), None),
        (battery(None), battery(50), battery(50)),
        (CUFF, battery(None), None),
        (CUFF, Identity(), None),
        (CUFF, Identity(battery_percent=50), battery(50)),
        (CUFF, dataclasses.replace(CUFF, firmware="1.03"), dataclasses.replace(CUFF, firmware="1.03")),
        (Identity(battery_percent=50), CUFF, CUFF),
    ],
)
def test_what_is_noted_of_a_device(
    before: Identity | None, now: Identity | None, noted: Identity | None
) -> None:
    assert news_of(before, now) == noted


@pytest.mark.parametrize(
    ("reading", "live"),
    [
        (Reading(()), True),
        (Reading((), record=b"1"), False),
        (Reading((), record=b"1", just_taken=True), True),
        (Reading((), just_taken=False), False),
        (Reading((), just_taken=True, stored=True), False),
        (Reading((), stored=True), False),
    ],
)
def test_whether_it_is_of_now(reading: Reading, live: bool) -> None:
    assert is_live(reading) is live
    assert ("from-memory" in flags_of(reading)) is not live


def test_the_mark_is_set_once() -> None:
    assert flags_of(Reading((), ("from-memory", "low-battery"), stored=True)) == (
        "from-memory",
        "low-battery",
    )


def test_a_stored_reading_without_a_name_is_known_by_time_and_bytes() -> None:
    assert record_of(Reading((), at=AT, raw=b"1")) is None
    assert record_of(Reading((), stored=True, raw=b"1")) is None
    names = {
        record_of(Reading((), at=at, raw=raw, stored=True))
        for at in (AT, AT.replace(minute=32))
        for raw in (b"1", b"2")
    }
    assert len(names) == 4
    assert None not in names


@pytest.mark.parametrize(
    ("at", "off_s", "noted"), [(AT, -3599.6, -3600), (AT, 0.0, 0), (AT, None, None), (None, 5.0, None)]
)
def test_the_difference_of_the_clocks(
    at: datetime.datetime | None, off_s: float | None, noted: int | None
) -> None:
    assert clock_off_s(Reading((), at=at, clock_off_s=off_s)) == noted


def at(latitude: str, longitude: str = "-5.1") -> Place:
    return Place(Position(Decimal(latitude), Decimal(longitude)))


def test_a_parked_van_stays_where_it_was_noted() -> None:
    where = Whereabouts()
    assert where.now(0.0) is None
    where.hear(at("33.5"), 0.0)
    where.hear(at("33.5008"), 1.0)  # 89 m
    assert where.now(1.0) == (335000000, -51000000)
    where.hear(at("33.5010"), 2.0)  # 111 m
    assert where.now(2.0) == (335010000, -51000000)
    where.hear(at("33.5010", "-5.1011"), 3.0)  # 102 m at this latitude
    assert where.now(3.0) == (335010000, -51011000)


UTC = datetime.datetime(2026, 11, 22, 8, 0, 0, tzinfo=datetime.UTC)


def moment(off_ms: int = 0, quality: ClockQuality = ClockQuality.NONE, boot: bytes = b"bootboot") -> Moment:
    return Moment(round(UTC.timestamp() * 1000) - off_ms, boot, 1, quality)


def test_a_better_clock_is_noted_once_a_boot_and_again_when_it_differs() -> None:
    clock = BetterClock()
    assert clock.offset_ms(None, moment()) is None
    assert clock.offset_ms(UTC, moment(86_400_000)) == 86_400_000
    assert clock.offset_ms(UTC, moment(86_400_000)) == 86_400_000  # it could not be written yet
    clock.noted(86_400_000, moment())
    assert clock.offset_ms(UTC, moment(86_401_900)) is None
    assert clock.offset_ms(UTC, moment(86_402_100)) == 86_402_100
    assert clock.offset_ms(UTC, moment(86_400_000, boot=b"bootbood")) == 86_400_000


@pytest.mark.parametrize(("quality", "is_news"), [(q, q < ClockQuality.GNSS) for q in ClockQuality])
def test_only_a_better_clock_is_news(quality: ClockQuality, is_news: bool) -> None:
    assert (BetterClock().offset_ms(UTC, moment(5000, quality)) is not None) is is_news


def test_a_clock_that_agrees_with_a_receiver_is_as_good_as_that_until_it_does_not() -> None:
    clock = BetterClock()
    assert clock.judged(moment()) == moment()
    clock.hear(UTC, moment(1900))
    assert clock.off_ms(b"bootboot") == 1900
    assert clock.judged(moment(1900)) == moment(1900, ClockQuality.GNSS)
    clock.hear(None, moment(1900))  # it has lost its satellites, and the box goes on
    assert clock.judged(moment()).quality is ClockQuality.GNSS
    assert clock.judged(moment(boot=b"bootbood")).quality is ClockQuality.NONE
    clock.hear(UTC, moment(-2100))
    assert clock.judged(moment()).quality is ClockQuality.NONE
    assert clock.off_ms(b"bootboot") == -2100
    clock.hear(UTC, moment(0, ClockQuality.CENTRE))  # who knows better is not asked about
    assert clock.judged(moment(0, ClockQuality.CENTRE)).quality is ClockQuality.CENTRE


def test_a_place_is_forgotten_when_nothing_is_heard_of_it() -> None:
    where = Whereabouts()
    where.hear(at("33.5"), 0.0)
    where.hear(Place(NoPosition.NO_FIX), 30.0)
    assert where.now(FRESH_FOR_S) is not None
    assert where.now(FRESH_FOR_S + 0.1) is None
