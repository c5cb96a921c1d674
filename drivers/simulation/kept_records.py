"""What a simulated device keeps, and how it answers who asks for it. Pure.

`drivers.simulation.record_access` puts it on the air.
A device may be unwell in ways that drivers have to live with: see `Flaw`.
"""

import dataclasses
from enum import StrEnum
from typing import Final

from drivers.codec.racp import (
    BY_SEQUENCE,
    Answered,
    Counted,
    Opcode,
    Operator,
    Outcome,
    Request,
    decode_request,
    encode_answer,
)
from edge.ports.driver import DeviceMisbehaved

KEEPS: Final = 500
"""Records in memory; the oldest gives way."""

_NUMBERED: Final = 3
"""Bytes of an operand that is a sequence number: the type of the filter, and the number."""


class Flaw(StrEnum):
    """How a device may fail those who ask for its records."""

    WELL = "well"
    BUSY = "busy"
    """It still works on what somebody else asked, until it is told to abort."""
    NOT_COMPLETED = "not-completed"
    """It sends half of the records and says that it could not complete them."""
    SILENT = "silent"
    """It sends half of the records and says nothing more."""
    REFUSED = "refused"
    """It knows no such request."""


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """One record: its number, and the values it is sent as, each with its characteristic."""

    sequence: int
    values: tuple[tuple[str, bytes], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """What to send: records first, then the answer; None when it never comes."""

    records: tuple[Kept, ...]
    answer: bytes | None


class KeptRecords:
    """The memory of one device.

    Args:
        parts: whether it can be asked for a part of its records.

    Attributes:
        flaw: how it fails; stays until it is changed.
        requests: what it was asked, oldest first.
    """

    def __init__(self, *, parts: bool = True) -> None:
        self.flaw = Flaw.WELL
        self.requests: list[bytes] = []
        self._parts = parts
        self._records: list[Kept] = []

    def keep(self, record: Kept) -> None:
        """Add the newest."""
        self._records.append(record)
        del self._records[:-KEEPS]

    def clear(self) -> None:
        """Its battery was changed."""
        self._records.clear()

    def __len__(self) -> int:
        return len(self._records)

    def reply(self, raw: bytes) -> Reply:
        """Answer a request that is no abort."""
        self.requests.append(raw)
        try:
            asked = decode_request(raw)
        except DeviceMisbehaved:
            return _no(raw[0] if raw else 0, Outcome.OPCODE_UNSUPPORTED)
        # A host that deletes destroys what is not ours to destroy: a device that notices is a better test.
        if asked.opcode not in {Opcode.REPORT, Opcode.COUNT} or self.flaw is Flaw.REFUSED:
            return _no(asked.opcode, Outcome.OPCODE_UNSUPPORTED)
        found = self._find(asked)
        if isinstance(found, Outcome):
            return _no(asked.opcode, found)
        if asked.opcode == Opcode.COUNT:
            return Reply((), encode_answer(Counted(len(found))))
        return self._report(found)

    def _report(self, found: tuple[Kept, ...]) -> Reply:
        if not found:
            return _no(Opcode.REPORT, Outcome.NO_RECORDS)
        half = found[: (len(found) + 1) // 2]
        if self.flaw is Flaw.SILENT:
            return Reply(half, None)
        if self.flaw is Flaw.NOT_COMPLETED:
            return Reply(half, _answer(Opcode.REPORT, Outcome.NOT_COMPLETED))
        return Reply(found, _answer(Opcode.REPORT, Outcome.SUCCESS))

    def _find(self, asked: Request) -> tuple[Kept, ...] | Outcome:
        records = tuple(self._records)
        found: tuple[Kept, ...] | Outcome = Outcome.OPERATOR_UNSUPPORTED
        match asked.operator:
            case Operator.ALL:
                found = Outcome.INVALID_OPERAND if asked.operand else records
            case Operator.FIRST:
                found = records[:1]
            case Operator.LAST:
                found = records[-1:]
            case Operator.AT_LEAST if self._parts:
                found = _from(records, asked.operand)
            case Operator.AT_LEAST | Operator.AT_MOST | Operator.WITHIN:
                pass
            case _:
                found = Outcome.INVALID_OPERATOR
        return found


def _from(records: tuple[Kept, ...], operand: bytes) -> tuple[Kept, ...] | Outcome:
    if len(operand) != _NUMBERED or operand[0] != BY_SEQUENCE:
        return Outcome.OPERAND_UNSUPPORTED
    least = int.from_bytes(operand[1:], "little")
    return tuple(record for record in records if record.sequence >= least)


def _no(opcode: int, outcome: Outcome) -> Reply:
    return Reply((), _answer(opcode, outcome))


def _answer(opcode: int, outcome: Outcome) -> bytes:
    return encode_answer(Answered(opcode, outcome))
