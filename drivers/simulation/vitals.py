"""What every simulated device asks of the person it measures.

All devices on one person ask the same `Vitals` with the same clock, so what they report fits together: the
mean lies between the pressures, the oximeter counts the beats of the ECG, the breath is in the pleth.
Each asks at its own moments, in any order; the answer to a moment is always the same.

A simulator takes its person by `drivers.simulation.person.take_person`; the words of orders that it should
understand stand in `drivers.simulation.faults`.
"""

import dataclasses
import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Protocol

from drivers.simulation.pulse import shape_at
from drivers.simulation.retimed import RetimedEcg
from drivers.simulation.rhythm import Train


class Rhythm(StrEnum):
    """How the heart beats."""

    SINUS = "sinus"
    ATRIAL_FIBRILLATION = "atrial-fibrillation"


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """A person at one moment; the numbers are exact, rounding is the device's.

    Attributes:
        at_s: seconds since the person began.
        systolic, diastolic, mean: arterial pressures in mmHg; diastolic < mean < systolic.
        pulse: beats a minute over the last beats of the ECG; no rate is counted otherwise.
        spo2: functional saturation in percent, at most 100.
        respiratory_rate: breaths a minute.
        temperature_c: core temperature in degrees Celsius.
        weight_kg, height_cm: of the body, without clothes.
        body_fat: percent of the weight.
        glucose_mg_dl: capillary glucose as plasma, in mg/dL.
        perfusion: perfusion index in percent.
        moving: whether the person moves, which disturbs most devices.
    """

    at_s: float = 0.0
    systolic: float = 124.0
    diastolic: float = 79.0
    mean: float = 94.0
    pulse: float = 72.0
    spo2: float = 97.0
    respiratory_rate: float = 15.0
    temperature_c: float = 36.8
    weight_kg: float = 70.0
    height_cm: float = 170.0
    body_fat: float = 24.0
    glucose_mg_dl: float = 95.0
    perfusion: float = 3.4
    rhythm: Rhythm = Rhythm.SINUS
    moving: bool = False


def mean_of(systolic: float, diastolic: float) -> float:
    """The mean that goes with two pressures: a third of the way up, as every textbook estimates it."""
    return diastolic + (systolic - diastolic) / 3


class Vitals(Protocol):
    """A person to be measured. ``at_s`` counts seconds since the person began and is never negative."""

    def now(self, at_s: float) -> Snapshot:
        """All numbers of one moment."""
        ...

    def beats(self, after_s: float, until_s: float) -> Sequence[float]:
        """When the heart beat (R waves), ``after_s`` < each <= ``until_s``, oldest first."""
        ...

    def ecg(self, rate: int, first: int, count: int) -> Sequence[int]:
        """The one lead there is, in microvolts, ``rate`` a second; sample ``n`` stands at ``n / rate`` s."""
        ...

    def pleth(self, at_s: float) -> float:
        """The pulse wave in a finger, 0 to 1; it comes a transit time after its R wave."""
        ...

    def respiration(self, at_s: float) -> float:
        """How far the chest is lifted, -1 to 1."""
        ...


TRANSIT_S: Final = 0.2
"""From the R wave to the foot of the pulse wave in a finger, about."""


class Steady:
    """A person whose numbers stand still: for tests, and for a device that is tried alone.

    Attributes:
        snapshot: what is measured; another one may take its place at any time.
    """

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.snapshot = snapshot or Snapshot()
        self._beats: Final = Train(lambda _: 60 / self.snapshot.pulse)
        self._ecg: Final = RetimedEcg(self._beats, fibrillating=False)

    def now(self, at_s: float) -> Snapshot:
        return dataclasses.replace(self.snapshot, at_s=at_s)

    def beats(self, after_s: float, until_s: float) -> Sequence[float]:
        return self._beats.between(after_s, until_s)

    def ecg(self, rate: int, first: int, count: int) -> Sequence[int]:
        return self._ecg.samples(rate, first, count)

    def pleth(self, at_s: float) -> float:
        return 0.94 * shape_at(self._beats.phase(at_s - TRANSIT_S)) + 0.03 * (1 + self.respiration(at_s))

    def respiration(self, at_s: float) -> float:
        return math.sin(math.tau * at_s * self.snapshot.respiratory_rate / 60)
