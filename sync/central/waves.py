"""Waves at the centre, for people: what has come of each recording, and one of them as a file.

Everything that is given out is held against its hash once more: what a disk has changed is named, never
shown.
"""

import dataclasses
import hashlib
import json
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, ClassVar, Final

from edge.errors import QafilaError
from edge.records.fields import Source
from edge.signals import wavecodec
from edge.signals.wavecodec import WaveDamaged
from sync.central import database, trouble
from sync.central.database import Connection
from sync.central.home import CentreHome

_RECORDINGS: Final = (
    "SELECT waveform, unit, encounter, patient, code, device, source, leads, wave_unit, step, rate, operator,"
    " wall_ms FROM waveforms"
)
_PREVIEWED: Final = (
    "SELECT waveform, unit, encounter, patient, code, NULL AS device, NULL AS source, leads, wave_unit, step,"
    " rate, NULL AS operator, wall_ms FROM wave_previews"
    " WHERE NOT EXISTS (SELECT 1 FROM waveforms WHERE waveforms.waveform = wave_previews.waveform)"
)
"""Those of which nothing else has come yet."""
_PREVIEW: Final = (
    "SELECT leads, wave_unit, step, rate, chunk, samples, data FROM wave_previews WHERE waveform = ?"
    " ORDER BY wall_ms LIMIT 1"
)
_CHUNKS: Final = (
    "SELECT number, wave_chunks.samples, wave_chunks.size, first_ms, boot, gaps, flaws, rate_found,"
    " rate_uncertainty, wave_chunks.wall_ms, wave_chunks.hash, {data} FROM wave_chunks"
    " LEFT JOIN blobs ON blobs.patient = coalesce(wave_chunks.patient, '') AND blobs.hash = wave_chunks.hash"
    " WHERE waveform = ? ORDER BY number, wave_chunks.wall_ms"
)
_THERE: Final = _CHUNKS.format(data="CASE WHEN blobs.hash IS NULL THEN 0 ELSE 1 END")
_SAMPLES: Final = _CHUNKS.format(data="blobs.data")


class WaveMissing(QafilaError):
    """There is no such recording, or not enough of it."""

    code: ClassVar[str] = "wave-unknown"


@dataclasses.dataclass(frozen=True, slots=True)
class ReceivedWave:
    """A recording as far as it has come.

    Attributes:
        chunks: how many have come, with their samples.
        expected: how many there are; None while its end has not come.
        missing: numbers of those that are known of and are not here.
        ended: ``whole``, ``interrupted``, or None.
        preview: whether some seconds of one lead have come beside.
        bytes: what the samples take.
    """

    waveform: str
    unit: str
    encounter: str | None
    patient: str | None
    code: str
    device: str | None
    source: str
    leads: tuple[str, ...]
    wave_unit: str | None
    step: str
    rate: str
    operator: str | None
    wall_ms: int | None
    chunks: int
    expected: int | None
    missing: tuple[int, ...]
    samples: int
    bytes: int
    ended: str | None
    preview: bool = False

    @property
    def complete(self) -> bool:
        """Whether all of it is here."""
        return self.expected is not None and self.chunks == self.expected

    def as_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "complete": self.complete}


def recordings(
    home: CentreHome, *, patient: str | None = None, unit: str | None = None
) -> list[ReceivedWave]:
    """Every recording of which something has come, in the order in which they began.

    Raises:
        CentreDatabaseError: the database cannot be used.
    """
    home.read_settings()
    where = [f"{name} = ?" for name, value in (("patient", patient), ("unit", unit)) if value is not None]
    values = [value for value in (patient, unit) if value is not None]
    condition = "".join(f" AND {each}" for each in where)
    connection = database.connect(home.database)
    try:
        with trouble.understood():
            rows = [
                row
                for said in (_RECORDINGS + " WHERE 1 = 1", _PREVIEWED)
                for row in connection.execute(said + condition, values).fetchall()
            ]
            rows.sort(key=lambda row: (row[-1] or 0, row[0]))
            return [_recording(connection, row) for row in rows]
    finally:
        connection.close()


def export(home: CentreHome, waveform: str) -> dict[str, Any]:
    """One recording with all its samples as the device counted them, chunk by chunk.

    Raises:
        WaveMissing: there is none of that id (``wave-unknown``), or samples that are here are not those
            that were signed (``wave-damaged``).
        CentreDatabaseError: the database cannot be used.
    """
    home.read_settings()
    try:
        id_ = uuid.UUID(waveform).hex
    except ValueError:
        id_ = ""
    connection = database.connect(home.database)
    try:
        with trouble.understood():
            row = connection.execute(f"{_RECORDINGS} WHERE waveform = ?", (id_,)).fetchone()
            if row is None:
                row = connection.execute(f"{_PREVIEWED} AND waveform = ?", (id_,)).fetchone()
            if row is None:
                raise WaveMissing(
                    "No recording with this id has come.",
                    next_step="look it up with `qafila central waves --json`.",
                )
            said = _recording(connection, row)
            chunks = _by_number(connection.execute(_SAMPLES, (id_,)).fetchall())
            return {
                **said.as_json(),
                "layout": "each sample times step is in wave_unit; nothing stands in for what is missing",
                "preview": _preview(connection, id_),
                "data": [_chunk(each, len(said.leads)) for each in chunks if each[-1] is not None],
            }
    finally:
        connection.close()


def _recording(connection: Connection, row: Sequence[Any]) -> ReceivedWave:
    waveform, unit, encounter, patient, code, device, source, leads, wave_unit, step, rate, operator, wall = (
        row
    )
    chunks = _by_number(connection.execute(_THERE, (waveform,)).fetchall())
    here = [each for each in chunks if each[-1]]
    end = connection.execute(
        "SELECT chunks, ended FROM wave_ends WHERE waveform = ? ORDER BY wall_ms LIMIT 1", (waveform,)
    ).fetchone()
    known = max([each[0] for each in chunks] + ([] if end is None else [end[0]]), default=0)
    there = {each[0] for each in here}
    return ReceivedWave(
        waveform=waveform,
        unit=unit,
        encounter=encounter,
        patient=patient,
        code=code,
        device=device,
        source=_source(source),
        leads=tuple(json.loads(leads)),
        wave_unit=wave_unit,
        step=step,
        rate=rate,
        operator=operator,
        wall_ms=wall,
        chunks=len(here),
        expected=None if end is None else end[0],
        missing=tuple(number for number in range(1, known + 1) if number not in there),
        samples=sum(each[1] for each in here),
        bytes=sum(each[2] for each in here),
        ended=None if end is None else end[1],
        preview=connection.execute(_PREVIEW, (waveform,)).fetchone() is not None,
    )


def _preview(connection: Connection, waveform: str) -> dict[str, Any] | None:
    row = connection.execute(_PREVIEW, (waveform,)).fetchone()
    if row is None:
        return None
    leads, wave_unit, step, rate, chunk, samples, data = row
    try:
        decoded = wavecodec.decode(data)
    except WaveDamaged:
        raise _damaged(chunk or 0) from None
    if len(decoded) != 1 or len(decoded[0]) != samples:
        raise _damaged(chunk or 0)
    said = {"wave_unit": wave_unit, "step": step, "rate": rate, "chunk": chunk}
    return {"leads": json.loads(leads), **said, "samples": list(decoded[0])}


def _by_number(rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """One row of each chunk: the first that has its samples, of those that were journalled again too."""
    found: dict[int, Sequence[Any]] = {}
    for row in rows:
        if row[0] not in found or (not found[row[0]][-1] and row[-1]):
            found[row[0]] = row
    return [found[number] for number in sorted(found)]


def _chunk(row: Sequence[Any], leads: int) -> dict[str, Any]:
    number, samples, _, first_ms, boot, gaps, flaws, rate_found, uncertainty, wall_ms, hash_, data = row
    if hashlib.sha256(data).digest() != hash_:
        raise _damaged(number)
    try:
        decoded = wavecodec.decode(data)
    except WaveDamaged:
        raise _damaged(number) from None
    if len(decoded) != max(1, leads) or any(len(lead) != samples for lead in decoded):
        raise _damaged(number)
    return {
        "number": number,
        "wall_ms": wall_ms,
        "first_ms": first_ms,
        "boot": boot,
        "gaps": json.loads(gaps),
        "flaws": json.loads(flaws),
        "rate_found": None if rate_found is None else str(Decimal(rate_found)),
        "rate_uncertainty": uncertainty,
        "samples": [list(lead) for lead in decoded],
    }


def _damaged(number: int) -> WaveMissing:
    return WaveMissing(
        f"Samples of stretch {number} are not those that came; the recording is not given out.",
        next_step="put the centre's database back from its backup.",
        code="wave-damaged",
    )


def _source(number: int | None) -> str:
    try:
        return Source(number).name.lower() if number is not None else "unknown"
    except ValueError:
        return "unknown"
