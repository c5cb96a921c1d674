"""The heart of a patient as a strap listens to it: samples counted since it was put on."""

from collections.abc import Sequence
from typing import Protocol

from drivers.simulation.vitals import Vitals


class Beating(Protocol):
    """What a strap asks of a heart; `drivers.simulation.ecg.Heart`, which is nobody's, offers the same."""

    def samples(self, first: int, count: int) -> Sequence[int]:
        """Microvolts from the ``first`` sample on."""
        ...

    def beats_before(self, at_s: float, count: int) -> list[float]:
        """When the last beats before a moment were, oldest first."""
        ...


class PatientHeart:
    """A patient's heart, heard from one moment on.

    Args:
        rate: samples a second.
        since_s: the patient's time at the first sample.
    """

    def __init__(self, vitals: Vitals, rate: int, since_s: float) -> None:
        self._vitals = vitals
        self._rate = rate
        self._first = round(since_s * rate)
        self._since_s = self._first / rate

    def samples(self, first: int, count: int) -> Sequence[int]:
        return self._vitals.ecg(self._rate, self._first + first, count)

    def beats_before(self, at_s: float, count: int) -> list[float]:
        until_s = self._since_s + at_s
        reach_s = 4.0 * count  # even a slow heart has beaten so often by then
        beats = self._vitals.beats(until_s - reach_s, until_s)[-count:]
        return [beat - self._since_s for beat in beats]
