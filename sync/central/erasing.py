"""Erasing a patient: two people order it here, every unit that knows the patient does it, and says so.

At the centre a patient is gone in two steps. With the order their rows and payloads go, and the sealed
batches of those units that have been opened; what comes in later of them goes as it comes. Their secrets
stay until their unit has said that it is done: what is still on its way could not be checked without them,
and its stream would stand still. A leaf and a head stay of every entry.
"""

import base64
import dataclasses
import json
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from edge.clock import Clock
from edge.errors import QafilaError
from edge.ports.orders import ErasureOrder
from edge.records.fields import Field, Kind, Stream
from edge.records.uuid7 import RANDOM_BYTES, uuid7
from sync.central import database, decisions, expecting, received
from sync.central.database import Connection
from sync.central.erased_rows import drop_opened_batches, erase_entries, erase_patient
from sync.central.grants import Families
from sync.central.home import CentreError, CentreHome, read_file
from sync.central.rows import OpenedEntry
from sync.central.spans import Journal
from sync.wire import keys, orders
from sync.wire.keyset import Keyset, Use


class NotErased(QafilaError):
    """Nothing was ordered and nothing erased."""

    code: ClassVar[str] = "not-erased"


@dataclasses.dataclass(frozen=True, slots=True)
class Ordered:
    """An order as it was given.

    Attributes:
        erasure, patient: UUIDs.
        units: who was told.
        stays: other ids under which the same person stays here until a unit says that they are erased.
        other: the id into which this one was merged; nothing of that one goes with this order.
    """

    erasure: uuid.UUID
    patient: uuid.UUID
    units: tuple[str, ...]
    stays: tuple[uuid.UUID, ...] = ()
    other: uuid.UUID | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """How far an order has got.

    Attributes:
        units: when each unit said that it is done, by the centre's time; None while it has not.
    """

    erasure: uuid.UUID
    patient: uuid.UUID
    reason: str
    authority: tuple[str, ...]
    ordered_ms: int
    units: dict[str, int | None]

    def as_json(self) -> dict[str, object]:
        return {
            "erasure": str(self.erasure),
            "patient": str(self.patient),
            "reason": self.reason,
            "authority": list(self.authority),
            "ordered_ms": self.ordered_ms,
            "units": self.units,
        }


def order(
    home: CentreHome,
    patient: uuid.UUID,
    reason: str,
    *,
    by: tuple[str, str],
    key_files: tuple[Path, Path],
    clock: Clock,
) -> Ordered:
    """Erase a patient here, and order every unit that has sent anything of them to do the same.

    Raises:
        NotErased: the same person or key twice, keys the keyset does not name, a patient nobody knows.
        CentreError: the centre's files are not as they should be.
        CentreDatabaseError: the database cannot be used; nothing was changed.
    """
    realm = home.read_settings().realm
    privates = _read_keys(key_files, home.read_keyset(realm))
    _check_words(reason, by)
    now_ms = clock.now().wall_ms
    erasure = uuid7(now_ms, os.urandom(RANDOM_BYTES))
    connection = database.connect(home.database)
    try:
        with decisions.noted(home) as notes, database.write(connection):
            units = _units_of(connection, patient.hex)
            if not units:
                raise NotErased(
                    "No unit has sent anything of a patient with this id.",
                    next_step="look the id up with `qafila central patients --json`.",
                    code="patient-unknown",
                )
            stays, other = received.same_person(connection, patient.hex)
            said = {"erasure": erasure.hex, "patient": patient.hex, "reason": reason, "by": list(by)}
            _write_erasure(connection, said, now_ms)
            given: dict[str, tuple[int, str]] = {}
            for unit in units:
                connection.execute("INSERT INTO erasures_of_units VALUES (?, ?, NULL)", (erasure.hex, unit))
                number, raw = _write_orders(connection, unit, privates, realm)
                given[unit] = number, base64.b64encode(raw).decode()
                drop_opened_batches(connection, unit)
            notes.add(decisions.ERASED, now_ms, **said, orders=given)
            erase_patient(connection, patient.hex)
        empty_log(connection)
    finally:
        connection.close()
    return Ordered(
        *(erasure, patient, tuple(units)),
        tuple(uuid.UUID(hex=each) for each in stays),
        None if other is None else uuid.UUID(hex=other),
    )


def decide_again(connection: Connection, decision: Mapping[str, Any]) -> bool:
    """What was ordered before the database was put back; False where it knows it already.

    The units have the same message to hear, and say in what they send again that it is done.
    """
    erasure, patient = decision["erasure"], decision["patient"]
    if connection.execute("SELECT 1 FROM erasures WHERE erasure = ?", (erasure,)).fetchone() is not None:
        return False
    _write_erasure(connection, decision, decision["ms"])
    for unit, (number, raw) in decision["orders"].items():
        connection.execute("INSERT INTO erasures_of_units VALUES (?, ?, NULL)", (erasure, unit))
        connection.execute(
            "INSERT INTO orders VALUES (?, ?, ?) ON CONFLICT (unit) DO UPDATE"
            " SET number = excluded.number, raw = excluded.raw WHERE excluded.number > orders.number",
            (unit, number, base64.b64decode(raw)),
        )
        drop_opened_batches(connection, unit)
    erase_patient(connection, patient)
    return True


def _write_erasure(connection: Connection, said: Mapping[str, Any], ordered_ms: int) -> None:
    connection.execute(
        "INSERT INTO erasures VALUES (?, ?, ?, ?, ?)",
        (
            *(said["erasure"], said["patient"], said["reason"]),
            *(json.dumps(said["by"], ensure_ascii=False), ordered_ms),
        ),
    )
    connection.execute("INSERT INTO erased_people VALUES (?, ?)", (said["patient"], said["erasure"]))


def standings(home: CentreHome) -> list[Standing]:
    """Every order, the latest first, and how far it has got."""
    home.read_settings()
    connection = database.connect(home.database)
    try:
        rows = connection.execute("SELECT * FROM erasures ORDER BY ordered_ms DESC, erasure").fetchall()
        return [
            Standing(
                uuid.UUID(erasure),
                uuid.UUID(patient),
                reason,
                tuple(json.loads(authority)),
                ordered_ms,
                dict(
                    connection.execute(
                        "SELECT unit, done_ms FROM erasures_of_units WHERE erasure = ? ORDER BY unit",
                        (erasure,),
                    ).fetchall()
                ),
            )
            for erasure, patient, reason, authority, ordered_ms in rows
        ]
    finally:
        connection.close()


def outgoing(connection: Connection) -> list[tuple[str, int, bytes]]:
    """What is to go down: unit, number, message."""
    return list(connection.execute("SELECT unit, number, raw FROM orders ORDER BY unit").fetchall())


def enforce(
    connection: Connection,
    news: Sequence[tuple[Journal, OpenedEntry]],
    opened: Iterable[Sequence[OpenedEntry]],
    now_ms: int,
) -> bool:
    """Take what units say they have erased, and let nothing stand of who was to be erased before.

    Inside the transaction that commits the entries: all of ``opened``, of which ``news`` holds at least
    those of the kind that says it.

    Returns:
        Whether anything was erased, so that the log is to be emptied.
    """
    if connection.execute("SELECT 1 FROM erasures LIMIT 1").fetchone() is None:
        for journal, entry in news:
            if entry.kind == Kind.ERASED:
                _alarm_unknown(connection, journal, now_ms)
        return False
    erased = False
    for journal, entry in news:
        if entry.kind == Kind.ERASED:
            erased |= _done(connection, journal, entry, now_ms)
    patients = {
        each.hex()
        for entries in opened
        for entry in entries
        if isinstance(each := entry.fields.get(Field.PATIENT), bytes)
    }
    for patient in sorted(patients):
        if connection.execute("SELECT 1 FROM erased_people WHERE patient = ?", (patient,)).fetchone():
            erase_patient(connection, patient)
            erased = True
    return erased


def empty_log(connection: Connection) -> None:
    """Leave nothing of what was erased where it stood before, as far as the database lets us."""
    connection.empty_log()


# ── ordering ─────────────────────────────────────────────────────────────────────────────────────


def _read_keys(files: tuple[Path, Path], keyset: Keyset) -> tuple[bytes, bytes]:
    named = {key.key for key in keyset.of_use(Use.RECORDS)}
    if not named:
        raise CentreError(
            "This centre's keyset names no keys for erasing.",
            next_step="it is of an earlier version: make them with `qafila central keys add records`.",
            code="centre-key-missing",
        )
    first, second = (_read_key(file, named) for file in files)
    if first == second:
        raise NotErased(
            "It takes the keys of two people; this is one key twice.",
            next_step="have the other key brought, by the one who keeps it.",
            code="one-key-twice",
        )
    return first, second


def _read_key(file: Path, named: set[bytes]) -> bytes:
    private = read_file(file)
    try:
        public = keys.signing_public(private)
    except ValueError:
        public = b""
    if public not in named:
        raise NotErased(
            f"{file} is not a key for erasing that the keyset names.",
            next_step="take the two that were made with this centre.",
            code="centre-key-wrong",
        )
    return private


def _check_words(reason: str, by: tuple[str, str]) -> None:
    if not reason.strip() or len(reason) > orders.MAX_REASON:
        raise NotErased(
            f"A reason of 1 to {orders.MAX_REASON} characters is needed.",
            next_step="say why, without a name.",
            code="reason-refused",
        )
    if by[0].strip().casefold() == by[1].strip().casefold():
        raise NotErased(
            "It takes two people.", next_step="name the two who order it.", code="one-person-twice"
        )
    if not all(each.strip() and len(each) <= orders.MAX_NAME for each in by):
        raise NotErased(
            "The two who order it have to be named.", next_step="name each with --by.", code="person-refused"
        )


def _units_of(connection: Connection, patient: str) -> list[str]:
    """Who has sent something of a patient or was told of them, and who goes on with the store of one."""
    rows = connection.execute(
        "SELECT unit FROM entries WHERE patient = ? UNION SELECT unit FROM secrets WHERE patient = ?"
        " ORDER BY 1",
        (patient, bytes.fromhex(patient)),
    )
    families = Families(connection)
    known = {*(unit for (unit,) in rows.fetchall()), *expecting.units_told(connection, patient)}
    return sorted({each for unit in known for each in families.of(unit)})


def _write_orders(
    connection: Connection, unit: str, privates: tuple[bytes, bytes], realm: str
) -> tuple[int, bytes]:
    """All orders to a unit in one message: its number, and the message."""
    (recv_public,) = connection.execute("SELECT recv_public FROM units WHERE unit = ?", (unit,)).fetchone()
    rows = connection.execute(
        "SELECT erasure, patient, reason, authority, ordered_ms FROM erasures"
        " JOIN erasures_of_units USING (erasure) WHERE unit = ? ORDER BY ordered_ms, erasure",
        (unit,),
    ).fetchall()
    given = [
        ErasureOrder(bytes.fromhex(erasure), bytes.fromhex(patient), reason, _two(authority), ordered_ms)
        for erasure, patient, reason, authority, ordered_ms in rows
    ]
    last = connection.execute("SELECT number FROM orders WHERE unit = ?", (unit,)).fetchone()
    number = 1 if last is None else last[0] + 1
    raw = orders.make(given, unit, number, recv_public=recv_public, privates=privates, realm=realm)
    connection.execute(
        "INSERT INTO orders VALUES (?, ?, ?)"
        " ON CONFLICT (unit) DO UPDATE SET number = excluded.number, raw = excluded.raw",
        (unit, number, raw),
    )
    return number, raw


def _two(authority: str) -> tuple[str, str]:
    first, second = json.loads(authority)
    return first, second


# ── what a unit says ─────────────────────────────────────────────────────────────────────────────


def _done(connection: Connection, journal: Journal, entry: OpenedEntry, now_ms: int) -> bool:
    """A unit has erased somebody; whether it was ordered to."""
    erasure, people = entry.fields.get(Field.ERASURE), entry.fields.get(Field.PEOPLE)
    told = None
    if isinstance(erasure, bytes):
        told = connection.execute(
            "SELECT done_ms FROM erasures_of_units WHERE erasure = ? AND unit = ?",
            (erasure.hex(), journal.unit),
        ).fetchone()
    if told is None or not isinstance(erasure, bytes):
        _alarm_unknown(connection, journal, now_ms)
        return False
    for each in people if isinstance(people, list) else []:
        if isinstance(each, bytes):
            connection.execute(
                "INSERT INTO erased_people VALUES (?, ?) ON CONFLICT (patient, erasure) DO NOTHING",
                (each.hex(), erasure.hex()),
            )
            erase_patient(connection, each.hex())
            connection.execute("DELETE FROM secrets WHERE unit = ? AND patient = ?", (journal.unit, each))
    for unit in Families(connection).of(journal.unit):  # epochs of a unit whose store it goes on with
        erase_entries(connection, _named(unit, entry.fields.get(Field.SPANS)))
    drop_opened_batches(connection, journal.unit)
    if told[0] is None:
        connection.execute(
            "UPDATE erasures_of_units SET done_ms = ? WHERE erasure = ? AND unit = ?",
            (now_ms, erasure.hex(), journal.unit),
        )
    return True


def _named(unit: str, spans: Any) -> list[tuple[str, str, str, int]]:  # noqa: ANN401  as a unit wrote it
    places: list[tuple[str, str, str, int]] = []
    for span in spans if isinstance(spans, list) else []:
        match span:
            case [bytes(epoch), int(stream), int(first), int(last)] if 0 <= stream <= max(Stream):
                word = Stream(stream).word
                places += [
                    (unit, epoch.hex(), word, seq) for seq in range(first, min(last, first + 4096) + 1)
                ]
            case _:
                pass  # not of our making
    return places


def _alarm_unknown(connection: Connection, journal: Journal, now_ms: int) -> None:
    detail = f"{journal.stream} of epoch {journal.epoch}"
    database.raise_alarm(connection, "erasure-unknown", journal.unit, detail, now_ms)
