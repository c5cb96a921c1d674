"""A patient's entry becomes a row, the words of the index, and identifiers that are nobody else's."""

import json
from collections.abc import Sequence
from typing import cast

from edge.cbor import Value
from edge.records.fields import Field, Payload
from edge.store import patient_index, sqlite
from edge.store.base import Epoch
from edge.store.errors import IdentifierTaken
from edge.store.normalise import normalise_identifier

_INSERT = (
    "INSERT INTO patients (patient, revision, family, given, sex, birth, phone, village, identifiers,"
    " family_arabic, given_arabic, birth_estimated, norm, number)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (patient) DO UPDATE SET revision = excluded.revision, family = excluded.family,"
    " given = excluded.given, sex = excluded.sex, birth = excluded.birth, phone = excluded.phone,"
    " village = excluded.village, identifiers = excluded.identifiers,"
    " family_arabic = excluded.family_arabic, given_arabic = excluded.given_arabic,"
    " birth_estimated = excluded.birth_estimated, norm = excluded.norm"
)


def project_patient(connection: sqlite.Connection, _epoch: Epoch, _entry: int, payload: Payload) -> None:
    """`Kind.PATIENT`: the newest revision stands, late news change nothing.

    Raises:
        IdentifierTaken: another patient has one of the identifiers.
    """
    patient, revision = payload[Field.PATIENT], payload.get(Field.REVISION, 1)
    old = connection.execute(
        "SELECT revision, identifiers, number, norm FROM patients WHERE patient = ?", (patient,)
    ).fetchone()
    if old is not None and old[0] >= cast("int", revision):
        return
    family, given, family_arabic, given_arabic = names = tuple(
        str(payload.get(field, ""))
        for field in (Field.FAMILY, Field.GIVEN, Field.FAMILY_ARABIC, Field.GIVEN_ARABIC)
    )
    phone, village = payload.get(Field.PHONE), payload.get(Field.VILLAGE)
    identifiers = payload.get(Field.IDENTIFIERS, [])
    norm = patient_index.searchable(
        names=names,
        village=None if village is None else str(village),
        phone=None if phone is None else str(phone),
        identifiers=cast("Sequence[Sequence[str]]", identifiers),
    )
    if old is None:
        [(number,)] = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM patients").fetchall()
    else:
        number = old[2]
        patient_index.drop(connection, number, old[3])
    connection.execute(
        _INSERT,
        (
            *(patient, revision, family, given),
            *(payload.get(Field.SEX, "unknown"), payload.get(Field.BIRTH), phone, village),
            json.dumps(identifiers, ensure_ascii=False),
            *(family_arabic, given_arabic, int(bool(payload.get(Field.BIRTH_ESTIMATED)))),
            *(norm, number),
        ),
    )
    patient_index.put(connection, number, norm)
    _keep_identifiers(
        connection, patient, set() if old is None else _spellings(json.loads(old[1])), identifiers
    )


def _keep_identifiers(
    connection: sqlite.Connection, patient: Value, had: set[tuple[str, str]], identifiers: Value
) -> None:
    has = _spellings(identifiers)
    for spelling in had - has:
        connection.execute("DELETE FROM identifiers WHERE system = ? AND norm = ?", spelling)
    for spelling in has - had:
        if connection.execute("SELECT 1 FROM identifiers WHERE system = ? AND norm = ?", spelling).fetchone():
            raise IdentifierTaken(
                "Another patient has this identifier: nothing was saved.",
                next_step="Find that patient by the identifier, or correct the identifier.",
            )
        connection.execute(
            "INSERT INTO identifiers (system, norm, patient) VALUES (?, ?, ?)", (*spelling, patient)
        )


def _spellings(identifiers: Value) -> set[tuple[str, str]]:
    """(system, value in the one spelling by which it is found and kept unique)."""
    pairs = cast("Sequence[tuple[str, str]]", identifiers)
    return {(system, normalise_identifier(value)) for system, value in pairs}
