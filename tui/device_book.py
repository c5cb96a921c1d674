"""What each device said last, whichever of them a tile follows. Pure."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

from edge.localapi.events import ReadingEvent
from edge.localapi.shapes import ObservationShown, ShownValue
from edge.vitals.codes import Code
from tui.monitor import STREAM_STALE_S
from tui.records import Row, parts_of, rows

PASSING: Final = frozenset({Code.CUFF_PRESSURE})
"""No value of a patient: it is shown beside the pressure while a cuff pumps."""


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """What one device says now.

    Attributes:
        parts: of each value: code, number as text, unit.
        missing: why there is no number, where there is none.
        age_s: how old the latest of it is.
        silent: it is the display of a device that has said nothing for so long that it says nothing of now.
        row: what is stored of the device last, where it has said nothing that can be shown.
    """

    parts: tuple[tuple[str, str, str], ...] = ()
    missing: tuple[str, ...] = ()
    age_s: float | None = None
    silent: bool = False
    row: Row | None = None


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

    def hear(self, reading: ReadingEvent, now_s: float) -> None:
        """Take what a device shows; what comes out of its memory is in the list of what is stored."""
        if reading.old:
            return
        heard = self._heard.setdefault(reading.device, {})
        for value in reading.values:
            if value.code not in PASSING:
                heard[value.code] = _Heard(value, now_s, not reading.finished)

    def hold(self, observations: Sequence[ObservationShown]) -> None:
        """Take what is stored of the visit."""
        self._rows = {}
        for row in reversed(rows(observations, None)):
            if row.device is not None:
                self._rows[row.device] = row

    def said(self, device: str, now_s: float) -> Said:
        """What a device says now; nothing of a display that has grown old."""
        heard = self._heard.get(device, {})
        age_s = min((now_s - each.at_s for each in heard.values()), default=None)
        fresh = [each for each in heard.values() if not _stale(each, now_s)]
        if fresh:
            parts, missing = parts_of(_as_shown(each.value for each in fresh))
            return Said(parts, missing, age_s)
        return Said(age_s=age_s, silent=bool(heard), row=self._rows.get(device))


def _stale(heard: _Heard, now_s: float) -> bool:
    return heard.running and now_s - heard.at_s > STREAM_STALE_S


def _as_shown(values: Iterable[ShownValue]) -> dict[str, ShownValue]:
    return {value.code: value for value in values}
