"""From single samples to stretches of wave, for devices that send a few with every frame. Pure."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from edge.vitals.codes import Code
from edge.vitals.quantity import Unit
from edge.vitals.reading import Flaw, Wave, flawed_where

WHOLE: Final = 1 << 30
"""As the size of a stretch: never hand one on before it is asked for."""


class Strip:
    """One signal of one session.

    Args:
        size: how many samples make a stretch.
        step: what one count is in ``unit``.
    """

    def __init__(
        self, code: Code, lead: str | None, rate: Decimal, size: int, *, unit: Unit = Unit.NONE,
        step: Decimal = Decimal(1),
    ) -> None:  # fmt: skip
        self._code = code
        self._lead = lead
        self._rate = rate
        self._size = size
        self._unit = unit
        self._step = step
        self._samples: list[int] = []
        self._off: list[bool] = []
        self._gap = False

    def add(self, samples: Sequence[int], *, off: bool = False) -> list[Wave]:
        """Take the next samples and give the stretch they complete.

        Args:
            samples: oldest first.
            off: the device says that its sensor is not on the skin.
        """
        self._samples += samples
        self._off += [off] * len(samples)
        return self.end() if len(self._samples) >= self._size else []

    def lost(self) -> list[Wave]:
        """Samples were lost here: give what there is, and say so before the next."""
        waves = self.end()
        self._gap = True
        return waves

    def end(self) -> list[Wave]:
        """Give what there is."""
        if not self._samples:
            return []
        flaws = flawed_where(Flaw.LEAD_OFF, self._off)
        wave = Wave(
            self._code, self._lead, self._unit, self._rate, tuple(self._samples), self._gap, self._step, flaws
        )
        self._samples, self._off, self._gap = [], [], False
        return [wave]


def on_the_skin(waves: Iterable[Wave]) -> list[Wave]:
    """The waves without the samples of a sensor that was off, which are no signal."""
    kept: list[Wave] = []
    for wave in waves:
        at = 0
        gap = wave.gap
        for off in (flawed for flawed in wave.flaws if flawed.flaw is Flaw.LEAD_OFF):
            kept += _part(wave, at, off.first, gap=gap)
            at, gap = off.first + off.count, True
        kept += _part(wave, at, len(wave.samples), gap=gap)
    return kept


def _part(wave: Wave, first: int, end: int, *, gap: bool) -> list[Wave]:
    if first == end:
        return []
    return [Wave(wave.code, wave.lead, wave.unit, wave.rate, wave.samples[first:end], gap, wave.step)]
