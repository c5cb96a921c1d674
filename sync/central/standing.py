"""How each unit stands: epochs that came after others, copies that live on, contradictions. No patient."""

import dataclasses
from typing import Any, Final

from sync.central import database, losses, trouble
from sync.central.home import CentreHome

SECOND_SESSION: Final = "second-session"
"""The code of the alert with which a unit says that somebody else connects under its name."""


@dataclasses.dataclass(frozen=True, slots=True)
class UnitStanding:
    """One enrolled unit.

    Attributes:
        epochs: how many of its epochs anything has landed of.
        went_back: how often its store went back in time, as far as it told.
        cloned: epochs that were written to after another had come after them.
        conflicts: places of its journal that have two contents.
        quarantined: batches that cannot be opened as they are.
        lost: entries that it reported lost and that are not here either.
        revoked: as what it is not believed as before: ``retired`` or ``compromised``.
        held: how many messages of it are held until somebody lets them land.
        received: how many entries of its journal are opened without a gap before them.
        second_sessions: how often it said that somebody else connects under its name.
        second_session_ms: when it said so last, by its own clock.
    """

    unit: str
    epochs: int
    went_back: int
    cloned: tuple[str, ...]
    conflicts: int
    quarantined: int
    lost: int = 0
    revoked: str | None = None
    held: int = 0
    received: int = 0
    second_sessions: int = 0
    second_session_ms: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "cloned": list(self.cloned)}


def units(home: CentreHome) -> list[UnitStanding]:
    """Every enrolled unit, by name.

    Raises:
        CentreDatabaseError: the database cannot be used.
    """
    connection = database.connect(home.database)
    try:
        with trouble.understood():
            names = connection.execute("SELECT unit FROM units ORDER BY unit").fetchall()
            return [_standing(connection, unit) for (unit,) in names]
    finally:
        connection.close()


def _standing(connection: database.Connection, unit: str) -> UnitStanding:
    epochs, went_back, conflicts, quarantined = connection.execute(
        "SELECT (SELECT count(DISTINCT epoch) FROM spans WHERE unit = ?1),"
        " (SELECT count(*) FROM lineage WHERE unit = ?1),"
        " (SELECT count(*) FROM (SELECT DISTINCT epoch, stream, seq FROM conflicts WHERE unit = ?1) AS p),"
        " (SELECT count(*) FROM quarantine JOIN landing ON landing.id = batch WHERE unit = ?1)",
        (unit,),
    ).fetchone()
    cloned = connection.execute(
        "SELECT epoch FROM clones WHERE unit = ? ORDER BY found_ms", (unit,)
    ).fetchall()
    (received,) = connection.execute(
        "SELECT coalesce(sum(through), 0) FROM chains WHERE unit = ?", (unit,)
    ).fetchone()
    revoked, held = connection.execute(
        "SELECT state, held FROM revocations WHERE unit = ?", (unit,)
    ).fetchone() or (None, 0)
    sessions, session_ms = connection.execute(
        "SELECT count(*), max(wall_ms) FROM alerts WHERE unit = ? AND code = ?", (unit, SECOND_SESSION)
    ).fetchone()
    return UnitStanding(
        *(unit, epochs, went_back, tuple(epoch for (epoch,) in cloned), conflicts, quarantined),
        *(losses.lost(connection, unit), revoked, held, int(received)),
        *(int(sessions), session_ms),
    )
