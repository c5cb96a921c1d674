"""A lossless codec for stretches of samples: predict, take planes of bytes, deflate.

Any whole numbers of up to 32 bits, any number of leads, nothing but the standard library here and an
inflate anywhere else. ``docs/reference/waveforms.md`` is the layout's description for those who write
another reader; a test decodes with one that was written from it.

Layout, integers little endian::

    0   1      codec: 1
    1   1      bytes a sample: 1, 2 or 4; the fewest that hold every sample
    2   2      leads
    4   4      samples a lead
    8   4      CRC-32 of the raw samples: lead after lead, each in so many bytes, two's complement
    12  leads  the predictor of each lead, an index into `PREDICTORS`
    …          raw deflate (RFC 1951): the lowest byte of every residual, lead after lead; then the
               next byte of every residual, and so on

A residual is sample minus prediction, wrapped to the width of a sample, then folded: 0, -1, 1, -2 become
0, 1, 2, 3. Small residuals so have small bytes, and the high planes are nearly empty.

Measured on recordings: choosing a predictor by the entropy of its residuals beats choosing it by their
size, and predictors between the first and the second difference beat both; `Z_FILTERED` is what makes
deflate as good as a Rice coder here.
"""

import array
import dataclasses
import math
import struct
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import sub
from typing import ClassVar, Final, NamedTuple

from edge.errors import QafilaError

CODEC: Final = 1
MOST_SAMPLES: Final = 1 << 20
"""In one chunk, all leads together: sixteen leads at 6,500 samples a second for ten seconds."""
MOST_LEADS: Final = 0xFFFF
_WIDTHS: Final = (1, 2, 4)
_HEADER: Final = struct.Struct("<BBHII")
_LEVEL: Final = 9
_JUDGED_BY: Final = 1024
"""So many samples of a lead choose its predictor; all of them would gain nothing that can be measured."""
_UNSIGNED: Final = {1: "B", 2: "H", 4: "I"}
_SIGNED: Final = {1: "b", 2: "h", 4: "i"}
_BIG: Final = sys.byteorder == "big"


class Predictor(NamedTuple):
    """``x1 + (a·(x1 - x2) + b·(x2 - x3)) >> 2``, x1 being the sample before; nothing when ``a`` is None.

    The shift rounds down. Samples before the first are 0.
    """

    a: int | None
    b: int = 0


PREDICTORS: Final = (
    Predictor(None),
    Predictor(0),
    Predictor(4),
    Predictor(8, -4),
    Predictor(1),
    Predictor(2),
    Predictor(3),
    Predictor(1, 1),
    Predictor(2, 1),
    Predictor(3, -1),
)
"""The first four are the sample itself, its first, second and third difference. Only ever added to."""


class WaveDamaged(QafilaError):
    """These bytes are not what the encoder gave; nothing of them is believed."""

    code: ClassVar[str] = "wave-damaged"


@dataclasses.dataclass(frozen=True, slots=True)
class Header:
    """What a chunk says of itself before it is decoded."""

    width: int
    leads: int
    samples: int
    crc32: int


def encode(leads: Sequence[Sequence[int]]) -> bytes:
    """Encode leads of one length.

    Raises:
        ValueError: leads of several lengths, more than a chunk holds, or a sample beyond 32 bits.
    """
    samples = len(leads[0]) if leads else 0
    if any(len(lead) != samples for lead in leads):
        raise ValueError("the leads of a chunk have one length")
    if len(leads) > MOST_LEADS or len(leads) * samples > MOST_SAMPLES:
        raise ValueError("more samples than a chunk holds")
    width = _width(leads)
    raw = b"".join(_little_endian(_SIGNED[width], lead) for lead in leads)
    chosen = [_best(lead) for lead in leads]
    folded = b"".join(
        _little_endian(_UNSIGNED[width], _folded(_residuals(lead, PREDICTORS[index]), 8 * width))
        for lead, index in zip(leads, chosen, strict=True)
    )
    deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, strategy=zlib.Z_FILTERED)
    body = b"".join(deflater.compress(folded[plane::width]) for plane in range(width)) + deflater.flush()
    header = _HEADER.pack(CODEC, width, len(leads), samples, zlib.crc32(raw))
    return header + bytes(chosen) + body


def read_header(data: bytes, *, most_samples: int = MOST_SAMPLES) -> Header:
    """What a chunk says of itself.

    Raises:
        WaveDamaged: it is none, of another codec (``wave-codec-unknown``), or larger than allowed.
    """
    if len(data) < _HEADER.size:
        raise _damaged("it is shorter than its header")
    codec, width, leads, samples, crc32 = _HEADER.unpack_from(data)
    if codec != CODEC:
        raise WaveDamaged(
            f"A stretch of wave is of codec {codec}; here {CODEC} is known.",
            next_step="read it with a newer version.",
            code="wave-codec-unknown",
        )
    if width not in _WIDTHS or leads * samples > most_samples:
        raise _damaged("its header cannot be true")
    return Header(width, leads, samples, crc32)


def decode(data: bytes, *, most_samples: int = MOST_SAMPLES) -> tuple["array.array[int]", ...]:
    """The samples of each lead, exactly as they were encoded; work and memory are bounded by the header.

    Raises:
        WaveDamaged: the bytes are not whole, hold anything else, or do not fit their CRC.
    """
    header = read_header(data, most_samples=most_samples)
    planes_at = _HEADER.size + header.leads
    predictors = data[_HEADER.size : planes_at]
    if len(predictors) != header.leads or any(each >= len(PREDICTORS) for each in predictors):
        raise _damaged("its predictors are not known")
    size = header.leads * header.samples
    planes = _inflated(data[planes_at:], size * header.width)
    folded = bytearray(len(planes))
    for plane in range(header.width):
        folded[plane :: header.width] = planes[plane * size : (plane + 1) * size]
    numbers = _from_little_endian(_UNSIGNED[header.width], folded)
    leads = tuple(
        _unpredicted(
            numbers[at * header.samples : (at + 1) * header.samples], PREDICTORS[index], header.width
        )
        for at, index in enumerate(predictors)
    )
    raw = b"".join(_little_endian(_SIGNED[header.width], lead) for lead in leads)
    if zlib.crc32(raw) != header.crc32:
        raise _damaged("its samples do not fit their checksum")
    return leads


# ── prediction ───────────────────────────────────────────────────────────────────────────────────


def _best(lead: Sequence[int]) -> int:
    """The predictor whose residuals have the least entropy, judged by a stretch from the middle."""
    middle = max(0, len(lead) - _JUDGED_BY) // 2
    stretch = lead[middle : middle + _JUDGED_BY]
    costs = [_entropy_bits(_residuals(stretch, predictor)) for predictor in PREDICTORS]
    return costs.index(min(costs))


def _residuals(lead: Sequence[int], predictor: Predictor) -> Sequence[int]:
    """Sample minus prediction, not yet wrapped."""
    a, b = predictor
    if a is None:
        return lead
    first = list(map(sub, lead, (0, *lead)))  # first[n] = x[n] - x[n - 1]
    if b:
        befores = zip(first, (0, *first), (0, 0, *first), strict=False)
        return [d - ((a * d1 + b * d2) >> 2) for d, d1, d2 in befores]
    return [d - ((a * d1) >> 2) for d, d1 in zip(first, (0, *first), strict=False)] if a else first


def _entropy_bits(residuals: Iterable[int]) -> float:
    """How many bits an ideal coder would need that knew how often each residual comes."""
    counts = Counter(residuals).values()
    total = sum(counts)
    return total * math.log2(total or 1) - sum(count * math.log2(count) for count in counts)


def _unpredicted(folded: "array.array[int]", predictor: Predictor, width: int) -> "array.array[int]":
    """Samples from folded residuals."""
    a, b = predictor
    residuals = [(number >> 1) ^ -(number & 1) for number in folded]
    half, mask = 1 << (8 * width - 1), (1 << 8 * width) - 1
    if a is None:
        return array.array(_SIGNED[width], residuals)
    if not a and not b:
        summed = accumulate(residuals)
        return array.array(_SIGNED[width], [((number + half) & mask) - half for number in summed])
    samples = array.array(_SIGNED[width])
    keep = samples.append
    x1 = d1 = d2 = 0
    for residual in residuals:
        sample = ((x1 + ((a * d1 + b * d2) >> 2) + residual + half) & mask) - half
        keep(sample)
        x1, d1, d2 = sample, sample - x1, d1
    return samples


# ── bytes ────────────────────────────────────────────────────────────────────────────────────────


def _width(leads: Sequence[Sequence[int]]) -> int:
    lowest = min((min(lead, default=0) for lead in leads), default=0)
    highest = max((max(lead, default=0) for lead in leads), default=0)
    for width in _WIDTHS:
        half = 1 << (8 * width - 1)
        if -half <= lowest and highest < half:
            return width
    raise ValueError("a sample does not fit into 32 bits")


def _folded(residuals: Sequence[int], bits: int) -> list[int]:
    """Residuals as numbers without sign, wrapped to ``bits``."""
    half, mask = 1 << (bits - 1), (1 << bits) - 1
    if residuals and (min(residuals) < -half or max(residuals) >= half):
        residuals = [((residual + half) & mask) - half for residual in residuals]
    return [residual << 1 if residual >= 0 else ~(residual << 1) for residual in residuals]


def _little_endian(typecode: str, numbers: Iterable[int]) -> bytes:
    packed = array.array(typecode, numbers)
    if _BIG:
        packed.byteswap()
    return packed.tobytes()


def _from_little_endian(typecode: str, raw: bytes | bytearray) -> "array.array[int]":
    numbers: array.array[int] = array.array(typecode, raw)
    if _BIG:
        numbers.byteswap()
    return numbers


def _inflated(body: bytes, size: int) -> bytes:
    """Exactly ``size`` bytes, and nothing behind them."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        planes = inflater.decompress(body, size + 1)
    except zlib.error:
        raise _damaged("its samples cannot be unpacked") from None
    if len(planes) != size or not inflater.eof or inflater.unused_data:
        raise _damaged("it holds another number of samples than it says")
    return planes


def _damaged(why: str) -> WaveDamaged:
    return WaveDamaged(
        f"A stretch of wave is damaged: {why}.",
        next_step="the rest of the recording is not touched; check the disk with `qafila store verify`.",
    )
