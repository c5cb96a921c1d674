"""The bytes of Contec CMS50 oximeters, both generations. No port, no clock: bytes in, meaning out.

Five-byte generation, 19200 8O1, streams by itself, 60 packets a second::

    0   bit 7 set; 6 beat; 5 SpO2 dropping; 4 finger out; 3-0 signal strength
    1   6-0 pleth
    2   6 bit 7 of the pulse rate; 5 searching; 4 probe error; 3-0 bar graph
    3   6-0 low seven bits of the pulse rate
    4   6-0 SpO2

Nine-byte generation, 115200 8N1, streams when asked, 60 packets a second. The length of a packet follows
from its type; bit 7 is set in every byte but the type, and what it was is kept in byte 1: bit i of byte 1
is bit 7 of byte 2 + i. Real-time data is type 01; its payload, bytes 2 to 8 with bit 7 restored::

    0   7 probe error, which is also "finger out"; 6 beat; 5 low SpO2; 4 searching too long; 3-0 signal 0-8
    1   7 searching; 6-0 pleth
    2   4 perfusion index invalid; 3-0 bar graph
    3   pulse rate, FF invalid
    4   SpO2, 7F invalid
    5   perfusion index in hundredths of a percent, little endian, FFFF invalid

What a unit keeps stands in `drivers.devices.contec_cms50.stored`.

Neither has a checksum: the pattern of bits 7 is the only check there is, so every byte of it is checked.

Sources: atbrask/CMS50Dplus ``cms50dplus/cms50dplus.py`` (five-byte); Contec, "Communication protocol of
pulse oximeter V7.0" and headrotor/contec_data ``stream_data.py`` with its capture (nine-byte); lengths of
the packets that are no real-time data also as in SleepyHead's ``cms50f37_loader.cpp``.
"""

import dataclasses
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Final

from drivers.codec.framing import MORE, NOT_A_FRAME, TOO_SHORT, Frame, Look, Outcome
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity, Unit

PACKETS_PER_SECOND: Final = 60
FIVE: Final = 5
"""Length of every packet of the five-byte generation."""
FAILURES_TO_LET_GO: Final = 5
OTHER_GENERATION: Final = "other-generation"
"""A whole frame, but of the generation that this stream is not."""


class Generation(StrEnum):
    """Which of the two protocols a unit speaks; the box of the device does not say."""

    FIVE_BYTE = "five-byte"
    NINE_BYTE = "nine-byte"


class Packet(IntEnum):
    """Types of nine-byte-generation packets that this code names."""

    REAL_TIME = 0x01
    MODEL = 0x02
    DEVICE_ID = 0x04
    SEGMENT_DATE = 0x07
    SEGMENT_LENGTH = 0x08
    STORED_WITH_PI = 0x09
    SEGMENTS = 0x0A
    ANSWER = 0x0B
    STOPPED = 0x0C
    DISCONNECTS = 0x0D
    PI_SUPPORT = 0x0E
    STORED = 0x0F
    USERS = 0x10
    SEGMENT_TIME = 0x12


class Command(IntEnum):
    """What a nine-byte unit can be asked."""

    START = 0xA1
    STOP = 0xA2
    SEGMENTS = 0xA3
    SEGMENT_LENGTH = 0xA4
    SEGMENT_START = 0xA5
    SEND_STORED = 0xA6
    STOP_STORED = 0xA7
    MODEL = 0xA8
    DEVICE_ID = 0xAA
    PI_SUPPORT = 0xAC
    USERS = 0xAD
    KEEP_ALIVE = 0xAF
    SET_TIME = 0xB1
    SET_DATE = 0xB2


PACKET_LENGTHS: Final[dict[int, int]] = {
    0x01: 9, 0x02: 9, 0x03: 9, 0x04: 9, 0x05: 9, 0x06: 4, 0x07: 8, 0x08: 8, 0x09: 6, 0x0A: 4,
    0x0B: 4, 0x0C: 2, 0x0D: 3, 0x0E: 3, 0x0F: 8, 0x10: 3, 0x11: 9, 0x12: 8, 0x13: 9, 0x14: 9,
}  # fmt: skip
"""How long a nine-byte-generation packet of each type is, its type included."""

OLD_SEND_STORED: Final = b"\xf5\xf5"
OLD_STOP_STORED: Final = b"\xf6\xf6\xf6"
OLD_MARK: Final = b"\xf2\x80\x00"
"""Three of them begin what a five-byte unit keeps."""
MARKS: Final = 3
STORED_RECORD: Final = 3
"""Length of a mark, of the length behind them, and of a record."""

_FRAME: Final = {length: Look(Outcome.FRAME, length) for length in range(2, 10)}
_CUT: Final = {length: Look(Outcome.GARBAGE, length, TOO_SHORT) for length in range(1, 10)}
_STRAY: Final = Look(Outcome.GARBAGE, 1, NOT_A_FRAME)
_FOREIGN: Final = {length: Look(Outcome.GARBAGE, length, OTHER_GENERATION) for length in range(2, 10)}

RECORD_STARTS: Final = frozenset({0xF0, 0xF1})
_STORED_SHAPE: Final = (True, True, False)
"""Which bytes of a length or a record have bit 7."""
_BITS_7: Final = {length: int.from_bytes(b"\x80" * length) for length in range(1, 10)}
_FIVE_PATTERN: Final = int.from_bytes(b"\x80\x00\x00\x00\x00")


# ── Framing ──────────────────────────────────────────────────────────────────────────────────────


class Contec:
    """The grammar of a stream whose generation is not known, or known beforehand.

    Bit 7 of a frame's first byte tells the generations apart. The first good frame decides, and the
    decision stands until five frames in a row have failed: whole frames of the other generation, or as
    many stray bytes as one of ours has. Without that, noise between nine-byte packets would now and then
    be taken for a five-byte one, since one of 32 random places looks like it.

    Args:
        only: believe this generation alone, whatever comes; for a port on which it has answered.
    """

    def __init__(self, only: Generation | None = None) -> None:
        self._only = only
        self._locked = only
        self._foreign = 0
        self._stray_bytes = 0
        self._marks = 0

    @property
    def generation(self) -> Generation | None:
        """What the stream is taken for now."""
        return self._locked

    def look(self, stream: bytes, at: int) -> Look:
        look = self._look_stored(stream, at) if self._locked is not Generation.NINE_BYTE else None
        if look is not None:
            if look.outcome is Outcome.FRAME:
                self._marks = self._marks + 1 if self._marks < MARKS and stream[at] == OLD_MARK[0] else 0
                self._locked = Generation.FIVE_BYTE
                self._foreign = self._stray_bytes = 0
            return look
        look = self._look_live(stream, at)
        if look.outcome is not Outcome.MORE:
            self._marks = 0
        return look

    def _look_live(self, stream: bytes, at: int) -> Look:
        if self._locked is None:
            return self._look_for_any(stream, at)
        look = _LOOK[self._locked](stream, at)
        if look.outcome is Outcome.FRAME:
            self._foreign = self._stray_bytes = 0
        elif look.outcome is Outcome.GARBAGE and self._only is None:
            look = self._refuse(self._locked, look, stream, at)
        return look

    def _look_stored(self, stream: bytes, at: int) -> Look | None:
        """A mark, the length behind three of them, or a record of what a five-byte unit keeps; else None."""
        window = stream[at : at + STORED_RECORD]
        if self._marks == MARKS or window[0] in RECORD_STARTS:
            fits = all((byte >= 0x80) == high for byte, high in zip(window, _STORED_SHAPE, strict=False))
        else:
            fits = OLD_MARK.startswith(window)
        if not fits:
            return None
        return _FRAME[STORED_RECORD] if len(window) == STORED_RECORD else MORE

    def _look_for_any(self, stream: bytes, at: int) -> Look:
        look = _look_any(stream, at)
        if look.outcome is Outcome.FRAME:
            self._locked = generation_of(stream[at])
        elif look.length > 1:
            # What was cut short was cut by a byte that does not fit: its last byte, bit 7 the other way,
            # may begin a frame of the other generation.
            last = _look_any(stream, at + look.length - 1)
            if last.outcome is Outcome.MORE:
                return last
            if last.outcome is Outcome.FRAME:
                return _CUT[look.length - 1] if look.length > 2 else _STRAY
        return look

    def _refuse(self, locked: Generation, look: Look, stream: bytes, at: int) -> Look:
        """Count what fails, and let go of the generation when it has failed often enough."""
        other = _look_other(locked, stream, at)
        if other.outcome is Outcome.MORE:
            return other
        if other.outcome is Outcome.FRAME:
            self._foreign += 1
            look = _FOREIGN[other.length]
        else:
            self._stray_bytes += look.length
        own_length = FIVE if locked is Generation.FIVE_BYTE else PACKET_LENGTHS[Packet.REAL_TIME]
        if self._foreign + self._stray_bytes // own_length >= FAILURES_TO_LET_GO:
            self._locked = None
            self._foreign = self._stray_bytes = 0
        return look


def generation_of(first_byte: int) -> Generation:
    """Which generation a well-formed frame belongs to."""
    return Generation.FIVE_BYTE if first_byte >= 0x80 else Generation.NINE_BYTE


def _look_five(stream: bytes, at: int) -> Look:
    if stream[at] < 0x80:
        return _STRAY
    window = stream[at : at + FIVE]
    if len(window) == FIVE and int.from_bytes(window) & _BITS_7[FIVE] == _FIVE_PATTERN:
        return _FRAME[FIVE]
    for length in range(1, len(window)):
        if window[length] >= 0x80:
            return _CUT[length] if length > 1 else _STRAY
    return MORE


def _look_nine(stream: bytes, at: int) -> Look:
    needed = PACKET_LENGTHS.get(stream[at], 0)
    if not needed:
        return _STRAY
    window = stream[at : at + needed]
    if len(window) == needed and int.from_bytes(window) & _BITS_7[needed] == _BITS_7[needed - 1]:
        # Byte 1 keeps one bit for each byte behind it; a bit too many is no packet.
        return _STRAY if (window[1] & 0x7F) >> (needed - 2) else _FRAME[needed]
    for length in range(1, len(window)):
        if window[length] < 0x80:
            return _CUT[length] if length > 1 else _STRAY
    return MORE


def _look_any(stream: bytes, at: int) -> Look:
    return _look_five(stream, at) if stream[at] >= 0x80 else _look_nine(stream, at)


_LOOK: Final = {Generation.FIVE_BYTE: _look_five, Generation.NINE_BYTE: _look_nine}


def _look_other(locked: Generation, stream: bytes, at: int) -> Look:
    """Is this a frame of the other generation, and surely not noise in front of one of ours?"""
    if locked is Generation.FIVE_BYTE:
        return _look_nine(stream, at) if stream[at] == Packet.REAL_TIME else _STRAY
    look = _look_five(stream, at)
    if look.outcome is Outcome.FRAME and stream[at + FIVE - 1] in PACKET_LENGTHS:
        return _STRAY
    return look


# ── Meaning ──────────────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """One packet of real-time data.

    Attributes:
        pulse: per minute.
        perfusion: percent; None from the five-byte generation, which does not measure it.
        pleth: 0 to 127 without unit, sent on whatever the state of the finger.
        signal: strength as the device gives it, 0 to 8 (the five-byte generation has room for 15).
    """

    saturation: Measured
    pulse: Measured
    perfusion: Measured | None
    pleth: int
    signal: int
    beat: bool
    saturation_low: bool
    saturation_dropping: bool
    searching_too_long: bool


def decode(frame: Frame) -> Report | None:
    """What a frame reports, or None of a packet that answers a command or carries stored data."""
    raw = frame.raw
    if generation_of(raw[0]) is Generation.FIVE_BYTE:
        return _decode_five(raw) if len(raw) == FIVE else None
    return _decode_real_time(unstuff(raw)) if raw[0] == Packet.REAL_TIME else None


def unstuff(raw: bytes) -> bytes:
    """The payload of a nine-byte-generation packet: bytes 2 and on, their bits 7 put back."""
    kept = raw[1]
    return bytes(byte & 0x7F | (kept >> place & 1) << 7 for place, byte in enumerate(raw[2:]))


def _decode_five(raw: bytes) -> Report:
    status, pleth, more, pulse_low, saturation = raw
    why: MissingReason | None = None
    if status & 0x10:
        why = MissingReason.SENSOR_OFF
    elif more & 0x10:
        why = MissingReason.PROBE_ERROR
    elif more & 0x20:
        why = MissingReason.SEARCHING
    return Report(
        saturation=_NO_VALUE[why] if why else SATURATION[saturation],
        pulse=_NO_VALUE[why] if why else PULSE[(more & 0x40) << 1 | pulse_low],
        perfusion=None,
        pleth=pleth,
        signal=status & 0x0F,
        beat=bool(status & 0x40),
        saturation_low=False,
        saturation_dropping=bool(status & 0x20),
        searching_too_long=False,
    )


def _decode_real_time(payload: bytes) -> Report:
    status, wave, more, pulse, saturation, pi_low, pi_high = payload
    why: MissingReason | None = None
    if status & 0x80:
        why = MissingReason.SENSOR_OFF
    elif wave & 0x80 or status & 0x10:
        why = MissingReason.SEARCHING
    hundredths = pi_high << 8 | pi_low
    perfusion: Measured
    if why:
        perfusion = _NO_VALUE[why]
    elif more & 0x10 or hundredths == 0xFFFF:
        perfusion = _NO_VALUE[MissingReason.NOT_MEASURED]
    else:
        perfusion = Quantity(Decimal(hundredths).scaleb(-2), Unit.PERCENT)
    return Report(
        saturation=_NO_VALUE[why] if why else SATURATION[saturation],
        pulse=_NO_VALUE[why] if why else PULSE[pulse],
        perfusion=perfusion,
        pleth=wave & 0x7F,
        signal=status & 0x0F,
        beat=bool(status & 0x40),
        saturation_low=bool(status & 0x20),
        saturation_dropping=False,
        searching_too_long=bool(status & 0x10),
    )


def _saturation(sent: int) -> Measured:
    if sent in {0, 0x7F, 0xFF}:
        return Missing(MissingReason.INVALID)
    if sent > 100:
        return Missing(MissingReason.OUT_OF_RANGE)  # more than all of it: not a saturation
    return Quantity(Decimal(sent), Unit.PERCENT)


def _pulse(sent: int) -> Measured:
    return Missing(MissingReason.INVALID) if sent in {0, 0xFF} else Quantity(Decimal(sent), Unit.PER_MINUTE)


# Sixty packets a second say one of a few hundred things, so each is made once.
_NO_VALUE: Final[dict[MissingReason, Measured]] = {why: Missing(why) for why in MissingReason}
SATURATION: Final = tuple(_saturation(sent) for sent in range(256))
PULSE: Final = tuple(_pulse(sent) for sent in range(256))


# ── Speaking ─────────────────────────────────────────────────────────────────────────────────────


def stuff(first: int, payload: bytes) -> bytes:
    """A nine-byte-generation packet: type, the stripped bits 7, the payload with bit 7 set.

    Raises:
        ValueError: more than the seven bytes of which byte 1 can keep the bits.
    """
    if len(payload) > 7:
        raise ValueError("a packet carries seven bytes at most")
    kept = 0
    for place, byte in enumerate(payload):
        kept |= byte >> 7 << place
    return bytes([first, 0x80 | kept, *(0x80 | byte for byte in payload)])


def command(what: Command, *parameters: int) -> bytes:
    """The nine bytes that ask a unit for something; parameters not given are zero."""
    return stuff(0x7D, bytes([what, *parameters]).ljust(7, b"\x00"))
