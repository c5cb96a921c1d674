"""The records of a visit as rows: what was measured together is one row. Pure."""

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final

from edge.localapi.shapes import ObservationShown, ShownValue, State, StreamShown
from edge.vitals.codes import Code
from edge.vitals.quantity import shown_unit
from tui.monitor import measured

ORDER: Final[tuple[State, ...]] = ("saved", "sent", "arrived", "received")
SYMBOLS: Final[dict[State, str]] = {"saved": "●", "sent": "↑", "arrived": "◆", "received": "✓"}
"""Signs that differ at every level of characters: a Linux console draws a triangle as it draws an arrow."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One reading: its parts in order, and how far all of it has come."""

    reading: int
    wall_ms: int
    parts: tuple[tuple[str, str, str], ...]
    """Of each: code, value, unit. Both pressures are one part of code ``bp``."""
    missing: tuple[str, ...]
    source: str
    device: str | None
    flags: tuple[str, ...]
    state: State
    old: bool = False
    corrected: bool = False
    """All of it was put right or taken back since."""
    taken: datetime.datetime | None = None
    """Of an old one: when it was taken, by the box's clock as far as the device's could be compared."""


def rows(observations: Iterable[ObservationShown], stream: StreamShown | None) -> list[Row]:
    """The latest first."""
    ordered = sorted(observations, key=lambda each: each.seq)
    made = [
        _row(reading, list(group), stream)
        for (reading, _), group in groupby(ordered, key=lambda each: (each.reading, each.corrected))
    ]
    return made[::-1]


def state_of(seq: int, shown: State, stream: StreamShown | None) -> State:
    """How far an entry has come, by the stream's marks where they are newer than the entry's own state."""
    if stream is None:
        return shown
    if seq <= stream.opened:
        return "received"
    if seq <= stream.landed:
        return "arrived"
    return "sent" if seq <= stream.sent else "saved"


def parts_of(
    by_code: Mapping[str, ObservationShown | ShownValue],
) -> tuple[tuple[tuple[str, str, str], ...], tuple[str, ...]]:
    """Values as code, number, unit, both pressures as one; and why some have no number."""
    left = dict(by_code)
    parts: list[tuple[str, str, str]] = []
    systolic, diastolic = left.pop(Code.SYSTOLIC, None), left.pop(Code.DIASTOLIC, None)
    if systolic is not None and diastolic is not None and systolic.value and diastolic.value:
        parts.append(("bp", f"{measured(systolic)}/{measured(diastolic)}", "mmHg"))
    else:
        left = {each.code: each for each in (systolic, diastolic) if each is not None} | left
    for code, each in left.items():
        parts.append((code, measured(each), shown_unit(each.unit or "")))
    missing = tuple(dict.fromkeys(each.missing for each in by_code.values() if each.missing))
    return tuple(parts), missing


def _row(reading: int, group: list[ObservationShown], stream: StreamShown | None) -> Row:
    parts, missing = parts_of({each.code: each for each in group})
    first = group[0]
    states: list[State] = [state_of(each.seq, each.state, stream) for each in group]
    return Row(
        reading,
        first.wall_ms,
        parts,
        missing,
        first.source,
        first.device,
        first.flags,
        min(states, key=ORDER.index),
        first.old,
        first.corrected,
        _taken(first),
    )


def _taken(shown: ObservationShown) -> datetime.datetime | None:
    """Local time without zone, as a device's clock tells it."""
    if shown.device_time is None:
        return None
    try:
        said = datetime.datetime.fromisoformat(shown.device_time)
        return said - datetime.timedelta(seconds=shown.clock_off_s or 0)
    except (ValueError, OverflowError):
        return None
