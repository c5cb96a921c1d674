"""A real ECG on the beats of a patient: every beat of the recording, played when this heart beats.

From one R wave to the next the recording's time runs at its own pace around the QRS complex, which no rate
changes, and is stretched or pressed between: from the QRS to the end of the T wave with the square root
of the interval, as the QT interval goes (Bazett), up to the P wave with what is left. So a fast heart has
narrow complexes and short pauses, and its R waves stand exactly where the patient's beats are.

In atrial fibrillation there is no P wave: what stands before the QRS is faded out and small waves, four to
nine a second, are laid under everything. They are made up (the excerpt is a sinus rhythm); the QRS
complexes and T waves stay the recorded ones.

Sources: Bazett HC, Heart 1920;7:353-370; fibrillatory waves, Bollmann A et al., Europace 2006;8:911-926.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from drivers.simulation.ecg import (
    MICROVOLTS_PER_UNIT,
    RECORDED_RATE,
    recorded_beats,
    recorded_excerpt,
    smoothed,
)
from drivers.simulation.rhythm import Train

QRS_BEFORE_S: Final = 0.05
QRS_AFTER_S: Final = 0.06
"""Around the R wave time runs as recorded."""
T_ENDS_S: Final = 0.36
"""When the T wave is over, after the R wave of a beat of one second; with the root of the interval."""
P_BEGINS_S: Final = 0.20
"""Where the P wave may begin, before the R wave."""
LEAST_P_S: Final = 0.08
FADES_S: Final = 0.04
WAVES_PER_SECOND: Final = (4.7, 6.1, 7.9)
WAVES_MICROVOLTS: Final = 45.0


class RetimedEcg:
    """The recording on a train of beats.

    Args:
        fibrillating: whether the atria fibrillate.
    """

    def __init__(self, beats: Train, *, fibrillating: bool) -> None:
        self._beats: Final = beats
        self._fibrillating: Final = fibrillating
        recorded = recorded_beats()
        # the excerpt is a loop: after its last beat comes its first
        self._recorded: Final = [*recorded, recorded[0] + len(recorded_excerpt())]

    def samples(self, rate: int, first: int, count: int) -> Sequence[int]:
        """Samples in microvolts, ``rate`` a second; sample ``n`` stands at ``n / rate`` seconds."""
        source = _smooth(rate)
        return tuple(round(self._at(source, number / rate)) for number in range(first, first + count))

    def _at(self, source: Sequence[float], at_s: float) -> float:
        number, beat_s, next_s = self._beats.around(at_s)
        place = number % (len(self._recorded) - 1)
        begin, end = self._recorded[place : place + 2]
        since_s, interval_s = at_s - beat_s, next_s - beat_s
        recorded_s = (end - begin) / RECORDED_RATE
        value = between(source, begin + RECORDED_RATE * moved(since_s, interval_s, recorded_s))
        if not self._fibrillating:
            return value
        kept = _is_ventricular(since_s, interval_s)
        return kept * value + WAVES_MICROVOLTS * _fibrillation(at_s)


def moved(since_s: float, interval_s: float, recorded_s: float) -> float:
    """Where in a recorded interval stands what comes so long after a beat; it never runs backwards."""
    t_ends, recorded_t_ends = _t_ends(interval_s), _t_ends(recorded_s)
    p_s = max(LEAST_P_S, min(P_BEGINS_S, interval_s - t_ends - 0.02))
    corners = (
        (0.0, 0.0),
        (QRS_AFTER_S, QRS_AFTER_S),
        (t_ends, recorded_t_ends),
        (interval_s - p_s, recorded_s - P_BEGINS_S),
        (interval_s - QRS_BEFORE_S, recorded_s - QRS_BEFORE_S),
        (interval_s, recorded_s),
    )
    for (left, left_at), (right, right_at) in itertools.pairwise(corners):
        if since_s <= right:
            return left_at + (since_s - left) * (right_at - left_at) / (right - left)
    return recorded_s


def _t_ends(interval_s: float) -> float:
    """After the R wave; never where the next beat's P wave has no room left."""
    return min(T_ENDS_S * math.sqrt(interval_s), interval_s - LEAST_P_S - 0.02)


def _is_ventricular(since_s: float, interval_s: float) -> float:
    """1 within QRS and T wave, 0 where a P wave would stand, and between on the way."""
    over = since_s - _t_ends(interval_s)
    ahead = interval_s - QRS_BEFORE_S - since_s
    return max(0.0, min(1.0, max(1 - over / FADES_S, 1 - ahead / FADES_S)))


def _fibrillation(at_s: float) -> float:
    """Small waves that never repeat in earnest: their frequencies have no common measure, and swell."""
    swell = 0.75 + 0.25 * math.sin(math.tau * 0.37 * at_s)
    return swell * sum(math.sin(math.tau * each * at_s + each) for each in WAVES_PER_SECOND) / 2


def between(source: Sequence[float], place: float) -> float:
    """The signal between its samples, by a cubic through the four around (Catmull and Rom)."""
    whole = math.floor(place)
    part = place - whole
    size = len(source)
    before, left, right, after = (source[(whole + step) % size] for step in (-1, 0, 1, 2))
    return left + 0.5 * part * (
        right - before
        + part * (2 * before - 5 * left + 4 * right - after + part * (3 * (left - right) + after - before))
    )  # fmt: skip


@functools.cache
def _smooth(rate: int) -> tuple[float, ...]:
    """The recording in microvolts, without what ``rate`` samples a second could not tell."""
    ratio = min(Fraction(1), Fraction(rate, RECORDED_RATE))
    return tuple(MICROVOLTS_PER_UNIT * value for value in smoothed(recorded_excerpt(), ratio))
