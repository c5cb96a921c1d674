"""A heart to listen to: an excerpt of a real recording, played in a loop at any rate.

Resampling is by a windowed sinc, once, when a heart is made. Each new sample is a weighted sum of the
old ones around its place; the weights pass what lies below nine tenths of half the lower rate and stop
the rest, so nothing folds back. Places repeat (13 of them from 360 to 130 a second), so there are few sets
of weights. The excerpt ends where it can be joined to its beginning, and the sums run over that seam.

Source of the recording: see ``recordings/ATTRIBUTION.md``.
"""

import array
import bisect
import functools
import gzip
import math
import sys
from collections.abc import Sequence
from fractions import Fraction
from importlib import resources
from typing import Final

RECORDED_RATE: Final = 360
MICROVOLTS_PER_UNIT: Final = 5
PASSES: Final = 0.9
LOBES: Final = 8
"""Zero crossings of the sinc on each side; more are sharper and slower."""
_NAME: Final = "mitbih-100"


class Heart:
    """The excerpt, at a rate of samples a second.

    Attributes:
        microvolts: one round of samples.
        rate: samples a second.
        round_s: how long a round lasts.
    """

    def __init__(self, rate: int) -> None:
        excerpt = recorded_excerpt()
        self.rate: Final = rate
        self.microvolts: Final = _microvolts(rate)
        self.round_s: Final = len(self.microvolts) / rate
        # a round is a whole number of new samples, so the beats move by a few microseconds with it
        self._beats_s: Final = [beat * self.round_s / len(excerpt) for beat in recorded_beats()]

    def samples(self, first: int, count: int) -> tuple[int, ...]:
        """Samples from the ``first`` on, counted since the heart was made."""
        size = len(self.microvolts)
        return tuple(self.microvolts[place % size] for place in range(first, first + count))

    def beats_before(self, at_s: float, count: int) -> list[float]:
        """When the last beats before a moment were, oldest first, by the reference of the recording."""
        rounds, within_s = divmod(at_s, self.round_s)
        place = bisect.bisect_right(self._beats_s, within_s)
        beats: list[float] = []
        for back in range(1, count + 1):
            turn, index = divmod(place - back, len(self._beats_s))
            beats.append((rounds + turn) * self.round_s + self._beats_s[index])
        return beats[::-1]


@functools.cache
def _microvolts(rate: int) -> tuple[int, ...]:
    """One round at this rate; it takes a third of a second, so it is made once."""
    samples = resampled(recorded_excerpt(), Fraction(rate, RECORDED_RATE))
    return tuple(round(MICROVOLTS_PER_UNIT * value) for value in samples)


def resampled(samples: Sequence[int], ratio: Fraction) -> list[float]:
    """A loop of samples at ``ratio`` times their rate; the loop's length is rounded to whole samples."""
    count = round(len(samples) * ratio)
    weights = [_weights(Fraction(place, ratio.numerator), ratio) for place in range(ratio.numerator)]
    size = len(samples)
    result: list[float] = []
    for new in range(count):
        whole, place = divmod(new * ratio.denominator, ratio.numerator)
        first, kernel = weights[place]
        result.append(sum(weight * samples[(whole + first + i) % size] for i, weight in enumerate(kernel)))
    return result


def _weights(offset: Fraction, ratio: Fraction) -> tuple[int, list[float]]:
    """How much each old sample around a new one counts, and where the first of them stands.

    The new one stands ``offset`` after an old one, as a part of the old interval.
    """
    width = min(1.0, float(ratio)) * PASSES
    reach = LOBES / width
    first = math.ceil(float(offset) - reach)
    kernel = [
        _sinc(width * at) * (0.5 + 0.5 * math.cos(math.pi * at / reach))
        for at in (place - float(offset) for place in range(first, math.floor(float(offset) + reach) + 1))
    ]
    total = sum(kernel)
    return first, [weight / total for weight in kernel]


def _sinc(at: float) -> float:
    return math.sin(math.pi * at) / (math.pi * at) if at else 1.0


def smoothed(samples: Sequence[int], ratio: Fraction) -> list[float]:
    """A loop of samples at its own rate, without what ``ratio`` times that rate could not tell."""
    if ratio == 1:
        return [float(sample) for sample in samples]
    first, kernel = _weights(Fraction(0), ratio)
    size = len(samples)
    return [
        sum(weight * samples[(place + first + i) % size] for i, weight in enumerate(kernel))
        for place in range(size)
    ]


def recorded_excerpt() -> "array.array[int]":
    """The excerpt as it was recorded, in units of `MICROVOLTS_PER_UNIT`; it can be played in a loop."""
    samples = array.array("h", gzip.decompress(_file("i16.gz")))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def recorded_beats() -> list[int]:
    """Where in the excerpt the R waves stand, by the reference of the recording."""
    return [int(line) for line in _file("beats.csv").decode("ascii").split()[1:]]


def _file(ending: str) -> bytes:
    return (resources.files("drivers.simulation") / "recordings" / f"{_NAME}.{ending}").read_bytes()
