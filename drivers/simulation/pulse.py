"""A finger with a pulse in it, for oximeter simulators: plausible, seeded, and cheap to ask."""

import math
import random
from typing import Final

TABLE: Final = 256
"""Places of one beat in the shape table."""
SHOWN_EVERY_S: Final = 1.0
"""An oximeter's display changes about once a second."""


def _shape(phase: float) -> float:
    """One beat of a finger pleth: a steep systolic rise, and a lower wave behind the dicrotic notch."""
    systolic = math.exp(-(((phase - 0.18) / 0.09) ** 2))
    dicrotic = 0.38 * math.exp(-(((phase - 0.47) / 0.12) ** 2))
    return min(1.0, systolic + dicrotic)


_SHAPE: Final = tuple(_shape(place / TABLE) for place in range(TABLE))


def shape_at(phase: float) -> float:
    """The pleth, 0 to 1, at a part of a beat: 0 at its foot, 1 at the next."""
    return _SHAPE[int(phase * TABLE) % TABLE]


class Pulse:
    """Saturation, pulse rate and pleth around targets that may be changed at any time.

    Args:
        saturation: percent around which the display moves by one.
        rate: beats a minute around which the rate wanders, from breath to breath and by chance.
    """

    def __init__(self, seed: int, *, saturation: int = 97, rate: int = 72) -> None:
        self._random = random.Random(seed)  # noqa: S311  a virtual patient needs chance, not secrecy
        self.saturation_target = saturation
        self.rate_target = rate
        self._drift = 0.0
        self._phase = self._random.random()
        self._breath = self._random.random()
        self._shown_for_s = SHOWN_EVERY_S
        self.shown_saturation = saturation
        self.shown_rate = rate
        self.shown_perfusion = 3.4
        """Percent."""
        self.beat = False
        """Whether a beat began within the last step."""

    def step(self, seconds: float) -> int:
        """Let some time pass and give the pleth at its end, 0 to 127."""
        self._breath = (self._breath + seconds / 4.2) % 1.0
        rate = self.rate_target + self._drift + 1.5 * math.sin(math.tau * self._breath)
        self._phase += seconds * rate / 60
        self.beat = self._phase >= 1.0
        if self.beat:
            self._phase %= 1.0
            self._drift = 0.8 * self._drift + self._random.gauss(0, 0.5)
        self._shown_for_s += seconds
        if self._shown_for_s >= SHOWN_EVERY_S:
            self._shown_for_s = 0.0
            self._show(rate)
        height = 88 * _SHAPE[int(self._phase * TABLE) % TABLE]
        return max(0, min(127, round(12 + height + 5 * math.sin(math.tau * self._breath))))

    def _show(self, rate: float) -> None:
        self.shown_rate = max(1, min(254, round(rate)))
        if self.shown_saturation == self.saturation_target:
            if self.saturation_target > 1 and self._random.random() < 0.1:
                self.shown_saturation -= 1
        else:
            self.shown_saturation = self.saturation_target
