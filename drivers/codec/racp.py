"""Record Access Control Point (GATT 0x2A52): how a device that keeps records is asked for them.

The host writes a request; the records come as values of other characteristics; then the device indicates
an answer::

    request   opcode u8, operator u8, operand
    count     05, operator 00, number u16
    answer    06, operator 00, opcode of the request u8, outcome u8

There is an opcode that deletes records. It has a name, so that a simulator can tell when it is sent; nothing
here writes it.

Source: Bluetooth SIG, Glucose Service 1.0, section 3.4; Pulse Oximeter Service 1.0.1, section 3.4.
"""

import dataclasses
from enum import IntEnum
from typing import Final, TypeAlias

from drivers.codec.value import Value
from edge.ports.driver import DeviceMisbehaved

NOT_AN_ANSWER: Final = "not-a-response"
NOT_A_REQUEST: Final = "not-a-request"
BY_SEQUENCE: Final = 1
"""Filter type of an operand: by sequence number. The other is by user facing time."""
ALREADY_RUNNING: Final = 0x80
"""ATT error: a procedure is in progress; later specifications say 0xFE."""
NOT_SUBSCRIBED: Final = 0xFD
"""ATT error: the client has not asked for indications."""


class Opcode(IntEnum):
    """What is asked, and the two kinds of answer."""

    REPORT = 1
    DELETE = 2
    ABORT = 3
    COUNT = 4
    COUNT_ANSWER = 5
    ANSWER = 6


class Operator(IntEnum):
    """Which records."""

    NULL = 0
    ALL = 1
    AT_MOST = 2
    AT_LEAST = 3
    WITHIN = 4
    FIRST = 5
    LAST = 6


class Outcome(IntEnum):
    """What came of a request."""

    SUCCESS = 1
    OPCODE_UNSUPPORTED = 2
    INVALID_OPERATOR = 3
    OPERATOR_UNSUPPORTED = 4
    INVALID_OPERAND = 5
    NO_RECORDS = 6
    """The usual answer of a device that has nothing; no failure."""
    ABORT_FAILED = 7
    NOT_COMPLETED = 8
    OPERAND_UNSUPPORTED = 9


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """What a host may write; ``operand`` is what is left of the value."""

    opcode: int
    operator: int
    operand: bytes = b""


REPORT_ALL: Final = bytes((Opcode.REPORT, Operator.ALL))
COUNT_ALL: Final = bytes((Opcode.COUNT, Operator.ALL))
ABORT: Final = bytes((Opcode.ABORT, Operator.NULL))


def report_from(sequence: int) -> bytes:
    """The request for all records with this sequence number or a higher one."""
    return bytes((Opcode.REPORT, Operator.AT_LEAST, BY_SEQUENCE)) + sequence.to_bytes(2, "little")


def decode_request(raw: bytes) -> Request:
    """Read what a host has written.

    Raises:
        DeviceMisbehaved: fewer than two bytes (``frame-too-short``), or no request (``not-a-request``).
    """
    value = Value(raw)
    said = Request(value.unsigned(1), value.unsigned(1), value.rest())
    if not Opcode.REPORT <= said.opcode <= Opcode.COUNT:
        raise DeviceMisbehaved("Not a request for records.", raw=raw, code=NOT_A_REQUEST)
    return said


@dataclasses.dataclass(frozen=True, slots=True)
class Counted:
    """How many records there are."""

    number: int
    operator: int = Operator.NULL
    extra: bytes = b""


@dataclasses.dataclass(frozen=True, slots=True)
class Answered:
    """What came of a request.

    Attributes:
        opcode: of the request.
        outcome: one of `Outcome`, or a number that has no meaning yet.
    """

    opcode: int
    outcome: int
    operator: int = Operator.NULL
    extra: bytes = b""


Answer: TypeAlias = Counted | Answered


def decode_answer(raw: bytes) -> Answer:
    """Read what a device has indicated.

    Raises:
        DeviceMisbehaved: shorter than its opcode promises (``frame-too-short``), or no answer
            (``not-a-response``).
    """
    value = Value(raw)
    opcode = value.unsigned(1)
    if opcode not in {Opcode.COUNT_ANSWER, Opcode.ANSWER}:
        raise DeviceMisbehaved("Not an answer about records.", raw=raw, code=NOT_AN_ANSWER)
    operator = value.unsigned(1)
    if opcode == Opcode.COUNT_ANSWER:
        return Counted(value.unsigned(2), operator, value.rest())
    return Answered(value.unsigned(1), value.unsigned(1), operator, value.rest())


def encode_answer(said: Answer) -> bytes:
    """Write an answer, for simulators."""
    if isinstance(said, Counted):
        return bytes((Opcode.COUNT_ANSWER, said.operator)) + said.number.to_bytes(2, "little") + said.extra
    return bytes((Opcode.ANSWER, said.operator, said.opcode, said.outcome)) + said.extra


def check_record_access(raw: bytes) -> None:
    """See that a value of the control point, in whichever direction it went, keeps its layout.

    Raises:
        DeviceMisbehaved: it does not.
    """
    if raw[:1] and raw[0] in {Opcode.COUNT_ANSWER, Opcode.ANSWER}:
        decode_answer(raw)
    else:
        decode_request(raw)
