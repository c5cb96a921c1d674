"""Reading patients."""

import json
from collections.abc import Iterable, Sequence
from typing import Final

from edge.records.fields import Stream
from edge.store import patient_index
from edge.store.base import Base
from edge.store.errors import translated
from edge.store.likeness import PROPOSED, Traits, likeness
from edge.store.normalise import normalise_identifier
from edge.store.rows import Patient
from edge.store.sqlite import Row

_PATIENTS: Final = (
    "SELECT patients.patient, revision, family, given, sex, birth, phone, village, identifiers,"
    " patient_chains.epoch, alert, vitals, doc, wave, audit"
    " FROM patients JOIN patient_chains ON patient_chains.patient = patients.patient"
)
_NEAR: Final = 200
"""So many candidates are compared; each takes 20 µs."""
_IDENTIFIED: Final = " WHERE patients.patient IN (SELECT patient FROM identifiers WHERE norm = ?)"


class PatientReads(Base):
    """What can be asked of the patient index."""

    def patient(self, patient: bytes) -> Patient | None:
        found = self._patients(self._rows(_PATIENTS + " WHERE patients.patient = ?", patient))
        return next(iter(found), None)

    def patients(self, limit: int = 1000) -> list[Patient]:
        """The patients registered last, newest first (a UUIDv7 sorts by time)."""
        return self._patients(self._rows(_PATIENTS + " ORDER BY patients.patient DESC LIMIT ?", limit))

    def find_patients(self, text: str, limit: int = 50) -> list[Patient]:
        """Patients found by every word of ``text``, newest first; a whole identifier is found first.

        `edge.store.patient_index` says what a word finds.
        """
        with translated():
            numbers = patient_index.find(self._connection, text, limit)
        named = self._patients(self._rows(_PATIENTS + _IDENTIFIED, normalise_identifier(text)))
        first = {each.patient for each in named}
        others = [each for each in self._numbered(numbers) if each.patient not in first]
        return [*named, *others][:limit]

    def likely_patients(self, traits: Traits) -> list[Patient]:
        """Patients who may be the one that somebody is about to enter, the likeliest first."""
        with translated():
            numbers = patient_index.near(self._connection, traits.family, traits.given, traits.phone, _NEAR)
        scored = [(likeness(traits, _traits(each)), each) for each in self._numbered(numbers)]
        alike = sorted((pair for pair in scored if pair[0]), key=lambda pair: pair[0], reverse=True)
        return [each for _, each in alike[:PROPOSED]]

    def _numbered(self, numbers: Sequence[int]) -> list[Patient]:
        places = ", ".join("?" * len(numbers))
        return self._patients(
            self._rows(_PATIENTS + f" WHERE number IN ({places}) ORDER BY number DESC", *numbers)
        )

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


def _traits(patient: Patient) -> Traits:
    return Traits(patient.family, patient.given, patient.sex, patient.birth, patient.phone)
