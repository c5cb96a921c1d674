"""The bytes of Nonin oximeters, serial formats 1, 2, 7 and 8. No port, no clock: bytes in, meaning out.

All at 9600 8N1; a unit streams one of them by itself. STATUS has bit 7 set in each.

Format 1, once a second, and format 8, once a second::

    0   7 set; 6 sensor disconnected (format 1); 5 out of track; 4 low perfusion; 3 marginal perfusion;
        2 artifact; 1-0 bits 8 and 7 of the heart rate
    1   6-0 low seven bits of the heart rate
    2   6-0 SpO2
    3   format 8 only: 5 SmartPoint; 3 sensor alarm; 0 low battery

Format 2 (``01 STATUS PLETH VALUE SUM``) and format 7 (``STATUS PLETH-HIGH PLETH-LOW VALUE SUM``), 75 frames
a second, 25 of them a packet; SUM is the low byte of the sum of the four before it. STATUS::

    7 set; 6 sensor disconnected; 5 artifact; 4 out of track; 3 sensor alarm;
    2-1 perfusion: 0 no pulse now, 1 good, 2 low, 3 marginal; 0 first frame of a packet

and VALUE, by the number of the frame in its packet, counted from 0::

     0  1   heart rate, average of four beats       8   SpO2 to be displayed
     2      SpO2, average of four beats             9   SpO2, fast average      10  SpO2, beat to beat
     3      firmware                               13 14   heart rate, average of eight beats
     5  6   packet counter                         15   SpO2, average of eight  16  the same, displayed
     7      5 SmartPoint; 0 low battery            19 20   heart rate to be displayed
                                                   21 22   the same, average of eight

A heart rate is two bytes of which the first has bits 8 and 7: ``(high & 03) << 7 | (low & 7F)``. 511 and
127 say that there is no heart rate and no SpO2.

Formats 1 and 8 have no checksum; bit 7 is the only check. A frame of them counts as whole when the next one
begins, so that a byte added to it cannot shift one number into another.

Sources: mattjlewis/NoninPulseOx ``DataFormat2FrameSerialiser.java``, ``DataFormat2PacketSerialiser.java``,
``DataFormat8Serialiser.java`` and ``Nonin 9560 Bluetooth Specification.pdf``; mdpnp/mdpnp ``Packet.java``,
``Status.java`` (whose heart rate is wrong above 127). Format 1 is inferred from format 8.
"""

import dataclasses
from collections.abc import Sequence
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Final

from drivers.codec.framing import BAD_CHECKSUM, MORE, NOT_A_FRAME, TOO_SHORT, Frame, Look, Outcome
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity, Unit

FRAMES_IN_PACKET: Final = 25
FRAMES_PER_SECOND: Final = 75
FRAMES_TO_BELIEVE: Final = 3
"""Formats 1 and 8 are taken for what they look like when so many frames follow one another."""
SUMS_TO_BELIEVE: Final = 2
"""Frames with a checksum need fewer."""
FAILURES_TO_LET_GO: Final = 5
NO_HEART_RATE: Final = 511
NO_SATURATION: Final = 127
_FORMAT_2_START: Final = 0x01


class Format(IntEnum):
    """What a unit may send, by the vendor's number."""

    ONE = 1
    TWO = 2
    SEVEN = 7
    EIGHT = 8


LENGTHS: Final[dict[Format, int]] = {Format.ONE: 3, Format.TWO: 5, Format.SEVEN: 5, Format.EIGHT: 4}


class Status(IntEnum):
    """Bits of STATUS in formats 2 and 7."""

    SYNC = 0x01
    PERFUSION = 0x06
    SENSOR_ALARM = 0x08
    OUT_OF_TRACK = 0x10
    ARTIFACT = 0x20
    DISCONNECTED = 0x40


class Slow(IntEnum):
    """Bits of the first byte in formats 1 and 8, and of the fourth byte in format 8."""

    HEART_RATE = 0x03
    ARTIFACT = 0x04
    MARGINAL_PERFUSION = 0x08
    LOW_PERFUSION = 0x10
    OUT_OF_TRACK = 0x20
    DISCONNECTED = 0x40


class More(IntEnum):
    """Bits of the fourth byte in format 8, and of VALUE 7 in formats 2 and 7."""

    LOW_BATTERY = 0x01
    SENSOR_ALARM = 0x08
    SMARTPOINT = 0x20


# ── Framing ──────────────────────────────────────────────────────────────────────────────────────


class _Fit(Enum):
    """How bytes look as a row of frames of one format."""

    NO = "something else stands there"
    OPEN = "so far so good, and too few"
    SURE = "enough frames in a row"


class Nonin:
    """The grammar of a stream whose format is not known.

    It is found out from the first frames and believed until as many stray bytes as five frames have come in
    a row. What is looked at before a decision is at most ten bytes.

    Args:
        recording: take the last frames of formats 1 and 8 for whole, though none follows, and a single one
            for what it looks like. Not for a line that may be cut at any byte.
    """

    def __init__(self, *, recording: bool = False) -> None:
        self._recording = recording
        self._locked: Format | None = None
        self._stray_bytes = 0
        self._ended = False

    @property
    def format(self) -> Format | None:
        """What the stream is taken for now."""
        return self._locked

    def end(self) -> None:
        """See `drivers.codec.framing.EndAware`."""
        self._ended = self._recording

    def look(self, stream: bytes, at: int) -> Look:
        if self._locked is None:
            return self._look_for_any(stream, at)
        look = _look_at(self._locked, stream, at, ended=self._ended)
        if look.outcome is Outcome.FRAME:
            self._stray_bytes = 0
        elif look.outcome is Outcome.GARBAGE:
            self._stray_bytes += look.length
            if self._stray_bytes >= FAILURES_TO_LET_GO * LENGTHS[self._locked]:
                self._locked = None
                self._stray_bytes = 0
        return look

    def _look_for_any(self, stream: bytes, at: int) -> Look:
        whole: Format | None = None
        for format_ in _ORDER:
            fit, frames = _row_of(format_, stream, at)
            if fit is _Fit.SURE:
                whole = whole or format_
            if fit is _Fit.OPEN and not self._ended:
                return MORE  # whatever else fits: this one comes first, and it is not refuted yet
            if fit is _Fit.OPEN and frames:
                whole = whole or format_
            if whole is not None:
                self._locked = whole
                return _FRAME[whole]
            if fit is _Fit.OPEN and format_ is Format.TWO and len(stream) - at > 1:
                return Look(Outcome.GARBAGE, len(stream) - at, TOO_SHORT)  # it begins with no other format
        return _STRAY


_ORDER: Final = (Format.TWO, Format.SEVEN, Format.EIGHT, Format.ONE)
"""Which format is asked first; a checksum that fits says more than a pattern of bits."""
_FRAME: Final = {format_: Look(Outcome.FRAME, length) for format_, length in LENGTHS.items()}
_CUT: Final = {length: Look(Outcome.GARBAGE, length, TOO_SHORT) for length in range(1, 6)}
_WRONG: Final = {length: Look(Outcome.GARBAGE, length, BAD_CHECKSUM) for length in range(1, 6)}
_STRAY: Final = Look(Outcome.GARBAGE, 1, NOT_A_FRAME)


def _row_of(format_: Format, stream: bytes, at: int) -> tuple[_Fit, int]:
    """Whether frames of a format follow one another from here, and how many whole ones are there."""
    length = LENGTHS[format_]
    wanted = SUMS_TO_BELIEVE if format_ in _SUMMED else FRAMES_TO_BELIEVE
    for frames in range(wanted):
        window = stream[at + frames * length : at + (frames + 1) * length]
        if not _begins_like(format_, window):
            return _Fit.NO, frames
        if len(window) < length:
            return _Fit.OPEN, frames
    return _Fit.SURE, wanted


_SUMMED: Final = frozenset({Format.TWO, Format.SEVEN})


def _begins_like(format_: Format, window: bytes) -> bool:
    """Whether bytes, as far as they are there, are a frame of this format."""
    if format_ in _SUMMED:
        if format_ is Format.TWO:
            starts = window[:1] in {b"", b"\x01"} and (len(window) < 2 or window[1] >= 0x80)
        else:
            starts = not window or window[0] >= 0x80
        return starts and (len(window) < 5 or sum(window[:4]) & 0xFF == window[4])
    return all((byte >= 0x80) == (place == 0) for place, byte in enumerate(window))


def _look_at(format_: Format, stream: bytes, at: int, *, ended: bool) -> Look:
    """What stands here in a stream of a known format."""
    return (
        _look_summed(format_, stream, at)
        if format_ in _SUMMED
        else _look_slow(format_, stream, at, ended=ended)
    )


def _look_summed(format_: Format, stream: bytes, at: int) -> Look:
    window = stream[at : at + 5]
    if not _begins_like(format_, window[:2]):
        return _STRAY
    if len(window) < 5:
        return MORE
    if sum(window[:4]) & 0xFF == window[4]:
        return _FRAME[format_]
    # A byte was lost or changed: the next frame may begin inside what was taken for this one.
    for length in range(1, 5):
        if _begins_like(format_, window[length : length + 2]):
            return _WRONG[length]
    return _WRONG[5]


def _look_slow(format_: Format, stream: bytes, at: int, *, ended: bool) -> Look:
    needed = LENGTHS[format_]
    if stream[at] < 0x80:
        return _STRAY
    window = stream[at : at + needed + 1]
    for length in range(1, min(len(window), needed)):
        if window[length] >= 0x80:
            return _CUT[length]
    if len(window) > needed:
        return _FRAME[format_] if window[needed] >= 0x80 else _STRAY
    return _FRAME[format_] if ended and len(window) == needed else MORE


# ── Meaning ──────────────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What a unit shows: one frame of format 1 or 8, or one packet of format 2 or 7."""

    saturation: Measured
    pulse: Measured
    flags: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One frame of format 2 or 7.

    Attributes:
        pleth: without unit, 8 bits in format 2, 16 in format 7.
        value: one byte of the packet's 25.
    """

    status: int
    pleth: int
    value: int

    @property
    def first(self) -> bool:
        """Whether a packet begins with it."""
        return bool(self.status & Status.SYNC)

    @property
    def sensor_off(self) -> bool:
        """Whether the unit says that its sensor is on no finger, or not plugged in."""
        return bool(self.status & (Status.DISCONNECTED | Status.SENSOR_ALARM))


def decode(frame: Frame) -> Report | Sample:
    """What a well-formed frame says; its length and first byte tell the format."""
    raw = frame.raw
    if len(raw) < 5:
        return _decode_slow(raw)
    if raw[0] == _FORMAT_2_START:
        return Sample(raw[1], raw[2], raw[3])
    return Sample(raw[0], raw[1] << 8 | raw[2], raw[3])


def decode_packet(samples: Sequence[Sample]) -> Report:
    """What the 25 frames of a packet show together.

    Of the many averages those that are meant for a display are taken; a unit that leaves them all zero gives
    its average of four beats. One frame that says that the finger is out is enough to believe no number.
    """
    value = [sample.value for sample in samples]
    heart_rate, saturation = two_bytes(value[19], value[20]), value[8] & 0x7F
    if not heart_rate and not saturation:
        heart_rate, saturation = two_bytes(value[0], value[1]), value[2] & 0x7F
    more = value[7]
    flags = (
        ("low-battery", bool(more & More.LOW_BATTERY)),
        ("smartpoint", bool(more & More.SMARTPOINT)),
    )
    return _report(heart_rate, saturation, samples, flags)


def decode_cut_packet(samples: Sequence[Sample]) -> Report | None:
    """What the first frames of a packet show when a recording ends after them; None when they are too few."""
    if len(samples) < 3:
        return None
    value = [sample.value for sample in samples]
    return _report(two_bytes(value[0], value[1]), value[2] & 0x7F, samples, (("packet-cut", True),))


def counter_of(samples: Sequence[Sample]) -> int:
    """The number of a packet, 14 bits."""
    return (samples[5].value & 0x7F) << 7 | samples[6].value & 0x7F


def two_bytes(high: int, low: int) -> int:
    """A heart rate of nine bits from two bytes of seven."""
    return (high & 0x03) << 7 | low & 0x7F


_Flags = tuple[tuple[str, bool], ...]


def _report(heart_rate: int, saturation: int, samples: Sequence[Sample], more: _Flags) -> Report:
    said = 0
    for sample in samples:
        said |= sample.status
    perfusions = {sample.status & Status.PERFUSION for sample in samples}
    disconnected = bool(said & Status.DISCONNECTED)
    out_of_track = bool(said & Status.OUT_OF_TRACK)
    return _judge(
        heart_rate,
        saturation,
        (
            ("sensor-disconnected", disconnected),
            ("out-of-track", out_of_track),
            ("artifact", bool(said & Status.ARTIFACT)),
            ("low-perfusion", 0x04 in perfusions),
            ("marginal-perfusion", 0x06 in perfusions),
            *more,
        ),
        sensor_off=any(sample.sensor_off for sample in samples),
        out_of_track=out_of_track,
    )


def _decode_slow(raw: bytes) -> Report:
    first = raw[0]
    more = raw[3] if len(raw) > 3 else 0
    # Bit 6 means something in format 1 only; a wireless unit of format 8 has no plug to pull out.
    disconnected = len(raw) == LENGTHS[Format.ONE] and bool(first & Slow.DISCONNECTED)
    out_of_track = bool(first & Slow.OUT_OF_TRACK)
    return _judge(
        two_bytes(first, raw[1]),
        raw[2],
        (
            ("sensor-disconnected", disconnected),
            ("out-of-track", out_of_track),
            ("artifact", bool(first & Slow.ARTIFACT)),
            ("low-perfusion", bool(first & Slow.LOW_PERFUSION)),
            ("marginal-perfusion", bool(first & Slow.MARGINAL_PERFUSION)),
            ("low-battery", bool(more & More.LOW_BATTERY)),
            ("smartpoint", bool(more & More.SMARTPOINT)),
        ),
        sensor_off=disconnected or bool(more & More.SENSOR_ALARM),
        out_of_track=out_of_track,
    )


def _judge(
    heart_rate: int, saturation: int, flags: _Flags, *, sensor_off: bool, out_of_track: bool
) -> Report:
    said = tuple(flag for flag, holds in flags if holds)
    if sensor_off:
        return Report(_OFF, _OFF, said)
    none = Missing(MissingReason.SEARCHING if out_of_track else MissingReason.INVALID)
    return Report(
        _number(saturation, NO_SATURATION, Unit.PERCENT, none),
        _number(heart_rate, NO_HEART_RATE, Unit.PER_MINUTE, none),
        said,
    )


_OFF: Final = Missing(MissingReason.SENSOR_OFF)


def _number(sent: int, nothing: int, unit: Unit, none: Missing) -> Measured:
    if sent in {0, nothing}:
        return none
    if unit is Unit.PERCENT and sent > 100:
        return Missing(MissingReason.OUT_OF_RANGE)  # more than all of it: not a saturation
    return Quantity(Decimal(sent), unit)
