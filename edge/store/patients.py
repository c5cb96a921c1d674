"""Reading patients."""

from collections.abc import Iterable

from edge.records.fields import Stream
from edge.store.base import Base, Row
from edge.store.normalise import normalise, normalise_identifier
from edge.store.rows import Patient

_COLUMNS = "patient, revision, family, given, sex, birth, phone, village"


class PatientReads(Base):
    """What can be asked of the patient index."""

    def patient(self, patient: bytes) -> Patient | None:
        return next(
            iter(self._patients(self._rows(f"SELECT {_COLUMNS} FROM patients WHERE patient = ?", patient))),
            None,
        )

    def patients(self, limit: int = 1000) -> list[Patient]:
        """The patients registered last, newest first (a UUIDv7 sorts by time)."""
        rows = self._rows(f"SELECT {_COLUMNS} FROM patients ORDER BY patient DESC LIMIT ?", limit)
        return self._patients(rows)

    def find_patients(self, text: str, limit: int = 50) -> list[Patient]:
        """Patients whose name, village or phone holds every word of ``text``, or who have it as identifier."""
        identifier = normalise_identifier(text)
        words = normalise(text).split()
        if not words:
            return []
        clauses = " AND ".join(["norm LIKE ?"] * len(words))
        rows = self._rows(
            f"SELECT {_COLUMNS} FROM patients WHERE ({clauses})"
            " OR patient IN (SELECT patient FROM identifiers WHERE norm = ?)"
            " ORDER BY patient DESC LIMIT ?",
            *(f"%{word}%" for word in words),
            *(identifier, limit),
        )
        return self._patients(rows)

    def _patients(self, rows: Iterable[Row]) -> list[Patient]:
        found: list[Patient] = []
        for row in rows:
            identifiers = self._rows(
                "SELECT system, value FROM identifiers WHERE patient = ? ORDER BY place", row[0]
            )
            tips = self._rows(
                "SELECT stream, tip FROM patient_tips WHERE patient = ? AND epoch = ?",
                *(row[0], self._epoch.number),
            )
            found.append(
                Patient(
                    *row,
                    identifiers=tuple((system, value) for system, value in identifiers),
                    tips={Stream(stream): tip for stream, tip in tips},
                )
            )
        return found
