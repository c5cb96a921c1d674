"""Does a key fit a store? Asked of the bytes, without letting SQLite near them.

SQLite cannot be asked: opened with a wrong key it still replays a left-over WAL, and on closing copies
it into the file and deletes it. So the key is tried here first, on a file opened for reading only.

SQLCipher 4 with its defaults writes every page of 4,096 bytes as::

    0     16    key salt            page 1 only, in the clear
    ...         ciphertext
    4016  16    initialisation vector
    4032  64    HMAC-SHA512 over ciphertext, vector and page number (4 bytes, little endian)

The HMAC's key is PBKDF2-HMAC-SHA512 of the raw key, two rounds, with the salt xor 0x3a. A WAL holds a
32-byte header, then frames: page number (4 bytes, big endian), 20 more bytes, the page.

Source: SQLCipher 4, "Security Design" and src/sqlcipher.c; checked against files it wrote.
"""

import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PAGE_BYTES: Final = 4096
SALT_BYTES: Final = 16
PLAINTEXT_MAGIC: Final = b"SQLite format 3\x00"
TAG_BYTES: Final = 64
_SALT_MASK: Final = 0x3A
WAL_HEADER_BYTES: Final = 32
FRAME_HEADER_BYTES: Final = 24
_MOST_PAGES_TRIED: Final = 512
"""One page that fits is proof enough; a damaged page is rare, so a few hundred are a generous search."""


def key_fits(database: Path, key: bytes) -> bool:
    """Whether any page of the file or of its WAL was written under this key.

    False also when the salt itself is damaged: without it no key fits.
    """
    with database.open("rb") as file:
        salt = file.read(SALT_BYTES)
    mac_key = mac_key_of(key, salt)
    return any(tag_fits(mac_key, number, page) for number, page in _pages(database))


def mac_key_of(key: bytes, salt: bytes) -> bytes:
    """The key of the pages' tags, from the raw key and the salt of page 1."""
    return hashlib.pbkdf2_hmac("sha512", key, bytes(byte ^ _SALT_MASK for byte in salt), 2, 32)


def tag_fits(mac_key: bytes, number: int, page: bytes) -> bool:
    """Whether a page, as it lies in the file, was written as this page under this key."""
    start = SALT_BYTES if number == 1 else 0
    body = page[start:-TAG_BYTES] + number.to_bytes(4, "little")
    return hmac.compare_digest(hmac.digest(mac_key, body, "sha512"), page[-TAG_BYTES:])


def _pages(database: Path) -> Iterator[tuple[int, bytes]]:
    with database.open("rb") as file:
        for number in range(1, _MOST_PAGES_TRIED + 1):
            if len(page := file.read(PAGE_BYTES)) < PAGE_BYTES:
                break
            yield number, page
    wal = database.with_name(database.name + "-wal")
    if not wal.exists():
        return
    with wal.open("rb") as file:
        file.seek(WAL_HEADER_BYTES)
        for _ in range(_MOST_PAGES_TRIED):
            frame = file.read(FRAME_HEADER_BYTES + PAGE_BYTES)
            if len(frame) < FRAME_HEADER_BYTES + PAGE_BYTES:
                break
            yield int.from_bytes(frame[:4]), frame[FRAME_HEADER_BYTES:]
