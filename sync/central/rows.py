"""One entry, its rows: what a payload says becomes rows of the centre's tables.

A payload here has passed its signature and its chain, so it is what the unit wrote; whether a field is
of the kind it should be is still checked, because a unit may be wrong. Fields that are not known are
left to the payload, which is kept whole.
"""

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from typing import Final, TypeAlias, TypeGuard

from edge.cbor import Value
from edge.records.fields import Field, Kind, Source, Stream
from sync.central.spans import Journal

Fields: TypeAlias = dict[int, Value]
Row: TypeAlias = tuple[str | int | bytes | None, ...]
Rows: TypeAlias = list[tuple[str, Row]]
"""Pairs of a table and a row for it."""
Place: TypeAlias = tuple[str, str, int]
"""Epoch, stream and seq of an entry of one unit."""
Resolve: TypeAlias = Callable[[Place], Place]
"""What an entry was called first."""

_MOST_DIGITS: Final = 18
_DEVICE_SOURCES: Final = {int(Source.DEVICE), int(Source.SIMULATED)}

COLUMNS: Final = {
    "entries": 16,
    "patients": 17,
    "identifiers": 9,
    "consents": 15,
    "merges": 12,
    "sites": 9,
    "encounters": 14,
    "observations": 16,
    "alerts": 11,
    "assignments": 11,
    "devices": 13,
    "clocks": 9,
}
"""How many columns each table has; a test compares with the database."""


class Unreadable(Exception):
    """A field is not of the kind it should be. The entry is kept; its rows are not made."""


@dataclasses.dataclass(frozen=True, slots=True)
class OpenedEntry:
    """An entry that fits its chain."""

    seq: int
    kind: int
    payload: bytes
    fields: Fields
    leaf: bytes
    head: bytes


def entry_row(journal: Journal, entry: OpenedEntry, batch: int) -> Row:
    """The row of ``entries``: every entry has one, whatever its payload holds."""
    fields = entry.fields
    return (
        *journal.key,
        entry.seq,
        entry.leaf,
        entry.head,
        entry.kind,
        _hex_or_none(fields, Field.PATIENT),
        _hex_or_none(fields, Field.REQUEST),
        _device_record(fields),
        _text_or_none(fields, Field.CODE),
        *_origin(fields),
        batch,
        entry.payload,
    )


def rows_of(journal: Journal, entry: OpenedEntry, resolve: Resolve) -> Rows:
    """The rows beside that of ``entries``, by the entry's kind; ``resolve`` is for those that name others.

    Raises:
        Unreadable: the payload is not what its kind says.
    """
    identity = (*journal.key, entry.seq, entry.leaf)
    if entry.kind == Kind.PATIENT:
        return _patient(identity, entry.fields)
    if entry.kind == Kind.ASSIGNMENT:
        return _assignments(identity, entry.fields, first_place(journal, entry)[0], resolve)
    if entry.kind not in _ONE_ROW:
        return []
    table, row_of = _ONE_ROW[Kind(entry.kind)]
    return [(table, row_of(identity, entry))]


def _patient(identity: Row, fields: Fields) -> Rows:
    patient = _identifier(fields, Field.PATIENT)
    if patient is None:
        raise Unreadable
    row: Row = (
        *identity,
        patient,
        _integer(fields, Field.REVISION) or 1,
        *(
            _text(fields, field)
            for field in (Field.FAMILY, Field.GIVEN, Field.SEX, Field.BIRTH, Field.PHONE, Field.VILLAGE)
        ),
        _integer(fields, Field.WALL_MS),
        _text(fields, Field.FAMILY_ARABIC),
        _text(fields, Field.GIVEN_ARABIC),
        int(fields.get(Field.BIRTH_ESTIMATED) is True),
    )
    rows: Rows = [("patients", row)]
    for position, pair in enumerate(_items(fields, Field.IDENTIFIERS)):
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise Unreadable
        system, value = (str(part) for part in pair)
        rows.append(("identifiers", (*identity, position, patient, system, value)))
    return rows


def _encounter(identity: Row, entry: OpenedEntry) -> Row:
    encounter = _identifier(entry.fields, Field.ENCOUNTER)
    if encounter is None:
        raise Unreadable
    return (
        *identity,
        encounter,
        _identifier(entry.fields, Field.PATIENT),
        "opened" if entry.kind == Kind.ENCOUNTER_OPENED else "closed",
        _integer(entry.fields, Field.COUNT),
        _text(entry.fields, Field.OPERATOR),
        _integer(entry.fields, Field.WALL_MS),
        _identifier(entry.fields, Field.SITE),
        *_position(entry.fields),
    )


def _consent(identity: Row, entry: OpenedEntry) -> Row:
    fields = entry.fields
    patient, revision = _identifier(fields, Field.PATIENT), _integer(fields, Field.REVISION)
    scope, decision = _text(fields, Field.SCOPE), _text(fields, Field.DECISION)
    if patient is None or revision is None or scope is None or decision is None:
        raise Unreadable
    return (
        *(*identity, patient, scope, revision, decision),
        *(_text(fields, field) for field in (Field.GIVEN_BY, Field.FORM, Field.LANGUAGE, Field.WITNESS)),
        _text(fields, Field.OPERATOR),
        _integer(fields, Field.WALL_MS),
    )


def _merge(identity: Row, entry: OpenedEntry) -> Row:
    fields = entry.fields
    duplicate, patient = _identifier(fields, Field.DUPLICATE), _identifier(fields, Field.PATIENT)
    revision = _integer(fields, Field.REVISION)
    if duplicate is None or patient is None or revision is None or duplicate == patient:
        raise Unreadable
    return (
        *(*identity, duplicate, patient),
        "merged" if entry.kind == Kind.MERGED else "unmerged",
        *(revision, _text(fields, Field.REASON), _text(fields, Field.OPERATOR)),
        _integer(fields, Field.WALL_MS),
    )


def _site(identity: Row, entry: OpenedEntry) -> Row:
    fields = entry.fields
    site, name = _identifier(fields, Field.SITE), _text(fields, Field.SITE_NAME)
    if site is None or name is None:
        raise Unreadable
    return (*identity, site, name, _text(fields, Field.OPERATOR), _integer(fields, Field.WALL_MS))


def _observation(identity: Row, entry: OpenedEntry) -> Row:
    fields = entry.fields
    code = _text(fields, Field.CODE)
    value, missing = _decimal(fields, Field.VALUE), _text(fields, Field.MISSING)
    if code is None or (value is None) == (missing is None):
        raise Unreadable
    return (
        *identity,
        _identifier(fields, Field.PATIENT),
        _identifier(fields, Field.ENCOUNTER),
        code,
        value,
        missing,
        _integer(fields, Field.SOURCE),
        _text(fields, Field.DEVICE),
        _integer(fields, Field.READING),
        _text(fields, Field.OPERATOR),
        _integer(fields, Field.WALL_MS),
        _integer(fields, Field.CLOCK_QUALITY),
    )


def _alert(identity: Row, entry: OpenedEntry) -> Row:
    fields = entry.fields
    code = _text(fields, Field.ALERT_CODE)
    if code is None:
        raise Unreadable
    return (
        *identity,
        _identifier(fields, Field.PATIENT),
        _identifier(fields, Field.ENCOUNTER),
        code,
        _text(fields, Field.ALERT_TEXT),
        _text(fields, Field.OPERATOR),
        _integer(fields, Field.WALL_MS),
    )


def _device(identity: Row, entry: OpenedEntry) -> Row:
    fields = entry.fields
    device = _text(fields, Field.DEVICE)
    if device is None:
        raise Unreadable
    said = (Field.DEVICE_KIND, Field.MANUFACTURER, Field.MODEL, Field.SERIAL, Field.FIRMWARE)
    return (
        *identity,
        device,
        *(_text(fields, field) for field in said),
        _integer(fields, Field.BATTERY),
        _integer(fields, Field.WALL_MS),
    )


def _clock(identity: Row, entry: OpenedEntry) -> Row:
    fields = entry.fields
    boot, source = fields.get(Field.BOOT), _integer(fields, Field.CLOCK_SOURCE)
    offset_ms = _integer(fields, Field.CLOCK_OFFSET)
    if not isinstance(boot, bytes) or source is None or offset_ms is None:
        raise Unreadable
    return (*identity, boot.hex(), source, offset_ms, _integer(fields, Field.WALL_MS))


def _position(fields: Fields) -> tuple[int | None, int | None]:
    """Latitude and longitude in 1e-7 degrees."""
    match fields.get(Field.PLACE):
        case None:
            return None, None
        case [int(latitude), int(longitude)] if (
            abs(latitude) <= 900_000_000 and abs(longitude) <= 1_800_000_000
        ):
            return latitude, longitude
        case _:
            raise Unreadable


_ONE_ROW: Final[dict[Kind, tuple[str, Callable[[Row, OpenedEntry], Row]]]] = {
    Kind.ENCOUNTER_OPENED: ("encounters", _encounter),
    Kind.ENCOUNTER_CLOSED: ("encounters", _encounter),
    Kind.OBSERVATION: ("observations", _observation),
    Kind.ALERT: ("alerts", _alert),
    Kind.CONSENT: ("consents", _consent),
    Kind.MERGED: ("merges", _merge),
    Kind.UNMERGED: ("merges", _merge),
    Kind.SITE: ("sites", _site),
    Kind.DEVICE: ("devices", _device),
    Kind.CLOCK: ("clocks", _clock),
}
"""Kinds that make one row, and how; the others make none, or several."""


def has_origin(entry: OpenedEntry) -> bool:
    """Whether it was journalled again."""
    return _origin(entry.fields)[0] is not None


def first_place(journal: Journal, entry: OpenedEntry) -> Place:
    """Where an entry was written first: its origin's place when it was journalled again."""
    epoch, stream, seq = _origin(entry.fields)
    if epoch is None or stream is None or seq is None:
        return journal.epoch, journal.stream, entry.seq
    return epoch, stream, seq


def _assignments(identity: Row, fields: Fields, epoch: str, resolve: Resolve) -> Rows:
    """Numbers of an entry that was journalled again count in the epoch in which it was written first."""
    rest = (
        _identifier(fields, Field.PATIENT),
        _identifier(fields, Field.ENCOUNTER),
        _text(fields, Field.REASON),
        _text(fields, Field.OPERATOR),
    )
    numbers: dict[int, None] = {}  # each once, in order
    for assigned in _items(fields, Field.ASSIGNED):
        if not _is_integer(assigned):
            raise Unreadable
        numbers[assigned] = None
    found = [resolve((epoch, Stream.VITALS.word, assigned)) for assigned in numbers]
    return [("assignments", (*identity, seq, *rest, was)) for was, _, seq in found]


def _device_record(fields: Fields) -> str | None:
    """What tells one record of a device from another: its own mark, or when we heard it."""
    marked = fields.get(Field.DEVICE_RECORD)
    if isinstance(marked, bytes):
        return marked.hex()
    device, boot = fields.get(Field.DEVICE), fields.get(Field.BOOT)
    monotonic_ms, source = fields.get(Field.MONOTONIC_MS), fields.get(Field.SOURCE)
    if (
        isinstance(source, int)
        and source in _DEVICE_SOURCES
        and isinstance(device, str)
        and isinstance(boot, bytes)
        and isinstance(monotonic_ms, int)
    ):
        return f"{device}/{boot.hex()}/{monotonic_ms}"
    return None


def _origin(fields: Fields) -> tuple[str | None, str | None, int | None]:
    match fields.get(Field.ORIGIN):
        case [bytes(epoch), int(stream), int(seq)] if 0 <= stream <= max(Stream) and _is_integer(seq):
            return epoch.hex(), Stream(stream).word, seq
        case _:
            return None, None, None


def _hex_or_none(fields: Fields, field: Field) -> str | None:
    value = fields.get(field)
    return value.hex() if isinstance(value, bytes) else None


def _text_or_none(fields: Fields, field: Field) -> str | None:
    value = fields.get(field)
    return value if isinstance(value, str) else None


def _identifier(fields: Fields, field: Field) -> str | None:
    value = fields.get(field)
    if value is not None and (not isinstance(value, bytes) or len(value) != 16):
        raise Unreadable
    return None if value is None else value.hex()


def _text(fields: Fields, field: Field) -> str | None:
    value = fields.get(field)
    if value is not None and not isinstance(value, str):
        raise Unreadable
    return value


def _integer(fields: Fields, field: Field) -> int | None:
    value = fields.get(field)
    if value is None:
        return None
    if not _is_integer(value):
        raise Unreadable
    return value


def _is_integer(value: Value) -> TypeGuard[int]:
    """A whole number that a column of the database holds."""
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def _items(fields: Fields, field: Field) -> list[Value]:
    value = fields.get(field, [])
    if not isinstance(value, list):
        raise Unreadable
    return value


def _decimal(fields: Fields, field: Field) -> str | None:
    """``[mantissa, exponent]`` as a plain decimal string; bounded, so that no exponent fills the memory."""
    match fields.get(field):
        case None:
            return None
        case [int(mantissa), int(exponent)] if abs(exponent) <= _MOST_DIGITS:
            return f"{Decimal(mantissa).scaleb(exponent):f}"
        case _:
            raise Unreadable
