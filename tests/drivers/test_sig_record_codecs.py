"""What holds for every value of oximeters and glucose meters, not only for those in the vectors."""

import dataclasses
import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codec.gatt_time import DateTime
from drivers.codec.racp import (
    Answered,
    Counted,
    Opcode,
    Outcome,
    decode_answer,
    decode_request,
    encode_answer,
    report_from,
)
from drivers.codec.record_times import Now
from drivers.codec.sfloat import Special, decode_sfloat
from drivers.devices.sig_glucose import codec as glucose
from drivers.devices.sig_glucose.readings import record
from drivers.devices.sig_oximeter import codec as oximeter
from drivers.devices.sig_oximeter.readings import continuous, record_key, spot_check
from edge.ports.driver import DeviceMisbehaved
from edge.vitals.codes import Code
from edge.vitals.quantity import Missing, MissingReason, Quantity, Unit

AT: Final = datetime.datetime(2026, 3, 14, 9, 5, 30)  # noqa: DTZ001  devices name no zone
MINUTE: Final = datetime.timedelta(minutes=1)

sfloats = st.binary(min_size=2, max_size=2).map(decode_sfloat)
times = st.binary(min_size=7, max_size=7).map(
    lambda raw: DateTime(int.from_bytes(raw[:2], "little"), *raw[2:])
)
bytes_ = st.integers(0, 0xFF)
words = st.integers(0, 0xFFFF)
extras = st.binary(max_size=4)
pairs = st.builds(oximeter.Pair, sfloats, sfloats)
spot_checks = st.builds(
    oximeter.SpotCheck,
    shown=pairs,
    time=st.none() | times,
    status=st.none() | words,
    sensor=st.none() | st.integers(0, 0xFFFFFF),
    amplitude=st.none() | sfloats,
    clock_set=st.booleans(),
    reserved=st.sampled_from([0, 0x20, 0xE0]),
    extra=extras,
)
displays = st.builds(
    oximeter.Continuous,
    shown=pairs,
    fast=st.none() | pairs,
    slow=st.none() | pairs,
    status=st.none() | words,
    sensor=st.none() | st.integers(0, 0xFFFFFF),
    amplitude=st.none() | sfloats,
    reserved=st.sampled_from([0, 0x20, 0xE0]),
    extra=extras,
)
concentrations = st.builds(glucose.Concentration, sfloats, st.integers(0, 15), st.integers(0, 15))
records = st.builds(
    glucose.Glucose,
    sequence=words,
    base=times,
    offset_min=st.none() | st.integers(-0x8000, 0x7FFF),
    concentration=st.none() | concentrations,
    moles=st.booleans(),
    status=st.none() | words,
    context=st.booleans(),
    reserved=st.sampled_from([0, 0x20, 0xE0]),
    extra=extras,
)
amounts = st.builds(glucose.Amount, bytes_, sfloats)


@st.composite
def contexts(draw: st.DrawFn) -> glucose.Context:
    who = draw(st.none() | st.tuples(st.integers(0, 15), st.integers(0, 15)))
    return glucose.Context(
        sequence=draw(words),
        extended=draw(st.none() | bytes_),
        carbohydrate=draw(st.none() | amounts),
        meal=draw(st.none() | bytes_),
        tester=None if who is None else who[0],
        health=None if who is None else who[1],
        exercise=draw(st.none() | st.builds(glucose.Exercise, words, bytes_)),
        medication=draw(st.none() | amounts),
        litres=draw(st.booleans()),
        hba1c=draw(st.none() | sfloats),
        extra=draw(extras),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """One characteristic: how it is read and written, and everything that it can say."""

    name: str
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]
    said: st.SearchStrategy[Any]


LAYOUTS: Final = (
    Layout("spot check", oximeter.decode_spot_check, oximeter.encode_spot_check, spot_checks),
    Layout("display", oximeter.decode_continuous, oximeter.encode_continuous, displays),
    Layout("record", glucose.decode_measurement, glucose.encode_measurement, records),
    Layout("context", glucose.decode_context, glucose.encode_context, contexts()),
    Layout(
        "answer",
        decode_answer,
        encode_answer,
        st.builds(Counted, words, bytes_, extras) | st.builds(Answered, bytes_, bytes_, bytes_, extras),
    ),
)
layouts = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)


@layouts
@given(data=st.data())
def test_whatever_is_said_is_understood(layout: Layout, data: st.DataObject) -> None:
    said = data.draw(layout.said)
    assert layout.decode(layout.encode(said)) == said


@layouts
@given(raw=st.binary(max_size=32))
def test_whatever_is_accepted_comes_back_byte_for_byte(layout: Layout, raw: bytes) -> None:
    try:
        said = layout.decode(raw)
    except DeviceMisbehaved:
        return
    assert layout.encode(said) == raw


@layouts
@given(data=st.data())
def test_every_truncation_is_refused_whole(layout: Layout, data: st.DataObject) -> None:
    said = dataclasses.replace(data.draw(layout.said), extra=b"")
    raw = layout.encode(said)
    for length in range(len(raw)):
        with pytest.raises(DeviceMisbehaved) as refused:
            layout.decode(raw[:length])
        assert (refused.value.stable_code, refused.value.raw) == ("frame-too-short", raw[:length])


def test_every_truncation_of_the_features_is_refused() -> None:
    whole = oximeter.Features(0x00FF, 0xFFE0, 0x00FFFF)
    raw = oximeter.encode_features(whole)
    assert oximeter.decode_features(raw) == whole
    for length in range(len(raw)):
        with pytest.raises(DeviceMisbehaved):
            oximeter.decode_features(raw[:length])
    with pytest.raises(DeviceMisbehaved):
        glucose.decode_features(b"\xff")


@pytest.mark.parametrize("raw", ["", "01", "05 00", "06 00 01 01", "00 00", "FF 01"])
def test_what_is_no_request_is_refused(raw: str) -> None:
    with pytest.raises(DeviceMisbehaved):
        decode_request(bytes.fromhex(raw))


def test_requests_and_answers_are_those_of_the_reference() -> None:
    assert report_from(0x2B).hex() == "0103012b00"
    assert decode_answer(bytes.fromhex("05002B00")) == Counted(43)
    assert decode_answer(bytes.fromhex("06000106")) == Answered(Opcode.REPORT, Outcome.NO_RECORDS)


# ── What becomes a number ────────────────────────────────────────────────────────────────────────

VOID_STATUS: Final = 0x0400 | 0x0800 | 0x1000 | 0x2000 | 0x8000
VOID_SENSOR: Final = 0x0002 | 0x0800 | 0x1000 | 0x4000 | 0x8000


def may_be(said: Any, most: int) -> bool:  # noqa: ANN401  a number or a reason
    return not isinstance(said, Special) and 0 < said <= most


@given(spot_checks | displays)
def test_an_oximeters_number_is_one_only_if_nothing_speaks_against_it(
    said: oximeter.SpotCheck | oximeter.Continuous,
) -> None:
    if isinstance(said, oximeter.SpotCheck):
        reading = spot_check(oximeter.encode_spot_check(said), Now())
    else:
        reading = continuous(oximeter.encode_continuous(said))
    values = dict(reading.values)
    void = (said.status or 0) & VOID_STATUS or (said.sensor or 0) & VOID_SENSOR
    for code, sent, most in (
        (Code.OXYGEN_SATURATION, said.shown.spo2, 100),
        (Code.PULSE_OXIMETER, said.shown.pulse, 300),
    ):
        value = values[code]
        assert isinstance(value, Quantity) is (not void and may_be(sent, most))
        if isinstance(value, Quantity):
            assert value.value == sent
    assert (Code.PERFUSION_INDEX in values) is (said.amplitude is not None)
    if void:
        assert all(isinstance(value, Missing) for value in values.values())
    assert (0x4000 & (said.status or 0) != 0) is ("questionable" in reading.flags)


@given(records)
def test_a_meters_number_is_one_only_if_nothing_speaks_against_it(said: glucose.Glucose) -> None:
    reading = record(said, glucose.encode_measurement(said), None, Now())
    ((code, value),) = reading.values
    assert code is Code.GLUCOSE
    what = said.concentration
    control = what is not None and (what.sample == 10 or what.site == 4)
    void = control or (said.status or 0) & 0x07FE
    number = what is not None and not isinstance(what.value, Special) and what.value > 0 and not void
    assert isinstance(value, Quantity) is number
    if isinstance(value, Quantity):
        assert what is not None
        assert not isinstance(what.value, Special)
        factor = Decimal(1000) * Decimal("18.0156") if said.moles else Decimal(100_000)
        assert abs(value.value - what.value * factor) <= Decimal("0.05")
        assert value.unit is Unit.MILLIGRAM_PER_DECILITRE
        ((_, sent, unit),) = reading.converted
        assert (sent, unit) == (what.value, Unit.MOLE_PER_LITRE if said.moles else Unit.KILOGRAM_PER_LITRE)
    else:
        assert reading.converted == ()
    if control:
        assert value == Missing(MissingReason.TEST)
        assert reading.just_taken is False


# ── When it was, and what it is known again by ───────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("device", "host", "taken"),
    [
        (AT, None, True),
        (AT + 2 * MINUTE, None, True),
        (AT + 2 * MINUTE + MINUTE / 60, None, False),
        (AT - MINUTE / 2, None, True),
        (AT - MINUTE, None, False),
        (None, AT + MINUTE, True),
        (None, AT + 3 * MINUTE, False),
        (AT + 60 * MINUTE, AT + MINUTE, True),
        (None, None, False),
    ],
)
def test_a_record_is_of_now_when_a_clock_says_so(
    device: datetime.datetime | None, host: datetime.datetime | None, taken: bool
) -> None:
    now = Now(host, device)
    said = glucose.Glucose(7, DateTime.of(AT), concentration=glucose.Concentration(Decimal("0.00098"), 1, 1))
    spot = oximeter.SpotCheck(oximeter.Pair(Decimal(97), Decimal(72)), DateTime.of(AT))
    for reading in (
        record(said, glucose.encode_measurement(said), None, now),
        spot_check(oximeter.encode_spot_check(spot), now),
        spot_check(oximeter.encode_spot_check(spot), now, asked=True),
    ):
        assert (reading.just_taken, reading.stored) == (taken, not taken)
        assert ("from-memory" in reading.flags) is not taken
        assert reading.record is not None


@pytest.mark.parametrize(
    ("said", "asked", "of_now", "known_again"),
    [
        ("00 61 00 48 00", False, True, False),  # no time, and not asked for: it was shown just now
        ("00 61 00 48 00", True, False, True),
        ("10 61 00 48 00", False, True, False),
        (
            "11 61 00 48 00 E3 07 01 01 00 05 00",
            False,
            True,
            True,
        ),  # a time of a clock nobody set says nothing
        ("11 61 00 48 00 E3 07 01 01 00 05 00", True, False, True),
        ("01 61 00 48 00 E3 07 01 01 00 05 00", False, False, True),
        ("02 61 00 48 00 00 02", False, False, True),  # the device says that it kept it
    ],
)
def test_a_spot_check_without_a_time_to_believe(
    said: str, asked: bool, of_now: bool, known_again: bool
) -> None:
    reading = spot_check(bytes.fromhex(said), Now(host=AT, device=AT), asked=asked)
    assert reading.at is None
    assert (reading.just_taken, reading.stored) == (of_now, not of_now)
    assert (reading.record is not None) is known_again


def test_a_demonstration_is_of_nobody() -> None:
    reading = spot_check(bytes.fromhex("02 61 00 48 00 00 04"), Now(host=AT, device=AT))
    assert (reading.just_taken, reading.stored) == (False, False)


def test_a_spot_check_is_known_again_by_time_and_numbers() -> None:
    shown = oximeter.Pair(Decimal(97), Decimal(72))
    live = oximeter.SpotCheck(shown, DateTime.of(AT), status=0x0100)
    kept = dataclasses.replace(live, status=0x0300)
    later = dataclasses.replace(live, time=DateTime.of(AT + MINUTE))
    other = dataclasses.replace(live, shown=dataclasses.replace(shown, pulse=Decimal(73)))
    key = record_key(live, oximeter.encode_spot_check(live))
    assert record_key(kept, oximeter.encode_spot_check(kept)) == key
    assert record_key(later, oximeter.encode_spot_check(later)) != key
    assert record_key(other, oximeter.encode_spot_check(other)) != key


def test_a_time_that_cannot_be_believed_is_neither_used_nor_lost() -> None:
    said = glucose.Glucose(7, DateTime.of(AT + 6 * MINUTE))
    raw = glucose.encode_measurement(said)
    reading = record(said, raw, None, Now(host=AT, device=AT + 6 * MINUTE))
    assert (reading.at, reading.just_taken) == (None, False)
    assert "device-time-implausible" in reading.flags
    assert reading.record == raw


def test_the_context_is_evidence_and_no_part_of_what_the_record_is_known_by() -> None:
    said = glucose.Glucose(7, DateTime.of(AT), context=True)
    raw = glucose.encode_measurement(said)
    about = glucose.encode_context(glucose.Context(7, meal=3))
    with_it, without = record(said, raw, about, Now()), record(said, raw, None, Now())
    assert with_it.raw == raw + about
    assert with_it.record == without.record == raw
    assert ("fasting" in with_it.flags, "context-missing" in without.flags) == (True, True)


def test_a_control_solution_is_of_nobody_however_fresh() -> None:
    solution = glucose.Concentration(Decimal("0.00105"), sample=10, site=4)
    said = glucose.Glucose(7, DateTime.of(AT), concentration=solution)
    reading = record(said, glucose.encode_measurement(said), None, Now(host=AT, device=AT))
    assert (reading.just_taken, reading.stored) == (False, False)
