"""OpenView frames of ProtoCentral boards: HealthyPi v4, HealthyPi 5, ADS1292R. Bytes in, meaning out.

Layout, little endian::

    0   2   0A FA
    2   2   length of the payload
    4   1   type
    5   n   payload
    +0  2   00 0B; some firmware leaves the 00 out

Payloads, by type and length::

    02 20   HealthyPi v4, 125 a second: 0 ecg s16, 2 respiration s16, 4 infrared s32, 8 red s32,
            12 temperature u16 in 1/100 °C, 14 breaths, 15 SpO2, 16 heart rate, 17 AND 18 CONSTANTS 80
            AND 120, which are no pressure, 19 status of the ADS1292R: bits 4-0 lead off
    02 22   HealthyPi 5, 125 a second: 0 ecg s32, 4 respiration s32, 8 leave the respiration out, 9 red
            s32, 13 infrared s32, 17 temperature s16 in 1/100 °C, 19 SpO2, 20 heart rate, 21 breaths
    03 50   HealthyPi 5, firmware 1: 8 ecg s32 (125 a second), 4 respiration s32 (62.5), heart rate, breaths
    04 19   HealthyPi 5, firmware 1: 8 red s16 (100 a second), temperature s16 in 1/100 °C, SpO2
    02 8    ADS1292R, 125 a second: 0 ecg s16, 2 respiration s16, 4 heart rate u16, 6 breaths u16

There is neither checksum nor escaping: start, length, type and end are all there is to go by. A zero in a
number's place is the boards' word for none.

Sources: Protocentral/protocentral_healthypi_v4 ``Healthypiv4_Arduino.ino``; protocentral_healthypi_5_firmware
``src/HPIOpenView.cpp``; protocentral_openview ``packet_framer_v3.dart``, ``healthypi_decoders.dart``,
``ads1292r_decoders.dart``.
"""

import dataclasses
import struct
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Final

from drivers.codec.framing import MORE, NOT_A_FRAME, Frame, Look, Outcome
from drivers.codec.sync import to_next
from edge.vitals.codes import Code
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity, Unit

SYNC: Final = b"\x0a\xfa"
END: Final = 0x0B
NO_END: Final = "no-end-mark"
OTHER_END: Final = "other-end-mark"
FAILURES_TO_LET_GO: Final = 5
FAKE_PRESSURE: Final = bytes((80, 120))
"""What every v4 sends where a pressure might be thought to stand."""
HIGHEST_RATE: Final = 300
_HEADER: Final = 5


class Board(StrEnum):
    """Which board speaks; also the name of its ECG lead, whose electrodes are where the user put them."""

    V4 = "HealthyPi v4"
    V5 = "HealthyPi 5"
    ADS1292R = "ADS1292R"


class Kind(Enum):
    """Frames, by type and length of the payload."""

    V4 = (0x02, 20)
    V5 = (0x02, 22)
    V5_ECG = (0x03, 50)
    V5_PPG = (0x04, 19)
    ADS1292R = (0x02, 8)


BOARDS: Final = {
    Kind.V4: Board.V4,
    Kind.V5: Board.V5,
    Kind.V5_ECG: Board.V5,
    Kind.V5_PPG: Board.V5,
    Kind.ADS1292R: Board.ADS1292R,
}
FRAMES_PER_SECOND: Final = {Kind.V4: 125, Kind.V5: 125, Kind.V5_ECG: 16, Kind.V5_PPG: 12, Kind.ADS1292R: 125}
"""About; what is told once a second is counted by it."""
_KINDS: Final[dict[tuple[int, int], Kind]] = {kind.value: kind for kind in Kind}


# ── Framing ──────────────────────────────────────────────────────────────────────────────────────


class OpenView:
    """The grammar of such a stream.

    A board ends all its frames alike. Which way, the first frame tells, and the other way is refused until
    it has come five times in a row: a byte lost inside a frame makes an end without 00 of one that has it,
    with every number in the place of another.
    """

    def __init__(self) -> None:
        self._end = b""
        self._others = 0

    def look(self, stream: bytes, at: int) -> Look:
        window = stream[at : at + _HEADER]
        if window[:2] != SYNC[: len(window)]:
            return _STRAY
        if len(window) < _HEADER:
            return MORE
        kind = _KINDS.get((window[4], int.from_bytes(window[2:4], "little")))
        if kind is None:
            return Look(Outcome.GARBAGE, to_next(stream, at, _HEADER, SYNC))
        return self._look_at_end(stream, at, kind)

    def _look_at_end(self, stream: bytes, at: int, kind: Kind) -> Look:
        payload_ends = at + _HEADER + kind.value[1]
        end = stream[payload_ends : payload_ends + 2]
        if not end or end == b"\x00":
            return MORE
        if end[0] == END:
            return self._whole(stream, at, kind, end[:1])
        if end == bytes((0, END)):
            return self._whole(stream, at, kind, end)
        # A byte that is no 00 says it all; behind a 00 it took one more.
        length = payload_ends + (1 if end[0] else 2) - at
        return Look(Outcome.GARBAGE, to_next(stream, at, length, SYNC), NO_END)

    def _whole(self, stream: bytes, at: int, kind: Kind, end: bytes) -> Look:
        length = _HEADER + kind.value[1] + len(end)
        if not self._end and kind is Kind.V4 and len(end) == 1 and _has_slipped(stream[at : at + length]):
            return Look(Outcome.GARBAGE, to_next(stream, at, length, SYNC), NO_END)
        if self._end and end != self._end:
            self._others += 1
            if self._others < FAILURES_TO_LET_GO:
                return Look(Outcome.GARBAGE, to_next(stream, at, length, SYNC), OTHER_END)
        self._end = end
        self._others = 0
        return Look(Outcome.FRAME, length)


def _has_slipped(raw: bytes) -> bool:
    """Whether a byte was lost inside: the constants stand one place too early."""
    at = _HEADER + 17
    return raw[at : at + 2] != FAKE_PRESSURE and raw[at - 1 : at + 1] == FAKE_PRESSURE


_STRAY: Final = Look(Outcome.GARBAGE, 1, NOT_A_FRAME)


# ── Meaning ──────────────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What one frame reports. Samples are counts of the board, whose scale is not known.

    Attributes:
        lead_off: whether an electrode is off; None when the board does not tell. What stands in place of
            ECG and respiration then is no signal.
        leaves_out: whether the board said that it has no respiration for this sample.
    """

    kind: Kind
    values: tuple[tuple[Code, Measured], ...]
    ecg: tuple[int, ...] = ()
    respiration: tuple[int, ...] = ()
    infrared: tuple[int, ...] = ()
    red: tuple[int, ...] = ()
    lead_off: bool | None = None
    leaves_out: bool = False

    @property
    def board(self) -> Board:
        return BOARDS[self.kind]


_V4: Final = struct.Struct("<hhiiHBBBBBB")
_V5: Final = struct.Struct("<iiBiihBBB")
_V5_ECG: Final = struct.Struct("<8i4iBB")
_V5_PPG: Final = struct.Struct("<8hhB")
_ADS1292R: Final = struct.Struct("<hhHH")
_LEAD_OFF_BITS: Final = 0x1F


def kind_of(frame: Frame) -> Kind:
    """Which frame it is."""
    return _KINDS[frame.raw[4], int.from_bytes(frame.raw[2:4], "little")]


def decode(frame: Frame) -> Report:
    """What a frame reports."""
    kind = kind_of(frame)
    payload = frame.raw[_HEADER : _HEADER + kind.value[1]]
    match kind:
        case Kind.V4:
            ecg, breath, infrared, red, temperature, breaths, spo2, heart, _, _, status = _V4.unpack(payload)
            off = bool(status & _LEAD_OFF_BITS)
            values = (*_heart(heart, breaths, off=off), _saturation(spo2), _temperature(temperature))
            return Report(kind, values, (ecg,), (breath,), (infrared,), (red,), lead_off=off)
        case Kind.V5:
            ecg, breath, skip, red, infrared, temperature, spo2, heart, breaths = _V5.unpack(payload)
            values = (*_heart(heart, breaths), _saturation(spo2), _temperature(temperature))
            kept = () if skip else (breath,)
            return Report(kind, values, (ecg,), kept, (infrared,), (red,), leaves_out=bool(skip))
        case Kind.V5_ECG:
            *samples, heart, breaths = _V5_ECG.unpack(payload)
            return Report(kind, _heart(heart, breaths), tuple(samples[:8]), tuple(samples[8:]))
        case Kind.V5_PPG:
            *samples, temperature, spo2 = _V5_PPG.unpack(payload)
            return Report(kind, (_saturation(spo2), _temperature(temperature)), red=tuple(samples))
        case Kind.ADS1292R:
            ecg, breath, heart, breaths = _ADS1292R.unpack(payload)
            # Its firmware writes zeros while an electrode is off; a signal is never nothing in all three.
            off = ecg == breath == heart == 0
            rates = _heart(heart, breaths, off=off, none=0xFFFF)
            return Report(kind, rates, (ecg,), (breath,), lead_off=off)


def encode(kind: Kind, *numbers: int, short: bool = False) -> bytes:
    """A frame with these numbers in the order of its layout, for simulators.

    Args:
        kind: which frame.
        numbers: all that stands in it; of a v4 without its two constants.
        short: leave out the 00 before the end, as some firmware does.
    """
    if kind is Kind.V4:
        numbers = (*numbers[:8], *FAKE_PRESSURE, *numbers[8:])
    payload = _STRUCTS[kind].pack(*numbers)
    header = SYNC + len(payload).to_bytes(2, "little") + bytes((kind.value[0],))
    return header + payload + bytes((END,) if short else (0, END))


_STRUCTS: Final = {
    Kind.V4: _V4,
    Kind.V5: _V5,
    Kind.V5_ECG: _V5_ECG,
    Kind.V5_PPG: _V5_PPG,
    Kind.ADS1292R: _ADS1292R,
}


def _heart(
    heart: int, breaths: int, *, off: bool = False, none: int = 0xFF
) -> tuple[tuple[Code, Measured], ...]:
    if off:
        why = Missing(MissingReason.SENSOR_OFF)
        return (Code.HEART_RATE, why), (Code.RESPIRATORY_RATE, why)
    return (Code.HEART_RATE, _rate(heart, none)), (Code.RESPIRATORY_RATE, _rate(breaths, none))


def _rate(sent: int, none: int) -> Measured:
    if not sent:
        return Missing(MissingReason.NOT_MEASURED)
    if sent == none:
        return Missing(MissingReason.INVALID)
    if sent > HIGHEST_RATE:
        return Missing(MissingReason.OUT_OF_RANGE)
    return Quantity(Decimal(sent), Unit.PER_MINUTE)


def _saturation(sent: int) -> tuple[Code, Measured]:
    if not sent:
        return Code.OXYGEN_SATURATION, Missing(MissingReason.NOT_MEASURED)
    if sent > 100:
        return Code.OXYGEN_SATURATION, Missing(MissingReason.OUT_OF_RANGE)
    return Code.OXYGEN_SATURATION, Quantity(Decimal(sent), Unit.PERCENT)


def _temperature(sent: int) -> tuple[Code, Measured]:
    if not sent:
        return Code.TEMPERATURE, Missing(MissingReason.NOT_MEASURED)
    return Code.TEMPERATURE, Quantity(Decimal(sent).scaleb(-2), Unit.CELSIUS)
