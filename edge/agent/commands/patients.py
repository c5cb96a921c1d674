"""Patients: enter, correct, list, find, show; what they agreed to."""

import dataclasses
import datetime
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from edge.agent import payloads, view
from edge.agent.ledger import Ledger
from edge.agent.refusals import (
    BirthRefused,
    ConsentRefused,
    IdentifierRefused,
    NameRefused,
    PatientRefused,
    Unknown,
)
from edge.clock import ClockQuality
from edge.ports.caller import Answer, Call
from edge.records.fields import Kind, Payload, Stream
from edge.records.names import in_own_fields
from edge.store.likeness import PROPOSED, Traits
from edge.store.normalise import normalise_identifier
from edge.store.rows import Patient
from edge.store.store import Store
from edge.store.transaction import Transaction

LISTED: Final = 500
FOUND: Final = 50
VISITS: Final = 100
_A_DAY_MS: Final = 86_400_000
_WRITTEN_MS: Final = 1_793_491_200_000
"""When this was written, 2026-11-01: it is later now, whatever a clock says that nobody has set."""
_LAGS_BY_MS: Final = 366 * _A_DAY_MS
"""By how much a clock that nobody vouches for may be late: it stood still while the unit was parked."""
_USED_FOR_MS: Final = 20 * 366 * _A_DAY_MS
"""For how long after it was written this may be in use, where the clock says nothing at all."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Said:
    """What somebody typed of a patient; empty names are not known in that script."""

    family: str
    given: str
    family_arabic: str
    given_arabic: str
    sex: str
    birth: str | None
    birth_estimated: bool
    identifiers: Sequence[Mapping[str, str]]
    phone: str | None
    village: str | None


class PatientCommands:
    """Commands on the patient index."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def register(
        self,
        call: Call,
        *,
        family: str,
        given: str,
        sex: str,
        birth: str | None,
        identifiers: Sequence[Mapping[str, str]],
        phone: str | None,
        village: str | None,
        family_arabic: str | None,
        given_arabic: str | None,
        birth_estimated: bool,
        consents: Sequence[Mapping[str, str | None]],
        expected: uuid.UUID | None,
    ) -> Answer:
        """Enter a new patient, with what they agreed to.

        Raises:
            IdentifierTaken: another patient has an identifier.
            Unknown: nobody of this identity is expected, or they are entered already.
            NameRefused, IdentifierRefused, BirthRefused, ConsentRefused: see `_payload`, `_decisions`.
        """
        id_ = self._ledger.new_id() if expected is None else expected
        stamp = self._ledger.stamp(call)
        said = _Said(
            *(family, given, family_arabic or "", given_arabic or "", sex),
            *(birth, birth_estimated, identifiers, phone, village),
        )
        entry = stamp | self._payload(1, said)
        if len({each["scope"] for each in consents}) < len(consents):
            raise ConsentRefused("One thing is decided twice.", next_step="Decide each once.")

        def work(tx: Transaction, store: Store) -> Answer:
            if expected is not None:
                _check_expected(store, expected)
            tx.append(Stream.VITALS, Kind.PATIENT, entry, patient=id_.bytes)
            for each in consents:
                _decide(tx, store, id_.bytes, stamp, each)
            return {"patient": str(id_), "saved": view.identities(map(tx.identity, tx.appended))}

        return await self._ledger.commit_once(call, work, what="patient", patient=id_.bytes, begins=True)

    async def correct(
        self,
        call: Call,
        *,
        patient: uuid.UUID,
        revision: int,
        family: str,
        given: str,
        sex: str,
        birth: str | None,
        identifiers: Sequence[Mapping[str, str]],
        phone: str | None,
        village: str | None,
        family_arabic: str | None,
        given_arabic: str | None,
        birth_estimated: bool,
    ) -> Answer:
        """Say anew all that is known of a patient; the revisions before stay in the journal.

        Raises:
            PatientRefused: somebody else has corrected them meanwhile, or they are merged.
        """
        said = _Said(
            *(family, given, family_arabic or "", given_arabic or "", sex),
            *(birth, birth_estimated, identifiers, phone, village),
        )
        entry = self._ledger.stamp(call) | self._payload(revision + 1, said)

        def work(tx: Transaction, store: Store) -> Answer:
            if existing(store, patient).revision != revision:
                raise PatientRefused(
                    "This patient was corrected meanwhile.",
                    next_step="Look at the patient again, then correct.",
                    code="patient-changed",
                )
            tx.append(Stream.VITALS, Kind.PATIENT, entry, patient=patient.bytes)
            return {"revision": revision + 1, "saved": view.identities(map(tx.identity, tx.appended))}

        return await self._ledger.commit_once(call, work, what="patient", patient=patient.bytes)

    async def consent(
        self,
        call: Call,
        *,
        patient: uuid.UUID,
        scope: str,
        decision: str,
        given_by: str,
        form: str,
        language: str | None,
        witness: str | None,
    ) -> Answer:
        """Keep a decision; those before stay.

        Raises:
            ConsentRefused: nothing was given that could be withdrawn.
        """
        stamp = self._ledger.stamp(call)
        said = {
            "scope": scope,
            "decision": decision,
            "given_by": given_by,
            "form": form,
            "language": language,
            "witness": witness,
        }

        def work(tx: Transaction, store: Store) -> Answer:
            existing(store, patient)
            _decide(tx, store, patient.bytes, stamp, said)
            return {"saved": view.identities(map(tx.identity, tx.appended))}

        return await self._ledger.commit_once(call, work, what="consent", patient=patient.bytes)

    async def show(self, call: Call, *, patient: uuid.UUID) -> Answer:
        """All that is known of the person this patient is."""

        def read(store: Store) -> tuple[Patient, Answer]:
            person = store.person(patient.bytes)
            if person is None:
                raise no_patient()
            progress = self._ledger.progress(store)
            merged = [existing(store, uuid.UUID(bytes=each), or_merged=True) for each in person.merged]
            visits = store.encounters_of(person.patient)[:VISITS]
            sites = {each: store.site(each) for each in {visit.site for visit in visits} if each is not None}
            return person, {
                "patient": view.patient(person, progress),
                "revision": person.revision,
                "phone": person.phone,
                "village": person.village,
                "consents": view.consents(store.consents(person.patient)),
                "visits": [view.visit(each, sites.get(each.site or b"")) for each in visits],
                "merged": [view.patient(each, progress) for each in merged],
            }

        _, answer = await self._ledger.read_audited(
            call, read, lambda seen: [seen[0].patient, *seen[0].merged]
        )
        return answer

    def _payload(self, revision: int, said: _Said) -> Payload:
        """What was said of a patient, checked.

        Raises:
            NameRefused: one script stands in the other's field.
            IdentifierRefused: an identifier is empty or stands there twice.
            BirthRefused: the birth is after today, or where nobody has set the clock, after any day that
                it may be.
        """
        name = in_own_fields(said.family, said.given, said.family_arabic, said.given_arabic)
        if name is None:
            raise NameRefused
        spellings = [(each["system"], normalise_identifier(each["value"])) for each in said.identifiers]
        if len(set(spellings)) < len(spellings) or not all(value for _, value in spellings):
            raise IdentifierRefused
        self._check_birth(said.birth)
        return payloads.patient(
            revision=revision,
            name=name,
            sex=said.sex,
            birth=said.birth,
            birth_estimated=said.birth_estimated,
            identifiers=said.identifiers,
            phone=said.phone,
            village=said.village,
        )

    def _check_birth(self, birth: str | None) -> None:
        now = self._ledger.now()
        if birth is None:
            return
        latest_ms = now.wall_ms + _A_DAY_MS  # it is tomorrow already east of Greenwich
        if now.quality is ClockQuality.NONE:
            unset = now.wall_ms < _WRITTEN_MS
            latest_ms = _WRITTEN_MS + _USED_FOR_MS if unset else now.wall_ms + _LAGS_BY_MS
        latest = datetime.datetime.fromtimestamp(latest_ms / 1000, tz=datetime.UTC).date()
        if birth > latest.isoformat()[: len(birth)]:
            raise BirthRefused

    async def recent(self, call: Call) -> Answer:
        """The patients entered last."""
        return await self._shown(call, lambda store: store.patients(LISTED + 1), LISTED)

    async def find(self, call: Call, *, text: str) -> Answer:
        """Patients by a part of a name or a whole identifier."""
        return await self._shown(call, lambda store: store.find_patients(text, FOUND + 1), FOUND)

    async def likely(
        self,
        call: Call,
        *,
        family: str,
        given: str,
        sex: str,
        birth: str | None,
        phone: str | None,
        family_arabic: str | None,
        given_arabic: str | None,
    ) -> Answer:
        """Patients who may be the one about to be entered."""
        traits = Traits(family, given, sex, birth, phone, family_arabic or "", given_arabic or "")
        return await self._shown(call, lambda store: store.likely_patients(traits), PROPOSED)

    async def _shown(self, call: Call, look: Callable[[Store], list[Patient]], most: int) -> Answer:
        """What a look found, with states; one audit entry for each patient that will be on the screen."""

        def read(store: Store) -> tuple[list[Patient], Answer]:
            found = look(store)
            progress = self._ledger.progress(store)
            shown = found[:most]
            patients = [view.patient(each, progress) for each in shown]
            return shown, {"patients": patients, "more": len(found) > most}

        _, answer = await self._ledger.read_audited(
            call, read, lambda seen: [each.patient for each in seen[0]] or [None]
        )
        return answer


def _check_expected(store: Store, expected: uuid.UUID) -> None:
    if expected.bytes not in {patient for patient, _, _ in store.expected(0)}:
        raise Unknown(
            "Nobody of this identity is expected, or they are entered already.",
            next_step="Find the patient, or enter them without it.",
            code="not-expected",
        )


def existing(store: Store, patient: uuid.UUID, *, or_merged: bool = False) -> Patient:
    """The patient of this id.

    Raises:
        Unknown: there is none.
        PatientRefused: they turned out to be somebody else, entered twice; not with ``or_merged``.
    """
    found = store.patient(patient.bytes)
    if found is None:
        raise no_patient()
    if found.merged_into is not None and not or_merged:
        raise PatientRefused(
            "This patient turned out to be another one, entered twice.",
            next_step="Find the patient again.",
            code="patient-merged",
        )
    return found


def no_patient() -> Unknown:
    """There is no patient of this id."""
    return Unknown("There is no such patient.", next_step="Find the patient again.", code="no-patient")


def _decide(
    tx: Transaction, store: Store, patient: bytes, stamp: Payload, said: Mapping[str, str | None]
) -> None:
    """Append one decision.

    Raises:
        ConsentRefused: nothing was given that could be withdrawn.
    """
    scope = said["scope"] or ""
    before = [each.decision for each in store.consents(patient) if each.scope == scope]
    if said["decision"] == "withdrawn" and before[-1:] != ["given"]:
        raise ConsentRefused(
            "Nothing was given that could be withdrawn.",
            next_step="Say given or refused.",
            code="consent-not-given",
        )
    entry = stamp | payloads.consent(store.next_consent(patient, scope), said)
    tx.append(Stream.VITALS, Kind.CONSENT, entry, patient=patient)
