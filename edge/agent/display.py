"""Whose is what a device shows: followed from one placing of its sensor to the next. Pure.

A sensor that is put on under a visit is that visit's patient's until it is taken off. What was before the
agent was started nobody has seen: a device that shows something when the agent comes up in the midst of a
visit may be on whoever came before, so what it shows belongs to nobody until it is taken off, or somebody
takes it for the visit.
"""

import dataclasses
from typing import Final

from edge.agent.settle import Placing, Seen
from edge.vitals.reading import Reading

SAME_PATIENT_WITHIN_S: Final = 120.0
"""A device that comes back sooner with its sensor on never left the one who wears it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Van:
    """Who is in the van now.

    Attributes:
        visit: the visit that is open, though the store may be locked; None without one.
        found: the visit that was open when the agent first looked, or None.
    """

    visit: bytes | None
    found: bytes | None


@dataclasses.dataclass(slots=True)
class Display:
    """What is known of one device while it is there.

    Attributes:
        placed_under: the visit under which its sensor was put on, as far as its numbers tell.
        heard: whether it has shown a number since the agent runs.
        away_since_s: when it went away with its sensor on, as long as it has not come back.
        taken_for: the visit for which somebody took what it shows, whoever it was put on under.
        waves: whether waves have come since it is there; ``waves_under`` the visit of the first of them.
        kept: whether a reading of this placing is stored.
        failing: whether its last reading could not be stored.
        owed: whether a record of its memory came and could not be kept: it has to be asked for it again.
    """

    kind: str
    simulated: bool
    placing: Placing = dataclasses.field(default_factory=Placing)
    placed_under: bytes | None = None
    heard: bool = False
    away_since_s: float | None = None
    taken_for: bytes | None = None
    waves_under: bytes | None = None
    waves: bool = False
    waves_heard: bool = False
    kept: bool = False
    failing: bool = False
    last: Reading | None = None
    last_s: float = 0.0
    last_monotonic_ms: int = 0
    owed: bool = False

    def settle_anew(self) -> None:
        """Nobody could look for a while: another reading is kept once it is steady again."""
        self.placing.settle_anew()
        self.kept = False

    def goes(self, now_s: float) -> None:
        """It went away. With its sensor on it may soon be back, and then on the same patient.

        A device that gives no numbers never says that its sensor is off. One that comes and goes without
        a word has been away since it spoke last.
        """
        if self.placing.on or (self.waves and not self.heard):
            self.away_since_s = now_s if self.away_since_s is None else self.away_since_s
        else:
            self.waves = False
        self.settle_anew()
        self.last = None

    def shows(self, reading: Reading, now_s: float, van: Van) -> Seen:
        """It shows numbers, or that it has none."""
        self.last, self.last_s = reading, now_s
        self._is_back(now_s)
        seen = self.placing.see(reading, now_s)
        if seen.began:
            self.placed_under = _whose(van, seen_before=self.heard)
            self.kept = False
        self.heard = True
        return seen

    def sends_wave(self, now_s: float, van: Van) -> None:
        """It sends a stretch of wave. A device that gives no numbers counts from its first one."""
        if not self.heard:
            self._is_back(now_s)
        if not self.waves:
            self.waves, self.waves_under = True, _whose(van, seen_before=self.heard or self.waves_heard)
            self.waves_heard = True

    def waves_are_of(self, encounter: bytes) -> bool:
        """Whether its waves are of this visit's patient."""
        if self.last is None:
            return self.waves_under == encounter
        return self.placing.on and encounter in {self.placed_under, self.taken_for}

    def _is_back(self, now_s: float) -> None:
        """One that was away for long may have come to somebody else."""
        away_since_s, self.away_since_s = self.away_since_s, None
        if away_since_s is not None and now_s - away_since_s > SAME_PATIENT_WITHIN_S:
            self.placing.restart()
            self.waves = False

    def distinct_ms(self, monotonic_ms: int) -> int:
        """A monotonic time that no other reading of the device has.

        Device, boot and monotonic time tell live readings apart for ever, so no two share a millisecond.
        """
        self.last_monotonic_ms = max(monotonic_ms, self.last_monotonic_ms + 1)
        return self.last_monotonic_ms


def _whose(van: Van, *, seen_before: bool) -> bytes | None:
    """The visit that is open; none where the sensor may have been put on before the agent looked."""
    return van.visit if seen_before or van.visit != van.found else None
