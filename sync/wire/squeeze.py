"""Rows to what is sealed, and back, bounded: columns, zstd, padding.

What is sealed is the plain list, as a zstd frame where that is shorter, the bits, and the padding. A frame
begins with 0x28, a list never does. In a batch with bytes beside its entries both come behind a length and
before the bytes (`sync.wire.beside`).
"""

from collections.abc import Sequence
from typing import Final

from backports import zstd

from edge import cbor
from sync.wire import beside, columns, padding, primer
from sync.wire.columns import Columns, Packed, Row
from sync.wire.errors import EnvelopeRefused

MAX_ENTRIES: Final = 4096
MAX_UNPACKED_BYTES: Final = 4 * 1024 * 1024

PRIMED: Final = columns.prime(primer.rows())
"""What both ends remember before the first entry; copied, never learnt into."""
_FRAME: Final = b"\x28\xb5\x2f\xfd"
_LEVEL: Final = 19
_WINDOW_LOG_MAX: Final = 22


def pack(rows: Sequence[Row], data: Sequence[bytes | None] | None = None) -> bytes:
    """Squeeze and pad; with ``data`` the bytes that stand beside entries come along."""
    packed = columns.take_apart(rows, PRIMED)
    squeezed = zstd.compress(
        packed.plain,
        options={
            zstd.CompressionParameter.compression_level: _LEVEL,
            zstd.CompressionParameter.content_size_flag: 0,
            zstd.CompressionParameter.checksum_flag: 0,
        },
    )
    content = min(packed.plain, squeezed, key=len) + packed.bits
    return padding.pad(content if data is None else beside.join(content, data))


def unpack(packed: bytes, n: int) -> Columns:
    """What a batch without bytes says.

    Raises:
        EnvelopeRefused: decode, for anything that `pack` would not have given, or that is larger than a
            message may unpack to.
    """
    return _columns(padding.unpad(packed), n)


def unpack_with_bytes(packed: bytes, n: int) -> tuple[Columns, list[bytes | None]]:
    """What a batch with bytes says, and the bytes.

    Raises:
        EnvelopeRefused: decode, as `unpack`.
    """
    content, data = beside.part(padding.unpad(packed))
    return _columns(content, n), data


def _columns(content: bytes, n: int) -> Columns:
    if content.startswith(_FRAME):
        plain, bits = _unsqueeze(content)
    else:
        plain, bits = _cut(content)
    return columns.put_together(Packed(plain, bits), n, PRIMED, MAX_UNPACKED_BYTES)


def _unsqueeze(content: bytes) -> tuple[bytes, bytes]:
    frame = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG_MAX})
    try:
        plain = frame.decompress(content, MAX_UNPACKED_BYTES)
    except zstd.ZstdError:
        raise EnvelopeRefused("decode") from None
    if not frame.eof:
        raise EnvelopeRefused("decode")
    return plain, frame.unused_data


def _cut(content: bytes) -> tuple[bytes, bytes]:
    try:
        _, end = cbor.decode_first(content)
    except cbor.MalformedCbor:
        raise EnvelopeRefused("decode") from None
    return content[:end], content[end:]
