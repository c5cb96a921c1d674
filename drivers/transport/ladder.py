"""What to try when the adapter itself fails, in order, and how often. No radio, no clock, no waiting."""

from enum import StrEnum
from typing import Final

STEP_EVERY_S: Final = 600.0
PATIENCE: Final = 3
"""Troubles in a row before the next step: most of them pass by themselves within a second."""
FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 10.0


class Step(StrEnum):
    """One rung. Re-plugging the adapter's USB port is left to people."""

    RESTART_SCAN = "restart-scan"
    POWER_CYCLE = "power-cycle"
    RESTART_DAEMON = "restart-daemon"


class Ladder:
    """Counts the adapter's troubles and says which step is due."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._taken_s: dict[Step, float] = {}

    @property
    def down(self) -> bool:
        """Whether trouble has lasted long enough to be told."""
        return self._in_a_row >= PATIENCE

    def trouble(self, now_s: float) -> Step | None:
        """Note one more; the step to take now, if any."""
        self._in_a_row += 1
        return self.climb(now_s) if self._in_a_row % PATIENCE == 0 else None

    def climb(self, now_s: float) -> Step | None:
        """The lowest step not taken within ten minutes; None when all have been."""
        for step in Step:
            taken_s = self._taken_s.get(step)
            if taken_s is None or now_s - taken_s >= STEP_EVERY_S:
                self._taken_s[step] = now_s
                return step
        return None

    def pause_s(self) -> float:
        """How long to leave the adapter alone after so much trouble."""
        return min(FIRST_PAUSE_S * float(1 << min(self._in_a_row, 16)) / 2, LONGEST_PAUSE_S)

    def well(self) -> None:
        """It works: the next trouble is the first again."""
        self._in_a_row = 0
