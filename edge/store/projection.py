"""Entries become rows: patients, encounters, observations, alerts, in the transaction that appends them.

The journal is the truth and the rows are what it adds up to; nothing else writes these tables.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeAlias, cast

from edge.cbor import Value
from edge.records.fields import Field, Kind, Payload, Source
from edge.store import sqlite
from edge.store.base import Epoch
from edge.store.errors import IdentifierTaken, StoreRefused
from edge.store.normalise import normalise, normalise_identifier

_Projector: TypeAlias = Callable[[sqlite.Connection, Epoch, int, Payload], None]


def project(connection: sqlite.Connection, epoch: Epoch, kind: Kind, seq: int, payload: Payload) -> None:
    """Write the rows that one entry amounts to; kinds without rows write none.

    Raises:
        IdentifierTaken: another patient has one of this patient's identifiers.
        StoreRefused: the entry names something that is not there, or not as it says.
    """
    projector = _PROJECTORS.get(kind)
    if projector is not None:
        projector(connection, epoch, seq, payload)


def _patient(connection: sqlite.Connection, _epoch: Epoch, _seq: int, payload: Payload) -> None:
    patient = payload[Field.PATIENT]
    family, given = str(payload[Field.FAMILY]), str(payload.get(Field.GIVEN, ""))
    phone, village = payload.get(Field.PHONE), payload.get(Field.VILLAGE)
    connection.execute(
        "INSERT INTO patients (patient, revision, family, given, sex, birth, phone, village, norm)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (patient) DO UPDATE SET revision = excluded.revision, family = excluded.family,"
        " given = excluded.given, sex = excluded.sex, birth = excluded.birth, phone = excluded.phone,"
        " village = excluded.village, norm = excluded.norm WHERE excluded.revision > revision",
        (
            patient,
            payload.get(Field.REVISION, 1),
            family,
            given,
            payload.get(Field.SEX, "unknown"),
            payload.get(Field.BIRTH),
            phone,
            village,
            normalise(" ".join(str(part) for part in (family, given, village, phone) if part)),
        ),
    )
    connection.execute("DELETE FROM identifiers WHERE patient = ?", (patient,))
    identifiers = cast("Sequence[Sequence[str]]", payload.get(Field.IDENTIFIERS, ()))
    for place, (system, value) in enumerate(identifiers):
        norm = normalise_identifier(value)
        taken = connection.execute(
            "SELECT 1 FROM identifiers WHERE system = ? AND norm = ?", (system, norm)
        ).fetchone()
        if taken is not None:
            raise IdentifierTaken(
                "Another patient has this identifier: nothing was saved.",
                next_step="Find that patient by the identifier, or correct the identifier.",
            )
        connection.execute(
            "INSERT INTO identifiers (system, norm, value, patient, place) VALUES (?, ?, ?, ?, ?)",
            (system, norm, value, patient, place),
        )


def _encounter_opened(connection: sqlite.Connection, _epoch: Epoch, _seq: int, payload: Payload) -> None:
    connection.execute(
        "INSERT INTO encounters (encounter, patient, operator, opened_ms) VALUES (?, ?, ?, ?)",
        (
            payload[Field.ENCOUNTER],
            payload[Field.PATIENT],
            payload.get(Field.OPERATOR, ""),
            payload.get(Field.WALL_MS, 0),
        ),
    )


def _encounter_closed(connection: sqlite.Connection, _epoch: Epoch, _seq: int, payload: Payload) -> None:
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


def _observation(connection: sqlite.Connection, epoch: Epoch, seq: int, payload: Payload) -> None:
    corrected = cast("Sequence[Value]", payload.get(Field.SUPERSEDES, (None, None)))
    connection.execute(
        "INSERT INTO observations (epoch, seq, encounter, patient, code, value, missing, source, device,"
        " device_record, device_time, reading, flags, confirmed, operator, wall_ms, boot, monotonic_ms,"
        " clock_quality, supersedes_epoch, supersedes_seq)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            epoch.number,
            seq,
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
            *corrected,
        ),
    )


def _assignment(connection: sqlite.Connection, epoch: Epoch, _seq: int, payload: Payload) -> None:
    encounter = payload[Field.ENCOUNTER]
    for seq in cast("Sequence[int]", payload[Field.ASSIGNED]):
        cursor = connection.execute(
            "UPDATE observations SET encounter = ?,"
            " patient = (SELECT patient FROM encounters WHERE encounter = ?)"
            " WHERE epoch = ? AND seq = ? AND encounter IS NULL",
            (encounter, encounter, epoch.number, seq),
        )
        if cursor.rowcount != 1:
            raise StoreRefused(
                "One of these readings is not in the tray: nothing was saved.",
                next_step="Look at the tray again and choose from what it shows.",
                code="not-in-tray",
            )


def _alert(connection: sqlite.Connection, epoch: Epoch, seq: int, payload: Payload) -> None:
    connection.execute(
        "INSERT INTO alerts (epoch, seq, patient, encounter, code, text, operator, wall_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            epoch.number,
            seq,
            payload.get(Field.PATIENT),
            payload.get(Field.ENCOUNTER),
            payload[Field.ALERT_CODE],
            payload.get(Field.ALERT_TEXT),
            payload.get(Field.OPERATOR),
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
    Kind.PATIENT: _patient,
    Kind.ENCOUNTER_OPENED: _encounter_opened,
    Kind.ENCOUNTER_CLOSED: _encounter_closed,
    Kind.OBSERVATION: _observation,
    Kind.CORRECTION: _observation,
    Kind.ASSIGNMENT: _assignment,
    Kind.ALERT: _alert,
}
