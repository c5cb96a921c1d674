"""Cutting a stream of bytes into frames: the contract that every codec here keeps.

A serial line gives bytes in pieces of any size, begins in the middle of a frame, loses some and adds
others. So a codec is fed whatever came, and answers with what it found::

    framer = Framer(grammar)
    framer.feed(begin_of_a_frame)       → []
    framer.feed(the_rest_and_more)      → [Frame(...), Garbage(...), Frame(...)]
    framer.finish()                     → [Garbage(...)], what was still waiting

Every byte fed comes out once, in order, in a `Frame` or in `Garbage`; where the pieces were cut
changes nothing. What is held back is bounded. Nothing a device sends raises an error.

A device says what its frames look like by a `Grammar`; the cutting is done here, once for all.
"""

import dataclasses
from collections.abc import Sequence
from enum import Enum
from typing import Final, Protocol, TypeAlias, runtime_checkable

LONGEST_GARBAGE: Final = 64
"""A stretch of garbage is handed on when a frame or another code ends it, or when it has grown so long."""

TOO_SHORT: Final = "frame-too-short"
"""It begins as a frame does and ends too early."""
NOT_A_FRAME: Final = "not-a-frame"
"""No frame begins like this."""
BAD_CHECKSUM: Final = "bad-checksum"
"""It has the shape of a frame, and its sum says that a byte of it is not what was sent."""


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """The bytes of one well-formed frame; what they mean is for the device's codec to say."""

    raw: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes that belong to no frame.

    Attributes:
        code: why they were refused; stable, such as ``frame-too-short``.
    """

    raw: bytes
    code: str


StreamEvent: TypeAlias = Frame | Garbage


class Outcome(Enum):
    """What a grammar can say of the bytes at one place."""

    FRAME = "a frame begins here"
    GARBAGE = "no frame begins here"
    MORE = "what begins here may become a frame: wait for more bytes"


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """A grammar's answer. ``length`` says how many bytes it covers; of ``MORE`` it has no meaning."""

    outcome: Outcome
    length: int = 1
    code: str = NOT_A_FRAME


MORE: Final = Look(Outcome.MORE)


class Grammar(Protocol):
    """What frames look like.

    ``look`` may remember what went before (a generation once recognised, a sequence number). Because it is
    asked again when more bytes have come, it changes what it remembers only with an answer other than
    ``MORE``; and what it wants to see before it decides is bounded, for so much is held back.
    """

    def look(self, stream: bytes, at: int) -> Look: ...


@runtime_checkable
class EndAware(Protocol):
    """A grammar that judges the last bytes otherwise when no more can come.

    Where a frame is only known to be whole by what follows it, the last one of a recording would be lost.
    """

    def end(self) -> None:
        """No more bytes will come than those that are looked at from now on."""
        ...


class Framer:
    """Cuts what comes into frames and garbage."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._waiting = b""
        self._garbage = bytearray()
        self._garbage_code = NOT_A_FRAME

    def feed(self, data: bytes) -> Sequence[StreamEvent]:
        """Take the next bytes, however many, and give what they complete."""
        return self._cut(self._waiting + data, ended=False)

    def finish(self) -> Sequence[StreamEvent]:
        """The stream has ended: give what was still waiting to become a frame."""
        if isinstance(self._grammar, EndAware):
            self._grammar.end()
        events = self._cut(self._waiting, ended=True)
        self._hand_on_garbage(events)
        return events

    def _cut(self, stream: bytes, *, ended: bool) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        at = 0
        cut_short = False
        while at < len(stream):
            look = self._grammar.look(stream, at)
            if look.outcome is Outcome.FRAME:
                if self._garbage:
                    self._hand_on_garbage(events)
                events.append(Frame(stream[at : at + look.length]))
                cut_short = False
            elif look.outcome is Outcome.GARBAGE:
                code = TOO_SHORT if cut_short else look.code
                self._discard(stream[at : at + look.length], code, events)
            elif ended:
                # No more will come. Only its first byte is given up: a shorter frame may stand inside it.
                look = Look(Outcome.GARBAGE, 1)
                cut_short = True
                self._discard(stream[at : at + 1], TOO_SHORT, events)
            else:
                break
            at += look.length
        self._waiting = stream[at:]
        return events

    def _discard(self, raw: bytes, code: str, events: list[StreamEvent]) -> None:
        if code != self._garbage_code:
            self._hand_on_garbage(events)
            self._garbage_code = code
        self._garbage += raw
        while len(self._garbage) >= LONGEST_GARBAGE:
            events.append(Garbage(bytes(self._garbage[:LONGEST_GARBAGE]), code))
            del self._garbage[:LONGEST_GARBAGE]

    def _hand_on_garbage(self, events: list[StreamEvent]) -> None:
        if self._garbage:
            events.append(Garbage(bytes(self._garbage), self._garbage_code))
            self._garbage.clear()
