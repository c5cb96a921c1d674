"""The files that hold the key slots: two copies, each sealed as a whole under the device secret.

The file::

    0    8   "QFSLOTS1"
    8    8   generation, big endian; rises with every change
    16   8   HKDF(device secret, "check"): tells a wrong device secret from a damaged file
    24   12  nonce
    36       ChaCha20-Poly1305 of deterministic CBOR, key HKDF(device secret, generation), aad = bytes 0-24

Inside: ``{unit, slots: [{id, name, role, gen, kdf: [t, p, KiB], salt, pub, priv, sealed}]}`` with ``priv``
= nonce and ChaCha20-Poly1305 of the X25519 private key, and ``sealed`` = HPKE(pub → K, info = unit, id and
gen). Beside them ``recovery``: ``[recovery key, point, wrapped K]`` of `edge.recovery`, or null. A person
who may sign in no more keeps name and role; ``salt``, ``pub``, ``priv`` and ``sealed`` are empty. Two
copies are kept, ``slots`` and ``slots.2``; the readable one with the higher generation counts.
"""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edge import cbor
from edge.recovery import RecoverySlot
from edge.security.errors import DeviceSecretWrong, SecretNotKept, SlotsDamaged, SlotsMissing
from edge.security.files import make_private_directory, write_private

_MAGIC: Final = b"QFSLOTS1"
_NONCE_BYTES: Final = 12
_HEADER_BYTES: Final = 24
_LONGEST_FILE: Final = 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """Who may sign in, and as what.

    Attributes:
        disabled: may sign in no more; kept so that the journal's names stay known and nobody else gets it.
    """

    user: str
    name: str
    role: str
    disabled: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Slot:
    """One person's slot, as the file has it; a disabled person's is empty."""

    user: User
    generation: int
    kdf: tuple[int, int, int]
    salt: bytes
    public: bytes
    private: bytes = dataclasses.field(repr=False)
    sealed: bytes = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """What the files say.

    Attributes:
        recovery: the slot of the centre's recovery key, or None.
    """

    unit: str
    generation: int
    slots: dict[str, Slot]
    recovery: RecoverySlot | None


def derive(device_secret: bytes, purpose: bytes) -> bytes:
    """A key or a mark of the device secret, for one purpose."""
    return HKDF(SHA256(), 32, salt=None, info=b"qafila slots " + purpose).derive(device_secret)


def copies_of(path: Path) -> tuple[Path, Path]:
    """Where the two copies of a slot file lie."""
    return path, path.with_name(path.name + ".2")


def read(path: Path, device_secrets: Sequence[bytes]) -> tuple[Content, bytes]:
    """The better copy, and which of the secrets it is sealed under.

    While a unit's device secret is being changed one copy is already sealed under the new one. The other is
    not used then: it leads to a key that the store is about to have no more.

    Raises:
        SlotsMissing, SlotsDamaged.
        DeviceSecretWrong: both copies, or the newer one, are sealed under another secret.
    """
    copies = [copy for each in copies_of(path) if (copy := _content(each)) is not None]
    if not copies:
        raise SlotsMissing(
            "There are no key slots on this unit.",
            next_step="Make a unit with `qafila unit init`, or put the slot files back from a backup.",
        )
    readable = [
        (opened, secret)
        for secret in device_secrets
        for copy in copies
        if (opened := _open(copy, secret)) is not None
    ]
    known = {derive(secret, b"check")[:8] for secret in device_secrets}
    headed = [copy for copy in copies if copy.startswith(_MAGIC) and len(copy) > _HEADER_BYTES]
    foreign = [copy for copy in headed if copy[16:_HEADER_BYTES] not in known]
    if readable:
        newest = max(readable, key=lambda each: each[0].generation)
        if all(int.from_bytes(copy[8:16]) <= newest[0].generation for copy in foreign):
            return newest
        raise _wrong()
    if len(foreign) > 1 and len({copy[16:_HEADER_BYTES] for copy in foreign}) == 1:
        raise _wrong()
    raise SlotsDamaged(
        "The key slots are damaged: no copy is as it was written.",
        next_step="Put slots and slots.2 back from a backup; the store itself is untouched.",
    )


def whole_copies(path: Path, device_secrets: Sequence[bytes]) -> int:
    """How many of the two copies open under one of these secrets and are of the higher generation."""
    found = [
        max(opened)
        for each in copies_of(path)
        if (raw := _content(each)) is not None
        and (opened := [got.generation for key in device_secrets if (got := _open(raw, key)) is not None])
    ]
    return found.count(max(found)) if found else 0


def names(raw: bytes, device_secrets: Sequence[bytes]) -> bool | None:
    """Whether a slot file says that it is sealed under one of these secrets; None when it is no slot file."""
    if not raw.startswith(_MAGIC) or len(raw) <= _HEADER_BYTES:
        return None
    return raw[16:_HEADER_BYTES] in {derive(secret, b"check")[:8] for secret in device_secrets}


def _wrong() -> DeviceSecretWrong:
    return DeviceSecretWrong(
        "This device secret does not belong to this unit.",
        next_step="Put the medium in that was made for this unit, or its second copy.",
    )


def write(path: Path, device_secret: bytes, content: Content) -> None:
    """Write both copies.

    Raises:
        SecretNotKept: one copy is as it was at least.
    """
    recovered = content.recovery
    inside = cbor.encode(
        {
            "unit": content.unit,
            "slots": [_as_cbor(slot) for slot in content.slots.values()],
            "recovery": None if recovered is None else [recovered.to, recovered.point, recovered.wrapped],
        }
    )
    header = _MAGIC + content.generation.to_bytes(8) + derive(device_secret, b"check")[:8]
    nonce = os.urandom(_NONCE_BYTES)
    sealed = ChaCha20Poly1305(derive(device_secret, header[8:16])).encrypt(nonce, inside, header)
    try:
        make_private_directory(path.parent)
        for copy in copies_of(path):
            write_private(copy, header + nonce + sealed)
    except OSError:
        raise SecretNotKept(
            "The key slots cannot be written.", next_step="Free space on the unit, or check the disk."
        ) from None


def _content(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST_FILE)
    except FileNotFoundError:
        return None
    except OSError:
        return b""  # there, but not readable: as good as damaged


def _open(content: bytes, device_secret: bytes) -> Content | None:
    header, nonce = content[:_HEADER_BYTES], content[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES]
    sealed = content[_HEADER_BYTES + _NONCE_BYTES :]
    if not header.startswith(_MAGIC) or len(nonce) < _NONCE_BYTES:
        return None
    try:
        inside: Any = cbor.decode(
            ChaCha20Poly1305(derive(device_secret, header[8:16])).decrypt(nonce, sealed, header)
        )
    except (InvalidTag, cbor.MalformedCbor):
        return None
    slots = [_from_cbor(slot) for slot in inside["slots"]]
    said = inside.get("recovery")
    recovered = None if said is None else RecoverySlot(*said)
    named = {slot.user.user: slot for slot in slots}
    return Content(inside["unit"], int.from_bytes(header[8:16]), named, recovered)


def _as_cbor(slot: Slot) -> dict[str, cbor.Value]:
    said: dict[str, cbor.Value] = {
        "id": slot.user.user,
        "name": slot.user.name,
        "role": slot.user.role,
        "gen": slot.generation,
        "kdf": list(slot.kdf),
        "salt": slot.salt,
        "pub": slot.public,
        "priv": slot.private,
        "sealed": slot.sealed,
    }
    return said | {"off": True} if slot.user.disabled else said


def _from_cbor(slot: dict[str, Any]) -> Slot:
    passes, lanes, kib = slot["kdf"]
    user = User(slot["id"], slot["name"], slot["role"], disabled=slot.get("off", False))
    return Slot(
        user, slot["gen"], (passes, lanes, kib), slot["salt"], slot["pub"], slot["priv"], slot["sealed"]
    )
