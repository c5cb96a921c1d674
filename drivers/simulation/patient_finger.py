"""The finger of a patient, for oximeter simulators that step through a pulse."""

from drivers.simulation.pulse import SHOWN_EVERY_S, Pulse
from drivers.simulation.vitals import TRANSIT_S, Vitals


class PatientPulse(Pulse):
    """The finger of a patient, who has a pulse of their own; targets set here count for nothing.

    Args:
        since_s: the patient's time now.
    """

    def __init__(self, vitals: Vitals, since_s: float) -> None:
        super().__init__(0)
        self._vitals = vitals
        self._at_s = since_s
        self._show_s = since_s

    def step(self, seconds: float) -> int:
        before_s, self._at_s = self._at_s, self._at_s + seconds
        self.beat = bool(self._vitals.beats(before_s - TRANSIT_S, self._at_s - TRANSIT_S))
        if self._at_s >= self._show_s:
            self._show_s = self._at_s + SHOWN_EVERY_S
            now = self._vitals.now(self._at_s)
            self.shown_saturation = round(now.spo2)
            self.shown_rate = max(1, min(254, round(now.pulse)))
            self.shown_perfusion = now.perfusion
        return max(0, min(127, round(12 + 100 * self._vitals.pleth(self._at_s))))
