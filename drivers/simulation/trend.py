"""Numbers that change over time: from moment to moment, with a little sway around. Pure, and seeded."""

import bisect
import itertools
import math
import random
from collections.abc import Sequence
from typing import Final


class Trend:
    """A number that is known at some moments and eases from one to the next; before and after it stands.

    Args:
        knots: pairs of seconds and number, in rising order of seconds, at least one.
    """

    def __init__(self, knots: Sequence[tuple[float, float]]) -> None:
        self._at_s: Final = [at_s for at_s, _ in knots]
        self._numbers: Final = [number for _, number in knots]

    def at(self, at_s: float) -> float:
        """The number at a moment; never beyond those on both sides of it."""
        place = bisect.bisect_right(self._at_s, at_s)
        if place == 0:
            return self._numbers[0]
        if place == len(self._at_s):
            return self._numbers[-1]
        before_s, after_s = self._at_s[place - 1 : place + 1]
        part = (at_s - before_s) / (after_s - before_s)
        eased = part * part * (3 - 2 * part)
        return self._numbers[place - 1] + eased * (self._numbers[place] - self._numbers[place - 1])


class Steps:
    """A number that somebody sets, and what comes of it a while later, such as the flow of oxygen.

    Args:
        steps: pairs of seconds and number, in rising order of seconds, at least one; the first holds before.
        lag_s: after so many seconds two thirds (1 - 1/e) of a step have come through.
    """

    def __init__(self, steps: Sequence[tuple[float, float]], lag_s: float) -> None:
        self._steps: Final = tuple(steps)
        self._lag_s: Final = lag_s

    def at(self, at_s: float) -> float:
        number = self._steps[0][1]
        for (_, before), (since_s, after) in itertools.pairwise(self._steps):
            if at_s > since_s:
                number += (after - before) * -math.expm1(-(at_s - since_s) / self._lag_s)
        return number


class Sway:
    """What a number does around its trend: a sum of slow waves, the same at a moment whenever one asks.

    Args:
        seed: with a name, so that each number sways by itself.
        deviation: standard deviation over a long time; never more than three of them.
        period_s: the shortest and the longest of its waves.
    """

    WAVES: Final = 5

    def __init__(self, seed: str, deviation: float, period_s: tuple[float, float]) -> None:
        chance = random.Random(seed)  # noqa: S311  a virtual patient needs chance, not secrecy
        shortest, longest = (math.log(period) for period in period_s)
        self._height: Final = deviation * math.sqrt(2 / self.WAVES)
        self._waves: Final = tuple(
            (math.tau / math.exp(chance.uniform(shortest, longest)), chance.uniform(0, math.tau))
            for _ in range(self.WAVES)
        )

    def at(self, at_s: float) -> float:
        return self._height * sum(math.sin(speed * at_s + phase) for speed, phase in self._waves)
