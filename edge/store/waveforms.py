"""Waveforms in the store: entries become rows, samples are kept beside them, and are read back checked.

A waveform is there only with its first chunk. The samples of a chunk stand beside its entry, which holds
their hash: whoever changed them would have to change the chain.
"""

import hashlib
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, cast

from edge.cbor import Value
from edge.records.fields import Field, Payload, Source, Stream
from edge.records.identity import EntryId
from edge.signals import wavecodec
from edge.signals.recording import Gap, Marked
from edge.store import sqlite
from edge.store.base import Base, Epoch
from edge.store.errors import StoreDamaged, StoreRefused
from edge.store.rows import Waveform, WaveformChunk
from edge.store.sqlite import Row
from edge.vitals.reading import Flaw

WHOLE: Final = "whole"
INTERRUPTED: Final = "interrupted"
_WAVEFORMS: Final = (
    "SELECT waveform, encounter, waveforms.patient, code, device, source, leads, unit, step, rate, wall_ms,"
    " chunks, samples, rate_found, rate_uncertainty, ended,"
    " (SELECT coalesce(sum(length(data)), 0) FROM waveform_chunks AS kept"
    " WHERE kept.waveform = waveforms.waveform) FROM waveforms"
)
_CHUNKS: Final = (
    "SELECT epochs.epoch, journal.seq, waveform, waveform_chunks.number, samples, first_ms, gaps, flaws,"
    " hash, codec, crc32, data FROM waveform_chunks JOIN journal ON journal.id = entry"
    " JOIN epochs ON epochs.number = journal.epoch"
)


# ── from entries to rows ─────────────────────────────────────────────────────────────────────────


def project_waveform(connection: sqlite.Connection, _epoch: Epoch, entry: int, payload: Payload) -> None:
    connection.execute(
        "INSERT INTO waveforms (entry, waveform, encounter, patient, code, device, source, leads, unit, step,"
        " rate, wall_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry,
            payload[Field.WAVEFORM],
            payload[Field.ENCOUNTER],
            payload[Field.PATIENT],
            payload[Field.CODE],
            payload[Field.DEVICE],
            payload[Field.SOURCE],
            json.dumps(payload[Field.LEADS], ensure_ascii=False),
            payload[Field.WAVE_UNIT],
            _decimal_text(payload[Field.STEP]),
            _decimal_text(payload[Field.RATE]),
            payload[Field.WALL_MS],
        ),
    )


def project_chunk(connection: sqlite.Connection, _epoch: Epoch, entry: int, payload: Payload) -> None:
    """A chunk's row, without its samples: `Transaction.keep_samples` brings them."""
    found = cast("Sequence[Value]", payload.get(Field.RATE_FOUND, (None, None)))
    rate, uncertainty = (None if each is None else _decimal_text(each) for each in found)
    moved = connection.execute(
        "UPDATE waveforms SET chunks = chunks + 1, samples = samples + ?,"
        " rate_found = coalesce(?, rate_found), rate_uncertainty = coalesce(?, rate_uncertainty)"
        " WHERE waveform = ? AND chunks = ? - 1 AND ended IS NULL",
        (payload[Field.SAMPLES], rate, uncertainty, payload[Field.WAVEFORM], payload[Field.CHUNK]),
    )
    if moved.rowcount != 1:
        raise _out_of_order()
    connection.execute(
        "INSERT INTO waveform_chunks (entry, waveform, number, samples, first_ms, gaps, flaws, hash)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry,
            *(payload[field] for field in (Field.WAVEFORM, Field.CHUNK, Field.SAMPLES, Field.FIRST_MS)),
            *(json.dumps(payload.get(field, [])) for field in (Field.GAPS, Field.FLAWS)),
            payload[Field.HASH],
        ),
    )


def project_end(connection: sqlite.Connection, _epoch: Epoch, _entry: int, payload: Payload) -> None:
    ended = connection.execute(
        "UPDATE waveforms SET ended = ? WHERE waveform = ? AND chunks = ? AND ended IS NULL",
        (payload[Field.ENDED], payload[Field.WAVEFORM], payload[Field.COUNT]),
    )
    if ended.rowcount != 1:
        raise _out_of_order()


def _out_of_order() -> StoreRefused:
    return StoreRefused(
        "A stretch of wave does not follow the one before: nothing was saved.",
        next_step="Report it as a bug.",
        code="wave-out-of-order",
    )


def _decimal_text(value: Value) -> str:
    """``[mantissa, exponent]`` as plain decimal text."""
    mantissa, exponent = cast("Sequence[int]", value)
    return format(Decimal(mantissa).scaleb(exponent), "f")


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


class WaveReads(Base):
    """What can be asked of waveforms."""

    def waveform(self, waveform: bytes) -> Waveform | None:
        row = self._row(_WAVEFORMS + " WHERE waveform = ?", waveform)
        return None if row is None else _waveform(row)

    def waveforms_of(self, encounter: bytes) -> list[Waveform]:
        """An encounter's waveforms, in the order in which they began."""
        rows = self._rows(_WAVEFORMS + " WHERE encounter = ? ORDER BY entry", encounter)
        return [_waveform(row) for row in rows]

    def waveforms_not_ended(self) -> list[Waveform]:
        """Those being recorded; at the moment of opening the store those that were interrupted."""
        return [_waveform(row) for row in self._rows(_WAVEFORMS + " WHERE ended IS NULL ORDER BY entry")]

    def count_waveforms(self) -> int:
        row = self._row("SELECT count(*) FROM waveforms")
        return 0 if row is None else int(row[0])

    def waveform_chunks(self, waveform: bytes, first: int = 1, most: int = 1) -> list[WaveformChunk]:
        """Up to ``most`` chunks from number ``first``, each checked against the hash in its entry.

        Raises:
            StoreDamaged: the samples are not those that were saved (``wave-damaged``).
        """
        rows = self._rows(
            _CHUNKS + " WHERE waveform = ? AND waveform_chunks.number >= ?"
            " ORDER BY waveform_chunks.number LIMIT ?",
            *(waveform, first, most),
        )
        return [self._chunk(row) for row in rows]

    def _chunk(self, row: Row) -> WaveformChunk:
        epoch, seq, waveform, number, samples, first_ms, gaps, flaws, hash_, codec, crc32, data = row
        if data is None and not self._is_opened(epoch, seq):
            raise _damaged()  # nothing that the centre has not opened is ever let go
        if data is None:
            raise StoreRefused(
                "These samples are not kept on the unit any more; they are at the centre.",
                next_step="Ask the centre for them.",
                code="wave-at-centre",
            )
        if not _is_what_was_saved(hash_, data):
            raise _damaged()
        header = wavecodec.read_header(data)
        if (header.samples, wavecodec.CODEC, header.crc32) != (samples, codec, crc32):
            raise _damaged()
        return WaveformChunk(
            entry=EntryId(self._whose.unit, epoch, Stream.WAVE, seq),
            waveform=waveform,
            number=number,
            samples=samples,
            first_ms=first_ms,
            gaps=tuple(Gap(*gap) for gap in json.loads(gaps)),
            flaws=tuple(
                Marked(lead, Flaw(flaw), first, count) for lead, flaw, first, count in json.loads(flaws)
            ),
            data=data,
        )

    def _is_opened(self, epoch: bytes, seq: int) -> bool:
        return (
            self._row(
                "SELECT 1 FROM streams JOIN epochs ON epochs.number = streams.epoch"
                " WHERE epochs.epoch = ? AND stream = ? AND opened >= ?",
                *(epoch, Stream.WAVE, seq),
            )
            is not None
        )


def _is_what_was_saved(hash_: bytes, data: bytes | None) -> bool:
    return data is not None and hashlib.sha256(data).digest() == hash_


def _damaged() -> StoreDamaged:
    return StoreDamaged(
        "The samples of a stretch of wave are not those that were saved; they are not shown.",
        next_step="Run `qafila store verify`, and call those who answer for this unit.",
        code="wave-damaged",
    )


def _waveform(row: Row) -> Waveform:
    waveform, encounter, patient, code, device, source, leads, unit, step, rate, wall_ms = row[:11]
    chunks, samples, found, uncertainty, ended, kept_bytes = row[11:]
    return Waveform(
        waveform=waveform,
        encounter=encounter,
        patient=patient,
        code=code,
        device=device,
        source=Source(source),
        leads=tuple(json.loads(leads)),
        unit=unit,
        step=Decimal(step),
        rate=Decimal(rate),
        wall_ms=wall_ms,
        chunks=chunks,
        samples=samples,
        rate_found=None if found is None else (Decimal(found), Decimal(uncertainty)),
        ended=ended,
        kept_bytes=kept_bytes,
    )
