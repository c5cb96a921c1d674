"""Putting right what was entered: another value, or none, in the place of one; what stood there stays."""

import uuid
from decimal import Decimal

from edge.agent import payloads, view
from edge.agent.commands.visits import ages_of, existing_visit, raise_for
from edge.agent.ledger import Ledger
from edge.agent.refusals import Unknown, ValueRefused, VisitRefused
from edge.agent.scored import append_again
from edge.agent.scores import standing
from edge.ports.caller import Answer, Call
from edge.records.fields import Field, Kind, Source, Stream
from edge.scoring.installed import limit_table
from edge.store.rows import Encounter, Observation
from edge.store.store import Store
from edge.store.transaction import Transaction
from edge.vitals.codes import VITALS, WHOLE, Code
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity

_PRESSURES = (Code.SYSTOLIC, Code.DIASTOLIC, Code.MEAN_PRESSURE)


class CorrectionCommands:
    """Corrections of what a visit holds; the visit may be closed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def correct(
        self,
        call: Call,
        *,
        encounter: uuid.UUID,
        observation: int,
        value: Decimal | None,
        reason: str,
        confirmed: tuple[str, ...],
    ) -> Answer:
        """Put another value in the place of an observation, or with None take it back.

        Raises:
            Unknown: the visit has no such observation.
            VisitRefused: it was corrected already, a rule gave it, or its visit is not kept here any more.
            ValueRefused, ConfirmationNeeded: the value is beyond a limit.
        """
        stamp = self._ledger.stamp(call)

        def work(tx: Transaction, store: Store) -> Answer:
            visit = existing_visit(store, encounter)
            corrected = _standing(store, visit, observation)
            measured = _measured(store, visit, corrected, value, confirmed)
            when = {
                Field.WALL_MS: corrected.wall_ms,
                Field.CLOCK_QUALITY: corrected.clock_quality,
            }
            entry = payloads.observation(
                corrected.code,
                measured,
                Source.MANUAL if corrected.source is not Source.LATE else Source.LATE,
                corrected.reading or tx.next_reading(),
                encounter=visit.encounter,
                confirmed=sorted(confirmed),
                limits=limit_table().version if confirmed else None,
            )
            taken = {field: at for field, at in when.items() if at is not None}
            beside = payloads.correction(reason, corrected.name)
            tx.append(Stream.VITALS, Kind.CORRECTION, stamp | taken | entry | beside, patient=visit.patient)
            append_again(tx, store, visit, stamp, corrected)
            return {"saved": view.identities(map(tx.identity, tx.appended))}

        return await self._ledger.commit_once(call, work, what="correction")


def _standing(store: Store, visit: Encounter, seq: int) -> Observation:
    """The observation of this sequence number, which nothing has taken the place of yet."""
    if visit.purged_ms is not None:
        raise VisitRefused(
            "The values of this visit are not kept here any more.",
            next_step="Ask the centre to correct them.",
            code="encounter-purged",
        )
    seen = store.observations(visit.encounter)
    found = next((each for each in seen if each.entry.seq == seq and not each.earlier), None)
    if found is None:
        raise Unknown(
            "There is no such value in this visit.",
            next_step="Look at the visit again.",
            code="no-such-value",
        )
    if found.source is Source.COMPUTED:
        raise ValueRefused(
            "This was computed.", next_step="Correct the value that it was computed of.", code="not-measured"
        )
    if found not in standing(seen):
        raise VisitRefused(
            "This value was corrected already.",
            next_step="Correct the one that stands in its place.",
            code="observation-corrected",
        )
    return found


def _measured(
    store: Store, visit: Encounter, corrected: Observation, value: Decimal | None, confirmed: tuple[str, ...]
) -> Measured:
    """The value in its place, judged like one that is typed, a pressure beside the others of its reading."""
    if value is None:
        return Missing(MissingReason.WITHDRAWN)
    code = Code(corrected.code)
    values = {code: value}
    if code in _PRESSURES:
        values |= {
            Code(each.code): each.value
            for each in standing(store.observations(visit.encounter))
            if each.reading == corrected.reading
            and each.code in _PRESSURES
            and each.code != code
            and each.value is not None
        }
    if code in WHOLE and value % 1:
        raise ValueRefused("No half of this can be.", next_step="Give a whole number.", about=(code.value,))
    ages = ages_of(store, visit.patient, corrected.wall_ms or visit.opened_ms)
    raise_for(limit_table().check(values, ages), confirmed)
    return Quantity(value, VITALS[code].unit)
