"""What is known of a device while it is met."""

import dataclasses
import datetime
from collections.abc import Callable
from typing import TypeAlias

from edge.vitals.identity import Identity

Wall: TypeAlias = Callable[[], datetime.datetime | None]
"""Local wall time without zone while the unit's clock is synchronised, else None."""


@dataclasses.dataclass(frozen=True, slots=True)
class Clock:
    """The device's own clock, as it was before anybody set it: the one that stamped what it kept.

    Attributes:
        said: what it showed.
        at_s: when, in monotonic seconds.
        host: what ours showed then, or None when ours was not to be trusted.
    """

    said: datetime.datetime
    at_s: float
    host: datetime.datetime | None

    def now(self, now_s: float) -> datetime.datetime:
        """What it would show now."""
        return self.said + datetime.timedelta(seconds=now_s - self.at_s)

    @property
    def off_s(self) -> float | None:
        """By how many seconds it was ahead of ours; negative when it was behind."""
        return None if self.host is None else (self.said - self.host).total_seconds()


@dataclasses.dataclass(frozen=True, slots=True)
class Skipped:
    """What could not be done and need not have been: the step's name, and why as a stable code."""

    step: str
    code: str


@dataclasses.dataclass(slots=True)
class Known:
    """Filled by the steps, read by the ear.

    Attributes:
        port: as in unit.toml.
        address: of the device that was found.
        mtu: of the link.
        identity: who it is, and its battery; empty where it does not say.
        values: what `Read` steps read, by UUID.
        answers: what `Ask` steps were answered, by name.
        clock: its clock before it was set, or None when it could not be read or believed.
        way: which `Way` of a `FirstThatWorks` worked.
        skipped: what could not be done.
    """

    port: str
    wall: Wall
    now_s: Callable[[], float]
    address: str = ""
    mtu: int = 0
    identity: Identity = dataclasses.field(default_factory=Identity)
    values: dict[str, bytes] = dataclasses.field(default_factory=dict)
    answers: dict[str, bytes] = dataclasses.field(default_factory=dict)
    clock: Clock | None = None
    way: str = ""
    skipped: list[Skipped] = dataclasses.field(default_factory=list)

    def device_now(self) -> datetime.datetime | None:
        """What the clock that stamped the device's records shows now, as far as it could be read."""
        return None if self.clock is None else self.clock.now(self.now_s())
