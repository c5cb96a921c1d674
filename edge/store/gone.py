"""Which payloads and samples may be missing, because a later entry says that they are gone."""

import bisect
import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, TypeAlias, cast

from edge import cbor
from edge.cbor import MalformedCbor, Value
from edge.records.fields import Field, Kind, Payload, Stream
from edge.store import sqlite

Range: TypeAlias = tuple[int, int]

_SAYING: Final = (
    "SELECT journal.id, payload FROM epochs CROSS JOIN journal ON journal.epoch = epochs.number"
    " AND stream = ? WHERE kind IN (?, ?) AND payload IS NOT NULL"
)
_PLACE: Final = (
    "SELECT journal.id FROM journal JOIN epochs ON epochs.number = journal.epoch"
    " WHERE epochs.epoch = ? AND stream = ? AND seq = ?"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Gone:
    """What of one stream of an epoch is gone: ranges of entries, in order, none in another."""

    payloads: Sequence[Range] = ()
    chunks: Sequence[Range] = ()

    def payload(self, seq: int) -> bool:
        """Whether this entry need not have its payload."""
        return _holds(self.payloads, seq)

    def samples(self, seq: int) -> bool:
        """Whether this chunk need not have its samples."""
        return _holds(self.chunks, seq)


def look_for_gone(connection: sqlite.Connection) -> dict[tuple[bytes, Stream], Gone]:
    """What the entries of kind *purged* and *erased* name, by epoch and stream.

    That these entries are themselves what was written is found out when their own stream is verified. One
    that names what came after it is not believed.
    """
    payloads: defaultdict[tuple[bytes, int], list[Range]] = defaultdict(list)
    chunks: defaultdict[tuple[bytes, int], list[Range]] = defaultdict(list)
    for row, payload in connection.execute(_SAYING, (Stream.AUDIT, Kind.PURGED, Kind.ERASED)).fetchall():
        fields = _fields(payload)
        for field, found in ((Field.SPANS, payloads), (Field.SAMPLES_GONE, chunks)):
            for epoch, stream, first, last in _spans(fields.get(field)):
                named = connection.execute(_PLACE, (epoch, stream, last)).fetchone()
                if named is not None and named[0] < row:
                    found[epoch, stream].append((first, last))
    return {
        (epoch, Stream(stream)): Gone(sorted(payloads[epoch, stream]), sorted(chunks[epoch, stream]))
        for epoch, stream in {*payloads, *chunks}
    }


def _holds(ranges: Sequence[Range], seq: int) -> bool:
    place = bisect.bisect_right(ranges, seq, key=lambda each: each[0])
    return place > 0 and seq <= ranges[place - 1][1]


def _fields(payload: bytes) -> Payload:
    try:
        return cast("Payload", cbor.decode(payload))
    except MalformedCbor:
        return {}  # damaged: the walk over its stream says so


def _spans(value: Value) -> list[tuple[bytes, int, int, int]]:
    spans: list[tuple[bytes, int, int, int]] = []
    for each in value if isinstance(value, list) else []:
        match each:
            case [bytes(epoch), int(stream), int(first), int(last)] if stream in set(Stream):
                spans.append((epoch, stream, first, last))
            case _:
                pass  # not of our making: nothing is gone by it
    return spans
