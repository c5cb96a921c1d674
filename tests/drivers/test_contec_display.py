"""From sixty packets a second to one reading, and no reading from what only looks like a packet."""

import dataclasses
from decimal import Decimal
from typing import Final

from drivers.codec.framing import Frame
from drivers.devices.contec_cms50.codec import Generation, decode
from drivers.devices.contec_cms50.display import Display
from drivers.devices.contec_cms50.unit import Picture, encode
from edge.ports.driver import DeviceEvent
from edge.vitals.codes import Code
from edge.vitals.quantity import Missing, MissingReason, Quantity, Unit
from edge.vitals.reading import Flaw, Flawed, Mode, Reading, Wave

WELL: Final = Picture(saturation=97, pulse=72, perfusion=340)
FINGER_OUT: Final = Picture(finger_out=True)
SEARCHING: Final = Picture(searching=True)


def show(display: Display, *pictures: Picture) -> list[DeviceEvent]:
    events: list[DeviceEvent] = []
    for picture in pictures:
        frame = Frame(encode(Generation.NINE_BYTE, picture))
        report = decode(frame)
        assert report is not None
        events += display.packet(frame, report)
    return events


def readings(events: list[DeviceEvent]) -> list[Reading]:
    return [event for event in events if isinstance(event, Reading)]


def waves(events: list[DeviceEvent]) -> list[Wave]:
    return [event for event in events if isinstance(event, Wave)]


def test_the_first_reading_comes_when_three_packets_agree() -> None:
    display = Display()
    assert readings(show(display, WELL, WELL)) == []
    (reading,) = readings(show(display, WELL))
    assert reading == Reading(
        values=(
            (Code.OXYGEN_SATURATION, Quantity(Decimal(97), Unit.PERCENT)),
            (Code.PULSE_OXIMETER, Quantity(Decimal(72), Unit.PER_MINUTE)),
            (Code.PERFUSION_INDEX, Quantity(Decimal("3.40"), Unit.PERCENT)),
        ),
        mode=Mode.CONTINUOUS,
        device_s=3 / 60,
        raw=encode(Generation.NINE_BYTE, WELL),
    )


def test_after_that_one_comes_with_every_second_of_device_time() -> None:
    told = readings(show(Display(), *[WELL] * 601))
    assert [reading.device_s for reading in told] == [3 / 60, *range(1, 11)]


def test_a_finger_that_leaves_is_told_at_once() -> None:
    display = Display()
    show(display, *[WELL] * 70)
    (reading,) = readings(show(display, *[FINGER_OUT] * 5))
    assert reading.device_s == 73 / 60
    assert {said for _, said in reading.values} == {Missing(MissingReason.SENSOR_OFF)}


def test_another_reason_for_having_no_number_is_told_at_once() -> None:
    display = Display()
    show(display, *[FINGER_OUT] * 70)
    (reading,) = readings(show(display, *[SEARCHING] * 5))
    assert {said for _, said in reading.values} == {Missing(MissingReason.SEARCHING)}


def test_another_number_waits_for_its_second() -> None:
    display = Display()
    show(display, *[WELL] * 70)
    assert readings(show(display, *[dataclasses.replace(WELL, pulse=80)] * 40)) == []


def test_a_packet_unlike_its_neighbours_is_never_told() -> None:
    odd = Picture(saturation=40, pulse=200, perfusion=10)
    told = readings(show(Display(), *([WELL] * 4 + [odd] + [WELL] * 4 + [odd, odd]) * 60))
    assert len(told) >= 10
    assert {reading.raw for reading in told} == {encode(Generation.NINE_BYTE, WELL)}


def test_packets_around_a_gap_agree_on_nothing() -> None:
    display = Display()
    for _ in range(100):
        assert readings(show(display, WELL, WELL)) == []
        display.gap()


def test_when_no_three_packets_agree_there_is_no_old_reading_either() -> None:
    display = Display()
    show(display, *[WELL] * 59)
    noise = [Picture(saturation=90 + n % 7, pulse=60 + n % 11, perfusion=n) for n in range(120)]
    assert readings(show(display, *noise)) == []
    (reading,) = readings(show(display, WELL, WELL, WELL))
    assert reading.device_s == (59 + 120 + 3) / 60


def test_pleth_comes_in_quarters_of_a_second_without_loss() -> None:
    pictures = [dataclasses.replace(WELL, pleth=n % 128) for n in range(150)]
    told = waves(show(Display(), *pictures))
    assert [len(wave.samples) for wave in told] == [15] * 10
    assert [sample for wave in told for sample in wave.samples] == [n % 128 for n in range(150)]
    assert {(wave.code, wave.lead, wave.unit, wave.rate) for wave in told} == {
        (Code.PLETH, None, Unit.NONE, Decimal(60))
    }


def test_pleth_without_a_finger_is_marked() -> None:
    """Units send one all the same: 64 for ever, or what the sensor sees of the room."""
    told = waves(show(Display(), *[WELL] * 20, *[FINGER_OUT] * 7, *[WELL] * 3))
    assert [wave.flaws for wave in told] == [(), (Flawed(Flaw.LEAD_OFF, 5, 7),)]


def test_a_gap_ends_a_stretch_of_pleth() -> None:
    display = Display()
    show(display, *[WELL] * 20)
    (wave,) = display.gap()
    assert isinstance(wave, Wave)
    assert len(wave.samples) == 5
    assert display.gap() == []


def test_a_beat_is_no_mark_of_a_reading_a_second_long() -> None:
    told = readings(show(Display(), *[dataclasses.replace(WELL, beat=True, signal=2)] * 61))
    assert [reading.flags for reading in told] == [("low-signal",), ("low-signal",)]
