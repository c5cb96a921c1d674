"""What the agent writes into the entries of the wave stream; the samples themselves stand beside them."""

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from edge.agent.payloads import decimal
from edge.cbor import Value
from edge.records.fields import Field, Payload, Source
from edge.signals import wavecodec
from edge.signals.preview import Preview
from edge.signals.rate import Rate
from edge.signals.recording import Chunk, Recording

RATE_STEP: Final = Decimal("0.00001")
"""Rates and uncertainties are kept to so many samples a second: 0.1 parts in a million of 100 a second."""


def waveform(
    waveform_id: bytes, encounter: bytes, device: str, source: Source, recording: Recording
) -> Payload:
    """What a waveform is of; it goes before its first chunk, in the same transaction."""
    return {
        Field.WAVEFORM: waveform_id,
        Field.ENCOUNTER: encounter,
        Field.CODE: recording.code.value,
        Field.DEVICE: device,
        Field.SOURCE: int(source),
        Field.LEADS: [lead or "" for lead in recording.leads],
        Field.WAVE_UNIT: recording.unit.value,
        Field.STEP: decimal(recording.step),
        Field.RATE: decimal(recording.nominal),
    }


def chunk(waveform_id: bytes, number: int, taken: Chunk, data: bytes, first_ms: int) -> Payload:
    """One chunk: facts, marks, and the hash of its encoded samples."""
    entry: Payload = {
        Field.WAVEFORM: waveform_id,
        Field.CHUNK: number,
        Field.SAMPLES: taken.samples,
        Field.HASH: hashlib.sha256(data).digest(),
        Field.SIZE: len(data),
        Field.FIRST_MS: first_ms,
    }
    if taken.gaps:
        entry[Field.GAPS] = [[gap.index, gap.lost_ms] for gap in taken.gaps]
    if taken.flaws:
        entry[Field.FLAWS] = [[each.lead, each.flaw.value, each.first, each.count] for each in taken.flaws]
    if taken.rate is not None:
        entry[Field.RATE_FOUND] = _found(taken.rate)
    return entry


def preview(waveform_id: bytes, encounter: bytes, recording: Recording, shown: Preview) -> Payload:
    """Some seconds of one lead that travel before the wave does."""
    return {
        Field.WAVEFORM: waveform_id,
        Field.ENCOUNTER: encounter,
        Field.CODE: recording.code.value,
        Field.LEADS: [recording.leads[shown.lead] or ""],
        Field.WAVE_UNIT: recording.unit.value,
        Field.STEP: decimal(recording.step),
        Field.RATE: _rate(shown.thinned_rate),
        Field.CHUNK: shown.chunk,
        Field.SAMPLES: len(shown.samples),
        Field.PREVIEW: wavecodec.encode([list(shown.samples)]),
    }


def ended(waveform_id: bytes, chunks: int, how: str) -> Payload:
    """How many chunks there are, so that a reader sees that none is missing."""
    return {Field.WAVEFORM: waveform_id, Field.COUNT: chunks, Field.ENDED: how}


def _found(rate: Rate) -> Sequence[Sequence[int]]:
    return [_decimal(rate.per_s), _decimal(rate.uncertainty_per_s)]


def _rate(value: Decimal) -> Value:
    """To as many places as a rate is known to, at most."""
    return decimal(value.quantize(RATE_STEP).normalize())


def _decimal(value: float) -> Sequence[int]:
    return [int((Decimal(value) / RATE_STEP).to_integral_value()), RATE_STEP.as_tuple().exponent]  # type: ignore[list-item]  # finite
