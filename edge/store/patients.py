"""Reading patients."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Final

from edge.records.fields import Stream
from edge.records.names import PersonName
from edge.store import patient_index
from edge.store.base import Base
from edge.store.errors import translated
from edge.store.likeness import PROPOSED, Traits, likeness
from edge.store.merging import WHO, WHOLE
from edge.store.normalise import normalise_identifier
from edge.store.rows import Patient
from edge.store.sqlite import Row

_PATIENTS: Final = (
    "SELECT patients.patient, revision, family, given, family_arabic, given_arabic, sex, birth, phone,"
    " village, identifiers, birth_estimated, merged_into, links,"
    " patient_chains.epoch, alert, vitals, doc, wave, audit"
    " FROM patients JOIN patient_chains ON patient_chains.patient = patients.patient"
)
_NEAR: Final = 200
"""So many candidates are compared; each takes 20 µs."""
_IDENTIFIED: Final = " WHERE patients.patient IN (SELECT patient FROM identifiers WHERE norm = ?)"


class PatientReads(Base):
    """What can be asked of the patient index.

    Lists and searches give persons: of patients who were merged the one they are, found by every name and
    identifier of all of them.
    """

    def patient(self, patient: bytes) -> Patient | None:
        """The patient of this id, merged or not, and without who was merged into them."""
        found = self._patients(self._rows(_PATIENTS + " WHERE patients.patient = ?", patient))
        return next(iter(found), None)

    def person(self, patient: bytes) -> Patient | None:
        """Who the patient of this id is, with everybody who was merged into them."""
        return next(iter(self._persons(self._patients_of([patient]))), None)

    def patients(self, limit: int = 1000) -> list[Patient]:
        """The persons registered last, newest first (a UUIDv7 sorts by time)."""
        rows = self._rows(
            _PATIENTS + " WHERE merged_into IS NULL ORDER BY patients.patient DESC LIMIT ?", limit
        )
        return self._persons(self._patients(rows))

    def find_patients(self, text: str, limit: int = 50) -> list[Patient]:
        """Persons found by every word of ``text``, newest first; a whole identifier is found first.

        `edge.store.patient_index` says what a word finds.
        """
        with translated():
            numbers = patient_index.find(self._connection, text, limit)
        whole = normalise_identifier(text)
        named = self._patients(self._rows(_PATIENTS + _IDENTIFIED, whole)) if whole else []
        first = {each.patient for each in named}
        others = [each for each in self._numbered(numbers) if each.patient not in first]
        return self._persons([*named, *others])[:limit]

    def likely_patients(self, traits: Traits) -> list[Patient]:
        """Persons who may be the one that somebody is about to enter, the likeliest first."""
        with translated():
            numbers = patient_index.near(self._connection, traits.spellings, traits.phone, _NEAR)
        scored = [(likeness(traits, _traits(each)), each) for each in self._numbered(numbers)]
        alike = sorted((pair for pair in scored if pair[0]), key=lambda pair: pair[0], reverse=True)
        return self._persons([each for _, each in alike])[:PROPOSED]

    def _persons(self, found: Sequence[Patient]) -> list[Patient]:
        """Who they are, each once, in the same order."""
        there = {each.patient: each for each in found}
        who = [each.patient if each.merged_into is None else self._who(each.patient) for each in found]
        missing = [patient for patient in dict.fromkeys(who) if patient not in there]
        there |= {each.patient: each for each in self._patients_of(missing)}
        kept = [patient for patient in dict.fromkeys(who) if patient in there]
        parents = self._parents(kept)
        return [self._whole(there[patient]) if patient in parents else there[patient] for patient in kept]

    def _whole(self, person: Patient) -> Patient:
        ids = [patient for (patient,) in self._rows(WHOLE, person.patient)][1:]
        tips = dict(person.tips)
        for each in self._patients_of(ids):
            tips |= {stream: max(tip, tips.get(stream, 0)) for stream, tip in each.tips.items()}
        return dataclasses.replace(person, merged=tuple(ids), tips=tips)

    def _who(self, patient: bytes) -> bytes:
        row = self._row(WHO, patient)
        return patient if row is None else row[0]

    def _parents(self, patients: Sequence[bytes]) -> set[bytes]:
        """Those into whom somebody was merged."""
        rows = self._rows(
            "SELECT DISTINCT merged_into FROM patients WHERE merged_into" + _in(patients),  # noqa: S608  "?"
            *patients,
        )
        return {patient for (patient,) in rows}

    def _patients_of(self, ids: Sequence[bytes]) -> list[Patient]:
        return self._patients(
            self._rows(_PATIENTS + " WHERE patients.patient" + _in(ids), *ids) if ids else ()
        )

    def _numbered(self, numbers: Sequence[int]) -> list[Patient]:
        return self._patients(
            self._rows(_PATIENTS + " WHERE number" + _in(numbers) + " ORDER BY number DESC", *numbers)
        )

    def _patients(self, rows: Iterable[Row]) -> list[Patient]:
        return [self._patient(row) for row in rows]

    def _patient(self, row: Row) -> Patient:
        patient, revision, family, given, family_arabic, given_arabic, *rest = row
        sex, birth, phone, village, identifiers, estimated, merged_into, links, epoch, *tips = rest
        current = epoch == self._epoch.number
        return Patient(
            patient=patient,
            revision=revision,
            name=PersonName(family, given, family_arabic, given_arabic),
            sex=sex,
            birth=birth,
            phone=phone,
            village=village,
            identifiers=tuple((system, value) for system, value in json.loads(identifiers)),
            tips={stream: tip for stream, tip in zip(Stream, tips, strict=True) if tip and current},
            birth_estimated=bool(estimated),
            merged_into=merged_into,
            links=links,
        )


def _in(values: Sequence[object]) -> str:
    return f" IN ({', '.join('?' * len(values))})"


def _traits(patient: Patient) -> Traits:
    name = patient.name
    return Traits(
        *(name.family, name.given, patient.sex, patient.birth, patient.phone),
        *(name.family_arabic, name.given_arabic),
    )
