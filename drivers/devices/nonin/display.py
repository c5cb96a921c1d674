"""From frames to what is handed on: packets put together, a reading a second, stretches of pleth.

Pure, like the codec: device time is counted in frames, never read from a clock.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from drivers.codec.framing import Frame, Framer, Garbage
from drivers.codec.strip import on_the_skin
from drivers.decoding import Chunk, Decoded, Refused
from drivers.devices.nonin.codec import (
    FRAMES_IN_PACKET,
    FRAMES_PER_SECOND,
    Nonin,
    Report,
    Sample,
    counter_of,
    decode,
    decode_cut_packet,
    decode_packet,
)
from edge.ports.driver import DeviceEvent
from edge.vitals.codes import Code
from edge.vitals.quantity import Measured, Missing, MissingReason, Unit
from edge.vitals.reading import Flaw, Mode, Reading, Wave, flawed_where

PACKETS_PER_SECOND: Final = FRAMES_PER_SECOND // FRAMES_IN_PACKET
COUNTER_STEPS_TO_BELIEVE: Final = 3
"""The packet counter is inferred, not documented: it has to count so often before a jump says anything."""
_COUNTER_RANGE: Final = 1 << 14


class Packets:
    """Puts frames of format 2 or 7 together, 25 at a time.

    A packet of fewer or more frames between two first ones is dropped: frames are told by their place, and
    one that is missing would give every later one a wrong meaning.
    """

    def __init__(self) -> None:
        self._samples: list[Sample] = []
        self._raw = bytearray()
        self._in_step = False
        self._counter: int | None = None
        self._counted = 0

    @property
    def open(self) -> Sequence[Sample]:
        """The frames of a packet that is not finished."""
        return self._samples

    @property
    def open_raw(self) -> bytes:
        return bytes(self._raw)

    def take(self, sample: Sample, raw: bytes) -> tuple[Sequence[Sample], bytes] | None:
        """The next frame; gives the packet that it completes, with its bytes."""
        if sample.first:
            self._begin()
            self._in_step = True
        if not self._in_step:
            return None
        self._samples.append(sample)
        self._raw += raw
        if len(self._samples) < FRAMES_IN_PACKET:
            return None
        whole = tuple(self._samples), bytes(self._raw)
        self.lose()
        return whole

    def lose(self) -> None:
        """Frames were lost, or none is open any more: wait for the first frame of a packet."""
        self._begin()
        self._in_step = False

    def jumped(self, samples: Sequence[Sample]) -> bool:
        """Whether whole packets were lost before this one, as its counter says once it is believed."""
        counter = counter_of(samples)
        before, self._counter = self._counter, counter
        if before is None:
            return False
        step = (counter - before) % _COUNTER_RANGE
        believed = self._counted >= COUNTER_STEPS_TO_BELIEVE
        self._counted = self._counted + 1 if step == 1 else 0
        return believed and step > 1

    def _begin(self) -> None:
        self._samples = []
        self._raw.clear()


class Display:
    """What the frames of one session show: a reading a second, and a stretch of pleth for each packet.

    A reading comes at once when a number gives way to none, or the other way, or the reason changes.
    """

    def __init__(self) -> None:
        self._packets = Packets()
        self._frames = 0
        self._shown = 0
        self._due_at = 0
        self._reasons_told: tuple[MissingReason | None, ...] | None = None
        self._stretch: list[Sample] = []
        self._gap = False

    @property
    def frames(self) -> int:
        """How many frames have come."""
        return self._frames

    def frame(self, frame: Frame) -> list[DeviceEvent]:
        """Take the next frame and give what is due."""
        self._frames += 1
        said = decode(frame)
        if isinstance(said, Report):
            return [reading_of(said, frame.raw, float(self._frames))]
        events: list[DeviceEvent] = []
        if said.first and self._packets.open:
            events += self._end_stretch()  # the packet before was too short
            self._gap = True
        self._stretch.append(said)
        if (whole := self._packets.take(said, frame.raw)) is not None:
            samples, raw = whole
            self._gap = self._packets.jumped(samples) or self._gap
            events += self._end_stretch()
            self._shown += 1
            report = decode_packet(samples)
            if self._is_due(report):
                events.append(reading_of(report, raw, self._frames / FRAMES_PER_SECOND))
        elif len(self._stretch) == FRAMES_IN_PACKET:
            events += self._end_stretch()
        return events

    def gap(self) -> list[DeviceEvent]:
        """Bytes were lost or refused: the packet is dropped and the wave breaks here."""
        self._packets.lose()
        events = self._end_stretch()
        self._gap = True
        return events

    def _is_due(self, report: Report) -> bool:
        reasons = tuple(
            measured.why if isinstance(measured, Missing) else None
            for measured in (report.saturation, report.pulse)
        )
        if reasons == self._reasons_told and self._shown < self._due_at:
            return False
        self._reasons_told = reasons
        self._due_at = self._shown + PACKETS_PER_SECOND
        return True

    def _end_stretch(self) -> list[DeviceEvent]:
        if not self._stretch:
            return []
        wave = pleth(self._stretch, gap=self._gap, device_s=self._frames / FRAMES_PER_SECOND)
        self._stretch = []
        self._gap = False
        return [wave]


def decode_chunks(chunks: Sequence[Chunk]) -> Decoded:
    """All that some bytes said: a reading for each packet, or each frame of the slow formats, and the pleth.

    A recording that ends between two frames of a packet still gives the averages of its first frames,
    marked ``packet-cut``; a packet that is broken in another way gives no reading.
    """
    framer, packets = Framer(Nonin(recording=True)), Packets()
    readings: list[Reading] = []
    refused: list[Refused] = []
    waves: list[Wave] = []
    stretch: list[Sample] = []
    offset = 0
    for event in (*(event for chunk in chunks for event in framer.feed(chunk.data)), *framer.finish()):
        offset += len(event.raw)
        if isinstance(event, Garbage):
            refused.append(Refused(offset - len(event.raw), len(event.raw), event.code))
            packets.lose()
            if stretch:
                waves.append(pleth(stretch, gap=bool(waves)))
                stretch = []
            continue
        said = decode(event)
        if isinstance(said, Report):
            readings.append(reading_of(said, event.raw))
            continue
        stretch.append(said)
        if (whole := packets.take(said, event.raw)) is not None:
            readings.append(reading_of(decode_packet(whole[0]), whole[1]))
    if (cut := decode_cut_packet(packets.open)) is not None:
        readings.append(reading_of(cut, packets.open_raw))
    if stretch:
        waves.append(pleth(stretch, gap=bool(waves)))
    return Decoded(tuple(readings), tuple(refused), tuple(on_the_skin(waves)))


def values_of(report: Report) -> tuple[tuple[Code, Measured], ...]:
    """The numbers of a report, or why there are none."""
    return (Code.OXYGEN_SATURATION, report.saturation), (Code.PULSE_OXIMETER, report.pulse)


def reading_of(report: Report, raw: bytes, device_s: float | None = None) -> Reading:
    """What a unit shows, as the rest of the program takes it."""
    return Reading(values_of(report), report.flags, mode=Mode.CONTINUOUS, device_s=device_s, raw=raw)


def pleth(samples: Sequence[Sample], *, gap: bool = False, device_s: float | None = None) -> Wave:
    """Samples as the device sends them, without unit: 0 to 255 in format 2, 0 to 65535 in format 7."""
    return Wave(
        Code.PLETH,
        None,
        Unit.NONE,
        Decimal(FRAMES_PER_SECOND),
        tuple(sample.pleth for sample in samples),
        gap=gap,
        flaws=flawed_where(Flaw.LEAD_OFF, (sample.sensor_off for sample in samples)),
        device_s=device_s,
    )
