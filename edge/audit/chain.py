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
_BLOCK_BYTES: Final = 64
_INNER_PAD, _OUTER_PAD = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))
_BYTE: Final = [bytes([byte]) for byte in range(256)]


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


class Salter:
    """Leaves of many entries under one secret: the two keyed halves of its HMAC (RFC 2104) are made once.

    Args:
        secret: S_p of a patient, or S_0; 32 bytes.
        epoch: of the entries.
        stream: of the entries.
    """

    __slots__ = ("_inner", "_outer", "secret")

    def __init__(self, secret: bytes, epoch: bytes, stream: Stream) -> None:
        self.secret = secret
        key = secret.ljust(_BLOCK_BYTES, b"\0")  # a longer one would be hashed first; ours never are
        self._inner = hashlib.sha256(key.translate(_INNER_PAD) + epoch + bytes([stream]))
        self._outer = hashlib.sha256(key.translate(_OUTER_PAD))

    def leaf(self, seq: int, payload: bytes) -> bytes:
        """As `leaf`."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(seq.to_bytes(8))
        outer.update(inner.digest())
        return hashlib.sha256(b"leaf" + outer.digest() + payload).digest()


def heads(
    head: bytes, stream: Stream, first: int, kinds: Iterable[int], leaves: Iterable[bytes]
) -> list[bytes]:
    """The heads after many entries in a row, as `next_head` gives them."""
    sha256, mark, found = hashlib.sha256, bytes([stream]), list[bytes]()
    for seq, (kind, each) in enumerate(zip(kinds, leaves, strict=True), first):
        head = sha256(b"head" + head + mark + seq.to_bytes(8) + _BYTE[kind] + each).digest()
        found.append(head)
    return found


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
