"""What a receipt changes: a pure decision over the receipt and where we stand.

A watermark moves only if key use, realm and unit fit (checked by the reader that made the `Receipt`),
epoch and generation fit, ``rseq`` rises, ``through`` is not beyond our own tip, **and our own head there is
equal**. Within a generation watermarks never fall; a higher generation sets them, because the centre was
restored and does not have all that it had. Nothing is believed beyond what was checked; every refusal has
a code of its own, is counted and shown.
"""

import dataclasses
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, TypeAlias

from edge.agent.states import Span
from edge.audit.chain import VISIBLE_HEAD_BYTES
from edge.ports.sealing import Receipt, StreamReceipt
from edge.records.fields import Stream
from edge.store.rows import Watermark

LANDED: Final = "landed"
OPENED: Final = "opened"
HEAD_MISMATCH: Final = "head-mismatch"
BEYOND_TIP: Final = "beyond-tip"
OTHER_SCHEMA: Final = "schema"
"""Why the centre opens something only after an update of its own."""

HeadAt: TypeAlias = Callable[[Stream, int], bytes | None]


class Refused(StrEnum):
    """Why a receipt, or what it says of one stream, moves nothing."""

    FOREIGN = "receipt-foreign"
    OTHER_EPOCH = "receipt-other-epoch"
    UNKNOWN_GENERATION = "receipt-unknown-generation"
    OLD_GENERATION = "receipt-old-generation"
    OLD_RSEQ = "receipt-old-rseq"
    LEVEL = "receipt-level"
    BEYOND_TIP = "receipt-beyond-tip"
    HEAD_MISMATCH = "receipt-head-mismatch"
    FALLS = "receipt-falls"
    STREAM_STOPPED = "receipt-stream-stopped"
    NACK_BEYOND_TIP = "receipt-nack-beyond-tip"


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """Where we stand when a receipt comes.

    Attributes:
        generations: the centre's generations that the keyset lists.
        generation: the highest generation believed so far for each level, absent when there was none.
        rseq: the last number believed for each level in that generation.
        head_at: our own head after an entry.
    """

    unit: str
    epoch: bytes
    generations: tuple[int, ...]
    generation: Mapping[str, int]
    rseq: Mapping[str, int]
    watermarks: Mapping[Stream, Watermark]
    head_at: HeadAt


@dataclasses.dataclass(frozen=True, slots=True)
class Move:
    """Set one watermark; it may fall only when ``new_generation``."""

    level: str
    stream: Stream
    through: int
    new_generation: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Judgement:
    """What a receipt changes.

    Attributes:
        believed: it is new and ours; its rseq is to be remembered.
        stops: streams that stop, with the code; their history is not the centre's.
        reseal: ranges to seal again, within our own tips.
        needed: sessions whose key message the centre lacks.
        holds: sessions whose key message the centre holds.
    """

    believed: bool = False
    moves: tuple[Move, ...] = ()
    stops: tuple[tuple[Stream, str], ...] = ()
    refused: tuple[Refused, ...] = ()
    reseal: tuple[tuple[Stream, Span], ...] = ()
    needed: tuple[bytes, ...] = ()
    holds: tuple[bytes, ...] = ()


def judge(receipt: Receipt, standing: Standing) -> Judgement:
    """Decide what a checked receipt changes."""
    refusal = _refusal(receipt, standing)
    if refusal is not None:
        return Judgement(refused=(refusal,))
    generation = standing.generation.get(receipt.level)
    restored = generation is not None and receipt.generation > generation
    # The same receipt again (the broker keeps the last one) moves nothing, but what it asks for stands.
    repeated = receipt.generation == generation and receipt.rseq == standing.rseq.get(receipt.level)
    moves: list[Move] = []
    stops: list[tuple[Stream, str]] = []
    refused: list[Refused] = []
    for stream in Stream:
        mark = standing.watermarks[stream]
        stated = receipt.streams.get(stream)
        if stated is None:
            if restored and mark.stopped is None:
                moves += _restored_moves(receipt, stream, 0, standing)
            continue
        why = _judge_stream(stream, stated, mark, standing, restored=restored, level=receipt.level)
        if why is None and not repeated:
            if restored:
                moves += _restored_moves(receipt, stream, stated.through, standing)
            elif stated.through > _mark(mark, receipt.level):
                moves.append(Move(receipt.level, stream, stated.through, new_generation=False))
        elif why is not None:
            refused.append(why)
            if why in _STOPPING:
                stops.append((stream, _STOPPING[why]))
    reseal, beyond = _reseal(receipt, standing)
    return Judgement(
        believed=not repeated,
        moves=tuple(moves),
        stops=tuple(stops),
        refused=(*refused, *beyond),
        reseal=reseal,
        needed=receipt.sessions_needed,
        holds=receipt.sessions_landed,
    )


_STOPPING: Final = {Refused.HEAD_MISMATCH: HEAD_MISMATCH, Refused.BEYOND_TIP: BEYOND_TIP}
"""Both say that our history is not the one the centre has."""


def _refusal(receipt: Receipt, standing: Standing) -> Refused | None:
    """Why the receipt as a whole is not believed."""
    generation = standing.generation.get(receipt.level, 0)
    checks = (
        (receipt.unit != standing.unit, Refused.FOREIGN),
        (receipt.level not in {LANDED, OPENED}, Refused.LEVEL),
        (receipt.epoch != standing.epoch, Refused.OTHER_EPOCH),
        (receipt.generation not in standing.generations, Refused.UNKNOWN_GENERATION),
        (receipt.generation < generation, Refused.OLD_GENERATION),
        (
            receipt.generation == generation and receipt.rseq < standing.rseq.get(receipt.level, 0),
            Refused.OLD_RSEQ,
        ),
    )
    return next((code for fails, code in checks if fails), None)


def _judge_stream(
    stream: Stream,
    stated: StreamReceipt,
    mark: Watermark,
    standing: Standing,
    *,
    restored: bool,
    level: str,
) -> Refused | None:
    """Why what is said of one stream is not believed."""
    if mark.stopped is not None:
        return Refused.STREAM_STOPPED
    if max(stated.through, stated.top) > mark.tip:  # it has seen entries of this epoch that we never made
        return Refused.BEYOND_TIP
    if stated.through > 0:
        own = standing.head_at(stream, stated.through)
        if own is None or own[:VISIBLE_HEAD_BYTES] != stated.head:
            return Refused.HEAD_MISMATCH
    if stated.through < _mark(mark, level) and not restored:
        return Refused.FALLS
    return None


def _restored_moves(receipt: Receipt, stream: Stream, through: int, standing: Standing) -> list[Move]:
    """A restored centre sets both levels: what it does not say, it does not have.

    A landed receipt takes *opened* back too, until an opened receipt of the same generation has come.
    What is opened has landed.
    """
    other = OPENED if receipt.level == LANDED else LANDED
    moves = [Move(receipt.level, stream, through, new_generation=True)]
    if standing.generation.get(other, receipt.generation) < receipt.generation:
        other_through = 0 if other == OPENED else through
        moves.append(Move(other, stream, other_through, new_generation=True))
    return moves


def _reseal(
    receipt: Receipt, standing: Standing
) -> tuple[tuple[tuple[Stream, Span], ...], tuple[Refused, ...]]:
    """The ranges a receipt says could not be opened, as far as they are ours."""
    ranges: list[tuple[Stream, Span]] = []
    beyond: list[Refused] = []
    for nack in receipt.nacks:
        last = nack.first + nack.n - 1
        if nack.n < 1 or nack.first < 1 or last > standing.watermarks[nack.stream].tip:
            beyond.append(Refused.NACK_BEYOND_TIP)
        elif nack.reason != OTHER_SCHEMA:  # it would be written in the same form again
            ranges.append((nack.stream, (nack.first, last)))
    return tuple(ranges), tuple(beyond)


def _mark(mark: Watermark, level: str) -> int:
    return mark.landed if level == LANDED else mark.opened
