"""Bringing a store up to date, one version after the other.

Each step is one transaction that ends by setting ``user_version``: whenever the power goes, the store is
whole, of this version or of the one before. A step is the very statements that stand in
`edge.store.schema`, then what must be computed from the rows that are there.
"""

import dataclasses
from collections.abc import Callable
from typing import Final

from edge.store import patient_index, sqlite
from edge.store.errors import StoreNewer, translated
from edge.store.schema import (
    ADDED_IN_2,
    ADDED_IN_3,
    ADDED_IN_4,
    ADDED_IN_5,
    ADDED_IN_6,
    ADDED_IN_7,
    VERSION,
)
from edge.store.schema_attachments import ADDED_IN_9
from edge.store.schema_down import ADDED_IN_8

OLDEST: Final = 1


@dataclasses.dataclass(frozen=True, slots=True)
class _Step:
    statements: tuple[str, ...]
    compute: Callable[[sqlite.Connection], None] | None = None


_STEPS: Final[dict[int, _Step]] = {
    2: _Step(ADDED_IN_2),
    3: _Step(ADDED_IN_3, patient_index.number_and_enter_all),
    4: _Step(ADDED_IN_4),
    5: _Step(ADDED_IN_5),
    6: _Step(ADDED_IN_6),
    7: _Step(ADDED_IN_7),
    8: _Step(ADDED_IN_8),
    9: _Step(ADDED_IN_9),
}
"""How each version is made of the one before."""


def bring_up_to_date(connection: sqlite.Connection) -> None:
    """Take a store to `VERSION`; one that is there already is not written to.

    Raises:
        StoreNewer: a later version of this software made it; nothing was changed.
        StoreError: the disk does not take a step; the store is of the version before, whole.
    """
    with translated():
        [(version,)] = connection.execute("PRAGMA user_version").fetchall()
    if version > VERSION:
        raise StoreNewer(
            f"A newer version of this software made the store (schema {version}).",
            next_step="Install that version or a later one.",
        )
    for number in range(max(version, OLDEST) + 1, VERSION + 1):
        with translated():
            _take(connection, number, _STEPS[number])


def _take(connection: sqlite.Connection, number: int, step: _Step) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in step.statements:
            connection.execute(statement)
        if step.compute is not None:
            step.compute(connection)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
