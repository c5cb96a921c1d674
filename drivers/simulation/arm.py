"""An arm in a cuff, for blood pressure simulators: plausible, and seeded."""

import dataclasses
import random
from typing import Final

WOBBLE_MMHG: Final = 3.0
"""Two measurements of one calm person differ by about so much."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pressures:
    """One measurement in mmHg and beats a minute."""

    systolic: int
    diastolic: int
    mean: int
    pulse: int


class Arm:
    """Pressures around targets that may be changed at any time."""

    def __init__(self, seed: int, *, systolic: int = 124, diastolic: int = 79, pulse: int = 71) -> None:
        self._random = random.Random(seed)  # noqa: S311  a virtual patient needs chance, not secrecy
        self.systolic = systolic
        self.diastolic = diastolic
        self.pulse = pulse

    def measure(self) -> Pressures:
        """What a cuff finds now."""
        return pressures(
            round(self.systolic + self._random.gauss(0, WOBBLE_MMHG)),
            round(self.diastolic + self._random.gauss(0, WOBBLE_MMHG / 2)),
            round(self.pulse + self._random.gauss(0, 2)),
        )


def pressures(systolic: int, diastolic: int, pulse: int) -> Pressures:
    """A measurement with the mean that goes with it, a third of the way up."""
    systolic = max(systolic, diastolic + 5)
    return Pressures(systolic, diastolic, diastolic + round((systolic - diastolic) / 3), pulse)
