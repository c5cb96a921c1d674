"""From waves as they come to chunks as they are kept. Pure: time is handed in.

A *recording* is one signal of one device: all its leads, one sample rate, one beginning. It is cut into
*chunks* of ten seconds at most. What is kept of the samples is what the device said, number for number:

* where samples were lost there is a **gap**: an index, and how long the loss was. Nothing is put there.
  By the device's clock where it tells one, else by the moments of arrival.
* where the device said that an electrode is off or its converter stood at an end, there is a **flaw**: a
  lead, a range of samples. The samples stay as they came.

Leads come as waves one after the other, a round of them for each stretch of time, and stay in step. Where
they do not, or where lead, unit, scale or rate change, one recording ends and another begins.
"""

import array
import dataclasses
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from edge.signals.rate import Rate, RateMeter
from edge.vitals.codes import Code
from edge.vitals.quantity import Unit
from edge.vitals.reading import Flaw, Flawed, Wave

CHUNK_S: Final = 10
LONGEST_OPEN_S: Final = 12.0
"""A chunk is closed after this long however few samples came: what is in it is not saved yet."""
MOST_SAMPLES: Final = 24_576
"""In one chunk, all leads together: twelve leads at 500 a second for four seconds. A chunk travels whole
and holds up what is more urgent meanwhile; this many take about 14 kB, and 96 kB if nothing can be left
out, so every one fits into a message."""
MOST_MARKS: Final = 256
"""Gaps and flaws in one chunk; a device that stammers more gets shorter chunks."""
OUT_OF_STEP_S: Final = 1.0
LATEST_S: Final = 10.0
"""What a link may hold back and then deliver at once. A device's clock that runs further ahead was set."""
RATE_CHANGES_BY: Final = Decimal("0.05")
"""A device that measures its own rate may correct it by this share; more is another rate."""
WIDEST: Final = 1 << 31
_INT32: Final = "i"


@dataclasses.dataclass(frozen=True, slots=True)
class Gap:
    """Samples were lost before the one at this index; for about so long."""

    index: int
    lost_ms: int


@dataclasses.dataclass(frozen=True, slots=True)
class Marked:
    """A flaw of one lead, by the lead's place among the recording's leads."""

    lead: int
    flaw: Flaw
    first: int
    count: int


@dataclasses.dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of a recording, ready to be kept.

    Attributes:
        leads: the samples of each lead, equally many.
        first_s: when its first sample was taken, on the box's monotonic clock, as good as the moment of
            arrival tells: late by the device's delay.
        rate: the rate measured so far in this recording, or None while it is too early.
    """

    leads: tuple["array.array[int]", ...]
    first_s: float
    gaps: tuple[Gap, ...]
    flaws: tuple[Marked, ...]
    rate: Rate | None

    @property
    def samples(self) -> int:
        """Of each lead."""
        return len(self.leads[0])

    @property
    def says_nothing(self) -> bool:
        """Whether every lead was off from the first sample to the last."""
        off = [0] * len(self.leads)
        for each in self.flaws:
            off[each.lead] += each.count if each.flaw is Flaw.LEAD_OFF else 0
        return min(off) == self.samples


@dataclasses.dataclass(slots=True)
class _Lead:
    """What has come of one lead and is in no chunk yet; ``rounds`` counts its waves."""

    samples: "array.array[int]" = dataclasses.field(default_factory=lambda: array.array(_INT32))
    flaws: list[Flawed] = dataclasses.field(default_factory=list[Flawed])
    rounds: int = 0

    def add(self, wave: Wave) -> None:
        at = len(self.samples)
        self.rounds += 1
        for each in wave.flaws:
            before = self.flaws[-1] if self.flaws else None
            first = at + each.first
            if before and before.flaw is each.flaw and before.first + before.count == first:
                self.flaws[-1] = Flawed(each.flaw, before.first, before.count + each.count)
            else:
                self.flaws.append(Flawed(each.flaw, first, each.count))
        self.samples.extend(wave.samples)

    def take(self, count: int) -> tuple["array.array[int]", list[Flawed]]:
        """The first ``count`` samples and their flaws; the rest stays."""
        taken, self.samples = self.samples[:count], self.samples[count:]
        flaws = [
            Flawed(each.flaw, each.first, min(each.count, count - each.first))
            for each in self.flaws
            if each.first < count
        ]
        self.flaws = [
            Flawed(each.flaw, max(0, each.first - count), min(each.count, each.first + each.count - count))
            for each in self.flaws
            if each.first + each.count > count
        ]
        return taken, flaws


class Recording:
    """One recording in the making.

    Args:
        wave: its first stretch, which is then to be added; it says what the recording is of.

    Attributes:
        nominal: samples a second as the device says.
    """

    def __init__(self, wave: Wave) -> None:
        self.code: Final[Code] = wave.code
        self.unit: Final[Unit] = wave.unit
        self.step: Final[Decimal] = wave.step
        self.nominal: Final[Decimal] = wave.rate
        self._leads: dict[str | None, _Lead] = {}
        self._gaps: list[Gap] = []
        self._meter = RateMeter()
        self._first_s: float | None = None
        self._heard_s: float | None = None
        self._device_s: float | None = None
        self._missed_ms: int | None = None

    @property
    def leads(self) -> tuple[str | None, ...]:
        """The names of the leads in the order in which chunks hold them."""
        return tuple(self._leads)

    @property
    def empty(self) -> bool:
        """Whether nothing waits for a chunk."""
        return not self._held

    def takes(self, wave: Wave) -> bool:
        """Whether this stretch goes on with this recording; else it begins another."""
        if (wave.code, wave.unit, wave.step) != (self.code, self.unit, self.step):
            return False
        if abs(wave.rate - self.nominal) > self.nominal * RATE_CHANGES_BY:
            return False
        lead = self._leads.get(wave.lead)
        if lead is None:
            return not self._rounds_go_on
        shortest = min(len(other.samples) for other in self._leads.values())
        return len(lead.samples) - shortest <= OUT_OF_STEP_S * float(self.nominal)

    def add(self, wave: Wave, at_s: float) -> None:
        """Take a stretch that `takes` was asked about, or the first.

        Args:
            wave: consecutive samples; those beyond 32 bits are for the caller to keep out.
            at_s: when it arrived, on the box's monotonic clock.
        """
        lead = self._leads.setdefault(wave.lead, _Lead())
        leader = next(iter(self._leads.values())) is lead
        if not wave.samples:
            self._gap_is_coming(wave)
            return
        length_s = len(wave.samples) / float(wave.rate)
        if leader:
            self._lead_the_round(wave, at_s, length_s)
        if self._first_s is None:
            self._first_s = at_s - length_s
        lead.add(wave)

    def lost(self, chunk: Chunk) -> None:
        """A chunk was not kept: what comes next follows a gap of its length."""
        missed_s = chunk.samples / float(self.nominal) + sum(gap.lost_ms for gap in chunk.gaps) / 1000
        ahead = self._gaps[0].lost_ms if self._gaps and self._gaps[0].index == 0 else 0
        missed_ms = round(missed_s * 1000) + ahead
        if self.empty:
            self._missed_ms = (self._missed_ms or 0) + missed_ms
        else:
            self._gaps = [Gap(0, missed_ms), *(gap for gap in self._gaps if gap.index)]

    def pause(self) -> None:
        """What comes next does not follow what came before: the sensor was off, or nothing was kept."""
        self._missed_ms = self._missed_ms or 0

    def full(self, at_s: float) -> bool:
        """Whether a chunk is to be cut now; asked again after each."""
        if not self._held:
            return False
        if self._first_s is not None and at_s - self._first_s >= LONGEST_OPEN_S:
            return True
        if not self._rounds_go_on:
            return False  # a device may send all it has of a lead before it begins with the next
        marks = len(self._gaps) + sum(len(lead.flaws) for lead in self._leads.values())
        return self._held >= self._most or marks >= MOST_MARKS

    def cut(self) -> Chunk | None:
        """The chunk at hand, ten seconds at most; None when there is nothing that all leads have."""
        count = min(self._held, self._most)
        if not count or self._first_s is None:
            return None
        taken: list[array.array[int]] = []
        marked: list[Marked] = []
        for place, lead in enumerate(self._leads.values()):
            samples, flaws = lead.take(count)
            taken.append(samples)
            marked += [Marked(place, each.flaw, each.first, each.count) for each in flaws]
        gaps = tuple(gap for gap in self._gaps if gap.index < count)
        self._gaps = [Gap(gap.index - count, gap.lost_ms) for gap in self._gaps if gap.index >= count]
        chunk = Chunk(tuple(taken), self._first_s, gaps, tuple(marked), self._meter.rate())
        left = max(len(lead.samples) for lead in self._leads.values())
        heard_s, self._first_s = self._heard_s, None
        if left and heard_s is not None:
            self._first_s = heard_s - left / float(self.nominal)
        return chunk

    @property
    def _rounds_go_on(self) -> bool:
        """Whether the first round of leads is over, so that all leads are known."""
        return any(lead.rounds > 1 for lead in self._leads.values())

    @property
    def _held(self) -> int:
        return min((len(lead.samples) for lead in self._leads.values()), default=0)

    @property
    def _most(self) -> int:
        """Samples of each lead in a whole chunk."""
        wanted = max(1, int(CHUNK_S * self.nominal))
        return max(1, min(wanted, MOST_SAMPLES // max(1, len(self._leads))))

    def _lead_the_round(self, wave: Wave, at_s: float, length_s: float) -> None:
        """The first lead keeps the time for all of them: gaps, and the rate."""
        missed_ms, self._missed_ms = self._missed_ms, None
        if self._heard_s is not None and (wave.gap or missed_ms is not None):
            index = len(next(iter(self._leads.values())).samples)
            self._gaps.append(Gap(index, max(self._lost_ms(wave, at_s, length_s), missed_ms or 0)))
            self._meter.gap()
        self._meter.heard(len(wave.samples), at_s)
        self._heard_s, self._device_s = at_s, wave.device_s

    def _lost_ms(self, wave: Wave, at_s: float, length_s: float) -> int:
        elapsed_s = at_s - (at_s if self._heard_s is None else self._heard_s)
        if wave.device_s is not None and self._device_s is not None:
            by_device_s = wave.device_s - self._device_s
            if 0 < by_device_s <= elapsed_s + LATEST_S:  # else its clock was set, and says nothing
                elapsed_s = by_device_s
        return max(0, round((elapsed_s - length_s) * 1000))

    def _gap_is_coming(self, wave: Wave) -> None:
        if wave.gap:
            self._missed_ms = self._missed_ms or 0


def fits(samples: Sequence[int]) -> bool:
    """Whether samples can be kept: every one within 32 bits."""
    return not samples or (min(samples) >= -WIDEST and max(samples) < WIDEST)
