"""Bytes that stand beside entries: samples of waves, pieces of photos and documents.

An entry of the streams doc and wave whose payload has ``HASH`` and ``SIZE`` names bytes. They travel in
the same message as the entry, so whoever opens the entry has them, and a receipt for the entry is one for
them. The payload stays small: the bytes may go one day and the chain is whole.
"""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from edge import cbor
from edge.cbor import MalformedCbor, Value
from edge.records.fields import Field, Stream
from sync.wire.errors import EnvelopeRefused

STREAMS: Final = frozenset({Stream.DOC, Stream.WAVE})
HASH_BYTES: Final = 32
_LENGTH_BYTES: Final = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Named:
    """What an entry says of the bytes beside it."""

    hash: bytes
    size: int

    def fits(self, data: bytes) -> bool:
        """Whether these are the bytes."""
        return len(data) == self.size and hashlib.sha256(data).digest() == self.hash


def named(fields: Mapping[int, Value]) -> Named | None:
    """What bytes an entry of those streams names, by what its payload holds; None when it names none.

    Raises:
        EnvelopeRefused: decode, when it names them in another form.
    """
    if Field.HASH not in fields or Field.SIZE not in fields:
        return None
    match fields[Field.HASH], fields[Field.SIZE]:
        case bytes(hash_), int(size) if len(hash_) == HASH_BYTES and size >= 0:
            return Named(hash_, size)
        case _:
            raise EnvelopeRefused("decode")


def join(content: bytes, data: Sequence[bytes | None]) -> bytes:
    """What is sealed of a batch with bytes: a length, the entries, the bytes in their order."""
    return len(content).to_bytes(_LENGTH_BYTES) + content + cbor.encode(data)


def part(joined: bytes) -> tuple[bytes, list[bytes | None]]:
    """What `join` was given.

    Raises:
        EnvelopeRefused: decode.
    """
    end = _LENGTH_BYTES + int.from_bytes(joined[:_LENGTH_BYTES])
    if end > len(joined):
        raise EnvelopeRefused("decode")
    try:
        data = cbor.decode(joined[end:])
    except MalformedCbor:
        raise EnvelopeRefused("decode") from None
    if not isinstance(data, list):
        raise EnvelopeRefused("decode")
    found: list[bytes | None] = []
    for each in data:
        if each is not None and not isinstance(each, bytes):
            raise EnvelopeRefused("decode")
        found.append(each)
    return joined[_LENGTH_BYTES:end], found


def hand_out(wanted: Iterable[Named | None], data: Sequence[bytes | None]) -> list[bytes | None]:
    """The bytes of each entry, checked; None where it names none, or where the unit has them no more.

    Raises:
        EnvelopeRefused: decode, when some are not those that are named, or there are more or fewer.
    """
    rest = list(data)
    found: list[bytes | None] = []
    for name in wanted:
        if name is None:
            found.append(None)
            continue
        if not rest:
            raise EnvelopeRefused("decode")
        each = rest.pop(0)
        if each is not None and not name.fits(each):
            raise EnvelopeRefused("decode")
        found.append(each)
    if rest:
        raise EnvelopeRefused("decode")
    return found
