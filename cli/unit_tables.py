"""A programme's own rule tables on a unit, for commands that apply rules themselves."""

from pathlib import Path

from edge.config.places import Places
from edge.config.slots import Slots
from edge.errors import QafilaError
from edge.scoring import installed
from edge.scoring.tables import TableRefused


def put_in_force(home: Path | None) -> None:
    """Have the tables that the centre sent this unit hold here too; elsewhere the project's own do.

    Raises:
        QafilaError: ``table-refused`` when one of them does not fit this version of the program.
    """
    document = Slots(Places.at(home).configuration).present()
    try:
        installed.IN_FORCE.put({} if document is None else document.tables)
    except TableRefused as refused:
        raise QafilaError(
            f"A table that the centre sent does not fit this program: {refused}.",
            next_step="Have the centre send another; the agent uses the project's own meanwhile.",
            code="table-refused",
        ) from None
