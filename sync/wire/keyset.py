"""The centre's public keys, each for its use, signed as a whole by a root.

Signed payload: ``[version, realm, [generation, …], [[key, use, not before, not after], …]]``.
"""

import dataclasses
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from edge import cbor, recovery
from sync.wire import cose, keys, shapes
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused

MAX_KEYS: Final = 64
MAX_GENERATIONS: Final = 64


class Use(StrEnum):
    """What a key is believed for, and nothing else."""

    LANDED = "landed"
    OPENED = "opened"
    ADVICE = "advice"
    CONFIG = "config"
    RECORDS = "records"
    COMMAND = "command"
    SEAL_TO = "seal-to"
    RECOVERY = "recovery"


_SIZES: Final[dict[str, int]] = {
    Use.SEAL_TO: keys.SEAL_PUBLIC_BYTES,
    Use.RECOVERY: recovery.PUBLIC_BYTES,
    **dict.fromkeys(set(Use) - {Use.SEAL_TO, Use.RECOVERY}, keys.SIGN_PUBLIC_BYTES),
}
"""How long a key of each use is."""


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """A public key with its use and its validity.

    Attributes:
        use: one of `Use`; a use from the future is kept and never matches.
        not_before_ms: from when it is believed, ms since 1970, 0 for always.
        not_after_ms: until when it is believed, or None for without end.
    """

    key: bytes
    use: str
    not_before_ms: int = 0
    not_after_ms: int | None = None

    @property
    def kid(self) -> bytes:
        return keys.kid(self.key)

    def valid(self, now_ms: int | None) -> bool:
        """Whether it is believed at a time; a caller who does not know the time passes None."""
        if now_ms is None:
            return True
        return self.not_before_ms <= now_ms and (self.not_after_ms is None or now_ms <= self.not_after_ms)


@dataclasses.dataclass(frozen=True, slots=True)
class Keyset:
    """What a root says of the centre's keys. The highest version wins.

    Attributes:
        generations: the centre's generations, in rising order; restoring the centre adds one.
    """

    version: int
    realm: str
    generations: tuple[int, ...]
    keys: tuple[Key, ...]

    def find(self, kid: bytes, use: Use, now_ms: int | None = None) -> Key | None:
        """The key of that name for that use and time."""
        for key in self.keys:
            if key.use == use and key.kid == kid and key.valid(now_ms):
                return key
        return None

    def of_use(self, use: Use, now_ms: int | None = None) -> tuple[Key, ...]:
        """All keys for a use at a time."""
        return tuple(key for key in self.keys if key.use == use and key.valid(now_ms))


def sign(keyset: Keyset, root_private: bytes) -> bytes:
    payload = cbor.encode(
        [
            keyset.version,
            keyset.realm,
            list(keyset.generations),
            [[key.key, str(key.use), key.not_before_ms, key.not_after_ms] for key in keyset.keys],
        ]
    )
    protected = cose.protected_header(keys.kid(keys.signing_public(root_private)))
    return cose.sign(protected, payload, root_private, Purpose.KEYSET, keyset.realm)


def read(raw: bytes, roots: Sequence[bytes], realm: str) -> Keyset:
    """Check a keyset with the pinned roots.

    Raises:
        EnvelopeRefused: too-large, version, form, kid when no root signed it, signature or realm.
    """
    signed = cose.read_plain(raw)
    cose.check(signed, cose.pick(signed, roots), Purpose.KEYSET, realm)
    version, stated_realm, generations, items = shapes.items(cose.payload(signed), 4)
    if stated_realm != realm:
        raise EnvelopeRefused("realm")
    numbers = tuple(shapes.integer(g, 1) for g in shapes.items(generations, most=MAX_GENERATIONS))
    if list(numbers) != sorted(set(numbers)):
        raise EnvelopeRefused("form")
    return Keyset(
        shapes.integer(version, 1),
        realm,
        numbers,
        tuple(_decode_key(item) for item in shapes.items(items, most=MAX_KEYS)),
    )


def _decode_key(item: cbor.Value) -> Key:
    key, use, not_before, not_after = shapes.items(item, 4)
    use = shapes.text(use, 32)
    return Key(
        shapes.octets(key, _SIZES.get(use)),
        use,
        shapes.integer(not_before),
        None if not_after is None else shapes.integer(not_after),
    )
