"""A BCI oximeter as it looks from its cable or its link: what it streams. No port, no clock of its own."""

import random
from typing import Final

from drivers.devices.berry_bci.codec import (
    NO_PULSE,
    NO_SATURATION,
    PACKETS_PER_SECOND,
    Packet,
    encode,
)
from drivers.simulation.finger import Feels, Finger
from drivers.simulation.vitals import Vitals

GOOD: Final = 6
WEAK: Final = 2
WEAK_PERFUSION: Final = 5
"""Tenths of a percent below which it calls the signal weak; our choice."""
_MOST_PULSE: Final = 254
_HIGHEST_PLETH: Final = 100
_STILL: Final = 5.0
"""Seconds of packets it makes up for at most, when nobody has asked it for long."""


class Unit:
    """One simulated oximeter, switched on; it streams by itself and hears nothing."""

    def __init__(self, vitals: Vitals, at_s: float, *, inside: bool = True, seed: int = 1) -> None:
        self.finger: Final = Finger(vitals, at_s, inside=inside)
        self._plugged = True
        self._sent = int(at_s * PACKETS_PER_SECOND)
        self._random = random.Random(seed)  # noqa: S311  noise need not be secret

    def stream(self, at_s: float) -> bytes:
        """See `drivers.simulation.serial_device.SimulatedUnit`."""
        due = int(at_s * PACKETS_PER_SECOND)
        first = max(self._sent, due - int(_STILL * PACKETS_PER_SECOND))
        self._sent = due
        return b"".join(encode(self._packet(number / PACKETS_PER_SECOND)) for number in range(first, due))

    def hear(self, data: bytes, at_s: float) -> bytes:  # noqa: ARG002  it hears nothing
        return b""

    def obey(self, order: list[str], at_s: float) -> bytes | None:
        match order:
            case ["probe", "on" | "off" as state]:
                self._plugged = state == "on"
            case _:
                return b"" if self.finger.obey(order, at_s) else None
        return b""

    def _packet(self, at_s: float) -> Packet:
        if not self._plugged:
            return Packet(NO_SATURATION, NO_PULSE, 0, signal=0, bar=0, unplugged=True, no_signal=True)
        feels = self.finger.feels(at_s)
        if feels is Feels.NOTHING:
            return Packet(NO_SATURATION, NO_PULSE, 0, signal=0, bar=0, no_finger=True, no_signal=True)
        pleth = self.finger.pleth(at_s, _HIGHEST_PLETH)
        if self.finger.moving:
            pleth = self._random.randint(1, _HIGHEST_PLETH)
        if feels is Feels.SEARCHING:
            return Packet(NO_SATURATION, NO_PULSE, pleth, signal=WEAK, bar=pleth * 15 // 100, searching=True)
        found = self.finger.numbers(at_s)
        return Packet(
            saturation=found.saturation,
            pulse=min(found.pulse, _MOST_PULSE),
            pleth=pleth,
            beat=self.finger.beats(at_s - 1 / PACKETS_PER_SECOND, at_s),
            signal=WEAK if self.finger.moving or found.perfusion < WEAK_PERFUSION else GOOD,
            bar=pleth * 15 // 100,
        )
