"""What Bluetooth values are made of: times, names, fields."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codec import uuids
from drivers.codec.gatt_time import (
    Adjusted,
    CurrentTime,
    DateTime,
    decode_current_time,
    decode_date_time,
    encode_current_time,
    encode_date_time,
)
from drivers.codec.value import Value
from drivers.decoding import Chunk, decode_values, unknown_characteristic
from edge.ports.driver import DeviceMisbehaved

AT = datetime.datetime(2026, 3, 14, 9, 30)  # noqa: DTZ001  a device names no zone
SEVEN = bytes.fromhex("EA07030E091E00")


def test_seven_bytes_of_time() -> None:
    assert decode_date_time(SEVEN) == DateTime(2026, 3, 14, 9, 30, 0)
    assert decode_date_time(SEVEN).as_wall() == AT
    assert encode_date_time(DateTime.of(AT)) == SEVEN


def test_current_time_of_a_saturday_set_by_hand() -> None:
    raw = bytes.fromhex("EA07030E091E00060001")
    said = CurrentTime(DateTime.of(AT), weekday=6, fraction_256=0, adjusted=int(Adjusted.MANUALLY))
    assert decode_current_time(raw) == said
    assert encode_current_time(said) == raw
    assert CurrentTime.of(AT, Adjusted.MANUALLY) == said
    assert CurrentTime.of(AT.replace(microsecond=500_000), Adjusted.FROM_REFERENCE).fraction_256 == 128


@given(st.binary(min_size=7, max_size=7))
def test_any_seven_bytes_come_back_and_make_a_moment_or_none(raw: bytes) -> None:
    said = decode_date_time(raw)
    assert encode_date_time(said) == raw
    wall = said.as_wall()
    assert wall is None or DateTime.of(wall) == said
    assert said.plausible(None) in {wall, None}


@given(st.binary(min_size=10, max_size=10))
def test_any_ten_bytes_of_current_time_come_back(raw: bytes) -> None:
    assert encode_current_time(decode_current_time(raw)) == raw


@pytest.mark.parametrize("length", range(7))
def test_a_shorter_time_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="seven"):
        decode_date_time(SEVEN[:length])
    with pytest.raises(ValueError, match="ten"):
        decode_current_time(bytes(length))


def test_a_time_is_believed_from_2020_on_and_up_to_five_minutes_ahead() -> None:
    soon = DateTime.of(AT + datetime.timedelta(minutes=5))
    later = DateTime.of(AT + datetime.timedelta(minutes=5, seconds=1))
    assert soon.plausible(AT) is not None
    assert later.plausible(AT) is None
    assert later.plausible(None) is not None
    assert DateTime(2019, 12, 31, 23, 59, 59).plausible(None) is None
    assert DateTime(2020, 1, 1, 0, 0, 0).plausible(None) is not None


@pytest.mark.parametrize(
    "unknown", [DateTime(0, 3, 14, 9, 0, 0), DateTime(2026, 0, 14, 9, 0, 0), DateTime(2026, 3, 0, 9, 0, 0)]
)
def test_zero_in_year_month_or_day_is_not_known(unknown: DateTime) -> None:
    assert not unknown.is_known
    assert unknown.as_wall() is None


@pytest.mark.parametrize(
    "text",
    [
        "2A35",
        "2a35",
        "0x2A35",
        "00002a35",
        "00002A35-0000-1000-8000-00805F9B34FB",
        "00002a3500001000800000805f9b34fb",
    ],
)
def test_a_characteristic_has_one_name_however_it_is_written(text: str) -> None:
    assert uuids.full(text) == uuids.BLOOD_PRESSURE_MEASUREMENT


@pytest.mark.parametrize("text", ["", "2A3", "2A355", "zz35", "2A35-", "{2A35}", "2A35 ", "٢A35"])
def test_what_is_no_uuid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a UUID"):
        uuids.full(text)


def test_a_value_is_read_field_after_field_and_never_beyond_its_end() -> None:
    value = Value(bytes.fromhex("016E F1 6C0100FF EA07030E091E00 0203"))
    assert value.unsigned(1) == 1
    assert str(value.sfloat()) == "36.6"
    assert str(value.float()) == "36.4"
    assert value.date_time() == DateTime.of(AT)
    with pytest.raises(DeviceMisbehaved) as refused:
        value.take(3)
    assert refused.value.stable_code == "frame-too-short"
    assert value.rest() == b"\x02\x03"
    assert value.rest() == b""


def test_refused_values_are_counted_from_the_first_byte_given() -> None:
    taken: list[tuple[str, bytes]] = []

    def take(characteristic: str, raw: bytes) -> None:
        if raw == b"bad":
            raise unknown_characteristic(raw)
        taken.append((characteristic, raw))

    chunks = [Chunk(b"good"), Chunk(b"bad", "b"), Chunk(b"more", "c"), Chunk(b"bad")]
    refused = decode_values(chunks, "main", take)
    assert taken == [("main", b"good"), ("c", b"more")]
    assert [(each.offset, each.length, each.code) for each in refused] == [
        (4, 3, "unknown-characteristic"),
        (11, 3, "unknown-characteristic"),
    ]
