"""What oximeters keep, when clocks are set, and what the simulated memory of a device promises the tests."""

import datetime
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import pytest

from drivers.codec import uuids
from drivers.codec.gatt_time import DateTime
from drivers.codec.racp import (
    COUNT_ALL,
    REPORT_ALL,
    Answered,
    Counted,
    Opcode,
    Outcome,
    encode_answer,
    report_from,
)
from drivers.devices.sig_glucose.codec import Concentration, Glucose, encode_measurement
from drivers.devices.sig_glucose.driver import contour_time
from drivers.devices.sig_oximeter.codec import Feature
from drivers.devices.sig_oximeter.driver import OximeterEar
from drivers.setup.current_time import right_time
from drivers.setup.ear import Heard, Said, Send
from drivers.setup.known import Clock, Known, Skipped
from drivers.setup.records import ABORTED_WITHIN_S, SILENT_FOR_S
from drivers.simulation.kept_records import KEEPS, Flaw, Kept, KeptRecords
from edge.ports.driver import DeviceError
from edge.vitals.reading import Reading

PORT: Final = "ble:C0:FF:EE:00:00:03"
AT: Final = datetime.datetime(2026, 3, 14, 9, 5, 30)  # noqa: DTZ001  devices name no zone


def known(wall: datetime.datetime | None = None) -> Known:
    return Known(PORT, lambda: wall, lambda: 0.0, address=PORT)


def measured(sequence: int) -> bytes:
    what = Concentration(Decimal("0.00098"), 1, 1)
    return encode_measurement(Glucose(sequence, DateTime.of(AT), concentration=what))


def answer(outcome: Outcome) -> bytes:
    return encode_answer(Answered(Opcode.REPORT, outcome))


def heard(channel: str, raw: bytes) -> Heard:
    return Heard(channel, raw, 0.0)


def readings(said: Iterable[Said]) -> list[Reading]:
    return [one for one in said if isinstance(one, Reading)]


# ── An oximeter's memory ─────────────────────────────────────────────────────────────────────────


def oximeter() -> Known:
    met = known()
    met.values[uuids.PLX_FEATURES] = int(Feature.STORAGE).to_bytes(2, "little")
    return met


SPOT: Final = bytes.fromhex("00 61 00 48 00")


def test_two_records_alike_without_a_time_are_two() -> None:
    keys = []
    for _ in range(2):
        ear = OximeterEar(oximeter())
        told = [one for _ in range(2) for one in readings(ear.hear(heard(uuids.PLX_SPOT_CHECK, SPOT)))]
        keys.append([reading.record for reading in told])
        assert len(set(keys[-1])) == 2
    assert keys[0] == keys[1]  # and at the next meeting they are the same two


def test_the_order_in_a_transfer_that_is_begun_again_is_the_same() -> None:
    ear = OximeterEar(oximeter())
    first = readings(ear.hear(heard(uuids.PLX_SPOT_CHECK, SPOT)))
    (again,) = ear.hear(heard(uuids.RECORD_ACCESS_CONTROL_POINT, answer(Outcome.NOT_COMPLETED)))
    assert isinstance(again, Send)
    assert readings(ear.hear(heard(uuids.PLX_SPOT_CHECK, SPOT))) == []  # it is the one that came before
    second = readings(ear.hear(heard(uuids.PLX_SPOT_CHECK, SPOT)))
    assert len({reading.record for reading in first + second}) == 2


@pytest.mark.parametrize("features", [None, b"", b"\x04", b"\x00\x00", b"\x05\x00"])
def test_a_device_that_does_not_say_that_it_keeps_records_is_not_asked(features: bytes | None) -> None:
    met = known()
    if features is not None:
        met.values[uuids.PLX_FEATURES] = features
    ear = OximeterEar(met)
    (shown,) = readings(ear.hear(heard(uuids.PLX_SPOT_CHECK, SPOT)))
    assert (shown.record, shown.just_taken) == (None, True)
    assert list(ear.tick(1000.0)) == []


def test_a_device_that_refused_to_be_asked_is_not_waited_for() -> None:
    met = oximeter()
    met.skipped.append(Skipped("AskForRecords", "ble-refused"))
    assert list(OximeterEar(met).tick(1000.0)) == []


def test_records_that_cannot_be_had_are_told_in_the_end() -> None:
    ear = OximeterEar(oximeter())
    assert [type(one) for one in ear.tick(SILENT_FOR_S)] == [Send]
    assert list(ear.tick(SILENT_FOR_S + ABORTED_WITHIN_S)) == []
    assert len(readings(ear.hear(heard(uuids.PLX_CONTINUOUS, SPOT)))) == 1
    (error,) = ear.end()
    assert isinstance(error, DeviceError)
    assert error.stable_code == "records-timeout"


# ── Clocks ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wall", "off_s", "sets"),
    [
        (None, 500, False),
        (AT, None, True),
        (AT, 59, False),
        (AT, -59, False),
        (AT, 61, True),
        (AT, -61, True),
    ],
)
def test_a_clock_is_set_when_ours_is_trusted_and_it_is_off(
    wall: datetime.datetime | None, off_s: int | None, sets: bool
) -> None:
    met = known(wall)
    if off_s is not None:
        met.clock = Clock(AT + datetime.timedelta(seconds=off_s), 0.0, wall)
    sent = right_time(met)
    assert (sent is not None) is sets
    if sent is not None:
        assert sent.hex(" ") == "ea 07 03 0e 09 05 1e 06 00 02"


def test_contour_meters_take_local_time_without_a_zone() -> None:
    assert contour_time(AT).hex(" ") == "01 ea 07 03 0e 09 05 1e 00 00"


# ── What the simulated memory promises the tests ─────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("request_", "numbers", "outcome"),
    [
        ("01 01", [0, 1, 2], Outcome.SUCCESS),
        ("01 03 01 01 00", [1, 2], Outcome.SUCCESS),
        ("01 03 01 09 00", [], Outcome.NO_RECORDS),
        ("01 05", [0], Outcome.SUCCESS),
        ("01 06", [2], Outcome.SUCCESS),
        ("01 01 00", [], Outcome.INVALID_OPERAND),
        ("01 03 02 01 00", [], Outcome.OPERAND_UNSUPPORTED),
        ("01 02 01 01 00", [], Outcome.OPERATOR_UNSUPPORTED),
        ("01 00", [], Outcome.INVALID_OPERATOR),
        ("02 01", [], Outcome.OPCODE_UNSUPPORTED),
        ("09 01", [], Outcome.OPCODE_UNSUPPORTED),
    ],
)
def test_a_simulated_memory_answers(request_: str, numbers: list[int], outcome: Outcome) -> None:
    kept = KeptRecords()
    for number in range(3):
        kept.keep(Kept(number, ((uuids.GLUCOSE_MEASUREMENT, measured(number)),)))
    raw = bytes.fromhex(request_)
    reply = kept.reply(raw)
    assert [one.sequence for one in reply.records] == numbers
    assert reply.answer == encode_answer(Answered(raw[0], outcome))
    assert kept.reply(COUNT_ALL).answer == encode_answer(Counted(3))


def test_a_simulated_memory_is_bounded_and_can_fail() -> None:
    kept = KeptRecords(parts=False)
    for number in range(KEEPS + 3):
        kept.keep(Kept(number, ()))
    assert len(kept) == KEEPS
    assert kept.reply(report_from(5)).answer == answer(Outcome.OPERATOR_UNSUPPORTED)
    kept.flaw = Flaw.SILENT
    assert (len(kept.reply(REPORT_ALL).records), kept.reply(REPORT_ALL).answer) == (KEEPS // 2, None)
    kept.flaw = Flaw.REFUSED
    assert kept.reply(REPORT_ALL).answer == answer(Outcome.OPCODE_UNSUPPORTED)
