"""What a driver hands on: readings, stretches of wave, and what the device said of itself."""

import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum

from edge.vitals.codes import Code
from edge.vitals.identity import Identity
from edge.vitals.quantity import Measured, Unit


class Mode(StrEnum):
    """How a device gives its values."""

    SPOT = "spot"
    """One finished measurement, to be kept as it is."""
    CONTINUOUS = "continuous"
    """A running display; what is kept of it is decided by the capture rules, not by the driver."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What a device said at one moment, in the stored units.

    Attributes:
        values: one pair per code the device measures; a code it does not measure is absent.
        flags: what the device said beside the numbers, such as ``low-signal``.
        at: the device's own wall clock without zone, or None when it has none.
        device_s: seconds of device time since the session began, counted from its samples, or None.
        converted: for each code whose device unit was another: the number and unit as sent.
        raw: the frame as it came; evidence, never for a log.
        record: what identifies a record on the device, or None when it keeps none. A device may send one
            again; it is kept once.
        just_taken: whether this was measured just now, so that it belongs to whom the device is on. None
            when the driver cannot say more than ``record`` does: a live reading yes, a record no.
        intervals_ms: milliseconds between beats as the device tells them, oldest first.
        identity: which device it was, as it said at this meeting; None when it says nothing of itself.
        clock_off_s: by how many seconds the clock that stamped ``at`` was ahead of the box's, as read at
            this meeting before it was set; negative when it was behind; None unless both are known.
        passing: whether it is what the device shows while it still measures, and no result: for the
            screen, never kept, not even when somebody asks for it.
        stored: whether it came out of the device's memory, so that ``at`` is when, not now.
    """

    values: tuple[tuple[Code, Measured], ...]
    flags: tuple[str, ...] = ()
    at: datetime.datetime | None = None
    mode: Mode = Mode.SPOT
    device_s: float | None = None
    converted: tuple[tuple[Code, Decimal, Unit], ...] = ()
    raw: bytes = b""
    record: bytes | None = None
    just_taken: bool | None = None
    intervals_ms: tuple[Decimal, ...] = ()
    identity: Identity | None = None
    clock_off_s: float | None = None
    passing: bool = False
    stored: bool = False


class Flaw(StrEnum):
    """Why samples say nothing of the patient, although they came."""

    LEAD_OFF = "lead-off"
    """The device says that an electrode or a sensor is not on the skin."""
    SATURATED = "saturated"
    """The converter stood at the end of its range: the signal went further than the number says."""


@dataclasses.dataclass(frozen=True, slots=True)
class Flawed:
    """A stretch of samples with a flaw: ``count`` of them from index ``first`` of their wave."""

    flaw: Flaw
    first: int
    count: int


@dataclasses.dataclass(frozen=True, slots=True)
class Wave:
    """Consecutive samples of one signal, as the device sends them.

    Several leads of one code are as many waves, one after the other for the same stretch of time; all
    leads that a device has of a code come at one rate.

    Attributes:
        lead: which ECG lead, or None.
        rate: samples per second.
        samples: whole numbers as the device counts; ``step`` of ``unit`` each.
        gap: samples before these were lost: do not join them to the stretch before.
        step: what one count is in ``unit``; 1 where the unit is ``1``, whose scale is unknown.
        flaws: where the device says that samples mean nothing, in order; the samples stay as they came.
        device_s: seconds of device time of the last sample, from any beginning, or None when the device
            tells no time. It measures how long a gap was.
    """

    code: Code
    lead: str | None
    unit: Unit
    rate: Decimal
    samples: Sequence[int]
    gap: bool = False
    step: Decimal = Decimal(1)
    flaws: tuple[Flawed, ...] = ()
    device_s: float | None = None


def flawed_where(flaw: Flaw, wrong: Iterable[bool]) -> tuple[Flawed, ...]:
    """The stretches of samples for which ``wrong`` is true, one truth for each sample."""
    found: list[Flawed] = []
    first: int | None = None
    for at, is_wrong in enumerate((*wrong, False)):
        if is_wrong and first is None:
            first = at
        elif not is_wrong and first is not None:
            found.append(Flawed(flaw, first, at - first))
            first = None
    return tuple(found)


def saturated(samples: Iterable[int], lowest: int, highest: int) -> tuple[Flawed, ...]:
    """The stretches in which a converter that reaches from ``lowest`` to ``highest`` stood at an end."""
    return flawed_where(Flaw.SATURATED, (not lowest < sample < highest for sample in samples))
