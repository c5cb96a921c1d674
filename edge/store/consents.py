"""What patients agreed to: every decision is kept, the last about a scope holds."""

from typing import Final

from edge.records.fields import Field, Payload
from edge.store import sqlite
from edge.store.base import Base, Epoch
from edge.store.merging import WHOLE
from edge.store.rows import Consent

_FIELDS: Final = (
    *(Field.PATIENT, Field.SCOPE, Field.REVISION, Field.DECISION, Field.GIVEN_BY, Field.FORM),
    *(Field.LANGUAGE, Field.WITNESS, Field.OPERATOR, Field.WALL_MS),
)
_CONSENTS: Final = (
    f"WITH whole AS ({WHOLE})"  # noqa: S608  ours
    " SELECT patient, scope, revision, decision, given_by, form, language, witness, operator, wall_ms"
    " FROM consents WHERE patient IN whole ORDER BY entry DESC LIMIT ?"
)


class ConsentReads(Base):
    """What can be asked of consents."""

    def consents(self, patient: bytes, limit: int = 200) -> list[Consent]:
        """The last decisions of a patient and of everybody merged into them, in the order of saving."""
        rows = self._rows(_CONSENTS, patient, limit)
        return [Consent(*row) for row in reversed(rows)]

    def next_consent(self, patient: bytes, scope: str) -> int:
        """The revision of a patient's next decision about a scope."""
        row = self._row(
            "SELECT coalesce(max(revision), 0) + 1 FROM consents WHERE patient = ? AND scope = ?",
            *(patient, scope),
        )
        return 1 if row is None else int(row[0])


def project_consent(connection: sqlite.Connection, _epoch: Epoch, entry: int, payload: Payload) -> None:
    """`Kind.CONSENT`."""
    connection.execute(
        "INSERT INTO consents (entry, patient, scope, revision, decision, given_by, form, language, witness,"
        " operator, wall_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (entry, *(payload.get(field) for field in _FIELDS)),
    )
