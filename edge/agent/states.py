"""The four states of a record, never guessed: saved, sent, arrived, received.

*saved*: committed durably here. *sent*: the uplink notes that the whole file was written to a connection
that is still up; a hint that falls back to *saved* when that connection ends. *arrived*: the centre's
signed landed receipt covers it. *received*: its signed opened receipt does.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final, TypeAlias

from edge.records.fields import Stream

Span: TypeAlias = tuple[int, int]
"""First and last sequence number, both included."""


class RecordState(StrEnum):
    """How far a record has come, in order."""

    SAVED = "saved"
    SENT = "sent"
    ARRIVED = "arrived"
    RECEIVED = "received"


_ORDER: Final = tuple(RecordState)


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far one stream has come.

    Attributes:
        tip: the last committed entry.
        landed: everything up to here has arrived.
        opened: everything up to here is received.
        stopped: why receipts no longer move this stream, or None.
        sent: spans of files written whole to the present connection.
    """

    tip: int
    landed: int
    opened: int
    stopped: str | None = None
    sent: tuple[Span, ...] = ()

    def state_of(self, seq: int) -> RecordState:
        """The state of one entry."""
        if seq <= self.opened:
            return RecordState.RECEIVED
        if seq <= self.landed:
            return RecordState.ARRIVED
        if any(first <= seq <= last for first, last in self.sent):
            return RecordState.SENT
        return RecordState.SAVED

    @property
    def sent_through(self) -> int:
        """The last entry up to which everything is sent or further."""
        through = max(self.landed, self.opened)
        for first, last in sorted(self.sent):
            if first > through + 1:
                break
            through = max(through, last)
        return min(through, self.tip)


def state_of_all(progress: Mapping[Stream, Progress], entries: Iterable[tuple[Stream, int]]) -> RecordState:
    """The state of a whole: that of its entry that is furthest behind; received when there is none."""
    return furthest_behind(progress[stream].state_of(seq) for stream, seq in entries)


def furthest_behind(states: Iterable[RecordState]) -> RecordState:
    """The state of a whole, from those of its parts."""
    return min(states, key=_ORDER.index, default=RecordState.RECEIVED)


def uncovered(after: int, tip: int, covered: Iterable[Span]) -> list[Span]:
    """The spans of ``after + 1`` to ``tip`` that no span of ``covered`` holds."""
    gaps: list[Span] = []
    at = after + 1
    for first, last in sorted(covered):
        if first > at:
            gaps.append((at, min(first - 1, tip)))
        at = max(at, last + 1)
    if at <= tip:
        gaps.append((at, tip))
    return [(first, last) for first, last in gaps if first <= last and first <= tip]


def cut(span: Span, most: int) -> list[Span]:
    """A span in pieces of at most ``most`` entries."""
    first, last = span
    return [(at, min(at + most - 1, last)) for at in range(first, last + 1, most)]


def runs(spans: Sequence[Span]) -> list[Span]:
    """Spans that touch or overlap, joined."""
    joined: list[Span] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined
