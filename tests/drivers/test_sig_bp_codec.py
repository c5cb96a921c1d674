"""What values of blood pressure cuffs mean, by vectors; each says where it comes from."""

import dataclasses
import datetime
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codec import uuids
from drivers.codec.gatt_time import DateTime, encode_date_time
from drivers.codec.sfloat import Special, decode_sfloat
from drivers.decoding import Chunk
from drivers.devices.sig_bp.codec import (
    BloodPressure,
    Feature,
    decode_cuff_pressure,
    decode_features,
    decode_measurement,
    encode_measurement,
)
from drivers.devices.sig_bp.readings import Now, cuff_pressure, decode_chunks, measurement
from edge.ports.driver import DeviceMisbehaved
from edge.vitals.codes import Code
from edge.vitals.quantity import Missing, Unit
from edge.vitals.reading import Mode

VECTORS: Final[dict[str, list[dict[str, Any]]]] = tomllib.loads(
    (Path(__file__).parents[1] / "vectors/sig_bp/values.toml").read_text()
)
VALUES: Final = VECTORS["value"]
MEASUREMENTS: Final = [vector for vector in VALUES if "characteristic" not in vector]
AT: Final = datetime.datetime(2026, 3, 14, 9, 5, 30)  # noqa: DTZ001  a cuff names no zone
MINUTE: Final = datetime.timedelta(minutes=1)


def _name(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def _chunks(vector: dict[str, Any]) -> list[Chunk]:
    features = [Chunk(bytes.fromhex(vector["features"]), uuids.full("2A49"))] if "features" in vector else []
    characteristic = uuids.full(vector["characteristic"]) if "characteristic" in vector else None
    return [*features, Chunk(bytes.fromhex(vector["hex"]), characteristic)]


def measured(at: datetime.datetime | None, systolic: int = 121) -> bytes:
    sent = DateTime(0, 0, 0, 0, 0, 0) if at is None else DateTime.of(at)
    return encode_measurement(
        BloodPressure(
            Unit.MILLIMETRE_OF_MERCURY, Decimal(systolic), Decimal(81), Decimal(94), sent, Decimal(68)
        )
    )


def test_every_vector_says_where_it_comes_from() -> None:
    for vector in (*VALUES, *VECTORS["refused"]):
        assert vector["source"] in {"own", "devices", "nordic"}


@pytest.mark.parametrize("vector", VALUES, ids=_name)
def test_a_value_means(vector: dict[str, Any]) -> None:
    decoded = decode_chunks(_chunks(vector))
    (reading,) = decoded.readings
    values = {code.value: said for code, said in reading.values}
    assert {
        code: format(said.value, "f") for code, said in values.items() if not isinstance(said, Missing)
    } == vector.get("values", {})
    assert {code: said.why.value for code, said in values.items() if isinstance(said, Missing)} == (
        vector.get("missing", {})
    )
    assert {code.value: (str(sent), unit.value) for code, sent, unit in reading.converted} == {
        code: (sent, "kPa") for code, sent in vector.get("sent", {}).items()
    }
    assert list(reading.flags) == vector.get("flags", [])
    assert (reading.at.isoformat() if reading.at else None) == vector.get("at")
    assert reading.raw == bytes.fromhex(vector["hex"])
    assert reading.mode is (Mode.CONTINUOUS if "characteristic" in vector else Mode.SPOT)
    assert decoded.refused == ()


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=_name)
def test_a_value_is_refused_whole(vector: dict[str, Any]) -> None:
    decoded = decode_chunks(_chunks(vector))
    assert decoded.readings == ()
    (refused,) = decoded.refused
    assert (refused.offset, refused.length, refused.code) == (
        0,
        len(bytes.fromhex(vector["hex"])),
        vector["code"],
    )


@pytest.mark.parametrize("vector", VALUES, ids=_name)
def test_every_truncation_is_refused(vector: dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["hex"])
    promised = len(raw) - len(decode_measurement(raw).extra)
    for length in range(promised):
        for decode in (decode_measurement, decode_cuff_pressure):
            with pytest.raises(DeviceMisbehaved) as refused:
                decode(raw[:length])
            assert refused.value.stable_code == "frame-too-short"
            assert refused.value.raw == raw[:length]


@pytest.mark.parametrize("length", [0, 1])
def test_every_truncation_of_the_features_is_refused(length: int) -> None:
    with pytest.raises(DeviceMisbehaved):
        decode_features(bytes(2)[:length])
    assert decode_features(b"\x05\x00\xff") == Feature.BODY_MOVEMENT | Feature.IRREGULAR_PULSE


@given(st.binary(min_size=0, max_size=30))
def test_whatever_is_accepted_comes_back_byte_for_byte(raw: bytes) -> None:
    try:
        said = decode_measurement(raw)
    except DeviceMisbehaved:
        return
    assert encode_measurement(said) == raw


sfloats = st.binary(min_size=2, max_size=2).map(decode_sfloat)
times = st.binary(min_size=7, max_size=7).map(
    lambda raw: DateTime(int.from_bytes(raw[:2], "little"), *raw[2:])
)
pressures = st.builds(
    BloodPressure,
    st.sampled_from([Unit.MILLIMETRE_OF_MERCURY, Unit.KILOPASCAL]),
    sfloats,
    sfloats,
    sfloats,
    st.none() | times,
    st.none() | sfloats,
    st.none() | st.integers(0, 255),
    st.none() | st.integers(0, 0xFFFF),
)


@given(pressures)
def test_whatever_a_cuff_can_say_is_understood(said: BloodPressure) -> None:
    assert decode_measurement(encode_measurement(said)) == said


@given(pressures)
def test_no_special_value_becomes_a_number(said: BloodPressure) -> None:
    (reading,) = decode_chunks([Chunk(encode_measurement(said))]).readings
    values = dict(reading.values)
    sent = {
        Code.SYSTOLIC: said.systolic,
        Code.DIASTOLIC: said.diastolic,
        Code.MEAN_PRESSURE: said.mean,
        Code.PULSE_CUFF: said.pulse,
    }
    for code, value in sent.items():
        assert not isinstance(value, Special) or isinstance(values[code], Missing)
    if isinstance(said.systolic, Special):
        assert isinstance(values[Code.DIASTOLIC], Missing)
        assert "measurement-failed" in reading.flags
    assert (Code.PULSE_CUFF in values) is (said.pulse is not None)


# ── Whose reading it is ──────────────────────────────────────────────────────────────────────────


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
def test_a_reading_is_of_now_when_a_clock_says_so(
    device: datetime.datetime | None, host: datetime.datetime | None, taken: bool
) -> None:
    reading = measurement(measured(AT), Now(host=host, device=device))
    assert reading.just_taken is taken
    assert ("from-memory" in reading.flags) is not taken
    assert reading.record == reading.raw


def test_a_time_that_cannot_be_believed_is_neither_used_nor_lost() -> None:
    raw = measured(AT + 6 * MINUTE)
    reading = measurement(raw, Now(host=AT, device=AT + 6 * MINUTE))
    assert reading.at is None
    assert reading.just_taken is False
    assert "device-time-implausible" in reading.flags
    assert encode_date_time(DateTime.of(AT + 6 * MINUTE)) in reading.raw
    assert reading.record == raw


def test_readings_without_a_known_time_are_never_taken_for_one_another() -> None:
    unknown = measurement(measured(None), Now(host=AT))
    assert (unknown.record, unknown.just_taken) == (None, False)
    timeless = measurement(bytes.fromhex("0079005100 5E00"), Now())
    assert (timeless.record, timeless.just_taken) == (None, True)


def test_features_decide_in_a_session_as_well() -> None:
    raw = bytes.fromhex("10 79 00 51 00 5E 00 07 00")
    assert measurement(raw, Now()).flags == ("body-movement", "cuff-too-loose", "irregular-pulse")
    assert measurement(raw, Now(features=Feature.CUFF_FIT)).flags == ("cuff-too-loose",)


def test_what_the_cuff_holds_is_no_pressure_of_the_patient() -> None:
    reading = cuff_pressure(bytes.fromhex("00 98 00 FF 07 FF 07"))
    assert [code for code, _ in reading.values] == [Code.CUFF_PRESSURE]
    assert reading.mode is Mode.CONTINUOUS
    assert reading.record is None


def test_a_device_record_is_known_again_by_all_of_its_bytes() -> None:
    one, other = measurement(measured(AT), Now()), measurement(measured(AT, 122), Now())
    assert one.record != other.record
    assert dataclasses.replace(one, just_taken=True).record == one.record
