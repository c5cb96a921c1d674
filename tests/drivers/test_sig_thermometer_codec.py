"""What values of thermometers mean, by vectors; each says where it comes from."""

import datetime
from decimal import Decimal
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codec import uuids
from drivers.codec.gatt_time import DateTime
from drivers.codec.record_times import Now
from drivers.codec.sfloat import Special
from drivers.decoding import Chunk
from drivers.devices.sig_thermometer.codec import (
    Site,
    Temperature,
    decode_site,
    decode_temperature,
    encode_temperature,
)
from drivers.devices.sig_thermometer.readings import decode_chunks, intermediate, measurement
from edge.ports.driver import DeviceMisbehaved
from edge.vitals.quantity import Missing, Unit
from edge.vitals.reading import Mode, Reading
from tests.drivers.value_vectors import Vector, load

VECTORS: Final = load("sig_thermometer")
AT: Final = datetime.datetime(2026, 3, 14, 9, 25, 10)  # noqa: DTZ001  a thermometer names no zone
MINUTE: Final = datetime.timedelta(minutes=1)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_values_mean(vector: Vector) -> None:
    vector.check(decode_chunks)


@pytest.mark.parametrize(
    "vector", [each for each in VECTORS if not each.refused], ids=lambda vector: vector.name
)
def test_every_truncation_is_refused(vector: Vector) -> None:
    raw = vector.given()[-1].data
    promised = len(raw) - len(decode_temperature(raw).extra)
    for length in range(promised):
        for characteristic in (uuids.TEMPERATURE_MEASUREMENT, uuids.INTERMEDIATE_TEMPERATURE):
            decoded = decode_chunks([Chunk(raw[:length], characteristic)])
            assert decoded.readings == ()
            assert [(one.offset, one.length, one.code) for one in decoded.refused] == [
                (0, length, "frame-too-short")
            ]
        with pytest.raises(DeviceMisbehaved) as refused:
            decode_temperature(raw[:length])
        assert refused.value.raw == raw[:length]


def test_a_place_has_one_byte() -> None:
    assert decode_site(b"\x02\xff") == Site.BODY
    with pytest.raises(DeviceMisbehaved):
        decode_site(b"")


_NUMBERS: Final = st.builds(
    lambda mantissa, exponent: Decimal(mantissa).scaleb(exponent),
    st.integers(-(2**23) + 3, 2**23 - 3),
    st.integers(-4, 4),
)


@given(
    said=st.builds(
        Temperature,
        unit=st.sampled_from([Unit.CELSIUS, Unit.FAHRENHEIT]),
        value=_NUMBERS | st.sampled_from(list(Special)),
        time=st.none() | st.builds(DateTime, st.integers(0, 65535), *[st.integers(0, 255) for _ in range(5)]),
        site=st.none() | st.integers(0, 255),
        extra=st.binary(max_size=5),
    )
)
def test_what_is_written_reads_the_same(said: Temperature) -> None:
    assert decode_temperature(encode_temperature(said)) == said


@given(raw=st.binary(max_size=20))
def test_whatever_comes_is_a_reading_or_refused(raw: bytes) -> None:
    decoded = decode_chunks([Chunk(raw)])
    assert len(decoded.readings) + len(decoded.refused) == 1
    decoded.as_json("sig-thermometer")


# ── As it comes from a device ────────────────────────────────────────────────────────────────────


def measured(at: datetime.datetime | None, value: Decimal | Special = Decimal("37.2")) -> bytes:
    time = None if at is None else DateTime.of(at)
    return encode_temperature(Temperature(Unit.CELSIUS, value, time))


@pytest.mark.parametrize(
    ("at", "now", "just_taken"),
    [
        (AT, Now(host=AT), True),
        (AT, Now(device=AT + 2 * MINUTE), True),
        (AT, Now(device=AT + 3 * MINUTE), False),
        (AT, Now(), False),
        (AT, Now(host=AT - 20 * MINUTE), False),
        (None, Now(), True),
    ],
)
def test_only_what_is_surely_of_now_is_of_now(
    at: datetime.datetime | None, now: Now, just_taken: bool
) -> None:
    reading = measurement(measured(at), now, None)
    assert (reading.just_taken, reading.stored) == (just_taken, not just_taken)
    assert ("from-memory" in reading.flags) is not just_taken


def test_a_record_is_known_again_by_its_time_and_bytes() -> None:
    assert measurement(measured(AT), Now(), None).record == measured(AT)
    assert measurement(measured(None), Now(), None).record is None
    unknown = encode_temperature(Temperature(Unit.CELSIUS, Decimal(37), DateTime(0, 0, 0, 9, 0, 0)))
    assert measurement(unknown, Now(), None).record is None


def test_what_it_shows_while_it_measures_is_no_measurement() -> None:
    shown = intermediate(measured(None), Site.EAR)
    assert (shown.mode, shown.passing, shown.record) == (Mode.CONTINUOUS, True, None)
    assert shown.flags == ("intermediate", "site-ear")
    kept = measurement(measured(None), Now(), None)
    assert (kept.mode, kept.passing) == (Mode.SPOT, False)


@pytest.mark.parametrize("special", list(Special))
def test_no_special_value_becomes_a_number(special: Special) -> None:
    for reading in (measurement(measured(AT, special), Now(AT), 6), intermediate(measured(AT, special), 6)):
        assert isinstance(reading, Reading)
        assert all(isinstance(value, Missing) for _, value in reading.values)
        assert reading.converted == ()
