"""What each device said last, whichever of them a tile follows. Pure."""

import dataclasses
from collections.abc import Sequence
from typing import Final

from edge.localapi.events import ReadingEvent
from edge.localapi.shapes import ObservationShown, ShownValue
from edge.vitals.codes import Code
from tui.monitor import STREAM_STALE_S
from tui.records import Row, parts_of, rows

PASSING: Final = frozenset({Code.CUFF_PRESSURE})
"""No value of a patient: it is shown beside the pressure while a cuff pumps."""


@dataclasses.dataclass(frozen=True, slots=True)
class Together:
    """Values that are of one moment.

    Attributes:
        parts: of each value: code, number as text, unit.
        missing: why there is no number, where there is none.
        age_s: how old they are.
    """

    parts: tuple[tuple[str, str, str], ...]
    missing: tuple[str, ...]
    age_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """What one device says now.

    Attributes:
        groups: what it says, the latest first.
        silent_s: for how long its display has said nothing, when that is too long to say anything of now.
        row: what is stored of the device last, where it has said nothing that can be shown.
        remembered: something came out of its memory, and may be anyone's.
        clock_off_s: by how much its clock was ahead of the unit's when it was last read.
    """

    groups: tuple[Together, ...] = ()
    silent_s: float | None = None
    row: Row | None = None
    remembered: bool = False
    clock_off_s: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Heard:
    value: ShownValue
    at_s: float
    running: bool


class DeviceBook:
    """Follows all devices of one visit."""

    def __init__(self) -> None:
        self._heard: dict[str, dict[str, _Heard]] = {}
        self._rows: dict[str, Row] = {}
        self._remembered: set[str] = set()
        self._off_s: dict[str, int] = {}

    def hear(self, reading: ReadingEvent, now_s: float) -> None:
        """Take what a device shows; what comes out of its memory is in the list of what is stored."""
        if reading.clock_off_s is not None:
            self._off_s[reading.device] = reading.clock_off_s
        if reading.old:
            self._remembered.add(reading.device)
            return
        heard = self._heard.setdefault(reading.device, {})
        for value in reading.values:
            if value.code not in PASSING:
                heard[value.code] = _Heard(value, now_s, not reading.finished)

    def hold(self, observations: Sequence[ObservationShown]) -> None:
        """Take what is stored of the visit."""
        for each in observations:
            if each.device is not None and each.clock_off_s is not None:
                self._off_s.setdefault(each.device, each.clock_off_s)  # what was heard since is later
        self._rows = {}
        for row in reversed(rows(observations, None)):
            if row.device is not None:
                self._rows[row.device] = row

    def said(self, device: str, now_s: float) -> Said:
        """What a device says now; nothing of a display that has grown old."""
        heard = self._heard.get(device, {}).values()
        running = [each for each in heard if each.running]
        fresh = [each for each in running if not _stale(each, now_s)]
        over: dict[float, list[_Heard]] = {}
        for each in heard:
            if not each.running:
                over.setdefault(each.at_s, []).append(each)
        groups = [_together(each, now_s) for each in (fresh, *over.values()) if each]
        groups.sort(key=lambda group: group.age_s)
        silent_s = min((now_s - each.at_s for each in running), default=None) if not fresh else None
        row = None if groups else self._rows.get(device)
        return Said(tuple(groups), silent_s, row, device in self._remembered, self._off_s.get(device))


def _together(heard: Sequence[_Heard], now_s: float) -> Together:
    parts, missing = parts_of({each.value.code: each.value for each in heard})
    return Together(parts, missing, min(now_s - each.at_s for each in heard))


def _stale(heard: _Heard, now_s: float) -> bool:
    return heard.running and now_s - heard.at_s > STREAM_STALE_S
