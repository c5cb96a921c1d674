"""Sealed batches and key messages: what goes up, one file or message each.

The signed header is ``[unit, epoch, stream, first, n, head after last, tips of all streams, audit head,
schema]``; a key message has null for stream, first, n and head. The payload of a batch is a
COSE_Encrypt0 under the session's key whose external_aad is the signed header's bytes.
"""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from edge.audit.chain import EPOCH_BYTES, VISIBLE_HEAD_BYTES, Entry
from edge.ports.sealing import Tips
from edge.records.fields import SCHEMA_VERSION, Stream
from sync.wire import beside, cose, keys, sessions, shapes, squeeze
from sync.wire.columns import Columns, Row
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused
from sync.wire.sessions import SessionKey

MAX_ENTRIES: Final = squeeze.MAX_ENTRIES
WITH_BYTES: Final = 2
"""The schema of a batch in which bytes stand beside entries."""


@dataclasses.dataclass(frozen=True, slots=True)
class BatchHeader:
    """What everyone on the way may read of an upward message.

    Attributes:
        stream: with ``first``, ``n`` and ``head`` None in a key message.
        head: the visible head after the last entry.
        kid: which of the unit's keys signed.
    """

    unit: str
    epoch: bytes
    stream: Stream | None
    first: int | None
    n: int | None
    head: bytes | None
    tips: Tips
    schema: int
    kid: bytes

    @property
    def last(self) -> int | None:
        """The sequence number of the last entry."""
        return None if self.first is None or self.n is None else self.first + self.n - 1


@dataclasses.dataclass(frozen=True, slots=True)
class SignedBatch:
    """An upward message whose signature was checked.

    Attributes:
        session_id: the session a batch is sealed under, or that a key message begins.
        inner: the sealed payload, to be kept as it is.
        protected: the signed header's bytes, the context in which ``inner`` opens.
    """

    header: BatchHeader
    session_id: bytes
    inner: bytes
    protected: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class WireEntry:
    """An entry as it left the box; leaf and head are the reader's to compute.

    Attributes:
        kind: one byte; from a newer box it may be none that is known here.
        payload: deterministic CBOR of a map with integer keys.
        named: the bytes that its payload names, if any.
        data: those bytes, checked; None where it names some means that the unit has them no more.
    """

    seq: int
    kind: int
    payload: bytes
    named: beside.Named | None = None
    data: bytes | None = None


class Contents(NamedTuple):
    """What the entries of a batch say, in their order.

    Attributes:
        first: the sequence number of the first.
        named: the bytes that each names, if any.
        data: those bytes, checked; None where one names some means that the unit has them no more.
    """

    first: int
    columns: Columns
    named: Sequence[beside.Named | None]
    data: Sequence[bytes | None]


@dataclasses.dataclass(frozen=True, slots=True)
class Author:
    """Who writes upward messages: a unit, in one epoch of its journal, with its Ed25519 key."""

    unit: str
    realm: str
    epoch: bytes
    sign_private: bytes

    @property
    def kid(self) -> bytes:
        return keys.kid(keys.signing_public(self.sign_private))


def seal_batch(
    author: Author,
    entries: Sequence[Entry],
    tips: Tips,
    session: SessionKey,
    data: Mapping[int, bytes | None] | None = None,
) -> bytes:
    """Seal a dense range of one stream, in order; 1 to 4,096 entries.

    ``data`` has the bytes beside entries, by sequence number: of every entry that names some, None where
    there are none any more.

    The result may exceed `cose.MAX_MESSAGE_BYTES`, which no reader takes: seal fewer then.
    """
    last = entries[-1]
    header = BatchHeader(
        author.unit,
        author.epoch,
        last.stream,
        entries[0].seq,
        len(entries),
        last.head[:VISIBLE_HEAD_BYTES],
        tips,
        WITH_BYTES if data else SCHEMA_VERSION,
        author.kid,
    )
    rows: list[Row] = []
    for seq, entry in enumerate(entries, entries[0].seq):
        assert entry.payload is not None  # noqa: S101  what was erased is re-sealed by rules that are not written yet
        assert entry.seq == seq  # noqa: S101  the caller reads them in order
        assert entry.stream is last.stream  # noqa: S101  the same
        rows.append(Row(entry.kind, entry.payload))
    protected = _encode_header(header)
    stands_beside = [data[seq] for seq in sorted(data)] if data else None
    inner = cose.encrypt(
        squeeze.pack(rows, stands_beside), session.key, session.id, session.next_nonce(), protected
    )
    return cose.sign(protected, inner, author.sign_private, Purpose.UP, author.realm)


def make_key_message(
    author: Author, tips: Tips, key: bytes, recipients: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """The message that begins a session, and the session's id.

    Raises:
        NoRecipient: there is no key to seal to.
    """
    header = BatchHeader(author.unit, author.epoch, None, None, None, None, tips, SCHEMA_VERSION, author.kid)
    protected = _encode_header(header)
    payload = sessions.seal_key(key, recipients, protected)
    message = cose.sign(protected, payload, author.sign_private, Purpose.KEY, author.realm)
    return message, sessions.session_id(payload)


def read_header(raw: bytes) -> BatchHeader:
    """What an upward message says of itself; nothing of it may be believed before `verify`.

    Raises:
        EnvelopeRefused: too-large, version or form.
    """
    return _decode_header(cose.read(raw))


def verify(raw: bytes, public: bytes, realm: str, purpose: Purpose = Purpose.UP) -> SignedBatch:
    """Check an upward message with the unit's registered public key; ``purpose`` is UP or KEY.

    Raises:
        EnvelopeRefused: too-large, version, form, kid, signature or realm.
    """
    signed = cose.read(raw)
    header = _decode_header(signed)
    cose.check(signed, public, purpose, realm)
    if (purpose is Purpose.KEY) != (header.stream is None):
        raise EnvelopeRefused("form")
    if purpose is Purpose.KEY:
        session = sessions.session_id(signed.payload)
    else:
        session = cose.encrypted_kid(signed.payload)
    return SignedBatch(header, session, signed.payload, signed.protected)


def open_key_message(signed: SignedBatch, private: bytes | Sequence[bytes]) -> bytes:
    """The session key of a verified key message, with one of the centre's private sealing keys.

    Raises:
        EnvelopeRefused: form; key when it was not sealed to this key.
    """
    privates = (private,) if isinstance(private, bytes) else private
    for each in privates[:-1]:
        with contextlib.suppress(EnvelopeRefused):
            return sessions.open_key(signed.inner, each, signed.protected)
    return sessions.open_key(signed.inner, privates[-1], signed.protected)


def open_contents(signed: SignedBatch, session_key: bytes) -> Contents:
    """What the entries of a verified batch say.

    Raises:
        EnvelopeRefused: schema, key or decode; the batch is worth keeping all the same.
    """
    header = signed.header
    if header.schema not in {SCHEMA_VERSION, WITH_BYTES}:
        raise EnvelopeRefused("schema")
    if header.stream is None or header.first is None or header.n is None:
        raise EnvelopeRefused("decode")
    packed = cose.decrypt(signed.inner, session_key, signed.protected)
    data: list[bytes | None] = []
    if header.schema == WITH_BYTES:
        columns, data = squeeze.unpack_with_bytes(packed, header.n)
    else:
        columns = squeeze.unpack(packed, header.n)
    if header.stream in beside.STREAMS:
        names = [beside.named(fields) for fields in columns.fields]
        return Contents(header.first, columns, names, beside.hand_out(names, data))
    nothing: list[None] = [None] * header.n
    beside.hand_out((), data)
    return Contents(header.first, columns, nothing, nothing)


def open_batch(signed: SignedBatch, session_key: bytes) -> list[WireEntry]:
    """The entries of a verified batch, one by one.

    Raises:
        EnvelopeRefused: schema, key or decode; the batch is worth keeping all the same.
    """
    found = open_contents(signed, session_key)
    kinds, payloads, _ = found.columns
    each = zip(kinds, payloads, found.named, found.data, strict=True)
    return [WireEntry(seq, *entry) for seq, entry in enumerate(each, found.first)]


def _encode_header(header: BatchHeader) -> bytes:
    return cose.protected_header(
        header.kid,
        [
            header.unit,
            header.epoch,
            None if header.stream is None else int(header.stream),
            header.first,
            header.n,
            header.head,
            list(header.tips.seqs),
            header.tips.audit_head,
            header.schema,
        ],
    )


def _decode_header(signed: cose.Signed) -> BatchHeader:
    unit, epoch, stream, first, n, head, tips, audit_head, schema = shapes.items(signed.header, 9)
    alert, vitals, doc, wave, audit = (shapes.integer(tip) for tip in shapes.items(tips, 5))
    place: tuple[Stream | None, int | None, int | None, bytes | None] = (None, None, None, None)
    if (stream, first, n, head) != place:
        seq = shapes.integer(first, 1)
        place = (
            Stream(shapes.integer(stream, 0, max(Stream))),
            seq,
            shapes.integer(n, 1, min(MAX_ENTRIES, shapes.SEQ_MAX - seq + 1)),
            shapes.octets(head, VISIBLE_HEAD_BYTES),
        )
    return BatchHeader(
        shapes.unit(unit),
        shapes.octets(epoch, EPOCH_BYTES),
        place[0],
        place[1],
        place[2],
        place[3],
        Tips((alert, vitals, doc, wave, audit), shapes.octets(audit_head, VISIBLE_HEAD_BYTES)),
        shapes.integer(schema, 1),
        signed.kid,
    )
