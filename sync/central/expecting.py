"""Tell a unit whom to expect: patients the centre knows from any unit, for some days."""

import dataclasses
import uuid
from collections.abc import Sequence
from typing import Final

from edge import cbor
from edge.cbor import Value
from edge.clock import Clock
from sync.central import database, outbox, trouble
from sync.central.database import Connection
from sync.central.home import CentreHome
from sync.central.requests import RequestRefused
from sync.wire.keyset import Use

KIND: Final = "expect"
MOST: Final = 200
MOST_DAYS: Final = 366
MAX_NOTE: Final = 120
DAY_MS: Final = 86_400_000
_PERSON: Final = (
    "SELECT unit, epoch, stream, seq, leaf, family, given, family_arabic, given_arabic, sex, birth"
    " FROM patients WHERE patient = ?"
    " ORDER BY revision DESC, unit DESC, epoch DESC, seq DESC, leaf DESC LIMIT 1"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Expected:
    """What a unit is told: how many to expect, how many no more, until when."""

    message: uuid.UUID
    unit: str
    expected: int
    no_more: int
    until_ms: int


def expect(
    home: CentreHome,
    unit: str,
    patients: Sequence[uuid.UUID],
    *,
    no_more: Sequence[uuid.UUID],
    days: int,
    note: str,
    clock: Clock,
) -> Expected:
    """Have a unit expect patients for so many days, and others no more.

    Raises:
        RequestRefused: nobody is named, too many are, or nobody here knows one of them.
        NotSent: there is no such unit.
    """
    if not (patients or no_more) or max(len(patients), len(no_more)) > MOST:
        raise RequestRefused(
            f"1 to {MOST} patients at a time.", next_step="name them, or some of them.", code="too-many"
        )
    if not 1 <= days <= MOST_DAYS or len(note) > MAX_NOTE:
        raise RequestRefused(
            f"For 1 to {MOST_DAYS} days, with a note of at most {MAX_NOTE} characters.",
            next_step="correct --days or --note.",
            code="expect-refused",
        )
    keyset, privates = home.read_down_keys()
    now_ms = clock.now().wall_ms
    until_ms = now_ms + days * DAY_MS
    connection = database.connect(home.database)
    try:
        with database.write(connection, [unit]):
            people: list[Value] = [_person(connection, each, note) for each in dict.fromkeys(patients)]
            body: list[Value] = [until_ms, people, [each.bytes for each in no_more]]
            message = outbox.put(connection, unit, Use.COMMAND, KIND, body, now_ms=now_ms)
            connection.executemany(
                "INSERT INTO outbox_people VALUES (?, ?)",
                [(message.hex, each.hex) for each in dict.fromkeys(patients)],
            )
        with trouble.understood():
            outbox.seal_due(connection, keyset, privates, now_ms, unit)
    finally:
        connection.close()
    return Expected(message, unit, len(people), len(no_more), until_ms)


def units_told(connection: Connection, patient: str) -> list[str]:
    """Who was told to expect a patient: they have the name, though they may have sent nothing of them."""
    rows = connection.execute(
        "SELECT DISTINCT unit FROM outbox JOIN outbox_people ON outbox_people.message = outbox.message"
        " WHERE outbox_people.patient = ?",
        (patient,),
    ).fetchall()
    return [unit for (unit,) in rows]


def leave_out(connection: Connection, patient: str) -> None:
    """Take somebody out of every list, before the rows that say in which they stand are gone.

    A list that is still on its way is sealed anew without them; a unit that has it is told to erase them.
    """
    rows = connection.execute(
        "SELECT outbox.message, payload FROM outbox JOIN outbox_people"
        " ON outbox_people.message = outbox.message WHERE outbox_people.patient = ?",
        (patient,),
    ).fetchall()
    for message, payload in rows:
        match cbor.decode(bytes(payload)):
            case [str(kind), until, [*people], *rest]:
                left = [each for each in people if not _is(each, patient)]
                connection.execute(
                    "UPDATE outbox SET payload = ?, epoch = NULL WHERE message = ?",
                    (cbor.encode([kind, until, left, *rest]), message),
                )
            case _:
                pass  # not of our making


def _is(person: Value, patient: str) -> bool:
    return isinstance(person, list) and bool(person) and person[0] == bytes.fromhex(patient)


def _person(connection: Connection, patient: uuid.UUID, note: str) -> list[Value]:
    row = connection.execute(_PERSON, (patient.hex,)).fetchone()
    if row is None:
        raise RequestRefused(
            f"Nobody here knows a patient {patient}.",
            next_step="look it up with `qafila central patients --json`.",
            code="patient-unknown",
        )
    identity, names, (sex, birth) = row[:5], row[5:9], row[9:]
    identifiers = connection.execute(
        "SELECT system, value FROM identifiers WHERE unit = ? AND epoch = ? AND stream = ? AND seq = ?"
        " AND leaf = ? ORDER BY position",
        identity,
    ).fetchall()
    pairs: list[Value] = [[system, value] for system, value in identifiers]
    return [patient.bytes, *(each or "" for each in names), sex or "unknown", birth, pairs, note]
