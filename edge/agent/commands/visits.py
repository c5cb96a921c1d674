"""Visits: open, close, look at; values by hand; alerts."""

import datetime
import uuid
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from edge.agent import payloads, view
from edge.agent.capture import Capture
from edge.agent.commands.patients import existing
from edge.agent.ledger import Ledger
from edge.agent.refusals import ConfirmationNeeded, Unknown, ValueRefused, VisitRefused
from edge.agent.scored import append_scores, asks_pregnancy, of_visit, sitting_of
from edge.agent.visit import Visit
from edge.agent.visit_recordings import recordings_of
from edge.clock import ClockQuality
from edge.ports.caller import Answer, Call
from edge.records.fields import Field, Kind, Payload, Source, Stream
from edge.scoring.installed import limit_table
from edge.scoring.limits import Ages, ages_at
from edge.store.rows import Encounter
from edge.store.store import Store
from edge.store.transaction import Transaction
from edge.vitals.codes import CALCULATED, VITALS, WHOLE, Code
from edge.vitals.conversion import to_stored
from edge.vitals.limits import Finding, Verdict
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity, Unit

_SOURCES: Final = {"manual": Source.MANUAL, "late": Source.LATE}
_TRUSTED_FROM: Final = ClockQuality.NTP


class _Given(NamedTuple):
    """A value in its stored unit, and as it was typed when that was another."""

    code: Code
    stored: Measured
    as_given: tuple[Decimal, Unit] | None


class VisitCommands:
    """Commands on the visit that is open."""

    def __init__(self, ledger: Ledger, capture: Capture) -> None:
        self._ledger = ledger
        self._capture = capture

    async def open(self, call: Call, *, patient: uuid.UUID) -> Answer:
        """Open a visit; devices are bound to its patient from now on. One is open at a time."""
        id_ = self._ledger.new_id()
        operator = "" if call.caller.person is None else call.caller.person.user
        entry = self._ledger.stamp(call) | {Field.ENCOUNTER: id_.bytes}
        boot = self._ledger.now().boot

        def work(tx: Transaction, store: Store) -> Answer:
            existing(store, patient)
            if store.open_encounter() is not None:
                raise VisitRefused(
                    "Another visit is open.", next_step="Close it first.", code="encounter-open"
                )
            site = store.site_here(boot)
            where: Payload = {} if site is None else {Field.SITE: site}
            tx.append(Stream.VITALS, Kind.ENCOUNTER_OPENED, entry | where, patient=patient.bytes)
            return {"encounter": str(id_), "saved": view.identities(map(tx.identity, tx.appended))}

        answer = await self._ledger.commit_once(
            call, work, what="encounter", patient=patient.bytes, begins=True
        )
        if answer["encounter"] == str(id_):  # else the request was repeated: the visit may be closed again
            self._capture.visit = Visit(id_.bytes, patient.bytes, operator)
        return answer

    async def close(self, call: Call, *, encounter: uuid.UUID) -> Answer:
        """Close the open visit; the count of its observations lets the centre see that none is missing."""
        stamp = self._ledger.stamp(call)

        def work(tx: Transaction, store: Store) -> Answer:
            visit = open_visit(store, encounter)
            count = len(store.observations(visit.encounter))
            entry = stamp | {Field.ENCOUNTER: visit.encounter, Field.COUNT: count}
            tx.append(Stream.VITALS, Kind.ENCOUNTER_CLOSED, entry, patient=visit.patient)
            return {"saved": view.identities(map(tx.identity, tx.appended)), "count": count}

        async with self._capture.recorder.ending(encounter.bytes):
            answer = await self._ledger.commit_once(call, work, what="encounter")
            visit = self._capture.visit
            if visit is not None and visit.encounter == encounter.bytes:
                self._capture.visit = None
        return answer

    async def show(self, call: Call, *, encounter: uuid.UUID) -> Answer:
        """A visit, its observations with their states, and its recordings."""
        now = self._ledger.now()

        def read(store: Store) -> tuple[Encounter, Answer]:
            visit = existing_visit(store, encounter)
            seen = store.observations(visit.encounter)
            site = None if visit.site is None else store.site(visit.site)
            progress = self._ledger.progress(store)
            return visit, {
                "encounter": str(encounter),
                "patient": view.uuid_text(visit.patient),
                "open": visit.closed_ms is None,
                "purged": visit.purged_ms is not None,
                "observations": view.observations(seen, progress),
                "scores": [view.score(each) for each in of_visit(store, visit, now.wall_ms, now.quality)],
                "sitting": view.sitting(sitting_of(store, visit, now.wall_ms, now.quality)),
                "asks_pregnancy": asks_pregnancy(store, visit, now.wall_ms, now.quality),
                "recordings": recordings_of(store, visit.encounter, progress),
                "site": None if site is None else site.name,
            }

        _, answer = await self._ledger.read_audited(call, read, lambda seen: [seen[0].patient])
        return answer

    async def observe(
        self,
        call: Call,
        *,
        encounter: uuid.UUID,
        values: Sequence[Mapping[str, object]],
        confirmed: Sequence[str],
        source: str,
        at: datetime.datetime | None,
    ) -> Answer:
        """Store values typed by a person: all of them, or none and the reason."""
        given = [_given(each) for each in values]
        if len({each.code for each in given}) < len(given):
            raise ValueRefused("A value is given twice.", next_step="Give each value once.")
        stamp, now = self._ledger.stamp(call), self._ledger.now()
        taken_ms = now.wall_ms
        numbers = {each.code: each.stored.value for each in given if isinstance(each.stored, Quantity)}
        if at is not None:
            taken_ms = int(at.timestamp() * 1000)
            stamp |= {Field.WALL_MS: taken_ms, Field.CLOCK_QUALITY: int(ClockQuality.OPERATOR)}
        trusted = now.quality >= _TRUSTED_FROM

        def work(tx: Transaction, store: Store) -> Answer:
            visit, limits = open_visit(store, encounter), limit_table()
            ages = ages_of(store, visit.patient, taken_ms)
            findings = limits.check(numbers, ages)
            findings += limits.check_changes(numbers, _before(store, visit.patient, numbers, taken_ms), ages)
            if at is not None:
                born = at_birth_or_later(store, visit.patient, taken_ms)
                findings += limits.check_time(taken_ms, now.wall_ms, trusted=trusted, born=born)
            raise_for(findings, confirmed)
            asked = {finding.limit for finding in findings}
            number = tx.next_reading()
            for each in given:
                entry = payloads.observation(
                    each.code,
                    each.stored,
                    _SOURCES[source],
                    number,
                    encounter=visit.encounter,
                    as_given=each.as_given,
                    confirmed=sorted(limit for limit in asked if _concerns(limit, each.code)),
                    limits=limits.version,
                )
                tx.append(Stream.VITALS, Kind.OBSERVATION, stamp | entry, patient=visit.patient)
            append_scores(tx, store, visit, stamp)
            return {"saved": view.identities(map(tx.identity, tx.appended))}

        return await self._ledger.commit_once(
            call, work, what="observation", patient=self._patient(encounter)
        )

    async def alert(
        self, call: Call, *, patient: uuid.UUID, encounter: uuid.UUID | None, code: str, text: str | None
    ) -> Answer:
        """Commit an alert; its stream goes ahead of everything else."""
        entry = self._ledger.stamp(call) | payloads.alert(
            code, text or None, None if encounter is None else encounter.bytes
        )

        def work(tx: Transaction, store: Store) -> Answer:
            existing(store, patient)
            if encounter is not None and existing_visit(store, encounter).patient != patient.bytes:
                raise VisitRefused(
                    "This visit is another patient's.", next_step="Name the patient's own visit."
                )
            tx.append(Stream.ALERT, Kind.ALERT, entry, patient=patient.bytes)
            return {"saved": view.identities(map(tx.identity, tx.appended))}

        return await self._ledger.commit_once(call, work, what="alert", patient=patient.bytes)

    def _patient(self, encounter: uuid.UUID) -> bytes | None:
        visit = self._capture.visit
        return visit.patient if visit is not None and visit.encounter == encounter.bytes else None


def ages_of(store: Store, patient: bytes, at_ms: int) -> Ages | None:
    """How old a patient was then, in months, as far as it is known."""
    person = store.person(patient)
    if person is None:
        return None
    day = datetime.datetime.fromtimestamp(at_ms / 1000, tz=datetime.UTC)
    return ages_at(person.birth, day.year, day.month, day.day)


def at_birth_or_later(store: Store, patient: bytes, at_ms: int) -> bool:
    """Whether a patient was born then, as far as anybody has said."""
    person = store.person(patient)
    birth = None if person is None else person.birth
    day = datetime.datetime.fromtimestamp(at_ms / 1000, tz=datetime.UTC).date().isoformat()
    return birth is None or day[: len(birth)] >= birth


def _before(
    store: Store, patient: bytes, numbers: Mapping[Code, Decimal], at_ms: int
) -> dict[Code, tuple[Decimal, int]]:
    """What weight and height were before, and how many ms ago, of those that are given now."""
    found: dict[Code, tuple[Decimal, int]] = {}
    for code in (Code.WEIGHT, Code.HEIGHT):
        earlier = store.number_before(patient, code, at_ms) if code in numbers else None
        if earlier is not None:
            found[code] = (earlier[0], at_ms - earlier[1])
    return found


def open_visit(store: Store, encounter: uuid.UUID) -> Encounter:
    """The visit of this id, which has to be open.

    Raises:
        Unknown, VisitRefused.
    """
    visit = existing_visit(store, encounter)
    if visit.closed_ms is not None:
        raise VisitRefused("This visit is closed.", next_step="Open a new one.", code="encounter-closed")
    return visit


def existing_visit(store: Store, encounter: uuid.UUID) -> Encounter:
    """The visit of this id, open or not.

    Raises:
        Unknown: there is none.
    """
    visit = store.encounter(encounter.bytes)
    if visit is None:
        raise Unknown("There is no such visit.", next_step="Find the patient again.", code="no-encounter")
    return visit


def _given(value: Mapping[str, object]) -> _Given:
    """A typed value in its stored unit, or why there is none.

    Raises:
        ValueRefused: the code or the unit is not known, or nobody measures what it says.
    """
    raw = value["value"]
    try:
        code = Code(str(value["code"]))
        if code in CALCULATED:
            raise _not_known(value)
        if raw is None:
            return _Given(code, Missing(MissingReason(str(value["missing"]))), None)
        assert isinstance(raw, Decimal)  # noqa: S101  the border has checked it
        if code in WHOLE and raw % 1:
            raise _not_known(value)
        unit = VITALS[code].unit if value["unit"] is None else Unit(str(value["unit"]))
    except ValueError:
        raise _not_known(value) from None
    stored = to_stored(code, raw, unit)
    if stored is None:
        raise _not_known(value)
    return _Given(code, stored, None if unit == stored.unit else (raw, unit))


def _not_known(value: Mapping[str, object]) -> ValueRefused:
    return ValueRefused(
        "The code or the unit of a value is not known.",
        next_step="Give it in the stored unit.",
        about=(str(value["code"]),),
    )


def raise_for(findings: Iterable[Finding], confirmed: Sequence[str]) -> None:
    """Refuse what cannot be, then ask for what is not confirmed.

    Raises:
        ValueRefused, ConfirmationNeeded.
    """
    refused = tuple(each.limit for each in findings if each.verdict is Verdict.REFUSE)
    if refused:
        raise ValueRefused(
            "A value cannot be true.", next_step="Measure again, or correct what was typed.", about=refused
        )
    open_ = tuple(each.limit for each in findings if each.limit not in confirmed)
    if open_:
        raise ConfirmationNeeded(
            "A value is possible but rare.", next_step="Confirm it, or measure again.", about=open_
        )


def _concerns(limit: str, code: Code) -> bool:
    """Whether a limit is about this value: its own, a rule between values of its family, or the time."""
    family, _, rule = limit.partition(".")
    if rule in {"pair", "differ"}:
        return code.value.startswith(family) or (family == "pulse" and code is Code.HEART_RATE)
    return family == "time" or limit in {code.value, f"{code.value}.change"}
