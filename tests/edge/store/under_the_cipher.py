"""A store's file as it lies under the cipher: live rows, slack and free pages alike."""

from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

PAGE: Final = 4096
_RESERVED: Final = 80


def pages(path: Path, key: bytes) -> bytes:
    """Everything in the file, decrypted with nothing of ours and nothing of SQLCipher's.

    A page ends with 16 bytes of IV and 64 of HMAC; the first begins with 16 bytes of salt.

    Source: SQLCipher 4, "Design", with a raw key: AES-256-CBC.
    """
    plain, raw = bytearray(), path.read_bytes()
    for start in range(0, len(raw), PAGE):
        page = raw[start : start + PAGE]
        body = page[16 if start == 0 else 0 : -_RESERVED]
        decryptor = Cipher(algorithms.AES(key), modes.CBC(page[-_RESERVED : 16 - _RESERVED])).decryptor()
        plain += decryptor.update(body) + decryptor.finalize()
    return bytes(plain)
