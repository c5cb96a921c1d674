"""How units are, by what they said of themselves last: signed, sealed, and as old as it is."""

import contextlib
import dataclasses
import json
from typing import Any, Final

from edge.clock import Clock, ClockQuality
from sync.central import database
from sync.central.home import CentreHome

OVERDUE_MS: Final = 24 * 3_600_000
"""A unit says how it is every six hours while somebody works with it."""
_LAST: Final = (
    "SELECT health.unit, wall_ms, quality, said FROM health"
    " JOIN (SELECT unit, max(wall_ms) AS last FROM health GROUP BY unit) AS newest"
    " ON newest.unit = health.unit AND newest.last = health.wall_ms"
    " ORDER BY health.unit, epoch, seq"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """What a unit said last.

    Attributes:
        age_ms: how long ago, by its clock and ours; negative where its clock is ahead.
        clock: what told its time.
        said: by name, as `edge.agent.commands.status` gathers it.
    """

    unit: str
    wall_ms: int
    age_ms: int
    clock: str
    said: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def last(home: CentreHome, clock: Clock) -> list[Said]:
    """What each unit said last, by its own clock."""
    now_ms = clock.now().wall_ms
    known = {int(each): each.name.lower() for each in ClockQuality}
    with contextlib.closing(database.connect(home.database)) as connection:
        found = connection.execute(_LAST, ()).fetchall()
    newest = {
        unit: Said(unit, wall_ms, now_ms - wall_ms, known.get(quality, "none"), json.loads(said))
        for unit, wall_ms, quality, said in found
    }
    return list(newest.values())
