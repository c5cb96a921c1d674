"""Ten seconds of one lead, thinned out, that travel with the vitals and are seen before the wave comes.

Every so many samples become their mean, so nothing is drawn between samples and nothing folds back that
was above half the new rate by much. It is to be looked at, not measured: the recording itself follows.
"""

import dataclasses
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from edge.signals.recording import Chunk

PREVIEW_S: Final = 10
THINNEST: Final = 100
"""Samples a second that are kept at least, where there are as many: a QRS complex takes 80 to 120 ms."""
_PREFERRED: Final = ("II", "I")


@dataclasses.dataclass(frozen=True, slots=True)
class Preview:
    """The preview of one recording in the making; a new object for each chunk, so a failed save undoes it.

    Attributes:
        lead: which of the recording's leads.
        rate: samples a second of the recording, as the device says.
        samples: thinned samples since ``chunk`` began.
        chunk: the number of the chunk in which they begin; 0 for none.
        made: it has been saved.
    """

    lead: int
    rate: Decimal
    samples: tuple[int, ...] = ()
    chunk: int = 0
    made: bool = False

    @staticmethod
    def of(leads: Sequence[str | None], rate: Decimal) -> "Preview":
        """Of lead II, else of I, else of the first."""
        named = [name for name in _PREFERRED if name in leads]
        return Preview(leads.index(named[0]) if named else 0, rate)

    @property
    def factor(self) -> int:
        """So many samples become one."""
        return max(1, int(self.rate // THINNEST))

    @property
    def thinned_rate(self) -> Decimal:
        return self.rate / self.factor

    @property
    def whole(self) -> bool:
        """Whether it has all its seconds."""
        return len(self.samples) >= self._most

    def after(self, chunk: Chunk, number: int) -> "Preview":
        """With one more chunk. A gap or a flaw in the lead begins it anew behind that chunk."""
        if self.made or self.whole:
            return self
        broken = any(gap.index for gap in chunk.gaps) or any(each.lead == self.lead for each in chunk.flaws)
        if broken:
            return dataclasses.replace(self, samples=(), chunk=0)
        goes_on = self.chunk and not chunk.gaps
        before = self.samples if goes_on else ()
        samples = (*before, *thin(chunk.leads[self.lead], self.factor))[: self._most]
        return dataclasses.replace(self, samples=samples, chunk=self.chunk if goes_on else number)

    @property
    def _most(self) -> int:
        return math.ceil(PREVIEW_S * self.thinned_rate)


def thin(samples: Sequence[int], factor: int) -> list[int]:
    """The mean of each ``factor`` samples, halves rounded up; what is left over at the end is dropped."""
    if factor == 1:
        return list(samples)
    return [
        (2 * sum(samples[at : at + factor]) + factor) // (2 * factor)
        for at in range(0, len(samples) - factor + 1, factor)
    ]
