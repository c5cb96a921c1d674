"""What is kept of a continuous display: one reading for each time the sensor is put on, once it is steady.

A finger oximeter shows numbers every second, wrong ones while the finger goes in. The policy, decided
here and nowhere else:

* *steady*: for at least 6 consecutive seconds of the device's own time every reading had numbers for what
  is judged, carried no flag that makes it unreliable, and saturation moved by at most 2 and pulse by at
  most 6.
* one reading is kept for each *placing* of the sensor: from its first reading until the device says
  sensor-off. A device that goes away with its sensor on and soon comes back, or a store that is locked
  meanwhile, begins the six seconds again and another reading is kept; whose the placing is stays. Numbers
  lost for a moment start the six seconds again, not the placing.
* a placing belongs to the visit that was open when it began. A finger that stays in while the visit
  changes is still the former patient's.
"""

import dataclasses
from collections import deque
from decimal import Decimal
from typing import Final

from edge.vitals.codes import Code
from edge.vitals.quantity import Missing, MissingReason, Quantity
from edge.vitals.reading import Reading

STEADY_FOR_S: Final = 6.0
LONGEST_SILENCE_S: Final = 3.0
"""Readings further apart than this are not consecutive. A ring that is asked every two seconds answers a
little later than that each time."""
MOVES_AT_MOST: Final[dict[Code, Decimal]] = {
    Code.OXYGEN_SATURATION: Decimal(2),
    Code.PULSE_OXIMETER: Decimal(6),
    Code.HEART_RATE: Decimal(6),
}
UNRELIABLE: Final = frozenset(
    {
        "low-signal",
        "motion",
        "artifact",
        "searching-too-long",
        "probe-error",
        "questionable",
        "questionable-pulse",
        "early-estimate",
        "erratic-signal",
        "non-pulsatile",
        "interference",
        "sensor-displaced",
    }
)
_MOST_READINGS: Final = 4096
"""Of one window; a device that floods without its time moving is cut, not followed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """What a reading means.

    Attributes:
        began: this reading is the first of a new placing.
        steady: the display has been steady for long enough.
    """

    began: bool
    steady: bool


class Placing:
    """Follows one device from reading to reading; pure."""

    def __init__(self) -> None:
        self._window: deque[tuple[float, dict[Code, Decimal]]] = deque()
        self._on = False

    @property
    def on(self) -> bool:
        """Whether the sensor is on: it has said something since it last said that it is off."""
        return self._on

    def restart(self) -> None:
        """Whatever comes next is a new placing."""
        self._window.clear()
        self._on = False

    def settle_anew(self) -> None:
        """Nobody could look for a while: what comes next has to stand still for long enough again."""
        self._window.clear()

    def see(self, reading: Reading, arrived_s: float) -> Seen:
        """Take the next reading; ``arrived_s`` stands in where the device has no time of its own."""
        if _sensor_off(reading):
            self.restart()
            return Seen(began=False, steady=False)
        began, self._on = not self._on, True
        numbers = _judged_numbers(reading)
        at_s = arrived_s if reading.device_s is None else reading.device_s
        if numbers is None:
            self._window.clear()
            return Seen(began, steady=False)
        if self._window and not 0 <= at_s - self._window[-1][0] <= LONGEST_SILENCE_S:
            self._window.clear()
        self._window.append((at_s, numbers))
        while len(self._window) > 1 and self._window[1][0] <= at_s - STEADY_FOR_S:
            self._window.popleft()
        if len(self._window) > _MOST_READINGS:
            self._window.clear()
            return Seen(began, steady=False)
        return Seen(began, steady=self._steady(at_s))

    def _steady(self, at_s: float) -> bool:
        if at_s - self._window[0][0] < STEADY_FOR_S:
            return False
        columns: dict[Code, list[Decimal]] = {}
        for _, numbers in self._window:
            for code, value in numbers.items():
                columns.setdefault(code, []).append(value)
        return all(max(column) - min(column) <= MOVES_AT_MOST[code] for code, column in columns.items())


def _sensor_off(reading: Reading) -> bool:
    return any(value == Missing(MissingReason.SENSOR_OFF) for _, value in reading.values)


def _judged_numbers(reading: Reading) -> dict[Code, Decimal] | None:
    """The numbers that have to be steady, or None when one is missing or the reading is unreliable."""
    if UNRELIABLE & set(reading.flags):
        return None
    judged = [(code, value) for code, value in reading.values if code in MOVES_AT_MOST]
    numbers = {code: value.value for code, value in judged if isinstance(value, Quantity)}
    return numbers if numbers and len(numbers) == len(judged) else None
