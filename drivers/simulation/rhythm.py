"""When a heart beats and a chest breathes: trains of moments, made one after the other and kept. Pure.

Asked for in any order they come out the same, since each moment hangs on the seed and on those before it.
A day of beats is a hundred thousand numbers, so all are kept.

Sources: the intervals of a heart in sinus rhythm follow the breath (respiratory sinus arrhythmia), the more
the younger and the calmer; in atrial fibrillation they follow nothing, one hardly tells of the next, and
their coefficient of variation is about a fifth to a quarter (Tateno and Glass, Med Biol Eng Comput
2001;39:664-671, whose detection stands on that).
"""

import array
import bisect
import math
import random
from collections.abc import Callable, Sequence
from typing import Final

BEGINS_S: Final = -60.0
"""Trains begin before the patient does, so that a rate is there from the first moment on."""


class Train:
    """Moments that follow one another by intervals.

    Args:
        interval_s: how long after a moment the next one comes.
    """

    def __init__(self, interval_s: Callable[[float], float]) -> None:
        self._interval_s: Final = interval_s
        self._moments: Final = array.array("d", [BEGINS_S])

    def until(self, at_s: float) -> int:
        """How many moments there were up to this one, with at least one more known."""
        while self._moments[-1] <= at_s:
            last_s = self._moments[-1]
            self._moments.append(last_s + self._interval_s(last_s))
        return bisect.bisect_right(self._moments, at_s)

    def between(self, after_s: float, until_s: float) -> Sequence[float]:
        """Those after one moment, up to another, oldest first."""
        end = self.until(until_s)
        return tuple(self._moments[bisect.bisect_right(self._moments, after_s) : end])

    def around(self, at_s: float) -> tuple[int, float, float]:
        """The number of the last moment, when it was, and when the next will be."""
        place = self.until(at_s)
        return place - 1, self._moments[place - 1], self._moments[place]

    def moment(self, number: int) -> float:
        """When the moment of this number was; the first there is for those before."""
        return self._moments[max(0, number)]

    def per_minute(self, at_s: float, intervals: int) -> float:
        """The rate over the last so many intervals, as somebody counts it who listens."""
        last = self.until(at_s) - 1
        first = max(0, last - intervals)
        return 60 * (last - first) / (self._moments[last] - self._moments[first])

    def phase(self, at_s: float) -> float:
        """The part of the present interval that is over, 0 up to 1."""
        _, last_s, next_s = self.around(at_s)
        return (at_s - last_s) / (next_s - last_s)


class SinusIntervals:
    """Intervals that follow a rate, the breath, and a little of themselves.

    Args:
        rate: beats a minute at a moment.
        breath: how far the chest is lifted, -1 to 1; in breath the heart is faster.
        arrhythmia: how much of an interval the breath adds or takes.
    """

    PERSISTS: Final = 0.85
    DEVIATION: Final = 0.008

    def __init__(
        self, seed: str, rate: Callable[[float], float], breath: Callable[[float], float], arrhythmia: float
    ) -> None:
        self._random = random.Random(seed)  # noqa: S311  a virtual patient needs chance, not secrecy
        self._rate = rate
        self._breath = breath
        self._arrhythmia = arrhythmia
        self._drift = 0.0

    def __call__(self, at_s: float) -> float:
        self._drift = self.PERSISTS * self._drift + self._random.gauss(0, self.DEVIATION)
        drift = max(-0.06, min(0.06, self._drift))
        return 60 / self._rate(at_s) * (1 + drift - self._arrhythmia * self._breath(at_s))


class FibrillationIntervals:
    """Intervals that are drawn each for itself: irregularly irregular, as the finger says.

    The node does not let beats through as close as it likes, so there is a shortest interval; a
    log-normal spread above it gives the long pauses.
    """

    VARIATION: Final = 0.22
    SHORTEST_S: Final = 0.3

    def __init__(self, seed: str, rate: Callable[[float], float]) -> None:
        self._random = random.Random(seed)  # noqa: S311  a virtual patient needs chance, not secrecy
        self._rate = rate
        self._sigma: Final = math.sqrt(math.log1p(self.VARIATION**2))

    def __call__(self, at_s: float) -> float:
        drawn = self._random.lognormvariate(-(self._sigma**2) / 2, self._sigma)
        return max(self.SHORTEST_S, 60 / self._rate(at_s) * min(1.9, drawn))
