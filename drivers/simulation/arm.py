"""An arm in a cuff, for blood pressure simulators: plausible, and seeded."""

import dataclasses
import random
from collections.abc import Callable
from typing import Final

from drivers.simulation.person import Person
from drivers.simulation.vitals import Rhythm, Snapshot

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
        self.worn = True
        """Whether it is in the cuff."""
        self.moved = False
        """Whether somebody told it to move."""

    @property
    def moves(self) -> bool:
        """Whether a measurement would fail by it now."""
        return self.moved

    @property
    def irregular(self) -> bool:
        """Whether the pulse in it is irregular."""
        return False

    def measure(self) -> Pressures:
        """What a cuff finds now."""
        return pressures(
            round(self.systolic + self._random.gauss(0, WOBBLE_MMHG)),
            round(self.diastolic + self._random.gauss(0, WOBBLE_MMHG / 2)),
            round(self.pulse + self._random.gauss(0, 2)),
        )


class PatientArm(Arm):
    """The arm of a patient, who has pressures of their own; numbers set here count for nothing."""

    def __init__(self, person: Person, monotonic_s: Callable[[], float]) -> None:
        super().__init__(0)
        self._person = person
        self._monotonic_s = monotonic_s

    @property
    def moves(self) -> bool:
        return self.moved or self._now().moving

    @property
    def irregular(self) -> bool:
        return self._now().rhythm is Rhythm.ATRIAL_FIBRILLATION

    def measure(self) -> Pressures:
        now = self._now()
        return Pressures(round(now.systolic), round(now.diastolic), round(now.mean), round(now.pulse))

    def _now(self) -> Snapshot:
        return self._person.vitals.now(self._person.at_s(self._monotonic_s()))


def pressures(systolic: int, diastolic: int, pulse: int) -> Pressures:
    """A measurement with the mean that goes with it, a third of the way up."""
    systolic = max(systolic, diastolic + 5)
    return Pressures(systolic, diastolic, diastolic + round((systolic - diastolic) / 3), pulse)
