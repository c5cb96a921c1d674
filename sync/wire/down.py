"""What the centre says to one unit: sealed to it, signed by a key of the use that may say it.

The signed header is ``[unit, epoch, use, dseq, keyset version]``; the payload is ``enc ‖ ct`` of HPKE to the
unit's receiving key, ``info`` the signed header's bytes, over the padded ``[message, made, [kind, …]]``.
``dseq`` rises with everything that is ever sealed for the unit. A message for an epoch that the unit has left
is void: the centre seals it again, under the same ``message``, so it is applied once.

Orders to erase (`sync.wire.orders`) come under the same purpose with another header.
"""

import dataclasses
from typing import Final

from edge import cbor
from edge.audit.chain import EPOCH_BYTES
from sync.wire import cose, keys, padding, shapes
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Keyset, Use

USES: Final = (Use.ADVICE, Use.CONFIG, Use.COMMAND)
"""Whose keys may sign what comes down this way."""
MESSAGE_BYTES: Final = 16
MAX_CONTENT_BYTES: Final = 192 * 1024
"""With padding and envelope it fits a message."""
MAX_KIND: Final = 24


@dataclasses.dataclass(frozen=True, slots=True)
class DownHeader:
    """What everyone on the way may read.

    Attributes:
        use: of the key that signs.
        dseq: from 1.
        keyset: the version of the keyset that names the key; a unit with an older one waits for it.
    """

    unit: str
    epoch: bytes
    use: Use
    dseq: int
    keyset: int


@dataclasses.dataclass(frozen=True, slots=True)
class SignedDown:
    """A message down whose signature was checked; ``inner`` opens under ``protected`` only."""

    header: DownHeader
    kid: bytes
    inner: bytes
    protected: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class DownContent:
    """What is inside.

    Attributes:
        message: its identity, UUIDv7, however often it is sealed.
        made_ms: when it was made, by the centre's clock.
        kind: what it is; who reads it decides what follows.
        payload: deterministic CBOR of the list that begins with the kind.
    """

    message: bytes
    made_ms: int
    kind: str
    payload: bytes


def payload_of(kind: str, body: list[cbor.Value]) -> bytes:
    """The bytes of ``[kind, …]``.

    Raises:
        EnvelopeRefused: too-large.
    """
    payload = cbor.encode([kind, *body])
    if len(payload) > MAX_CONTENT_BYTES:
        raise EnvelopeRefused("too-large")
    return payload


def seal(
    header: DownHeader, content: DownContent, *, recv_public: bytes, private: bytes, realm: str
) -> bytes:
    """The message; ``private`` signs, and the unit's keyset names its public half for the header's use."""
    protected = cose.protected_header(
        keys.kid(keys.signing_public(private)),
        [header.unit, header.epoch, header.use.value, header.dseq, header.keyset],
    )
    plain = cbor.encode([content.message, content.made_ms, content.payload])
    sealed = keys.seal_to(recv_public, padding.pad(plain), protected)
    return cose.sign(protected, sealed, private, Purpose.DOWN, realm)


def read_header(raw: bytes) -> DownHeader | None:
    """What a message says of itself, or None when it is none of these; believed only after `verify`."""
    try:
        return _header(cose.read(raw).header)
    except EnvelopeRefused:
        return None


def verify(raw: bytes, keyset: Keyset, unit: str, now_ms: int | None = None) -> SignedDown:
    """Check with the pinned keyset.

    Args:
        raw: the message.
        keyset: whose keys of the header's use are believed, in its realm.
        unit: who reads.
        now_ms: the time by which keys are judged, or None when it is not known.

    Raises:
        EnvelopeRefused: too-large, version, form, kid, signature, realm, unit.
    """
    signed = cose.read(raw)
    header = _header(signed.header)
    key = keyset.find(signed.kid, header.use, now_ms)
    if key is None:
        raise EnvelopeRefused("kid")
    cose.check(signed, key.key, Purpose.DOWN, keyset.realm)
    if header.unit != unit:
        raise EnvelopeRefused("unit")
    return SignedDown(header, signed.kid, signed.payload, signed.protected)


def open_content(signed: SignedDown, recv_private: bytes) -> DownContent:
    """Open a message that was verified.

    Raises:
        EnvelopeRefused: key, decode.
    """
    padded = keys.open_sealed(recv_private, signed.inner, signed.protected)
    if padded is None:
        raise EnvelopeRefused("key")
    try:
        message, made_ms, payload = shapes.items(cbor.decode(padding.unpad(padded)), 3)
        payload = shapes.octets(payload)
        kind = shapes.items(cbor.decode(payload))[:1]
        return DownContent(
            shapes.octets(message, MESSAGE_BYTES),
            shapes.integer(made_ms),
            shapes.text(kind[0] if kind else None, MAX_KIND),
            payload,
        )
    except (cbor.MalformedCbor, EnvelopeRefused):
        raise EnvelopeRefused("decode") from None


def _header(value: cbor.Value) -> DownHeader:
    unit, epoch, use, dseq, version = shapes.items(value, 5)
    if use not in USES:
        raise EnvelopeRefused("form")
    return DownHeader(
        shapes.unit(unit),
        shapes.octets(epoch, EPOCH_BYTES),
        Use(shapes.text(use)),
        shapes.integer(dseq, 1),
        shapes.integer(version, 1),
    )
