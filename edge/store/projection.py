"""Entries become rows: patients, encounters, observations, alerts, in the transaction that appends them.

The journal is the truth and the rows are what it adds up to; nothing else writes these tables.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeAlias, cast

from edge.cbor import Value
from edge.records.fields import Field, Kind, Payload, Source, Stream
from edge.store import sqlite
from edge.store.attachments import project_attachment, project_part
from edge.store.base import Epoch
from edge.store.consents import project_consent
from edge.store.errors import StoreRefused
from edge.store.expertise import project_change, project_request
from edge.store.inbox import project_read, project_received
from edge.store.merging import project_merged, project_unmerged
from edge.store.patient_rows import project_patient
from edge.store.sites import project_site
from edge.store.waveforms import project_chunk, project_end, project_waveform

_WHO: Final = (Field.MANUFACTURER, Field.MODEL, Field.SERIAL, Field.FIRMWARE)

_Projector: TypeAlias = Callable[[sqlite.Connection, Epoch, int, Payload], None]


def project(connection: sqlite.Connection, epoch: Epoch, kind: Kind, entry: int, payload: Payload) -> None:
    """Write the rows that one entry amounts to; kinds without rows write none.

    ``entry`` is the id of its row in the journal.

    Raises:
        IdentifierTaken: another patient has one of this patient's identifiers.
        StoreRefused: the entry names something that is not there, or not as it says.
    """
    projector = _PROJECTORS.get(kind)
    if projector is not None:
        projector(connection, epoch, entry, payload)


def _encounter_opened(connection: sqlite.Connection, _epoch: Epoch, _entry: int, payload: Payload) -> None:
    connection.execute(
        "INSERT INTO encounters (encounter, patient, operator, opened_ms, site) VALUES (?, ?, ?, ?, ?)",
        (
            payload[Field.ENCOUNTER],
            payload[Field.PATIENT],
            payload.get(Field.OPERATOR, ""),
            payload.get(Field.WALL_MS, 0),
            payload.get(Field.SITE),
        ),
    )


def _encounter_closed(connection: sqlite.Connection, _epoch: Epoch, _entry: int, payload: Payload) -> None:
    cursor = connection.execute(
        "UPDATE encounters SET closed_ms = ? WHERE encounter = ? AND closed_ms IS NULL",
        (payload.get(Field.WALL_MS, 0), payload[Field.ENCOUNTER]),
    )
    if cursor.rowcount != 1:
        raise StoreRefused(
            "This visit is not open: nothing was saved.",
            next_step="Look at the patient's visits and open a new one.",
            code="encounter-not-open",
        )


def _observation(connection: sqlite.Connection, _epoch: Epoch, entry: int, payload: Payload) -> None:
    corrected = cast("Sequence[Value]", payload.get(Field.SUPERSEDES, (None, None)))
    connection.execute(
        "INSERT INTO observations (entry, encounter, patient, code, value, missing, source, device,"
        " device_record, device_time, reading, flags, confirmed, operator, wall_ms, boot, monotonic_ms,"
        " clock_quality, clock_off_s, supersedes_epoch, supersedes_seq)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry,
            payload.get(Field.ENCOUNTER),
            payload.get(Field.PATIENT),
            payload[Field.CODE],
            _decimal_text(payload),
            payload.get(Field.MISSING),
            payload.get(Field.SOURCE, int(Source.DEVICE)),
            payload.get(Field.DEVICE),
            payload.get(Field.DEVICE_RECORD),
            payload.get(Field.DEVICE_TIME),
            payload.get(Field.READING),
            " ".join(cast("Sequence[str]", payload.get(Field.FLAGS, ()))),
            payload.get(Field.CONFIRMED),
            payload.get(Field.OPERATOR),
            payload.get(Field.WALL_MS),
            payload.get(Field.BOOT),
            payload.get(Field.MONOTONIC_MS),
            payload.get(Field.CLOCK_QUALITY),
            payload.get(Field.CLOCK_OFF),
            *corrected,
        ),
    )


def _assignment(connection: sqlite.Connection, epoch: Epoch, _entry: int, payload: Payload) -> None:
    encounter = payload[Field.ENCOUNTER]
    for seq in cast("Sequence[int]", payload[Field.ASSIGNED]):
        cursor = connection.execute(
            "UPDATE observations SET encounter = ?,"
            " patient = (SELECT patient FROM encounters WHERE encounter = ?)"
            " WHERE encounter IS NULL"
            " AND entry = (SELECT id FROM journal WHERE epoch = ? AND stream = ? AND seq = ?)",
            (encounter, encounter, epoch.number, Stream.VITALS, seq),
        )
        if cursor.rowcount != 1:
            raise StoreRefused(
                "One of these readings is not in the tray: nothing was saved.",
                next_step="Look at the tray again and choose from what it shows.",
                code="not-in-tray",
            )


def _alert(connection: sqlite.Connection, _epoch: Epoch, entry: int, payload: Payload) -> None:
    connection.execute(
        "INSERT INTO alerts (entry, patient, encounter, code, text, operator, wall_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            entry,
            payload.get(Field.PATIENT),
            payload.get(Field.ENCOUNTER),
            payload[Field.ALERT_CODE],
            payload.get(Field.ALERT_TEXT),
            payload.get(Field.OPERATOR),
            payload.get(Field.WALL_MS),
        ),
    )


def _device(connection: sqlite.Connection, _epoch: Epoch, entry: int, payload: Payload) -> None:
    connection.execute(
        "INSERT INTO devices (entry, device, kind, manufacturer, model, serial, firmware, battery, wall_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry,
            payload[Field.DEVICE],
            *(payload.get(field, "") for field in (Field.DEVICE_KIND, *_WHO)),
            payload.get(Field.BATTERY),
            payload.get(Field.WALL_MS),
        ),
    )


def _decimal_text(payload: Payload) -> str | None:
    """``[mantissa, exponent]`` as a plain decimal; trailing zeros stay, they say the precision."""
    value = payload.get(Field.VALUE)
    if value is None:
        return None
    mantissa, exponent = cast("Sequence[int]", value)
    return format(Decimal(mantissa).scaleb(exponent), "f")


_PROJECTORS: Final[Mapping[Kind, _Projector]] = {
    Kind.PATIENT: project_patient,
    Kind.CONSENT: project_consent,
    Kind.MERGED: project_merged,
    Kind.UNMERGED: project_unmerged,
    Kind.SITE: project_site,
    Kind.ENCOUNTER_OPENED: _encounter_opened,
    Kind.ENCOUNTER_CLOSED: _encounter_closed,
    Kind.OBSERVATION: _observation,
    Kind.CORRECTION: _observation,
    Kind.ASSIGNMENT: _assignment,
    Kind.ALERT: _alert,
    Kind.DEVICE: _device,
    Kind.WAVEFORM: project_waveform,
    Kind.WAVE_CHUNK: project_chunk,
    Kind.WAVEFORM_ENDED: project_end,
    Kind.REQUESTED: project_request,
    Kind.REQUEST_CHANGED: project_change,
    Kind.RECEIVED: project_received,
    Kind.READ: project_read,
    Kind.ATTACHMENT: project_attachment,
    Kind.ATTACHMENT_PART: project_part,
}
