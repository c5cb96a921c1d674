"""The key of a session, and the message that gives it to the centre.

The key lives in memory only, from one unlock to the next or a day at most. It is sealed once, by HPKE
with the post-quantum hybrid, to each ``seal-to`` key of the keyset.
"""

import hashlib
import itertools
import secrets
from collections.abc import Iterable
from typing import Final

from edge import cbor
from sync.wire import cose, keys, shapes
from sync.wire.errors import EnvelopeRefused, NonceExhausted, NoRecipient

SESSION_KEY_BYTES: Final = 32
SESSION_ID_BYTES: Final = 8
MAX_RECIPIENTS: Final = 64


class SessionKey:
    """A key, its id, and the counter that keeps any nonce from serving twice.

    There is one object per key: a second one for the same key would count from zero again.
    """

    def __init__(self, key: bytes, id_: bytes) -> None:
        self.key = key
        self.id = id_
        self._counter = itertools.count()

    def next_nonce(self) -> bytes:
        """The next of 2^96 nonces.

        Raises:
            NonceExhausted: instead of beginning again.
        """
        try:
            return next(self._counter).to_bytes(cose.NONCE_BYTES)
        except OverflowError:
            raise NonceExhausted("This session has sealed all it may; a new one has to begin.") from None


def make_key() -> bytes:
    return secrets.token_bytes(SESSION_KEY_BYTES)


def session_id(payload: bytes) -> bytes:
    """A session is named by the first 8 bytes of the SHA-256 of its key message's payload."""
    return hashlib.sha256(payload).digest()[:SESSION_ID_BYTES]


def seal_key(key: bytes, recipients: Iterable[bytes], info: bytes) -> bytes:
    """The payload of a key message: ``[suite, [[kid, enc‖ct], …]]``.

    Args:
        key: the session's key.
        recipients: the centre's public sealing keys.
        info: the signed header's bytes, which HPKE binds.

    Raises:
        NoRecipient: there is none.
    """
    sealed = [[keys.kid(public), keys.seal_to(public, key, info)] for public in recipients]
    if not sealed:
        raise NoRecipient(
            "The centre's keyset names no key to seal to; readings are kept and wait.",
            next_step="Ask the centre for a new bundle and install it with `qafila unit enrol`.",
        )
    return cbor.encode([list(keys.HYBRID_SUITE), sealed])


def recipients(payload: bytes) -> list[bytes]:
    """The names (kid) of the keys that a key message is sealed to.

    Raises:
        EnvelopeRefused: form.
    """
    try:
        suite, sealed = shapes.items(cbor.decode(payload), 2)
    except cbor.MalformedCbor:
        raise EnvelopeRefused("form") from None
    if suite != list(keys.HYBRID_SUITE):
        raise EnvelopeRefused("form")
    return [
        shapes.octets(shapes.items(item, 2)[0], keys.KID_BYTES)
        for item in shapes.items(sealed, most=MAX_RECIPIENTS)
    ]


def open_key(payload: bytes, private: bytes, info: bytes) -> bytes:
    """The session key, opened with one of the centre's private sealing keys.

    Raises:
        EnvelopeRefused: form; key when it was not sealed to this key in this context.
    """
    try:
        suite, sealed = shapes.items(cbor.decode(payload), 2)
    except cbor.MalformedCbor:
        raise EnvelopeRefused("form") from None
    if suite != list(keys.HYBRID_SUITE):
        raise EnvelopeRefused("form")
    wanted = keys.kid(keys.sealing_public(private))
    for item in shapes.items(sealed, most=MAX_RECIPIENTS):
        kid, box = shapes.items(item, 2)
        if shapes.octets(kid, keys.KID_BYTES) == wanted:
            key = keys.open_sealed(private, shapes.octets(box), info)
            if key is not None and len(key) == SESSION_KEY_BYTES:
                return key
    raise EnvelopeRefused("key")
