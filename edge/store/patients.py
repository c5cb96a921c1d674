"""Reading patients."""

import json
from collections.abc import Iterable
from typing import Final

from edge.records.fields import Stream
from edge.store.base import Base
from edge.store.normalise import normalise, normalise_identifier
from edge.store.rows import Patient
from edge.store.sqlite import Row

_PATIENTS: Final = (
    "SELECT patients.patient, revision, family, given, sex, birth, phone, village, identifiers,"
    " patient_chains.epoch, alert, vitals, doc, wave, audit"
    " FROM patients JOIN patient_chains ON patient_chains.patient = patients.patient"
)
_MOST_WORDS: Final = 6
_FOUND: Final = (
    " WHERE norm LIKE ? AND norm LIKE ? AND norm LIKE ? AND norm LIKE ? AND norm LIKE ? AND norm LIKE ?"
    " OR patients.patient IN (SELECT patient FROM identifiers WHERE norm = ?)"
    " ORDER BY patients.patient DESC LIMIT ?"
)


class PatientReads(Base):
    """What can be asked of the patient index."""

    def patient(self, patient: bytes) -> Patient | None:
        found = self._patients(self._rows(_PATIENTS + " WHERE patients.patient = ?", patient))
        return next(iter(found), None)

    def patients(self, limit: int = 1000) -> list[Patient]:
        """The patients registered last, newest first (a UUIDv7 sorts by time)."""
        return self._patients(self._rows(_PATIENTS + " ORDER BY patients.patient DESC LIMIT ?", limit))

    def find_patients(self, text: str, limit: int = 50) -> list[Patient]:
        """Patients of whom name, village and phone hold every word of ``text``, or whose identifier it is.

        Words beyond the sixth are not looked at.
        """
        words = [f"%{word}%" for word in normalise(text).split()[:_MOST_WORDS]]
        if not words:
            return []
        words += ["%"] * (_MOST_WORDS - len(words))
        return self._patients(self._rows(_PATIENTS + _FOUND, *words, normalise_identifier(text), limit))

    def _patients(self, rows: Iterable[Row]) -> list[Patient]:
        return [self._patient(row) for row in rows]

    def _patient(self, row: Row) -> Patient:
        patient, revision, family, given, sex, birth, phone, village, identifiers, epoch, *tips = row
        current = epoch == self._epoch.number
        return Patient(
            patient=patient,
            revision=revision,
            family=family,
            given=given,
            sex=sex,
            birth=birth,
            phone=phone,
            village=village,
            identifiers=tuple((system, value) for system, value in json.loads(identifiers)),
            tips={stream: tip for stream, tip in zip(Stream, tips, strict=True) if tip and current},
        )
