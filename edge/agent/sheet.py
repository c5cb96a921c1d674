"""What stands on the sheet that a patient takes home: one visit, what came before it, a strip of ECG.

The agent gives the facts and accounts for them; whoever asked draws the page (`edge.reports`).
"""

import uuid
from decimal import Decimal
from typing import Final

from edge.agent import exporting, payloads
from edge.agent.refusals import Unknown
from edge.ports.caller import Answer, Json
from edge.records.fields import Payload
from edge.store.errors import StoreDamaged, StoreRefused
from edge.store.rows import Encounter, Observation, Waveform, WaveformChunk
from edge.store.store import Store
from edge.vitals.codes import Code

METHOD: Final = "visit.sheet"
EARLIER_VISITS: Final = 6
"""So many visits before this one are looked through for what the same values were."""
_CHUNKS_LOOKED_AT: Final = 6
"""The last minute of a recording: in it is the strip."""
_STEP: Final = Decimal("0.001")


def facts(store: Store, encounter: uuid.UUID) -> tuple[Encounter, Answer]:
    """The visit, and everything its sheet needs.

    Raises:
        Unknown: there is no such visit, or its values are at the centre only.
    """
    shown = store.encounter(encounter.bytes)
    if shown is None:
        raise Unknown("There is no such visit.", next_step="Find the patient again.", code="no-encounter")
    if shown.purged_ms is not None:
        raise Unknown(
            "The values of this visit are not kept here any more; they are at the centre.",
            next_step="Ask the centre for its copy.",
            code="encounter-purged",
        )
    person = exporting.person_of(store, uuid.UUID(bytes=shown.patient))
    earlier = [each for each in store.encounters_of(person.patient) if each.opened_ms < shown.opened_ms]
    return shown, {
        "unit": store.unit,
        "record": exporting.record(person),
        "visit": exporting.visit(store, shown, store.observations(shown.encounter)),
        "earlier": [
            _earlier(each, store.observations(each.encounter))
            for each in earlier[:EARLIER_VISITS]
            if each.purged_ms is None
        ],
        "earlier_at_centre": any(each.purged_ms is not None for each in earlier),
        "strip": _strip(store, shown.encounter),
    }


def access(shown: Encounter) -> Payload:
    """What the audit trail keeps of it: a sheet of this visit was made."""
    return payloads.access(METHOD, shown.encounter)


def standing(observations: list[Observation]) -> list[Observation]:
    """Those that no later one corrects."""
    corrected = {each.supersedes for each in observations if each.supersedes is not None}
    return [each for each in observations if (each.entry.epoch, each.entry.seq) not in corrected]


def _earlier(visit: Encounter, observations: list[Observation]) -> Json:
    """The last value of each sort in an earlier visit."""
    values = {each.code: each.value for each in standing(observations) if each.value is not None}
    return {
        "opened_ms": visit.opened_ms,
        "values": {code: format(value, "f") for code, value in values.items()},
    }


# ── the strip ────────────────────────────────────────────────────────────────────────────────────


def _strip(store: Store, encounter: bytes) -> Json:
    """Ten seconds of the visit's last ECG, the cleanest of its last minute; None where none can be read."""
    recordings = [each for each in store.waveforms_of(encounter) if each.code == Code.ECG and each.chunks]
    if not recordings:
        return None
    recording = recordings[-1]
    first = max(1, recording.chunks - _CHUNKS_LOOKED_AT + 1)
    chunks = [
        found for number in range(first, recording.chunks + 1) if (found := _chunk(store, recording, number))
    ]
    if not chunks:
        return None
    lead = recording.leads.index("II") if "II" in recording.leads else 0
    best = min(chunks, key=lambda each: (_spoilt(each, lead), -each.samples))
    return {
        "device": recording.device,
        "source": recording.source.name.lower(),
        "lead": recording.leads[lead],
        "unit": recording.unit,
        "step": format(recording.step, "f"),
        "rate": format(recording.rate.quantize(_STEP), "f"),
        "wall_ms": _wall_ms(store, recording, best),
        "gaps": [[gap.index, gap.lost_ms] for gap in best.gaps],
        "flaws": [[each.first, each.count] for each in best.flaws if each.lead == lead],
        "samples": list(best.decoded()[lead]),
    }


def _chunk(store: Store, recording: Waveform, number: int) -> WaveformChunk | None:
    """A chunk, unless its samples are at the centre only or are not what was saved."""
    try:
        (found,) = store.waveform_chunks(recording.waveform, number)
    except (StoreRefused, StoreDamaged, ValueError):
        return None
    return found


def _spoilt(chunk: WaveformChunk, lead: int) -> int:
    """How many samples mean nothing, and how many were lost."""
    return sum(each.count for each in chunk.flaws if each.lead == lead) + sum(
        gap.lost_ms for gap in chunk.gaps
    )


def _wall_ms(store: Store, recording: Waveform, chunk: WaveformChunk) -> int | None:
    """When the strip began; None where the recording's beginning is not here any more."""
    begin = _chunk(store, recording, 1)
    return None if begin is None else recording.wall_ms + chunk.first_ms - begin.first_ms
