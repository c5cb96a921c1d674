"""The device secret: 32 bytes that are not on the card the store is on.

A file on removable media, one line of text so that a person can see what it is::

    qafila-device-secret-1 <64 hex digits> <8 hex digits of SHA-256>
"""

import hashlib
import os
from pathlib import Path
from typing import Final

from edge.security.errors import (
    DeviceSecretDamaged,
    DeviceSecretExists,
    DeviceSecretMissing,
    SecretNotKept,
)
from edge.security.files import make_private_directory, write_private

SECRET_BYTES: Final = 32
_WORD: Final = "qafila-device-secret-1"
_LONGEST: Final = 256


def make(path: Path) -> bytes:
    """Make a device secret and put it at ``path``.

    Raises:
        DeviceSecretExists: something is there; without it its slots could never be opened again.
        SecretNotKept: the medium does not take it.
    """
    if path.exists() or path.is_symlink():
        raise DeviceSecretExists(
            "There is a device secret already; it is never written over.",
            next_step="Use another medium, or set the old file aside if no unit needs it.",
        )
    secret = os.urandom(SECRET_BYTES)
    _put(path, secret)
    return secret


def copy(secret: bytes, path: Path) -> None:
    """Put a second copy at ``path``.

    Raises:
        DeviceSecretExists, SecretNotKept: as `make`.
    """
    if path.exists() or path.is_symlink():
        raise DeviceSecretExists(
            "There is a device secret already; it is never written over.",
            next_step="Use another medium, or set the old file aside if no unit needs it.",
        )
    _put(path, secret)


def _put(path: Path, secret: bytes) -> None:
    try:
        make_private_directory(path.parent)
        write_private(path, f"{_WORD} {secret.hex()} {_check(secret)}\n".encode())
    except OSError:
        raise SecretNotKept(
            "The device secret cannot be written.",
            next_step="Check that the medium is in, mounted, and not write-protected.",
        ) from None


def read(path: Path) -> bytes:
    """Read the device secret.

    Raises:
        DeviceSecretMissing, DeviceSecretDamaged.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST)
    except OSError:
        raise DeviceSecretMissing(
            "The device secret is not there.",
            next_step="Put the medium with the device secret in, or its second copy.",
        ) from None
    return parse(content)


def parse(content: bytes) -> bytes:
    """The secret in the line of text that holds it.

    Raises:
        DeviceSecretDamaged.
    """
    try:
        word, digits, check = content.decode("ascii").split()
        secret = bytes.fromhex(digits)
    except ValueError:
        raise _damaged() from None
    if word != _WORD or len(secret) != SECRET_BYTES or check != _check(secret):
        raise _damaged()
    return secret


def _check(secret: bytes) -> str:
    return hashlib.sha256(_WORD.encode() + secret).hexdigest()[:8]


def _damaged() -> DeviceSecretDamaged:
    return DeviceSecretDamaged(
        "The file is no device secret, or it is damaged.", next_step="Use the second copy of the medium."
    )
