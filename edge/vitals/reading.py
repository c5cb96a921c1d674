"""What a driver hands on: readings, stretches of wave, and what the device said of itself."""

import dataclasses
import datetime
from collections.abc import Sequence
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
    stored: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Wave:
    """Consecutive samples of one signal, as the device sends them.

    Attributes:
        lead: which ECG lead, or None.
        rate: samples per second.
        samples: integers in ``unit``; ``1`` when the scale is unknown.
        gap: samples before these were lost: do not join them to the stretch before.
    """

    code: Code
    lead: str | None
    unit: Unit
    rate: Decimal
    samples: Sequence[int]
    gap: bool = False
