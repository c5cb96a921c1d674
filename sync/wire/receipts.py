"""Receipts: signed, not sealed; two levels, two keys.

Signed payload: ``[unit, epoch, generation, rseq, {stream: [through, head, top, [[first, last], …]]},
sessions landed, sessions needed, [[stream, first, n, reason], …], window, retry after, centre time]``.
The level is the purpose of the signature and the use of the key: one cannot be taken for the other.
"""

from typing import Final

from edge import cbor
from edge.audit.chain import EPOCH_BYTES, VISIBLE_HEAD_BYTES
from edge.ports.sealing import Nack, Receipt, ReceiptRefused, StreamReceipt
from edge.records.fields import Stream
from sync.wire import cose, keys, shapes
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Keyset, Use
from sync.wire.sessions import SESSION_ID_BYTES

MAX_MISSING: Final = 8
MAX_NACKS: Final = 64
MAX_SESSIONS: Final = 64
NACK_REASONS: Final = ("key", "decode", "head", "schema")
PURPOSES: Final = {Use.LANDED: Purpose.RECEIPT_LANDED, Use.OPENED: Purpose.RECEIPT_OPENED}
"""The level of a receipt is the use of its key."""


def sign(receipt: Receipt, private: bytes, realm: str) -> bytes:
    """Sign with the private key whose public half the keyset names for the receipt's level."""
    payload = cbor.encode(
        [
            receipt.unit,
            receipt.epoch,
            receipt.generation,
            receipt.rseq,
            {int(stream): _encode_stream(stated) for stream, stated in receipt.streams.items()},
            list(receipt.sessions_landed),
            list(receipt.sessions_needed),
            [[int(nack.stream), nack.first, nack.n, nack.reason] for nack in receipt.nacks],
            receipt.window,
            receipt.retry_after_s,
            receipt.centre_ms,
        ]
    )
    protected = cose.protected_header(keys.kid(keys.signing_public(private)))
    return cose.sign(protected, payload, private, PURPOSES[Use(receipt.level)], realm)


def verify(raw: bytes, keyset: Keyset, unit: str, now_ms: int | None = None) -> Receipt:
    """Check with the pinned keyset, whose realm is the only one believed.

    Raises:
        ReceiptRefused: with the code of what did not fit: too-large, version, form, kid, signature,
            realm, unit.
    """
    try:
        return _verify(raw, keyset, unit, now_ms)
    except EnvelopeRefused as refused:
        raise ReceiptRefused(refused.sentence, code=refused.refusal) from None


def _verify(raw: bytes, keyset: Keyset, unit: str, now_ms: int | None) -> Receipt:
    signed = cose.read_plain(raw)
    for use, purpose in PURPOSES.items():
        key = keyset.find(signed.kid, use, now_ms)
        if key is not None:
            cose.check(signed, key.key, purpose, keyset.realm)
            return _decode(cose.payload(signed), use, unit)
    raise EnvelopeRefused("kid")


def _decode(payload: cbor.Value, use: Use, unit: str) -> Receipt:
    (
        stated_unit,
        epoch,
        generation,
        rseq,
        streams,
        landed,
        needed,
        nacks,
        window,
        retry_after,
        centre_ms,
    ) = shapes.items(payload, 11)
    if shapes.unit(stated_unit) != unit:
        raise EnvelopeRefused("unit")
    if not isinstance(streams, dict):
        raise EnvelopeRefused("form")
    return Receipt(
        level=use.value,
        unit=unit,
        epoch=shapes.octets(epoch, EPOCH_BYTES),
        generation=shapes.integer(generation, 1),
        rseq=shapes.integer(rseq, 1),
        streams={_stream(stream): _decode_stream(stated) for stream, stated in streams.items()},
        sessions_landed=_session_ids(landed),
        sessions_needed=_session_ids(needed),
        nacks=tuple(_decode_nack(nack) for nack in shapes.items(nacks, most=MAX_NACKS)),
        window=shapes.integer(window),
        retry_after_s=shapes.integer(retry_after),
        centre_ms=shapes.integer(centre_ms),
    )


def _stream(value: cbor.Value) -> Stream:
    return Stream(shapes.integer(value, 0, max(Stream)))


def _encode_stream(stated: StreamReceipt) -> list[cbor.Value]:
    return [stated.through, stated.head, stated.top, [[first, last] for first, last in stated.missing]]


def _decode_stream(value: cbor.Value) -> StreamReceipt:
    through, head, top, missing = shapes.items(value, 4)
    through = shapes.integer(through)
    top = shapes.integer(top, through)
    gaps: list[tuple[int, int]] = []
    after = through
    for gap in shapes.items(missing, most=MAX_MISSING):
        first, last = shapes.items(gap, 2)
        first = shapes.integer(first, after + 1, top)
        after = shapes.integer(last, first, top)
        gaps.append((first, after))
    return StreamReceipt(through, shapes.octets(head, VISIBLE_HEAD_BYTES), top, tuple(gaps))


def _session_ids(value: cbor.Value) -> tuple[bytes, ...]:
    return tuple(shapes.octets(id_, SESSION_ID_BYTES) for id_ in shapes.items(value, most=MAX_SESSIONS))


def _decode_nack(value: cbor.Value) -> Nack:
    stream, first, n, reason = shapes.items(value, 4)
    if reason not in NACK_REASONS:
        raise EnvelopeRefused("form")
    return Nack(_stream(stream), shapes.integer(first, 1), shapes.integer(n, 1), shapes.text(reason))
