"""Rows of waves: what is said of a recording, of each of its chunks, of its end, and its preview.

The samples are no rows: they stand in ``blobs``, by their hash.
"""

import json
from collections.abc import Callable
from typing import Final, TypeAlias

from edge.cbor import Value
from edge.records.fields import Field, Kind
from sync.central import readers
from sync.central.readers import Fields, Unreadable

Cells: TypeAlias = tuple[str | int | bytes | None, ...]
"""What stands in a row behind the entry's identity."""

COLUMNS: Final = {"waveforms": 17, "wave_chunks": 18, "wave_ends": 10, "wave_previews": 17}
_HASH_BYTES: Final = 32


def _waveform(fields: Fields) -> Cells:
    waveform, code = readers.identifier(fields, Field.WAVEFORM), readers.text(fields, Field.CODE)
    step, rate = readers.decimal(fields, Field.STEP), readers.decimal(fields, Field.RATE)
    if waveform is None or code is None or step is None or rate is None:
        raise Unreadable
    return (
        waveform,
        readers.identifier(fields, Field.ENCOUNTER),
        readers.identifier(fields, Field.PATIENT),
        code,
        readers.text(fields, Field.DEVICE),
        readers.integer(fields, Field.SOURCE),
        _json(fields, Field.LEADS),
        readers.text(fields, Field.WAVE_UNIT),
        *(step, rate, readers.text(fields, Field.OPERATOR)),
        readers.integer(fields, Field.WALL_MS),
    )


def _chunk(fields: Fields) -> Cells:
    waveform, number = readers.identifier(fields, Field.WAVEFORM), readers.integer(fields, Field.CHUNK)
    samples, size = readers.integer(fields, Field.SAMPLES), readers.integer(fields, Field.SIZE)
    hash_ = fields.get(Field.HASH)
    if waveform is None or number is None or samples is None or size is None:
        raise Unreadable
    if not isinstance(hash_, bytes) or len(hash_) != _HASH_BYTES:
        raise Unreadable
    return (
        *(waveform, number, readers.identifier(fields, Field.PATIENT), samples, hash_, size),
        readers.hex_or_none(fields, Field.BOOT),
        readers.integer(fields, Field.FIRST_MS),
        *(_json(fields, Field.GAPS), _json(fields, Field.FLAWS)),
        *_rate_found(fields),
        readers.integer(fields, Field.WALL_MS),
    )


def _end(fields: Fields) -> Cells:
    waveform, chunks = readers.identifier(fields, Field.WAVEFORM), readers.integer(fields, Field.COUNT)
    if waveform is None or chunks is None:
        raise Unreadable
    return (
        *(waveform, readers.identifier(fields, Field.PATIENT), chunks),
        readers.text(fields, Field.ENDED),
        readers.integer(fields, Field.WALL_MS),
    )


def _preview(fields: Fields) -> Cells:
    waveform, code = readers.identifier(fields, Field.WAVEFORM), readers.text(fields, Field.CODE)
    step, rate = readers.decimal(fields, Field.STEP), readers.decimal(fields, Field.RATE)
    data = fields.get(Field.PREVIEW)
    if waveform is None or code is None or step is None or rate is None or not isinstance(data, bytes):
        raise Unreadable
    return (
        waveform,
        readers.identifier(fields, Field.ENCOUNTER),
        readers.identifier(fields, Field.PATIENT),
        code,
        _json(fields, Field.LEADS),
        readers.text(fields, Field.WAVE_UNIT),
        *(step, rate, readers.integer(fields, Field.CHUNK), readers.integer(fields, Field.SAMPLES), data),
        readers.integer(fields, Field.WALL_MS),
    )


def _rate_found(fields: Fields) -> tuple[str | None, str | None]:
    match fields.get(Field.RATE_FOUND):
        case None:
            return None, None
        case [list() as rate, list() as uncertainty]:
            each: list[Value] = [rate, uncertainty]
            found = [readers.decimal({Field.RATE_FOUND: one}, Field.RATE_FOUND) for one in each]
            return found[0], found[1]
        case _:
            raise Unreadable


def _json(fields: Fields, field: Field) -> str:
    """A list of texts or of lists of numbers and texts, as JSON."""
    items = readers.items(fields, field)
    if not all(isinstance(each, str) or _is_flat(each) for each in items):
        raise Unreadable
    return json.dumps(items, ensure_ascii=False)


def _is_flat(value: Value) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, str) or readers.is_integer(each) for each in value
    )


ONE_ROW: Final[dict[Kind, tuple[str, Callable[[Fields], Cells]]]] = {
    Kind.WAVEFORM: ("waveforms", _waveform),
    Kind.WAVE_CHUNK: ("wave_chunks", _chunk),
    Kind.WAVEFORM_ENDED: ("wave_ends", _end),
    Kind.WAVE_PREVIEW: ("wave_previews", _preview),
}
"""Kinds that make one row, its table, and how."""
