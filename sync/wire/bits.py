"""A stream of bits, most significant first: how small numbers are written without wasting bytes."""

from typing import Final

from sync.wire.errors import EnvelopeRefused

_FLUSH_BITS: Final = 4096
_WIDEST: Final = 80
"""Nothing written here is wider: the difference of two 64-bit integers with its sign, and some room."""


class BitWriter:
    """Collects bits; `finish` fills the last byte with zeros."""

    def __init__(self) -> None:
        self._done = bytearray()
        self._bits = 0
        self._width = 0

    def put(self, value: int, width: int) -> None:
        self._bits = self._bits << width | value
        self._width += width
        if self._width > _FLUSH_BITS:
            spare = self._width & 7
            self._done += (self._bits >> spare).to_bytes(self._width >> 3)
            self._bits &= (1 << spare) - 1
            self._width = spare

    def number(self, value: int, k: int) -> None:
        """Exponential Golomb code of order ``k``: a number below 2^k takes k + 1 bits."""
        above = (value >> k) + 1
        width = above.bit_length()
        self.put(above, 2 * width - 1)
        self.put(value & ((1 << k) - 1), k)

    def octets(self, content: bytes) -> None:
        self.put(int.from_bytes(content), 8 * len(content))

    def finish(self) -> bytes:
        self.put(0, -self._width & 7)
        return bytes(self._done) + self._bits.to_bytes(self._width >> 3)


class BitReader:
    """Reads what a `BitWriter` wrote; past the end, or off the form, it refuses with ``decode``."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0
        self._end = 8 * len(raw)

    def take(self, width: int) -> int:
        end = self._at + width
        if end > self._end:
            raise EnvelopeRefused("decode")
        stop = (end + 7) >> 3
        chunk = int.from_bytes(self._raw[self._at >> 3 : stop])
        self._at = end
        return chunk >> (8 * stop - end) & ((1 << width) - 1)

    def number(self, k: int) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > _WIDEST:
                raise EnvelopeRefused("decode")
        above = 1 << zeros | self.take(zeros)
        return (above - 1) << k | self.take(k)

    def octets(self, size: int) -> bytes:
        return self.take(8 * size).to_bytes(size)

    def finish(self) -> None:
        """Refuse unless nothing but the zeros of the last byte is left."""
        if self._end - self._at > 7 or self.take(self._end - self._at):
            raise EnvelopeRefused("decode")
