"""Entries as columns: what the same field says in many entries stands side by side, then is squeezed."""

import dataclasses
from collections.abc import Sequence
from typing import Final

from backports import zstd

from edge import cbor
from sync.wire import padding
from sync.wire.errors import EnvelopeRefused

MAX_ENTRIES: Final = 4096
MAX_UNPACKED_BYTES: Final = 4 * 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """An entry's kind and payload; its sequence number follows from its place."""

    kind: int
    payload: bytes


def pack(rows: Sequence[Row]) -> bytes:
    body = cbor.encode([[row.kind, cbor.decode(row.payload)] for row in rows])
    return padding.pad(zstd.compress(body, 19))


def unpack(packed: bytes, n: int) -> list[Row]:
    """The rows, bounded.

    Raises:
        EnvelopeRefused: decode.
    """
    try:
        squeezed = zstd.ZstdDecompressor()
        body = squeezed.decompress(padding.unpad(packed), MAX_UNPACKED_BYTES)
        if not squeezed.eof or squeezed.unused_data:
            raise EnvelopeRefused("decode")
        value = cbor.decode(body)
        if not isinstance(value, list) or len(value) != n:
            raise EnvelopeRefused("decode")
        return [Row(kind, cbor.encode(payload)) for kind, payload in value]
    except (zstd.ZstdError, cbor.MalformedCbor, TypeError, ValueError):
        raise EnvelopeRefused("decode") from None
