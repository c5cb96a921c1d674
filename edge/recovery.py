"""The telephone unlock: what a box shows, what the centre answers, and what opens with the two together.

For a person who forgot the PIN where no supervisor is. The store's key K is wrapped under a secret of 16
bytes that nobody keeps: it is agreed by X25519 between a key that the box made and forgot, and the centre's
*recovery* key, which lies offline. The box keeps the public half of its own, the *point*; who holds the
recovery key can compute the secret from the point, and nobody else::

    secret    = HKDF-SHA256(X25519(recovery key, point), info = "qafila recovery secret", unit, point)
    wrapped   = ChaCha20-Poly1305 under HKDF-SHA256(secret, info = "qafila recovery wrap"), nonce 0, of K
    challenge = 0x01, point, first 4 bytes of SHA-256("qafila challenge", unit, user, reason, point)
    code      = secret, first 4 bytes of HMAC-SHA256(secret, "qafila code", unit, user, reason)

Lists are hashed as deterministic CBOR. Challenge (60 letters) and code (32) are written in Crockford's
base 32, in groups, to be read over a telephone; a slip is noticed on either side. Neither is post-quantum:
a hybrid challenge would have two thousand letters. After use K changes, and with it the point.
"""

import dataclasses
import hashlib
import hmac
from enum import StrEnum
from typing import ClassVar, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edge import cbor
from edge.errors import QafilaError

PUBLIC_BYTES: Final = 32
_SECRET_BYTES: Final = 16
_CHECK_BYTES: Final = 4
_VERSION: Final = b"\x01"
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD: Final = str.maketrans("OIL", "011", " -\t")
_MOST_LETTERS: Final = 128


class Reason(StrEnum):
    """Why somebody has to be let in by telephone; coded, so that no story about a person is logged."""

    FORGOTTEN_PIN = "forgotten-pin"
    SUPERVISOR_LEFT = "supervisor-left"
    HANDOVER = "handover"


class RecoveryRefused(QafilaError):
    """Challenge or code do not fit; nothing was opened."""

    code: ClassVar[str] = "recovery-refused"


@dataclasses.dataclass(frozen=True, slots=True)
class RecoverySlot:
    """K for whoever holds the recovery key.

    Attributes:
        to: the public recovery key.
        point: the public half of the box's forgotten key.
        wrapped: K.
    """

    to: bytes
    point: bytes
    wrapped: bytes = dataclasses.field(repr=False)


def make_private() -> bytes:
    """A new recovery key, 32 bytes."""
    return X25519PrivateKey.generate().private_bytes_raw()


def public(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def seal(to: bytes, unit: str, key: bytes) -> RecoverySlot:
    """Wrap the store's key for the holder of the recovery key."""
    own = X25519PrivateKey.generate()
    point = own.public_key().public_bytes_raw()
    secret = _secret(own.exchange(X25519PublicKey.from_public_bytes(to)), unit, point)
    return RecoverySlot(to, point, _wrapping(secret).encrypt(bytes(12), key, point))


def challenge(slot: RecoverySlot, unit: str, user: str, reason: Reason) -> str:
    """What the person at the box reads out."""
    return _letters(_VERSION + slot.point + _check(unit, user, reason, slot.point), 5)


def answer(private: bytes, said: str, unit: str, user: str, reason: Reason) -> str:
    """The centre's code for a challenge; to be logged before it is told to anybody.

    Raises:
        RecoveryRefused: ``challenge-refused``: misheard, or of another unit, user or reason.
    """
    raw = _octets(said, len(_VERSION) + PUBLIC_BYTES + _CHECK_BYTES)
    point = b"" if raw is None else raw[1 : 1 + PUBLIC_BYTES]
    if raw is None or raw[:1] != _VERSION or raw[1 + PUBLIC_BYTES :] != _check(unit, user, reason, point):
        raise RecoveryRefused(
            "The challenge does not fit unit, user and reason.",
            next_step="have it read again, and check all three with the person who calls.",
            code="challenge-refused",
        )
    secret = secret_of(private, point, unit)
    if secret is None:
        raise RecoveryRefused(
            "The challenge was not made by a box.", next_step="have it read again.", code="challenge-refused"
        )
    return _letters(secret + _tag(secret, unit, user, reason), 4)


def secret_of(private: bytes, point: bytes, unit: str) -> bytes | None:
    """What the holder of the recovery key makes of a box's point; None for a point that no box made."""
    try:
        agreed = X25519PrivateKey.from_private_bytes(private).exchange(
            X25519PublicKey.from_public_bytes(point)
        )
    except ValueError:  # of low order, or no point at all
        return None
    return _secret(agreed, unit, point)


def unwrap(slot: RecoverySlot, secret: bytes) -> bytes | None:
    """What a slot holds, for the secret of its point; None for any other."""
    try:
        return _wrapping(secret).decrypt(bytes(12), slot.wrapped, slot.point)
    except InvalidTag:
        return None


def unseal(slot: RecoverySlot, code: str, unit: str, user: str, reason: Reason) -> bytes:
    """The store's key, for the code that answers this box, user and reason.

    Raises:
        RecoveryRefused: ``recovery-code-wrong``.
    """
    raw = _octets(code, _SECRET_BYTES + _CHECK_BYTES)
    if raw is not None:
        secret, tag = raw[:_SECRET_BYTES], raw[_SECRET_BYTES:]
        if hmac.compare_digest(tag, _tag(secret, unit, user, reason)):
            key = unwrap(slot, secret)
            if key is not None:
                return key
    raise RecoveryRefused(
        "The code does not open this unit for this user and reason.",
        next_step="Have it read again; a code answers one challenge only.",
        code="recovery-code-wrong",
    )


def _secret(agreed: bytes, unit: str, point: bytes) -> bytes:
    info = cbor.encode(["qafila recovery secret", unit, point])
    return HKDF(SHA256(), _SECRET_BYTES, salt=None, info=info).derive(agreed)


def _wrapping(secret: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(HKDF(SHA256(), 32, salt=None, info=b"qafila recovery wrap").derive(secret))


def _check(unit: str, user: str, reason: Reason, point: bytes) -> bytes:
    said = cbor.encode(["qafila challenge", unit, user, reason.value, point])
    return hashlib.sha256(said).digest()[:_CHECK_BYTES]


def _tag(secret: bytes, unit: str, user: str, reason: Reason) -> bytes:
    said = cbor.encode(["qafila code", unit, user, reason.value])
    return hmac.digest(secret, said, "sha256")[:_CHECK_BYTES]


def _letters(raw: bytes, group: int) -> str:
    count = -(-len(raw) * 8 // 5)
    number = int.from_bytes(raw) << (count * 5 - len(raw) * 8)
    letters = "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(count)))
    return "-".join(letters[at : at + group] for at in range(0, count, group))


def _octets(said: str, size: int) -> bytes | None:
    """The bytes of what was read out, however it was grouped, or None when it cannot be."""
    letters = said[:_MOST_LETTERS].upper().translate(_MISREAD)
    count = -(-size * 8 // 5)
    if len(letters) != count or any(letter not in _ALPHABET for letter in letters):
        return None
    number = 0
    for letter in letters:
        number = number << 5 | _ALPHABET.index(letter)
    spare = count * 5 - size * 8
    return None if number & (1 << spare) - 1 else (number >> spare).to_bytes(size)
