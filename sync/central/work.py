"""What exploders have to look at: noted with what landed, struck off with what became of it.

The notes are in the database, so that any exploder may take any of them, and one that is killed leaves them
to the others. A reason that comes while somebody looks makes a note outlast that look.
"""

import dataclasses
from collections.abc import Iterable
from typing import Final

from sync.central.database import Connection
from sync.central.spans import Journal

KEY_MESSAGES: Final = ""
"""In place of a stream: the key messages of an epoch."""
_AT_ONCE: Final = 500
_AGAIN: Final = " ON CONFLICT (unit, epoch, stream) DO UPDATE SET n = work.n + 1, due_ms = excluded.due_ms"
_NOTE: Final = "INSERT INTO work VALUES (?, ?, ?, 1, 0)" + _AGAIN  # noqa: S608  ours


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """Something to look at.

    Attributes:
        n: rises with every reason to look; None for what is noted nowhere yet.
    """

    journal: Journal
    n: int | None


def note(connection: Connection, journals: Iterable[Journal]) -> None:
    """Have these looked at; in the transaction that gives the reason."""
    connection.executemany(_NOTE, [journal.key for journal in sorted(set(journals), key=lambda j: j.key)])


def note_all(connection: Connection) -> None:
    """Have everything looked at that is not settled: after an update, or with keys that were not at hand."""
    connection.execute(
        f"INSERT INTO work SELECT DISTINCT unit, epoch, stream, 1, 0 FROM landing WHERE settled = 0{_AGAIN}"  # noqa: S608  ours
    )
    connection.execute(
        f"INSERT INTO work SELECT DISTINCT unit, epoch, '{KEY_MESSAGES}', 1, 0 FROM sessions"  # noqa: S608  ours
        f" WHERE state = 'landed'{_AGAIN}"
    )


def due(connection: Connection, now_ms: int) -> list[Task]:
    """What is to be looked at now; what waits longest comes first, and not more than one round takes."""
    rows = connection.execute(
        "SELECT unit, epoch, stream, n FROM work WHERE due_ms <= ?"
        " ORDER BY due_ms, unit, epoch, stream LIMIT ?",
        (now_ms, _AT_ONCE),
    )
    return [Task(Journal(unit, epoch, stream), n) for unit, epoch, stream, n in rows.fetchall()]


def is_due(connection: Connection, now_ms: int) -> bool:
    return (
        connection.execute("SELECT 1 FROM work WHERE due_ms <= ? LIMIT 1", (now_ms,)).fetchone() is not None
    )


def present(connection: Connection, task: Task) -> Task | None:
    """The task as it stands now; None when somebody else has done it meanwhile."""
    row = connection.execute(
        "SELECT n FROM work WHERE unit = ? AND epoch = ? AND stream = ?", task.journal.key
    ).fetchone()
    return None if row is None else Task(task.journal, row[0])


def strike_off(connection: Connection, tasks: Iterable[Task]) -> None:
    """These were looked at; a note with a newer reason stays."""
    connection.executemany(
        "DELETE FROM work WHERE unit = ? AND epoch = ? AND stream = ? AND n = ?",
        [(*task.journal.key, task.n) for task in tasks if task.n is not None],
    )


def put_off(connection: Connection, later: Iterable[tuple[Journal, int]]) -> None:
    """Have these looked at by then, unless there is a reason before."""
    connection.executemany(
        "INSERT INTO work VALUES (?, ?, ?, 1, ?) ON CONFLICT (unit, epoch, stream) DO NOTHING",
        [(*journal.key, due_ms) for journal, due_ms in later],
    )
