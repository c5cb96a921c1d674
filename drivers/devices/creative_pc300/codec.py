"""What a PC-300 or PC-100 spot-check monitor says: frames of `drivers.codec.creative`.

Data of each, by token and type; numbers of two bytes are big endian, but for the pulse of the oximeter::

    30 01/02   ECG started, stopped
    32 ..      ECG: 0 number of the packet (0 while it prepares), 1 25 samples of two bytes, 51 reserved,
               52 bit 7 lead off. Of each sample bit 15 tells 12 bits from 8, the low 12 are the value
    33 ..      ECG result: 0 finding (FF poor signal), 1 heart rate
    34 ..      counts in a millivolt of ECG, when they are not 394
    40 01/02   cuff started, stopped
    42 ..      cuff pressure while it measures: 0 bits 3-0 and 1 pressure, 0 bit 4 a beat
    43 01      result: 0 systolic with bit 15 irregular pulse, 2 MEAN, 3 DIASTOLIC, 4 pulse
    43 02      failed: 0 bit 7 which table, bits 6-0 why
    52 01      pleth
    53 ..      SpO2, pulse rate, perfusion index, status (`drivers.codec.creative_oximetry`)
    72 01      temperature: 0 bits 6-5 state, bit 4 probe off; 1 hundredths of a degree above 30 °C
    FF 02/04   versions and battery; FF 01 name; D0 it switches off

Sources: viatomEcho/LepuBle ``ble/cmd/Pc300BleResponse.kt``, ``Pc300BleCmd.java``, ``Pc300BleInterface.kt``
and its Android SDK API document (rates, invalid values).
"""

import datetime
from decimal import Decimal
from enum import IntEnum
from typing import Final, NamedTuple

from drivers.codec import uuids
from drivers.codec.creative import CreativeFrames, Message, encode
from drivers.codec.creative_oximetry import PARAMETER_BYTES, encode_parameters

SERVICE: Final = uuids.full("FFF0")
NOTIFY: Final = uuids.full("FFF1")
WRITE: Final = uuids.full("FFF2")

ECG_RATE: Final = Decimal(150)
ECG_SAMPLES: Final = 25
USUAL_GAIN: Final = Decimal(394)
"""Counts in a millivolt, of samples of 12 bits."""
GAIN_OF_8_BITS: Final = Decimal("28.5")
_STEP: Final = Decimal("0.000001")


class Token(IntEnum):
    """Which part of the monitor speaks; the type says more only where it is named below."""

    ECG_CONTROL = 0x30
    ECG_WAVE = 0x32
    ECG_RESULT = 0x33
    ECG_GAIN = 0x34
    CUFF_CONTROL = 0x40
    CUFF_PRESSURE = 0x42
    CUFF_RESULT = 0x43
    OXIMETER_STATE = 0x51
    PLETH = 0x52
    OXIMETER = 0x53
    TEMPERATURE = 0x72
    GLUCOSE = 0x73
    OFF = 0xD0
    MONITOR = 0xFF


MEASURED: Final = 0x01
FAILED: Final = 0x02
ENABLED: Final = 0x01
NAME: Final = 0x01
VERSIONS: Final = (0x02, 0x04)
SET_TIME: Final = 0x03

_LENGTHS: Final = {
    Token.ECG_WAVE: 53,
    Token.ECG_RESULT: 3,
    Token.ECG_GAIN: 2,
    Token.CUFF_PRESSURE: 2,
    Token.OXIMETER: PARAMETER_BYTES,
}
_LEAST: Final = {
    (int(Token.CUFF_RESULT), MEASURED): 5,
    (int(Token.CUFF_RESULT), FAILED): 1,
    (int(Token.PLETH), ENABLED): 1,
    (int(Token.TEMPERATURE), MEASURED): 3,
    **{(int(token), type_): length for token, length in _LENGTHS.items() for type_ in range(256)},
}


def frames() -> CreativeFrames:
    """The grammar of what it sends."""
    return CreativeFrames(_LEAST)


class Pressures(NamedTuple):
    """A finished measurement of the cuff, in mmHg; the device sends the mean before the diastolic."""

    systolic: int
    mean: int
    diastolic: int
    pulse: int
    irregular: bool


def decode_pressures(data: bytes) -> Pressures:
    """Read a result."""
    word = int.from_bytes(data[:2], "big")
    return Pressures(word & 0x7FFF, data[2], data[3], data[4], bool(word & 0x8000))


def encode_pressures(said: Pressures) -> bytes:
    """A result, for simulators."""
    word = said.systolic | said.irregular << 15
    data = word.to_bytes(2, "big") + bytes((said.mean, said.diastolic, said.pulse))
    return encode(Token.CUFF_RESULT, MEASURED, data)


class Failure(NamedTuple):
    """Why a measurement came to nothing, as the device counts."""

    table: int
    number: int


FAILURES: Final = {
    1: "cuff-too-loose",
    2: "over-pressure",
    3: "no-pulse",
    4: "body-movement",
    5: "result-fault",
    6: "air-leak",
    14: "low-battery",
}
"""What both tables say of a number."""
FAILURES_OF_TABLE_1: Final = {
    7: "self-test-failed",
    8: "pressure-fault",
    9: "signal-saturated",
    10: "air-leak",
    11: "hardware-fault",
    12: "took-too-long",
}
LOW_POWER_BY_OTHER_ACCOUNTS: Final = 7
"""Of table 0: some documents give 7, the makers' library 14, for a battery that is too low."""


def decode_failure(data: bytes) -> Failure:
    """Read a failure."""
    return Failure(data[0] >> 7, data[0] & 0x7F)


def word_of(failure: Failure) -> str | None:
    """What the failure is called here, or None when nobody says what the number means."""
    if failure.table:
        return FAILURES.get(failure.number) or FAILURES_OF_TABLE_1.get(failure.number)
    if failure.number == LOW_POWER_BY_OTHER_ACCOUNTS:
        return "low-battery"
    return FAILURES.get(failure.number)


class CuffPressure(NamedTuple):
    """What the cuff holds while it measures."""

    mmhg: int
    beat: bool


def decode_cuff_pressure(data: bytes) -> CuffPressure:
    """Read the pressure in the cuff."""
    return CuffPressure((data[0] & 0x0F) << 8 | data[1], bool(data[0] & 0x10))


def encode_cuff_pressure(mmhg: int, *, beat: bool = False) -> bytes:
    """The pressure in the cuff, for simulators."""
    return encode(Token.CUFF_PRESSURE, 0x01, bytes((mmhg >> 8 | beat << 4, mmhg & 0xFF)))


class State(IntEnum):
    """Of the thermometer."""

    STANDING_BY = 0
    MEASURING = 1
    FINISHED = 2
    TOOK_TOO_LONG = 3


class Temperature(NamedTuple):
    """What the thermometer says; hundredths of a degree above 30 °C."""

    state: State
    probe_off: bool
    hundredths: int


def decode_temperature(data: bytes) -> Temperature:
    """Read a temperature."""
    return Temperature(State(data[0] >> 5 & 3), bool(data[0] & 0x10), int.from_bytes(data[1:3], "big"))


def encode_temperature(said: Temperature) -> bytes:
    """A temperature, for simulators."""
    status = said.state << 5 | said.probe_off << 4
    return encode(Token.TEMPERATURE, MEASURED, bytes((status, *said.hundredths.to_bytes(2, "big"))))


class Ecg(NamedTuple):
    """A packet of ECG.

    Attributes:
        number: 0 while the monitor prepares, for about ten seconds; then counted up.
        samples: around zero.
        fine: whether they have 12 bits, not 8.
    """

    number: int
    samples: tuple[int, ...]
    fine: bool
    lead_off: bool


_MIDDLE: Final = {True: 2048, False: 128}


def decode_ecg(data: bytes) -> Ecg:
    """Read a packet of ECG."""
    fine = bool(data[1] & 0x80)
    words = (int.from_bytes(data[at : at + 2], "big") & 0x0FFF for at in range(1, 1 + 2 * ECG_SAMPLES, 2))
    return Ecg(data[0], tuple(word - _MIDDLE[fine] for word in words), fine, bool(data[52] & 0x80))


def encode_ecg(said: Ecg) -> bytes:
    """A packet of ECG, for simulators."""
    words = (sample + _MIDDLE[said.fine] | said.fine << 15 for sample in said.samples)
    data = b"".join(word.to_bytes(2, "big") for word in words)
    return encode(Token.ECG_WAVE, 0x01, bytes((said.number, *data, 0, said.lead_off << 7)))


def microvolts_in_a_count(gain: Decimal) -> Decimal:
    """What one count of ECG is, from the counts in a millivolt."""
    return (1000 / gain).quantize(_STEP)


class Heart(NamedTuple):
    """What the monitor found in thirty seconds of ECG."""

    poor: bool
    rate: int


def decode_heart(data: bytes) -> Heart:
    """Read the result of an ECG; its finding, a guess at a diagnosis, is not handed on."""
    return Heart(data[0] == 0xFF, int.from_bytes(data[1:3], "big"))


def battery(said: Message) -> int | None:
    """The level of the battery, 0 to 3, where a frame tells it."""
    if said.token != Token.MONITOR or said.type not in VERSIONS or len(said.data) < 3:
        return None
    return said.data[3 if len(said.data) == 4 else 2]


def version(said: Message) -> str:
    """The version of its software, two digits to a byte; empty where a frame does not tell it."""
    if said.token != Token.MONITOR or said.type not in VERSIONS or len(said.data) < 2:
        return ""
    digits = said.data[:2] if len(said.data) == 4 else said.data[:1]
    return ".".join(str(digit) for byte in digits for digit in (byte >> 4, byte & 0x0F))


def set_time(at: datetime.datetime) -> bytes:
    """The request that sets the clock."""
    data = bytes((at.year - 2000, at.month, at.day, at.hour, at.minute, at.second))
    return encode(Token.MONITOR, SET_TIME, data)


def encode_oximetry(values: tuple[int, int, int], *, off: bool = False, searching: bool = False) -> bytes:
    """The oximeter's parameters, for simulators: SpO2, pulse rate, perfusion index in tenths."""
    return encode(Token.OXIMETER, 0x01, encode_parameters(values, off=off, searching=searching))


def encode_pleth(samples: tuple[int, ...]) -> bytes:
    """Pleth, for simulators."""
    return encode(Token.PLETH, ENABLED, bytes(samples))


def ask(token: Token, type_: int, data: bytes = b"") -> bytes:
    """A request to the monitor."""
    return encode(token, type_, data)
