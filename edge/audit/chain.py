"""Salted hash chain per stream: entry to leaf, leaf to head.

A head proves order and completeness to whoever knows the head before it. It is computed over salted
leaves, so a head that is visible on the link is no oracle for guessing a blood pressure; without the
payload but with its leaf the chain still verifies, which is what erasure needs.

Every hash is SHA-256. Integers are big endian: stream and kind one byte, sequence number eight.
"""

import dataclasses
import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

from edge.records.fields import Kind, Stream

EPOCH_BYTES: Final = 8
SALT_BYTES: Final = 32
HEAD_BYTES: Final = 32
VISIBLE_HEAD_BYTES: Final = 16
"""How much of a head travels."""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One journal entry as it stands in a stream.

    Attributes:
        payload: deterministic CBOR (`edge.records.fields`), or None after erasure.
        leaf: salted hash of the payload; stays when the payload goes.
        head: the chain's head after this entry.
    """

    stream: Stream
    seq: int
    kind: Kind
    payload: bytes | None = dataclasses.field(repr=False)
    leaf: bytes
    head: bytes


def salt(secret: bytes, epoch: bytes, stream: Stream, seq: int) -> bytes:
    """The salt of one entry, from its patient's secret S_p (or S_0 where there is no patient)."""
    return hmac.digest(secret, epoch + bytes([stream]) + seq.to_bytes(8), "sha256")


def leaf(secret: bytes, epoch: bytes, stream: Stream, seq: int, payload: bytes) -> bytes:
    """The salted hash of one entry's payload."""
    return hashlib.sha256(b"leaf" + salt(secret, epoch, stream, seq) + payload).digest()


def first_head(realm: str, unit: str, epoch: bytes, stream: Stream) -> bytes:
    """The head before the first entry: it ties a stream to realm, unit and epoch."""
    return hashlib.sha256(b"epoch" + realm.encode() + unit.encode() + epoch + bytes([stream])).digest()


def next_head(head: bytes, stream: Stream, seq: int, kind: int, leaf_: bytes) -> bytes:
    """The head after an entry."""
    return hashlib.sha256(b"head" + head + bytes([stream]) + seq.to_bytes(8) + bytes([kind]) + leaf_).digest()


def first_break(head: bytes, entries: Iterable[Entry]) -> int | None:
    """Follow leaves and heads from ``head``; the sequence number of the first entry that does not fit.

    Leaves are taken as they stand; whether a payload fits its leaf needs its secret (`leaf`).
    """
    for entry in entries:
        head = next_head(head, entry.stream, entry.seq, entry.kind, entry.leaf)
        if head != entry.head:
            return entry.seq
    return None
