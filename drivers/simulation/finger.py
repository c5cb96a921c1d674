"""A finger in an oximeter, or out of it: what such a simulator asks before it says a number. Pure."""

import dataclasses
from enum import Enum, auto
from typing import Final

from drivers.simulation.vitals import TRANSIT_S, Vitals

SEARCHING_S: Final = 2.0
"""How long an oximeter looks for the pulse of a finger that has just come."""


class Feels(Enum):
    """What the sensor feels."""

    NOTHING = auto()
    SEARCHING = auto()
    PULSE = auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Numbers:
    """What an oximeter shows, rounded as it does: percent, a minute, tenths of a percent."""

    saturation: int
    pulse: int
    perfusion: int


class Finger:
    """One finger of a person.

    Args:
        vitals: whose.
        at_s: the person's time now.
        inside: whether it is in the oximeter already, and its pulse found.
    """

    def __init__(self, vitals: Vitals, at_s: float, *, inside: bool = True) -> None:
        self.vitals: Final = vitals
        self._since_s: float | None = at_s - SEARCHING_S if inside else None
        self.moving = False

    def feels(self, at_s: float) -> Feels:
        if self._since_s is None:
            return Feels.NOTHING
        return Feels.SEARCHING if at_s - self._since_s < SEARCHING_S else Feels.PULSE

    def numbers(self, at_s: float) -> Numbers:
        now = self.vitals.now(at_s)
        return Numbers(round(now.spo2), round(now.pulse), round(10 * now.perfusion))

    def pleth(self, at_s: float, highest: int) -> int:
        """The pulse wave, 1 to ``highest``."""
        return max(1, min(highest, round(highest * (0.1 + 0.8 * self.vitals.pleth(at_s)))))

    def beats(self, after_s: float, until_s: float) -> bool:
        """Whether a pulse wave began."""
        return bool(self.vitals.beats(after_s - TRANSIT_S, until_s - TRANSIT_S))

    def obey(self, order: list[str], at_s: float) -> bool:
        """Put it in, take it out, move it; False for an order that does not concern it."""
        match order:
            case ["finger", "in"] | ["sensor", "on"]:
                self._since_s = at_s if self._since_s is None else self._since_s
            case ["finger", "out"] | ["sensor", "off"]:
                self._since_s = None
            case ["motion", "on" | "off" as state]:
                self.moving = state == "on"
            case _:
                return False
        return True
