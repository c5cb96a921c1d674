"""What was validly signed and could not be opened as it is: shown, and tried once more on request."""

import dataclasses
from typing import Any, ClassVar

from edge.errors import QafilaError
from sync.central import database, sentences, work
from sync.central.home import CentreHome
from sync.central.spans import Journal


class NothingQuarantined(QafilaError):
    """There is nothing like that to be tried again."""

    code: ClassVar[str] = "nothing-quarantined"


@dataclasses.dataclass(frozen=True, slots=True)
class Quarantined:
    """One batch.

    Attributes:
        batch: its number at this centre.
        reason: as its unit is told: ``key``, ``decode``, ``head`` or ``schema``.
        code: what it was refused with; ``sentences.QUARANTINED`` says it.
        found_ms: when, by the centre's clock; None while only its key message is missing.
    """

    batch: int
    unit: str
    epoch: str
    stream: str
    first: int
    last: int
    reason: str
    code: str
    found_ms: int | None

    def as_json(self) -> dict[str, Any]:
        sentence, next_step = sentences.QUARANTINED[self.code]
        return {**dataclasses.asdict(self), "sentence": sentence, "next": next_step}


def batches(home: CentreHome, unit: str | None = None) -> list[Quarantined]:
    """Every batch that waits to be opened and did not open, of one unit or of all.

    Raises:
        CentreError, CentreDatabaseError: the centre cannot be used.
    """
    home.read_settings()
    connection = database.connect(home.database)
    try:
        rows = connection.execute(
            "SELECT id, unit, epoch, stream, first, last, state, coalesce(code, 'key-missing'), found_ms"
            " FROM landing LEFT JOIN quarantine ON batch = id WHERE settled = 0 AND state <> 'waiting'"
            " ORDER BY unit, epoch, stream, first, id"
        ).fetchall()
    finally:
        connection.close()
    return [Quarantined(*row) for row in rows if unit in {None, row[1]}]


def retry(home: CentreHome, unit: str | None = None) -> int:
    """Have the exploder try them again now, as it does by itself when it starts; how many there are.

    Raises:
        NothingQuarantined: there are none.
        CentreError, CentreDatabaseError: the centre cannot be used.
    """
    found = batches(home, unit)
    if not found:
        raise NothingQuarantined(
            "Nothing is quarantined." if unit is None else f"Nothing of {unit} is quarantined.",
            next_step="See qafila central units.",
        )
    connection = database.connect(home.database)
    try:
        with database.write(connection):
            for each in found:
                connection.execute(
                    "UPDATE sessions SET state = 'landed' WHERE unit = ? AND state = 'refused' AND session ="
                    " (SELECT session FROM landing WHERE id = ?)",
                    (each.unit, each.batch),
                )
                connection.execute(
                    "UPDATE landing SET state = 'waiting' WHERE id = ? AND settled = 0", (each.batch,)
                )
            journals = {Journal(each.unit, each.epoch, each.stream) for each in found}
            key_messages = {Journal(each.unit, each.epoch, work.KEY_MESSAGES) for each in found}
            work.note(connection, journals | key_messages)
    finally:
        connection.close()
    return len(found)
