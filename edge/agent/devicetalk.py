"""What a reading says beside its values: whose device it was, and whether it is of now. Pure."""

import dataclasses
from typing import Final

from edge.vitals.identity import Identity
from edge.vitals.reading import Reading

FROM_MEMORY: Final = "from-memory"
"""The flag of a value that was not measured when it came: whoever shows it shows its own time."""
BATTERY_STEP: Final = 10
LOW_BATTERY: Final = 10
"""A battery goes down all day; it is noted at every tenth, and when it is all but empty."""


def is_live(reading: Reading) -> bool:
    """Whether it was measured just now, and so on whoever the device is on."""
    if reading.stored:
        return False
    return reading.record is None if reading.just_taken is None else reading.just_taken


def record_of(reading: Reading) -> bytes | None:
    """What identifies a record of the device's memory, however often it is read out; None for a live reading.

    Where a driver names none, a stored reading is known by its time and its bytes. Without a time it is
    not: two patients may well have one value.
    """
    if reading.record is None and reading.stored and reading.at is not None:
        return reading.at.isoformat().encode() + b"\x00" + reading.raw
    return reading.record


def flags_of(reading: Reading) -> tuple[str, ...]:
    """What the device said, with the mark of what is not of now."""
    if is_live(reading) or FROM_MEMORY in reading.flags:
        return reading.flags
    return (*reading.flags, FROM_MEMORY)


def clock_off_s(reading: Reading) -> int | None:
    """By how many whole seconds the clock that stamped it was ahead of the box's."""
    off_s = reading.clock_off_s
    return None if off_s is None or reading.at is None else round(off_s)


def news_of(before: Identity | None, now: Identity | None) -> Identity | None:
    """What has to be noted of a device after what is noted of it already; None when nothing has."""
    if now is None or not (any(now.who) or now.battery_percent is not None):
        return None
    if before is None or (any(now.who) and now.who != before.who):
        return now
    if not _battery_is_news(before.battery_percent, now.battery_percent):
        return None
    return dataclasses.replace(before, battery_percent=now.battery_percent)


def _battery_is_news(before: int | None, now: int | None) -> bool:
    if now is None or now == before:
        return False
    if before is None:
        return True
    return abs(now - before) >= BATTERY_STEP or (now <= LOW_BATTERY) is not (before <= LOW_BATTERY)
