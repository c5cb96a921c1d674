"""From packets to what is handed on: sixty times a second a unit repeats what its display shows.

Pure, like the codec: device time is counted in packets, never read from a clock.
"""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from drivers.codec.framing import Frame, Framer, Garbage
from drivers.codec.strip import on_the_skin
from drivers.decoding import Chunk, Decoded, Refused
from drivers.devices.contec_cms50.codec import (
    PACKETS_PER_SECOND,
    Contec,
    Packet,
    Report,
    decode,
    unstuff,
)
from drivers.devices.contec_cms50.stored import FIRST_YEAR, Stored, decode_stored, reading_of, start_of
from edge.ports.driver import DeviceEvent
from edge.vitals.codes import Code
from edge.vitals.quantity import Measured, Missing, MissingReason, Unit
from edge.vitals.reading import Flaw, Mode, Reading, Wave, flawed_where

WAVE_PACKETS: Final = 15
"""A stretch of pleth is handed on four times a second of device time."""
AGREEING_PACKETS: Final = 3
"""A display is believed when so many packets in a row show the same numbers.

The protocols have no checksum. A byte lost or added inside a packet, or noise that looks like one, gives
numbers that the packets beside it do not have; a real display stands still for most of a second.
"""
WEAK_SIGNAL: Final = 3
"""Up to this strength, of 8, a reading carries ``low-signal``. Our choice: the vendor names no limit."""


class Display:
    """What the packets of one session show, as readings once a second and stretches of pleth.

    A reading comes with the first packets, once in 60 packets after that, and at once when a number
    gives way to none, or the other way, or the reason changes. Lost packets are not counted, so device
    time may run late and never ahead.
    """

    def __init__(self) -> None:
        self._packets = 0
        self._seconds_told = 0
        self._shown: tuple[tuple[Code, Measured], ...] = ()
        self._agreeing = 0
        self._reasons_told: tuple[MissingReason | None, ...] | None = None
        self._samples: list[int] = []
        self._off: list[bool] = []
        self._gap = False

    @property
    def packets(self) -> int:
        """How many packets of real-time data have come."""
        return self._packets

    def packet(self, frame: Frame, report: Report) -> list[DeviceEvent]:
        """Take the next packet and give what is due."""
        self._packets += 1
        events: list[DeviceEvent] = []
        self._samples.append(report.pleth)
        self._off.append(no_wave(report))
        if len(self._samples) == WAVE_PACKETS:
            events.extend(self._stretch())
        values = values_of(report)
        self._agreeing = self._agreeing + 1 if values == self._shown else 1
        self._shown = values
        if self._agreeing >= AGREEING_PACKETS and self._is_due(values):
            # A beat mark belongs to a moment of the wave; on a reading a second long it would be chance.
            flags = tuple(flag for flag in flags_of(report) if flag != "beat")
            device_s = self._packets / PACKETS_PER_SECOND
            events.append(Reading(values, flags, mode=Mode.CONTINUOUS, device_s=device_s, raw=frame.raw))
        return events

    def gap(self) -> list[DeviceEvent]:
        """Bytes were lost or refused: the wave breaks here, and packets before and after agree on nothing."""
        self._agreeing = 0
        self._shown = ()
        events = self._stretch()
        self._gap = True
        return events

    def _is_due(self, values: tuple[tuple[Code, Measured], ...]) -> bool:
        reasons = tuple(measured.why if isinstance(measured, Missing) else None for _, measured in values)
        seconds = self._packets // PACKETS_PER_SECOND
        if reasons == self._reasons_told and seconds == self._seconds_told:
            return False
        self._reasons_told = reasons
        self._seconds_told = seconds
        return True

    def _stretch(self) -> list[DeviceEvent]:
        if not self._samples:
            return []
        device_s = self._packets / PACKETS_PER_SECOND
        wave = pleth(self._samples, self._off, gap=self._gap, device_s=device_s)
        self._samples, self._off, self._gap = [], [], False
        return [wave]


def decode_chunks(chunks: Sequence[Chunk]) -> Decoded:
    """All that some bytes said.

    One reading for each packet of real-time data, with the pleth they carry, and one for each second of
    stored data, with its time where the beginning of its segment came before it.
    """
    framer = Framer(Contec())
    readings: list[Reading] = []
    refused: list[Refused] = []
    samples: list[int] = []
    off: list[bool] = []
    segment = _Segment()
    offset = 0
    for event in (*(event for chunk in chunks for event in framer.feed(chunk.data)), *framer.finish()):
        offset += len(event.raw)
        if isinstance(event, Garbage):
            refused.append(Refused(offset - len(event.raw), len(event.raw), event.code))
            segment.lose()
            continue
        report = decode(event)
        if report is not None:
            samples.append(report.pleth)
            off.append(no_wave(report))
            readings.append(Reading(values_of(report), flags_of(report), mode=Mode.CONTINUOUS, raw=event.raw))
        readings += segment.take(event)
    return Decoded(tuple(readings), tuple(refused), tuple(on_the_skin([pleth(samples, off)])))


class _Segment:
    """Gives the seconds of stored data their times."""

    def __init__(self) -> None:
        self._date = b""
        self._next: datetime.datetime | None = None
        self._doubtful = False

    def lose(self) -> None:
        """Seconds may have been lost: those that follow have no known time."""
        self._next = None

    def take(self, frame: Frame) -> list[Reading]:
        """The readings of a frame of stored data; from others only what they say of the time is kept."""
        match frame.raw[0]:
            case Packet.SEGMENT_DATE:
                self._date = unstuff(frame.raw)
            case Packet.SEGMENT_TIME if self._date:
                start = start_of(self._date, unstuff(frame.raw))
                self._doubtful = start is None or start.year < FIRST_YEAR
                self._next = None if self._doubtful else start
            case _:
                return [self._reading(stored) for stored in decode_stored(frame)]
        return []

    def _reading(self, stored: Stored) -> Reading:
        at = self._next
        if at is not None:
            self._next = at + datetime.timedelta(seconds=1)
        return reading_of(stored, at, doubtful=self._doubtful)


def values_of(report: Report) -> tuple[tuple[Code, Measured], ...]:
    """The numbers of a report, or why there are none; no perfusion index from a unit without one."""
    pair = ((Code.OXYGEN_SATURATION, report.saturation), (Code.PULSE_OXIMETER, report.pulse))
    return pair if report.perfusion is None else (*pair, (Code.PERFUSION_INDEX, report.perfusion))


def flags_of(report: Report) -> tuple[str, ...]:
    """What the unit says beside the numbers; each word is explained in this folder's README."""
    sensor_off = report.saturation == Missing(MissingReason.SENSOR_OFF)
    said = (
        ("low-signal", report.signal <= WEAK_SIGNAL and not sensor_off),
        ("spo2-low", report.saturation_low),
        ("spo2-dropping", report.saturation_dropping),
        ("searching-too-long", report.searching_too_long),
        ("beat", report.beat),
    )
    return tuple(flag for flag, holds in said if holds)


def no_wave(report: Report) -> bool:
    """Whether the pleth of a packet is none, for no sensor that works is on the finger."""
    saturation = report.saturation
    return isinstance(saturation, Missing) and saturation.why in _OFF


def pleth(
    samples: Sequence[int], off: Sequence[bool], *, gap: bool = False, device_s: float | None = None
) -> Wave:
    """Samples as the device sends them, 0 to 127 without unit, and for each whether the sensor was off."""
    return Wave(
        Code.PLETH,
        None,
        Unit.NONE,
        Decimal(PACKETS_PER_SECOND),
        tuple(samples),
        gap=gap,
        flaws=flawed_where(Flaw.LEAD_OFF, off),
        device_s=device_s,
    )


_OFF: Final = {MissingReason.SENSOR_OFF, MissingReason.PROBE_ERROR}
