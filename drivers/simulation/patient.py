"""The patient whom every simulated device measures: a function of a course, a seed and the seconds since.

Nothing here is drawn twice or depends on who asks when, so devices in different processes that were told
the same course, seed and beginning report one and the same person. What hangs together is computed, never
given: the mean from the pressures, the rate from the beats, the saturation from lungs and oxygen, the
heart's and the chest's pace from the temperature, the pulse wave from the beats.

Sources, beside those of the modules it stands on: heart rate and respiratory rate rise with the
temperature by 7.2 and 1.4 a minute for each degree in adults (Jensen et al., Acute Med 2019, 4,493
patients) and by about 10 and 2 in children (Davies and Maconochie, Emerg Med J 2009;26:641-643; Nijman et
al., BMJ 2012;345:e4224).
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from drivers.simulation import oxygen
from drivers.simulation.pulse import shape_at
from drivers.simulation.retimed import RetimedEcg
from drivers.simulation.rhythm import FibrillationIntervals, SinusIntervals, Train
from drivers.simulation.trend import Steps, Sway, Trend
from drivers.simulation.vitals import TRANSIT_S, Rhythm, Snapshot, mean_of

Knots = Sequence[tuple[float, float]]

NO_FEVER_C: Final = 37.0
OXYGEN_LAG_S: Final = 45.0
"""About how long a change of oxygen takes to a finger: the lungs wash in, and the oximeter averages."""
COUNTED_BEATS: Final = 12
"""A rate is the mean over so many intervals, as monitors and oximeters show it."""
COUNTED_BREATHS: Final = 8
_BREATH_DRIFT: Final = 0.04


@dataclasses.dataclass(frozen=True, slots=True)
class Course:
    """What is true of a patient and how it changes; times in seconds since the patient began.

    Attributes:
        systolic, diastolic: mmHg.
        pulse: beats a minute without the fever's part.
        breaths: breaths a minute without the fever's part.
        temperature: degrees Celsius.
        saturation_on_air: percent.
        oxygen_flow: litres a minute.
        perfusion: percent.
        glucose: mg/dL.
        moving: when the patient begins to move, and for how many real seconds.
        pulse_per_degree, breaths_per_degree: what each degree of fever adds.
        carbon_dioxide_mmhg: partial pressure in the arteries.
        sinus_arrhythmia: how much of an interval the breath adds or takes.
    """

    systolic: Knots
    diastolic: Knots
    pulse: Knots
    breaths: Knots
    temperature: Knots
    saturation_on_air: Knots
    oxygen_flow: Knots
    perfusion: Knots
    glucose: Knots
    moving: Sequence[tuple[float, float]] = ()
    rhythm: Rhythm = Rhythm.SINUS
    weight_kg: float = 70.0
    height_cm: float = 170.0
    body_fat: float = 24.0
    pulse_per_degree: float = 7.2
    breaths_per_degree: float = 1.4
    carbon_dioxide_mmhg: float = oxygen.NORMAL_CARBON_DIOXIDE_MMHG
    sinus_arrhythmia: float = 0.03


_SWAYS: Final[Mapping[str, tuple[float, tuple[float, float]]]] = {
    "pressure": (2.2, (9.0, 70.0)),
    "rate": (1.2, (25.0, 240.0)),
    "temperature": (0.04, (300.0, 1800.0)),
    "saturation": (0.4, (20.0, 180.0)),
    "perfusion": (0.08, (15.0, 120.0)),
    "glucose": (2.0, (600.0, 3600.0)),
    "weight": (0.03, (40.0, 400.0)),
}
"""Standard deviation and periods; pressure waves of ten seconds and more are Mayer's, and slower ones."""


class Patient:
    """A `drivers.simulation.vitals.Vitals` that follows a course.

    Args:
        seed: the same one gives the same person, to the sample.
        pace: how much faster than real the course runs; beats and breaths keep their time.
    """

    def __init__(self, course: Course, seed: int, *, pace: float = 1.0) -> None:
        self.course: Final = course
        self._pace: Final = pace
        self._sways: Final = {name: Sway(f"{seed} {name}", *how) for name, how in _SWAYS.items()}
        self._systolic: Final = Trend(course.systolic)
        self._diastolic: Final = Trend(course.diastolic)
        self._pulse: Final = Trend(course.pulse)
        self._breath_rate: Final = Trend(course.breaths)
        self._temperature: Final = Trend(course.temperature)
        self._on_air: Final = Trend(course.saturation_on_air)
        # the lag is the patient's, not the story's: it keeps its seconds at any pace
        self._oxygen: Final = Steps(course.oxygen_flow, OXYGEN_LAG_S * pace)
        self._perfusion: Final = Trend(course.perfusion)
        self._glucose: Final = Trend(course.glucose)
        drift = Sway(f"{seed} breath", _BREATH_DRIFT, (11.0, 60.0))
        self._breaths: Final = Train(lambda at_s: 60 / self._breathing(at_s) * (1 + drift.at(at_s)))
        self._beats: Final = Train(self._intervals(course, seed))
        self._ecg: Final = RetimedEcg(self._beats, fibrillating=course.rhythm is Rhythm.ATRIAL_FIBRILLATION)

    def now(self, at_s: float) -> Snapshot:
        course, when_s = self.course, at_s * self._pace
        sway = {name: each.at(at_s) for name, each in self._sways.items()}
        diastolic = self._diastolic.at(when_s) + 0.6 * sway["pressure"]
        # a pulse pressure of nothing is no circulation; the course may come near it, its sway may not
        systolic = max(self._systolic.at(when_s) + sway["pressure"], diastolic + 5)
        on_air = self._on_air.at(when_s) + sway["saturation"]
        return Snapshot(
            at_s=at_s,
            systolic=systolic,
            diastolic=diastolic,
            mean=mean_of(systolic, diastolic),
            pulse=self._beats.per_minute(at_s, COUNTED_BEATS),
            spo2=oxygen.saturation(
                on_air, self._oxygen.at(when_s), carbon_dioxide_mmhg=course.carbon_dioxide_mmhg
            ),
            respiratory_rate=self._breaths.per_minute(at_s, COUNTED_BREATHS),
            temperature_c=self._temperature.at(when_s) + sway["temperature"],
            weight_kg=course.weight_kg + sway["weight"],
            height_cm=course.height_cm,
            body_fat=course.body_fat,
            glucose_mg_dl=self._glucose.at(when_s) + sway["glucose"],
            perfusion=max(0.05, self._perfusion.at(when_s) * (1 + sway["perfusion"])),
            rhythm=course.rhythm,
            moving=any(0 <= at_s - since_s / self._pace < lasts_s for since_s, lasts_s in course.moving),
        )

    def beats(self, after_s: float, until_s: float) -> Sequence[float]:
        return self._beats.between(after_s, until_s)

    def ecg(self, rate: int, first: int, count: int) -> Sequence[int]:
        return self._ecg.samples(rate, first, count)

    def pleth(self, at_s: float) -> float:
        number, beat_s, next_s = self._beats.around(at_s - TRANSIT_S)
        interval_s = next_s - beat_s
        filled_s = beat_s - self._beats.moment(number - 1)
        # a heart that beats early has had little time to fill, and sends little on
        height = min(1.0, 0.25 + 0.75 * filled_s / interval_s)
        wave = height * shape_at((at_s - TRANSIT_S - beat_s) / interval_s)
        return 0.94 * wave + 0.03 * (1 + self.respiration(at_s))

    def respiration(self, at_s: float) -> float:
        return math.sin(math.tau * self._breaths.phase(at_s))

    def _intervals(self, course: Course, seed: int) -> Callable[[float], float]:
        if course.rhythm is Rhythm.ATRIAL_FIBRILLATION:
            return FibrillationIntervals(f"{seed} beats", self._rate)
        return SinusIntervals(f"{seed} beats", self._rate, self.respiration, course.sinus_arrhythmia)

    def _rate(self, at_s: float) -> float:
        when_s = at_s * self._pace
        sway = self._sways["rate"].at(at_s)
        return self._pulse.at(when_s) + self.course.pulse_per_degree * self._fever(when_s) + sway

    def _breathing(self, at_s: float) -> float:
        when_s = at_s * self._pace
        return self._breath_rate.at(when_s) + self.course.breaths_per_degree * self._fever(when_s)

    def _fever(self, when_s: float) -> float:
        return max(0.0, self._temperature.at(when_s) - NO_FEVER_C)
