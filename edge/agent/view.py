"""Records as answers and events show them: plain values, pure."""

import dataclasses
import datetime
import uuid
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from edge.agent.devicetalk import FROM_MEMORY
from edge.agent.link import Link
from edge.agent.pressures import Sitting
from edge.agent.scores import Scored
from edge.agent.states import Progress, RecordState, furthest_behind, state_of_all
from edge.ports.caller import Json
from edge.records.fields import Source, Stream
from edge.records.identity import EntryId
from edge.scoring.given import Pair
from edge.store.rows import Consent, Encounter, Fork, Observation, Patient, Site, Waveform, WaveformChunk
from edge.store.waveforms import INTERRUPTED
from edge.vitals.codes import VITALS, Code
from edge.vitals.identity import Identity
from edge.vitals.quantity import Measured, Missing

_CARE_STREAMS: Final = (Stream.ALERT, Stream.VITALS)
TENTH: Final = Decimal("0.1")
_PLACE_STEP: Final = Decimal("0.001")
"""Of a degree, 110 m on a meridian: as exact as a parked van's place is followed."""


def uuid_text(raw: bytes | None) -> str | None:
    """An id as answers spell it."""
    return None if raw is None else str(uuid.UUID(bytes=raw))


def identities(entries: Iterable[EntryId]) -> list[Json]:
    """What is saved, by identity."""
    return [entry.as_json() for entry in entries]


def measured(code: Code, value: Measured) -> dict[str, Json]:
    """A value, or why there is none."""
    if isinstance(value, Missing):
        return {"code": code.value, "missing": value.why.value}
    return {"code": code.value, "value": format(value.value, "f"), "unit": value.unit.value}


def patient(shown: Patient, progress: Mapping[Stream, Progress]) -> dict[str, Json]:
    """A patient; received when every entry of theirs is."""
    last = [(stream, tip) for stream, tip in shown.tips.items() if stream in _CARE_STREAMS]
    return {
        "patient": uuid_text(shown.patient),
        "family": shown.family,
        "given": shown.given,
        "sex": shown.sex,
        "birth": shown.birth,
        "identifiers": [{"system": system, "value": value} for system, value in shown.identifiers],
        "state": state_of_all(progress, last).value,
        "family_arabic": shown.name.family_arabic or None,
        "given_arabic": shown.name.given_arabic or None,
        "birth_estimated": shown.birth_estimated,
        "merged": len(shown.merged),
    }


def consents(decisions: Sequence[Consent]) -> list[Json]:
    """Decisions in their order, each with whether it still holds."""
    last = {each.scope: each for each in decisions}
    return [
        {
            "scope": each.scope,
            "decision": each.decision,
            "given_by": each.given_by,
            "form": each.form,
            "language": each.language,
            "witness": each.witness,
            "operator": each.operator,
            "wall_ms": each.wall_ms,
            "holds": last[each.scope] is each,
        }
        for each in decisions
    ]


def visit(shown: Encounter, site: Site | None) -> dict[str, Json]:
    """A visit in a patient's history."""
    return {
        "encounter": uuid_text(shown.encounter),
        "opened_ms": shown.opened_ms,
        "closed_ms": shown.closed_ms,
        "operator": shown.operator,
        "site": None if site is None else site.name,
    }


def site(shown: Site) -> dict[str, Json]:
    """A place where the unit works."""
    return {"site": uuid_text(shown.site), "name": shown.name, "arrived_ms": shown.arrived_ms}


def observation(shown: Observation, progress: Mapping[Stream, Progress]) -> dict[str, Json]:
    """A stored observation with its state."""
    vital = VITALS[Code(shown.code)]
    value: dict[str, Json] = (
        {"missing": None if shown.missing is None else shown.missing.value}
        if shown.value is None
        else {"value": format(shown.value, "f"), "unit": vital.unit.value}
    )
    return {
        "seq": 0 if shown.earlier else shown.entry.seq,
        "code": shown.code,
        **value,
        "device": shown.device,
        "source": Source(shown.source).name.lower(),
        "flags": list(shown.flags),
        "reading": shown.reading or 0,
        "wall_ms": shown.wall_ms or 0,
        "old": FROM_MEMORY in shown.flags,
        "device_time": shown.device_time,
        "clock_off_s": shown.clock_off_s,
        "state": RecordState.RECEIVED.value
        if shown.earlier
        else progress[Stream.VITALS].state_of(shown.entry.seq).value,
    }


def observations(shown: Sequence[Observation], progress: Mapping[Stream, Progress]) -> list[Json]:
    """Those of a visit, in their order, with which of them were put right."""
    gone = {each.supersedes for each in shown if each.supersedes is not None}
    places = {each.name: each.entry.seq for each in shown}
    made: list[Json] = []
    for each in shown:
        one = observation(each, progress)
        one["corrected"] = each.name in gone
        one["corrects"] = None if each.supersedes is None else places.get(each.supersedes)
        made.append(one)
    return made


def score(scored: Scored) -> dict[str, Json]:
    """What a rule says of a visit now."""
    result = scored.result
    triggered = result.facts.get("trigger")
    return {
        "rule": result.rule,
        "version": result.version,
        "total": result.total,
        "band": result.band,
        "trigger": triggered if isinstance(triggered, bool) else None,
        "missing": list(result.missing),
        "stale": list(result.stale),
        "parts": dict(result.parts),
        "alerts": list(result.alerts),
        "notes": list(result.notes),
        "until_ms": scored.until_ms,
    }


def sitting(shown: Sitting) -> dict[str, Json]:
    """The readings of the pressure in one sitting."""
    return {
        "readings": [_pair(each) for each in shown.readings],
        "last_ms": shown.last_ms,
        "one_more": shown.one_more,
        "mean": None if shown.mean is None else _pair(shown.mean),
        "classes": dict(shown.classes),
        "alerts": list(shown.alerts),
    }


def _pair(pair: Pair) -> list[Json]:
    return [format(pair.systolic, "f"), format(pair.diastolic, "f")]


def device_clock(at: datetime.datetime | None, off_s: int | None, *, old: bool) -> dict[str, Json]:
    """When a value was taken, by the clock of the device that took it."""
    return {"old": old, "device_time": None if at is None else at.isoformat(), "clock_off_s": off_s}


def identity(said: Identity) -> dict[str, Json]:
    """What a device says of itself."""
    return {
        "manufacturer": said.manufacturer,
        "model": said.model,
        "serial": said.serial,
        "firmware": said.firmware,
        "battery_percent": said.battery_percent,
    }


def place(shown: tuple[int, int] | None) -> Json:
    """Where the unit stands, from 1e-7 degrees."""
    if shown is None:
        return None
    latitude, longitude = (format(Decimal(each).scaleb(-7).quantize(_PLACE_STEP), "f") for each in shown)
    return {"latitude": latitude, "longitude": longitude}


def recording(shown: Waveform, places: Sequence[int], progress: Mapping[Stream, Progress]) -> dict[str, Json]:
    """A recording as far as it is committed, and how far its samples have come.

    Args:
        shown: the recording.
        places: the sequence numbers of its chunks, 0 for one of an earlier epoch: that is received.
        progress: how far each stream has come.
    """
    states = [progress[Stream.WAVE].state_of(seq) for seq in places]
    found = (
        (None, None) if shown.rate_found is None else tuple(format(each, "f") for each in shown.rate_found)
    )
    return {
        "waveform": uuid_text(shown.waveform),
        "device": shown.device,
        "source": shown.source.name.lower(),
        "code": shown.code,
        "leads": list(shown.leads),
        "unit": shown.unit,
        "step": format(shown.step, "f"),
        "rate": format(shown.rate, "f"),
        "rate_found": found[0],
        "rate_uncertainty": found[1],
        "wall_ms": shown.wall_ms,
        "chunks": shown.chunks,
        "samples": shown.samples,
        "seconds": format((shown.samples / shown.rate).quantize(TENTH), "f"),
        "recording": shown.ended is None,
        "interrupted": shown.ended == INTERRUPTED,
        "received": states.count(RecordState.RECEIVED),
        "state": furthest_behind(states).value,
        "kept_bytes": shown.kept_bytes,
    }


def chunk(shown: WaveformChunk) -> dict[str, Json]:
    """A stretch of a recording with its samples.

    Raises:
        WaveDamaged: they cannot be decoded.
    """
    return {
        "number": shown.number,
        "first_ms": shown.first_ms,
        "gaps": [[gap.index, gap.lost_ms] for gap in shown.gaps],
        "flaws": [
            {"lead": each.lead, "flaw": each.flaw.value, "first": each.first, "count": each.count}
            for each in shown.flaws
        ],
        "samples": [list(lead) for lead in shown.decoded()],
    }


def streams(
    progress: Mapping[Stream, Progress], oldest_ms: Mapping[Stream, int | None] | None = None
) -> dict[str, Json]:
    """How far each stream has come, why one has stopped, and since when its first entry waits."""
    since = oldest_ms or {}
    return {
        stream.word: {**_progress(each), "stopped": each.stopped, "oldest_ms": since.get(stream)}
        for stream, each in progress.items()
    }


def progress(progress: Mapping[Stream, Progress]) -> dict[str, Json]:
    """How far each stream has come."""
    return {stream.word: _progress(each) for stream, each in progress.items()}


def fork(shown: Fork) -> dict[str, Json]:
    """That the store went back in time, how it was noticed, and how much was journalled again."""
    return {"reason": shown.reason, "at_ms": shown.at_ms, "again": shown.again}


def link(shown: Link) -> dict[str, Json]:
    """What the uplink notes of its connection."""
    return {
        "connected": shown.connected,
        "since_ms": shown.since_ms,
        "broker": shown.broker,
        "waiting": None if shown.waiting is None else dataclasses.asdict(shown.waiting),
        "code": shown.code,
    }


def _progress(each: Progress) -> dict[str, Json]:
    return {"tip": each.tip, "sent": each.sent_through, "landed": each.landed, "opened": each.opened}
