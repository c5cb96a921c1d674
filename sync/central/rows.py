"""One entry, its rows: what a payload says becomes rows of the centre's tables.

A payload here has passed its signature and its chain, so it is what the unit wrote; whether a field is
of the kind it should be is still checked, because a unit may be wrong. Fields that are not known are
left to the payload, which is kept whole.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from edge.records.fields import Field, Kind, Source, Stream
from sync.central import attachment_rows, down_rows, health_rows, readers, wave_rows
from sync.central.readers import Fields, Unreadable
from sync.central.spans import Journal
from sync.wire.beside import Named

Row: TypeAlias = tuple[str | int | bytes | None, ...]
Rows: TypeAlias = list[tuple[str, Row]]
"""Pairs of a table and a row for it."""
Place: TypeAlias = tuple[str, str, int]
"""Epoch, stream and seq of an entry of one unit."""
Resolve: TypeAlias = Callable[[Place], Place]
"""What an entry was called first."""

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
    "corrections": 10,
    "alerts": 11,
    "assignments": 11,
    "devices": 13,
    "clocks": 9,
    **wave_rows.COLUMNS,
    **down_rows.COLUMNS,
    **attachment_rows.COLUMNS,
    **health_rows.COLUMNS,
}
"""How many columns each table has; a test compares with the database."""
_ONE_ROW_OF_FIELDS: Final = (
    wave_rows.ONE_ROW | down_rows.ONE_ROW | attachment_rows.ONE_ROW | health_rows.ONE_ROW
)


class OpenedEntry(NamedTuple):
    """An entry that fits its chain.

    Attributes:
        named: the bytes that stand beside it, if it names some.
        data: those bytes; None where its unit has them no more.
    """

    seq: int
    kind: int
    payload: bytes
    fields: Fields
    leaf: bytes
    head: bytes
    named: Named | None = None
    data: bytes | None = None


def entry_row(journal: Journal, entry: OpenedEntry, batch: int) -> Row:
    """The row of ``entries``: every entry has one, whatever its payload holds."""
    fields = entry.fields
    return (
        *journal.key,
        entry.seq,
        entry.leaf,
        entry.head,
        entry.kind,
        readers.hex_or_none(fields, Field.PATIENT),
        readers.hex_or_none(fields, Field.REQUEST),
        device_record(fields),
        readers.text_or_none(fields, Field.CODE),
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
    if entry.kind == Kind.CORRECTION:
        return [
            ("observations", _observation(identity, entry)),
            ("corrections", _correction(identity, entry)),
        ]
    if entry.kind in _ONE_ROW_OF_FIELDS:
        table, row_of_fields = _ONE_ROW_OF_FIELDS[Kind(entry.kind)]
        return [(table, (*identity, *row_of_fields(entry.fields)))]
    if entry.kind not in _ONE_ROW:
        return []
    table, row_of = _ONE_ROW[Kind(entry.kind)]
    return [(table, row_of(identity, entry))]


def _patient(identity: Row, fields: Fields) -> Rows:
    patient = readers.identifier(fields, Field.PATIENT)
    if patient is None:
        raise Unreadable
    row: Row = (
        *identity,
        patient,
        readers.integer(fields, Field.REVISION) or 1,
        *(
            readers.text(fields, field)
            for field in (Field.FAMILY, Field.GIVEN, Field.SEX, Field.BIRTH, Field.PHONE, Field.VILLAGE)
        ),
        readers.integer(fields, Field.WALL_MS),
        readers.text(fields, Field.FAMILY_ARABIC),
        readers.text(fields, Field.GIVEN_ARABIC),
        int(fields.get(Field.BIRTH_ESTIMATED) is True),
    )
    rows: Rows = [("patients", row)]
    for position, pair in enumerate(readers.items(fields, Field.IDENTIFIERS)):
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise Unreadable
        system, value = (str(part) for part in pair)
        if "\0" in system + value:
            raise Unreadable
        rows.append(("identifiers", (*identity, position, patient, system, value)))
    return rows


def _encounter(identity: Row, entry: OpenedEntry) -> Row:
    encounter = readers.identifier(entry.fields, Field.ENCOUNTER)
    if encounter is None:
        raise Unreadable
    return (
        *identity,
        encounter,
        readers.identifier(entry.fields, Field.PATIENT),
        "opened" if entry.kind == Kind.ENCOUNTER_OPENED else "closed",
        readers.integer(entry.fields, Field.COUNT),
        readers.text(entry.fields, Field.OPERATOR),
        readers.integer(entry.fields, Field.WALL_MS),
        readers.identifier(entry.fields, Field.SITE),
        *_position(entry.fields),
    )


def _consent(identity: Row, entry: OpenedEntry) -> Row:
    fields = entry.fields
    patient, revision = readers.identifier(fields, Field.PATIENT), readers.integer(fields, Field.REVISION)
    scope, decision = readers.text(fields, Field.SCOPE), readers.text(fields, Field.DECISION)
    if patient is None or revision is None or scope is None or decision is None:
        raise Unreadable
    return (
        *(*identity, patient, scope, revision, decision),
        *(
            readers.text(fields, field)
            for field in (Field.GIVEN_BY, Field.FORM, Field.LANGUAGE, Field.WITNESS)
        ),
        readers.text(fields, Field.OPERATOR),
        readers.integer(fields, Field.WALL_MS),
    )


def _merge(identity: Row, entry: OpenedEntry) -> Row:
    fields = entry.fields
    duplicate, patient = (
        readers.identifier(fields, Field.DUPLICATE),
        readers.identifier(fields, Field.PATIENT),
    )
    revision = readers.integer(fields, Field.REVISION)
    if duplicate is None or patient is None or revision is None or duplicate == patient:
        raise Unreadable
    return (
        *(*identity, duplicate, patient),
        "merged" if entry.kind == Kind.MERGED else "unmerged",
        *(revision, readers.text(fields, Field.REASON), readers.text(fields, Field.OPERATOR)),
        readers.integer(fields, Field.WALL_MS),
    )


def _site(identity: Row, entry: OpenedEntry) -> Row:
    fields = entry.fields
    site, name = readers.identifier(fields, Field.SITE), readers.text(fields, Field.SITE_NAME)
    if site is None or name is None:
        raise Unreadable
    return (
        *identity,
        site,
        name,
        readers.text(fields, Field.OPERATOR),
        readers.integer(fields, Field.WALL_MS),
    )


def _observation(identity: Row, entry: OpenedEntry) -> Row:
    fields = entry.fields
    code = readers.text(fields, Field.CODE)
    value, missing = readers.decimal(fields, Field.VALUE), readers.text(fields, Field.MISSING)
    if code is None or (value is None) == (missing is None):
        raise Unreadable
    return (
        *identity,
        readers.identifier(fields, Field.PATIENT),
        readers.identifier(fields, Field.ENCOUNTER),
        code,
        value,
        missing,
        readers.integer(fields, Field.SOURCE),
        readers.text(fields, Field.DEVICE),
        readers.integer(fields, Field.READING),
        readers.text(fields, Field.OPERATOR),
        readers.integer(fields, Field.WALL_MS),
        readers.integer(fields, Field.CLOCK_QUALITY),
    )


def _correction(identity: Row, entry: OpenedEntry) -> Row:
    """In the place of which observation of the same unit it stands, by what that was called first."""
    match entry.fields.get(Field.SUPERSEDES):
        case [bytes(epoch), int(seq)]:
            return (
                *(*identity, epoch.hex(), seq),
                *(readers.text(entry.fields, field) for field in (Field.REASON, Field.OPERATOR)),
                readers.integer(entry.fields, Field.WALL_MS),
            )
        case _:
            raise Unreadable


def _alert(identity: Row, entry: OpenedEntry) -> Row:
    fields = entry.fields
    code = readers.text(fields, Field.ALERT_CODE)
    if code is None:
        raise Unreadable
    return (
        *identity,
        readers.identifier(fields, Field.PATIENT),
        readers.identifier(fields, Field.ENCOUNTER),
        code,
        readers.text(fields, Field.ALERT_TEXT),
        readers.text(fields, Field.OPERATOR),
        readers.integer(fields, Field.WALL_MS),
    )


def _device(identity: Row, entry: OpenedEntry) -> Row:
    fields = entry.fields
    device = readers.text(fields, Field.DEVICE)
    if device is None:
        raise Unreadable
    said = (Field.DEVICE_KIND, Field.MANUFACTURER, Field.MODEL, Field.SERIAL, Field.FIRMWARE)
    return (
        *identity,
        device,
        *(readers.text(fields, field) for field in said),
        readers.integer(fields, Field.BATTERY),
        readers.integer(fields, Field.WALL_MS),
    )


def _clock(identity: Row, entry: OpenedEntry) -> Row:
    fields = entry.fields
    boot, source = fields.get(Field.BOOT), readers.integer(fields, Field.CLOCK_SOURCE)
    offset_ms = readers.integer(fields, Field.CLOCK_OFFSET)
    if not isinstance(boot, bytes) or source is None or offset_ms is None:
        raise Unreadable
    return (*identity, boot.hex(), source, offset_ms, readers.integer(fields, Field.WALL_MS))


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
        readers.identifier(fields, Field.PATIENT),
        readers.identifier(fields, Field.ENCOUNTER),
        readers.text(fields, Field.REASON),
        readers.text(fields, Field.OPERATOR),
    )
    numbers: dict[int, None] = {}  # each once, in order
    for assigned in readers.items(fields, Field.ASSIGNED):
        if not readers.is_integer(assigned):
            raise Unreadable
        numbers[assigned] = None
    found = [resolve((epoch, Stream.VITALS.word, assigned)) for assigned in numbers]
    return [("assignments", (*identity, seq, *rest, was)) for was, _, seq in found]


def device_record(fields: Fields) -> str | None:
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
        and "\0" not in device
        and isinstance(boot, bytes)
        and isinstance(monotonic_ms, int)
    ):
        return f"{device}/{boot.hex()}/{monotonic_ms}"
    return None


def _origin(fields: Fields) -> tuple[str | None, str | None, int | None]:
    match fields.get(Field.ORIGIN):
        case [bytes(epoch), int(stream), int(seq)] if 0 <= stream <= max(Stream) and readers.is_integer(seq):
            return epoch.hex(), Stream(stream).word, seq
        case _:
            return None, None, None
