"""How fast a device really samples, by the box's clock.

A device counts samples by its own crystal, which is off by tens of parts in a million, or by a per cent
where it is a cheap one. The box sees when samples arrive: late by a delay that varies, never early. Over a
minute the delays average out. So the moments of arrival are fitted by a line over the number of samples;
its slope is the sample period, and the scatter about it says how far the slope may be trusted.

Fitted stretch by stretch between gaps, with one slope for all of them: how many samples a gap swallowed is
not known, and is not guessed.
"""

import dataclasses
import math
from typing import Final

EVERY_S: Final = 1.0
"""Moments closer together say the same delay again and would make the result look better than it is."""
LEAST_MOMENTS: Final = 5
LEAST_SPAN_S: Final = 4.0
CLOCK_S: Final = 0.001
"""What a moment of arrival is good for at best: the resolution with which it is kept."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rate:
    """A measured sample rate.

    Attributes:
        per_s: samples a second of the box's monotonic clock.
        uncertainty_per_s: the standard uncertainty of that (one standard deviation), from the scatter of
            the moments of arrival.
        over_s: how long was measured, gaps left out.
    """

    per_s: float
    uncertainty_per_s: float
    over_s: float


@dataclasses.dataclass(slots=True)
class _Stretch:
    """Running sums over the moments since the last gap, about their means, so that they stay exact."""

    moments: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    mean_n: float = 0.0
    mean_s: float = 0.0
    nn: float = 0.0
    ns: float = 0.0
    ss: float = 0.0

    def add(self, n: int, at_s: float) -> None:
        if not self.moments:
            self.first_s = at_s
        self.moments += 1
        self.last_s = at_s
        from_n, from_s = n - self.mean_n, at_s - self.mean_s
        self.mean_n += from_n / self.moments
        self.mean_s += from_s / self.moments
        self.nn += from_n * (n - self.mean_n)
        self.ns += from_n * (at_s - self.mean_s)
        self.ss += from_s * (at_s - self.mean_s)


class RateMeter:
    """Fed with every arrival of samples; pure."""

    def __init__(self) -> None:
        self._samples = 0
        self._now = _Stretch()
        self._moments = 0
        self._stretches = 0
        self._over_s = 0.0
        self._nn = self._ns = self._ss = 0.0

    def heard(self, samples: int, at_s: float) -> None:
        """So many more samples have come, the last of them now."""
        self._samples += samples
        if not self._now.moments or at_s - self._now.last_s >= EVERY_S:
            self._now.add(self._samples, at_s)

    def gap(self) -> None:
        """An unknown number of samples was lost."""
        done, self._now = self._now, _Stretch()
        self._samples = 0
        if done.moments < 2:
            return
        self._moments += done.moments
        self._stretches += 1
        self._over_s += done.last_s - done.first_s
        self._nn, self._ns, self._ss = self._nn + done.nn, self._ns + done.ns, self._ss + done.ss

    def rate(self) -> Rate | None:
        """What was found so far, or None while it is too little."""
        now = self._now if self._now.moments > 1 else _Stretch()
        moments = self._moments + now.moments
        over_s = self._over_s + now.last_s - now.first_s
        freedom = moments - self._stretches - (now.moments > 1) - 1
        nn, ns, ss = self._nn + now.nn, self._ns + now.ns, self._ss + now.ss
        if moments < LEAST_MOMENTS or freedom < 1 or over_s < LEAST_SPAN_S or ns <= 0:
            return None
        period_s = ns / nn
        scatter_s = math.sqrt(max(0.0, ss - ns * period_s) / freedom)
        uncertainty_s = max(scatter_s / math.sqrt(nn), CLOCK_S * period_s / over_s)
        return Rate(1 / period_s, uncertainty_s / period_s**2, over_s)
