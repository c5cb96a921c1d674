"""Recordings of what devices send: health data, so sealed like all of it. Pure bytes in, bytes out.

A file is::

    0   6   "QFREC" and the version, 1
    6   4   length of the head, big endian
    10      the head, deterministic CBOR, in the clear: a map from text
    +0      chunks: 4 bytes of length, big endian, then so many of ChaCha20-Poly1305

The head says ``unit``, ``device`` (its key), ``kind``, ``wall_ms``, ``opens`` (who may open it:
``technician`` when no visit was open while it was made, else ``supervisor``), ``id`` (16 random bytes) and
``wrapped``: the recording's own random key under HKDF-SHA256(store key, salt = id, info = "qafila
recording"), sealed with the rest of the head as additional data, nonce zero (the wrapping key is used
once). A chunk's nonce is its number, 12 bytes big endian from 0; its additional data SHA-256 of the head
and one byte, 1 in the last chunk and 0 in all others. So no chunk can be changed, moved, lost or added
unseen, and a recording that was cut short is known to be.

The inside is the text of a trace. Who exchanges the store's key leaves older recordings closed.
"""

import dataclasses
import hashlib
import os
from typing import ClassVar, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edge import cbor
from edge.errors import QafilaError

VERSION: Final = 1
MAGIC: Final = b"QFREC"
KEY_BYTES: Final = 32
ID_BYTES: Final = 16
MOST_HEAD: Final = 4096
MOST_CHUNK: Final = 1 << 20
TECHNICIAN: Final = "technician"
SUPERVISOR: Final = "supervisor"
_NONCE_BYTES: Final = 12
_LENGTH_BYTES: Final = 4
_START: Final = len(MAGIC) + 1 + _LENGTH_BYTES
_FIELDS: Final[dict[str, type]] = {
    "unit": str,
    "device": str,
    "kind": str,
    "wall_ms": int,
    "opens": str,
    "id": bytes,
    "wrapped": bytes,
}


class RecordingRefused(QafilaError):
    """The file is no recording that can be opened here; the code says why."""

    code: ClassVar[str] = "recording-refused"


@dataclasses.dataclass(frozen=True, slots=True)
class About:
    """What a recording says of itself in the clear."""

    unit: str
    device: str
    kind: str
    wall_ms: int
    opens: str


class Writer:
    """Seals one recording, chunk by chunk.

    Attributes:
        start: what the file begins with.
    """

    def __init__(self, about: About, store_key: bytes) -> None:
        key, id_ = os.urandom(KEY_BYTES), os.urandom(ID_BYTES)
        said: dict[str, cbor.Value] = {**dataclasses.asdict(about), "id": id_}
        wrapped = _wrapping(store_key, id_).encrypt(bytes(_NONCE_BYTES), key, cbor.encode(said))
        head = cbor.encode(said | {"wrapped": wrapped})
        self.start: Final = MAGIC + bytes([VERSION]) + len(head).to_bytes(_LENGTH_BYTES) + head
        self._cipher = ChaCha20Poly1305(key)
        self._digest = hashlib.sha256(head).digest()
        self._number = 0

    def chunk(self, plain: bytes, *, last: bool = False) -> bytes:
        """The next piece of the file."""
        sealed = self._cipher.encrypt(_nonce(self._number), plain, self._digest + bytes([last]))
        self._number += 1
        return len(sealed).to_bytes(_LENGTH_BYTES) + sealed


@dataclasses.dataclass(frozen=True, slots=True)
class Sealed:
    """A recording's file, taken apart.

    Attributes:
        head: whom the key is asked of.
        whole: how far the chunks go is whole; a piece of one at the end is left out.
    """

    about: About
    head: bytes
    chunks: tuple[bytes, ...]

    @classmethod
    def of_file(cls, content: bytes) -> Self:
        """Take a file apart.

        Raises:
            RecordingRefused: ``not-a-recording``, or ``recording-newer``.
        """
        if content[: len(MAGIC)] != MAGIC or len(content) < _START:
            raise _no_recording()
        if content[len(MAGIC)] != VERSION:
            raise RecordingRefused(
                f"The recording is of version {content[len(MAGIC)]}, and here is {VERSION}.",
                next_step="open it with the software that made it.",
                code="recording-newer",
            )
        length = int.from_bytes(content[_START - _LENGTH_BYTES : _START])
        head = content[_START : _START + length]
        if length > MOST_HEAD or len(head) < length:
            raise _no_recording()
        chunks: list[bytes] = []
        at = _START + length
        while at + _LENGTH_BYTES <= len(content):
            size = int.from_bytes(content[at : at + _LENGTH_BYTES])
            at += _LENGTH_BYTES
            if size > MOST_CHUNK or at + size > len(content):
                break
            chunks.append(content[at : at + size])
            at += size
        return cls(about_of(head), head, tuple(chunks))

    def open(self, key: bytes) -> tuple[bytes, bool]:
        """The text inside, and whether it is whole.

        Raises:
            RecordingRefused: ``recording-damaged``: a chunk is not what was written.
        """
        cipher, digest = ChaCha20Poly1305(key), hashlib.sha256(self.head).digest()
        plain: list[bytes] = []
        for number, chunk in enumerate(self.chunks):
            last = number == len(self.chunks) - 1
            try:
                plain.append(cipher.decrypt(_nonce(number), chunk, digest + b"\x00"))
            except InvalidTag:
                try:
                    plain.append(cipher.decrypt(_nonce(number), chunk, digest + b"\x01"))
                except InvalidTag:
                    raise _damaged() from None
                if not last:
                    raise _damaged() from None
                return b"".join(plain), True
        return b"".join(plain), False


def about_of(head: bytes) -> About:
    """What a head says.

    Raises:
        RecordingRefused: ``not-a-recording``.
    """
    said = _read(head)
    return About(*(said[field.name] for field in dataclasses.fields(About)))  # type: ignore[arg-type]  # checked by _read


def unwrap(head: bytes, store_key: bytes) -> bytes:
    """The recording's own key.

    Raises:
        RecordingRefused: ``not-a-recording``, or ``recording-foreign``: it was made under another key.
    """
    said = _read(head)
    wrapped, id_ = said.pop("wrapped"), said["id"]
    assert isinstance(wrapped, bytes)  # noqa: S101  checked by _read
    assert isinstance(id_, bytes)  # noqa: S101  checked by _read
    try:
        return _wrapping(store_key, id_).decrypt(bytes(_NONCE_BYTES), wrapped, cbor.encode(said))
    except InvalidTag:
        raise RecordingRefused(
            "The recording was made on another unit, or its head was changed.",
            next_step="open it on the unit that made it.",
            code="recording-foreign",
        ) from None


def _read(head: bytes) -> dict[str, cbor.Value]:
    try:
        said = cbor.decode(head)
    except cbor.MalformedCbor:
        raise _no_recording() from None
    if not isinstance(said, dict) or said.keys() != _FIELDS.keys():
        raise _no_recording()
    found = {str(name): value for name, value in said.items()}
    if any(type(found[name]) is not kind for name, kind in _FIELDS.items()):
        raise _no_recording()
    return found


def _wrapping(store_key: bytes, id_: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(HKDF(SHA256(), KEY_BYTES, salt=id_, info=b"qafila recording").derive(store_key))


def _nonce(number: int) -> bytes:
    return number.to_bytes(_NONCE_BYTES)


def _no_recording() -> RecordingRefused:
    return RecordingRefused(
        "The file is no recording.",
        next_step="name a file that qafila devices record has written.",
        code="not-a-recording",
    )


def _damaged() -> RecordingRefused:
    return RecordingRefused(
        "The recording is damaged: a part of it is not what was written.",
        next_step="copy it again from where it was made.",
        code="recording-damaged",
    )
