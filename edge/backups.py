"""The paper that lies beside a backed-up store: whose it is, and for whom its key is sealed.

A backup is a folder with two files: ``store.db``, the whole store in one SQLCipher file under a key of its
own, and ``manifest``. The backup's key B is sealed twice: under a key derived from the store's key K, for the
same unit, and to the centre's recovery key, for a box that takes the unit's place::

    manifest = "QFBACKUP1", deterministic CBOR [header, by key, by recovery, papers, tag]
    header   = CBOR [1, unit, realm, id, made ms, schema, epoch, [tip of each stream], size, SHA-256], of the
               store's file the last two
    by key   = 12 bytes nonce, ChaCha20-Poly1305 under HKDF-SHA256(K, info = "qafila backup", id), of B
    recovery = [to, point, wrapped] of `edge.recovery` with B in K's place, or null
    papers   = {name: bytes}: the unit's key slots, configuration, request and bundle, as they lay there
    tag      = HMAC-SHA256 under HKDF-SHA256(B, info = "qafila manifest") of all that stands before it

None of the papers opens anything by itself: the slots are sealed under the device secret.
"""

import dataclasses
import hmac
import os
from collections.abc import Mapping
from typing import ClassVar, Final, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edge import cbor, recovery
from edge.errors import QafilaError
from edge.recovery import RecoverySlot

KEY_BYTES: Final = 32
ID_BYTES: Final = 8
MOST_BYTES: Final = 4 * 1024 * 1024
"""Of a manifest: slots, configuration and bundle are a few hundred kilobytes at most."""
_MAGIC: Final = b"QFBACKUP1"
_VERSION: Final = 1
_NONCE_BYTES: Final = 12
_STREAMS: Final = 5


class BackupRefused(QafilaError):
    """This is no backup that can be used here; nothing was changed."""

    code: ClassVar[str] = "backup-refused"


@dataclasses.dataclass(frozen=True, slots=True)
class Header:
    """What anybody may read of a backup.

    Attributes:
        id: eight random bytes.
        epoch: of the store when it was copied.
        tips: how many entries each stream of that epoch had.
        size: of the store's file, bytes.
        digest: its SHA-256.
    """

    unit: str
    realm: str
    id: bytes
    made_ms: int
    schema: int
    epoch: bytes
    tips: tuple[int, ...]
    size: int
    digest: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest taken apart; that it is whole is known once its key is (`opened_by`)."""

    header: Header
    by_key: bytes = dataclasses.field(repr=False)
    by_recovery: RecoverySlot | None
    papers: Mapping[str, bytes] = dataclasses.field(repr=False)
    tag: bytes
    signed: bytes = dataclasses.field(repr=False)

    def opened_by(self, key: bytes) -> bytes | None:
        """B, for the store's key as it was when the backup was made; None for any other.

        Raises:
            BackupRefused: the key fits, and the manifest was changed since.
        """
        nonce, sealed = self.by_key[:_NONCE_BYTES], self.by_key[_NONCE_BYTES:]
        try:
            return self._checked(ChaCha20Poly1305(_wrapping(key, self.header.id)).decrypt(nonce, sealed, b""))
        except InvalidTag:
            return None

    def opened_by_secret(self, secret: bytes) -> bytes | None:
        """B, for what the holder of the recovery key makes of the manifest's point.

        Raises:
            BackupRefused: it fits, and the manifest was changed since.
        """
        if self.by_recovery is None:
            return None
        key = recovery.unwrap(self.by_recovery, secret)
        return None if key is None else self._checked(key)

    def _checked(self, backup_key: bytes) -> bytes:
        if not hmac.compare_digest(self.tag, _tag(backup_key, self.signed)):
            raise _damaged()
        return backup_key


def make(
    header: Header,
    backup_key: bytes,
    store_key: bytes,
    recovery_to: bytes | None,
    papers: Mapping[str, bytes],
) -> bytes:
    """The manifest's bytes."""
    nonce = os.urandom(_NONCE_BYTES)
    by_key = nonce + ChaCha20Poly1305(_wrapping(store_key, header.id)).encrypt(nonce, backup_key, b"")
    slot = None if recovery_to is None else recovery.seal(recovery_to, header.unit, backup_key)
    parts: list[cbor.Value] = [
        cbor.encode(
            [
                *(_VERSION, header.unit, header.realm, header.id, header.made_ms, header.schema),
                *(header.epoch, list(header.tips), header.size, header.digest),
            ]
        ),
        by_key,
        None if slot is None else [slot.to, slot.point, slot.wrapped],
        dict(papers),
    ]
    return _MAGIC + cbor.encode([*parts, _tag(backup_key, cbor.encode(parts))])


def read(raw: bytes) -> Manifest:
    """Take a manifest apart without believing it.

    Raises:
        BackupRefused: it is none, is damaged, or a newer version made it.
    """
    if len(raw) > MOST_BYTES or not raw.startswith(_MAGIC[:-1]):
        raise _damaged()
    if not raw.startswith(_MAGIC):
        raise _newer()
    try:
        match cbor.decode(raw[len(_MAGIC) :]):
            case [bytes(header), bytes(by_key), slot, dict(papers), bytes(tag)]:
                signed = cbor.encode([header, by_key, slot, papers])
                return Manifest(_header(header), by_key, _slot(slot), _papers(papers), tag, signed)
            case _:
                raise _damaged()
    except cbor.MalformedCbor:
        raise _damaged() from None


def _header(raw: bytes) -> Header:
    match cbor.decode(raw):
        case [int(version), *_] if version > _VERSION:
            raise _newer()
        case [
            int(),
            str(unit),
            str(realm),
            bytes(id_),
            int(made_ms),
            int(schema),
            bytes(epoch),
            [*tips],
            int(size),
            bytes(digest),
        ] if (
            len(id_) == ID_BYTES
            and len(tips) == _STREAMS
            and all(isinstance(tip, int) for tip in tips)
            and size > 0
        ):
            return Header(
                *(unit, realm, id_, made_ms, schema, epoch, tuple(cast("list[int]", tips)), size, digest)
            )
        case _:
            raise _damaged()


def _slot(value: cbor.Value) -> RecoverySlot | None:
    match value:
        case None:
            return None
        case [bytes(to), bytes(point), bytes(wrapped)] if len(to) == len(point) == recovery.PUBLIC_BYTES:
            return RecoverySlot(to, point, wrapped)
        case _:
            raise _damaged()


def _papers(value: cbor.Value) -> dict[str, bytes]:
    papers: dict[str, bytes] = {}
    for name, content in cast("dict[object, object]", value).items():
        if not isinstance(name, str) or not isinstance(content, bytes):
            raise _damaged()
        papers[name] = content
    return papers


def _wrapping(store_key: bytes, id_: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=cbor.encode(["qafila backup", id_])).derive(store_key)


def _tag(backup_key: bytes, signed: bytes) -> bytes:
    key = HKDF(SHA256(), 32, salt=None, info=b"qafila manifest").derive(backup_key)
    return hmac.digest(key, signed, "sha256")


def _damaged() -> BackupRefused:
    return BackupRefused(
        "The manifest is no backup's, or it is damaged.",
        next_step="Name the folder that `qafila store backup` wrote, or take another backup.",
        code="backup-damaged",
    )


def _newer() -> BackupRefused:
    return BackupRefused(
        "A newer version of this software made the backup.",
        next_step="Install that version or a later one.",
        code="backup-newer",
    )
