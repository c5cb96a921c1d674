"""A PC-60FW as it looks from its link: what it notifies. No radio, no clock of its own."""

import random
from typing import Final

from drivers.devices.viatom_pc60fw.codec import (
    FULL,
    PLETH_SAMPLES,
    encode_battery,
    encode_oximetry,
    encode_pleth,
)
from drivers.simulation.finger import Feels, Finger
from drivers.simulation.vitals import Vitals

SAMPLES_PER_SECOND: Final = 50
FRAMES_PER_SECOND: Final = SAMPLES_PER_SECOND // PLETH_SAMPLES
BATTERY_EVERY: Final = 10
"""Seconds between two frames that tell the battery."""
_STILL: Final = 5


class Unit:
    """One simulated oximeter, switched on; it streams by itself and hears nothing."""

    def __init__(
        self, vitals: Vitals, at_s: float, *, inside: bool = True, battery: int = FULL, seed: int = 1
    ) -> None:
        self.finger: Final = Finger(vitals, at_s, inside=inside)
        self.battery = battery
        self._sent = int(at_s * FRAMES_PER_SECOND)
        self._random = random.Random(seed)  # noqa: S311  noise need not be secret

    def stream(self, at_s: float) -> bytes:
        """See `drivers.simulation.serial_device.SimulatedUnit`."""
        due = int(at_s * FRAMES_PER_SECOND)
        first = max(self._sent, due - _STILL * FRAMES_PER_SECOND)
        self._sent = due
        return b"".join(self._frames(number) for number in range(first, due))

    def hear(self, data: bytes, at_s: float) -> bytes:  # noqa: ARG002  it hears nothing
        return b""

    def obey(self, order: list[str], at_s: float) -> bytes | None:
        match order:
            case ["battery", level] if level.isdecimal() and int(level) <= 100:
                # A level, or a percent as scenarios say it.
                self.battery = int(level) if int(level) <= FULL else min(int(level) // 25, FULL)
            case _:
                return b"" if self.finger.obey(order, at_s) else None
        return b""

    def _frames(self, number: int) -> bytes:
        """A frame of pleth, and once a second the numbers before it."""
        at_s = number / FRAMES_PER_SECOND
        said = b""
        if number % FRAMES_PER_SECOND == 0:
            said = self._numbers(at_s)
            if number % (BATTERY_EVERY * FRAMES_PER_SECOND) == 0:
                said += encode_battery(self.battery)
        return said + self._pleth(at_s)

    def _numbers(self, at_s: float) -> bytes:
        feels = self.finger.feels(at_s)
        if feels is not Feels.PULSE:
            off, searching = feels is Feels.NOTHING, feels is Feels.SEARCHING
            return encode_oximetry((0, 0, 0), off=off, searching=searching, level=self.battery)
        found = self.finger.numbers(at_s)
        return encode_oximetry((found.saturation, found.pulse, min(found.perfusion, 255)), level=self.battery)

    def _pleth(self, at_s: float) -> bytes:
        if self.finger.feels(at_s) is Feels.NOTHING:
            return encode_pleth((0,) * PLETH_SAMPLES)
        times_s = [at_s + place / SAMPLES_PER_SECOND for place in range(PLETH_SAMPLES)]
        if self.finger.moving:
            return encode_pleth(tuple(self._random.randrange(128) for _ in times_s))
        beat = next(
            (
                place
                for place, time_s in enumerate(times_s)
                if self.finger.beats(time_s - 1 / SAMPLES_PER_SECOND, time_s)
            ),
            None,
        )
        return encode_pleth(tuple(self.finger.pleth(time_s, 127) for time_s in times_s), beat=beat)
