"""The bytes of a SunTech Advantage OEM blood pressure module. No port, no clock: bytes in, meaning out.

9600 8N1. The host asks (``3A command [data] checksum``), the module answers::

    0   1   3E
    1   1   length of the whole frame
    2   n   content
    +0  1   checksum: all bytes of the frame add up to 0, modulo 256

A frame has no type: what it means follows from its length, and from what was asked::

     4  one letter of status
     5  cuff pressure, mmHg, signed 16 bit little endian; -1 for none
     6  answer of the calibration
    24  blood pressure: 0 systolic u16, 2 diastolic u16, 14 pulse u16, 16 mean u16, 18 error u8
    67  version, text

Only these lengths are believed, so that noise cannot make us wait for a frame of any length.

Sources: ak-git/DemoApp, package ``com.ak.comm.bytes.suntech`` and its test; 519984307/Appciton
``SuntechProvider.cpp`` (facts only). Both agree on framing and checksum.
"""

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Final, TypeAlias

from drivers.codec.framing import BAD_CHECKSUM, MORE, NOT_A_FRAME, Frame, Look, Outcome
from edge.ports.driver import CuffMode, DeviceMisbehaved
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity, Unit

ASKS: Final = 0x3A
ANSWERS: Final = 0x3E
LONGEST: Final = 67


class Length(IntEnum):
    """Lengths of frames that have a meaning."""

    STATUS = 4
    PRESSURE = 5
    CALIBRATION = 6
    RESULT = 24
    VERSION = 67


class State(StrEnum):
    """What the module says in one letter; the words are those of this project."""

    RECEIVED = "received"
    EXECUTED = "executed"
    ABORTED = "aborted"
    BUSY = "busy"
    ERROR = "error"
    UNDEFINED = "undefined"
    NOT_RECOGNISED = "not-recognised"
    SLEEPING = "sleeping"
    TIMED_OUT = "timed-out"


LETTERS: Final[Mapping[int, State]] = {
    ord("O"): State.RECEIVED,
    ord("K"): State.EXECUTED,
    ord("A"): State.ABORTED,
    ord("B"): State.BUSY,
    ord("E"): State.ERROR,
    ord("N"): State.UNDEFINED,
    ord("D"): State.NOT_RECOGNISED,
    ord("S"): State.SLEEPING,
    ord("T"): State.TIMED_OUT,
}

ERRORS: Final[Mapping[int, str]] = {
    0x01: "weak-signal",
    0x02: "artifact",
    0x03: "pressure-out-of-range",
    0x04: "measurement-too-long",
    0x55: "pneumatic-blockage",
    0x56: "measurement-stopped",
    0x57: "cuff-too-loose",
    0x58: "safety-time-out",
    0x59: "over-pressure",
    0x5A: "device-fault",
    0x5B: "device-fault",
    0x61: "device-fault",
    0x63: "device-fault",
}
"""Why a measurement has no result; 5A hardware or power, 5B autozero, 61 transducer, 63 calibration."""
UNKNOWN_ERROR: Final = "unknown-error"

REQUESTS: Final = {
    CuffMode.ADULT: bytes.fromhex("3A20A6"),
    CuffMode.CHILD: bytes.fromhex("3A873F"),
    CuffMode.NEONATE: bytes.fromhex("3A289E"),
}
"""What starts a measurement."""


def request(command: int, *data: int) -> bytes:
    """Bytes that ask the module for something."""
    asked = bytes([ASKS, command, *data])
    return asked + bytes([-sum(asked) & 0xFF])


ABORT: Final = request(0x79, 0x01, 0x00)
GET_PRESSURE: Final = request(0x79, 0x05, 0x00)
GET_RESULT: Final = request(0x79, 0x03, 0x00)
GET_VERSION: Final = request(0x79, 0x02, 0x40)
RESET: Final = request(0x8A)


def initial_inflation(mmhg: int) -> bytes:
    """How high the next measurement pumps first."""
    return request(0x17, mmhg & 0xFF, mmhg >> 8)


# ── Framing ──────────────────────────────────────────────────────────────────────────────────────


class Suntech:
    """The grammar of what a module sends."""

    def look(self, stream: bytes, at: int) -> Look:
        if stream[at] != ANSWERS:
            return _STRAY
        if len(stream) - at < 2:
            return MORE
        length = stream[at + 1]
        if length not in _LENGTHS:
            return _STRAY
        window = stream[at : at + length]
        if len(window) < length:
            return MORE
        if sum(window) & 0xFF == 0:
            return Look(Outcome.FRAME, length)
        return Look(Outcome.GARBAGE, _until_next(window), BAD_CHECKSUM)


def _until_next(window: bytes) -> int:
    """Where inside a frame whose sum is wrong another may begin: a byte was lost or changed."""
    for place in range(1, len(window)):
        if window[place] == ANSWERS and (place + 1 == len(window) or window[place + 1] in _LENGTHS):
            return place
    return len(window)


_LENGTHS: Final = frozenset(Length)
_STRAY: Final = Look(Outcome.GARBAGE, 1, NOT_A_FRAME)


# ── Meaning ──────────────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True, slots=True)
class CuffPressure:
    """What the cuff holds now; no pressure of the patient."""

    pressure: Measured


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """One measurement.

    Attributes:
        error: the module's number, 0 for none; with any other there are no values.
    """

    systolic: Measured
    diastolic: Measured
    mean: Measured
    pulse: Measured
    error: int

    @property
    def reason(self) -> str | None:
        """Why there is no result, in a word; None when there is one."""
        return ERRORS.get(self.error, UNKNOWN_ERROR) if self.error else None


@dataclasses.dataclass(frozen=True, slots=True)
class Calibration:
    """The answer of the calibration, which we never ask for."""


@dataclasses.dataclass(frozen=True, slots=True)
class Version:
    """Which module it is."""

    text: str


Answer: TypeAlias = State | CuffPressure | Result | Calibration | Version


def decode(frame: Frame) -> Answer:
    """What a well-formed frame says.

    Raises:
        DeviceMisbehaved: a letter of status that is not known (``unknown-status``).
    """
    content = frame.raw[2:-1]
    match len(frame.raw):
        case Length.STATUS:
            state = LETTERS.get(content[0])
            if state is None:
                raise DeviceMisbehaved("A status without meaning.", raw=frame.raw, code="unknown-status")
            return state
        case Length.PRESSURE:
            return CuffPressure(_cuff(int.from_bytes(content, "little", signed=True)))
        case Length.CALIBRATION:
            return Calibration()
        case Length.RESULT:
            return _result(content)
        case _:
            return Version(content.split(b"\0")[0].decode("ascii", "replace").strip())


def _cuff(sent: int) -> Measured:
    if sent < 0:
        return Missing(MissingReason.NOT_MEASURED)
    return Quantity(Decimal(sent), Unit.MILLIMETRE_OF_MERCURY)


def _result(content: bytes) -> Result:
    error = content[18]
    return Result(
        systolic=_number(content, 0, Unit.MILLIMETRE_OF_MERCURY, error),
        diastolic=_number(content, 2, Unit.MILLIMETRE_OF_MERCURY, error),
        mean=_number(content, 16, Unit.MILLIMETRE_OF_MERCURY, error),
        pulse=_number(content, 14, Unit.PER_MINUTE, error),
        error=error,
    )


def _number(content: bytes, at: int, unit: Unit, error: int) -> Measured:
    sent = int.from_bytes(content[at : at + 2], "little")
    if error or sent in {0, 0xFFFF}:
        out_of_range = error == 0x03
        return Missing(MissingReason.OUT_OF_RANGE if out_of_range else MissingReason.INVALID)
    return Quantity(Decimal(sent), unit)


# ── The other end, for simulators ────────────────────────────────────────────────────────────────


def answer(content: bytes) -> bytes:
    """The frame that carries some content."""
    frame = bytes([ANSWERS, len(content) + 3]) + content
    return frame + bytes([-sum(frame) & 0xFF])


def encode_state(state: State) -> bytes:
    """The one-letter answer."""
    return answer(bytes([next(letter for letter, known in LETTERS.items() if known is state)]))


def encode_pressure(mmhg: int) -> bytes:
    """What the cuff holds; -1 for none."""
    return answer(mmhg.to_bytes(2, "little", signed=True))


def encode_result(systolic: int, diastolic: int, mean: int, pulse: int, error: int = 0) -> bytes:
    """A result; the unnamed bytes are zero."""
    content = bytearray(21)
    for at, number in ((0, systolic), (2, diastolic), (14, pulse), (16, mean)):
        content[at : at + 2] = number.to_bytes(2, "little")
    content[18] = error
    return answer(bytes(content))


def encode_version(text: str) -> bytes:
    """The version text, padded to the length of its frame."""
    return answer(text.encode("ascii").ljust(LONGEST - 3, b"\0")[: LONGEST - 3])
