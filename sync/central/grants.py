"""Letting a box have what a lost one's backup holds; and which units are one in what they wrote.

A grant is noted before it is written: from then on entries of the two units are held against each other by
their origins, so that what the lost unit had delivered is not made a row twice.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from edge import backups, recovery
from edge.clock import Clock
from edge.errors import QafilaError
from sync.central import database, decisions
from sync.central.database import Connection
from sync.central.home import CentreHome, read_file
from sync.wire import grants
from sync.wire.grants import Grant

MOST_ORDERS_BYTES: Final = 192 * 1024
"""A grant is one message, and has room for so much beside what opens the backup."""


class GrantRefused(QafilaError):
    """No grant was given; nothing was noted."""

    code: ClassVar[str] = "grant-refused"


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for.

    Attributes:
        manifest: the backup's manifest, as it was brought.
        unit: the box that is to have it.
        reason, by: why, and who answers for it here.
    """

    manifest: bytes
    unit: str
    reason: str
    by: str


@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    """A grant that was noted.

    Attributes:
        grant: what it says.
        raw: the file to be carried to the box.
        owed: patients in hex whom the lost unit was ordered to erase; the backup may still hold them.
        again: those of them of whom the box does not hear by this grant: two people have to order it again.
        before: earlier grants of what the lost unit wrote to other boxes: to whom, and when.
        repeated: this box was let have this backup before; nothing more was noted.
    """

    grant: Grant
    raw: bytes
    owed: tuple[str, ...]
    again: tuple[str, ...] = ()
    before: tuple[tuple[str, int], ...] = ()
    repeated: bool = False


def give(home: CentreHome, wanted: Wanted, key_file: Path, clock: Clock) -> Given:
    """Note a grant durably; then what is to be carried to the box.

    The backup may hold patients whom the lost unit was ordered to erase. The box owes that from now on, and
    the grant carries the very orders of then, with both signatures.

    Raises:
        GrantRefused: a unit is not enrolled here, or the recovery key is not the backup's.
        BackupRefused: the manifest is none.
        CentreError, CentreDatabaseError: it cannot be noted, so none is given.
    """
    realm = home.read_settings().realm
    manifest = backups.read(wanted.manifest)
    header, slot = manifest.header, manifest.by_recovery
    if header.realm != realm:
        raise GrantRefused(
            f"The backup is of the {header.realm} realm, this centre of {realm}.",
            next_step="ask the centre of its own realm.",
            code="backup-realm",
        )
    private = read_file(key_file)
    if slot is None or slot.to != _public(private):
        raise GrantRefused(
            "This is not the recovery key that the backup was sealed to.",
            next_step="take the one that the centre had when the backup was made.",
            code="centre-key-wrong",
        )
    secret = recovery.secret_of(private, slot.point, header.unit)
    if secret is None or manifest.opened_by_secret(secret) is None:
        raise GrantRefused(
            "The recovery key does not open this backup: its manifest was changed.",
            next_step="take another backup of that unit.",
            code="backup-damaged",
        )
    connection = database.connect(home.database)
    try:
        recv_public = _enrolled(connection, wanted.unit)
        _enrolled(connection, header.unit)
        if wanted.unit == header.unit:
            raise GrantRefused(
                f"{header.unit} itself needs no grant for its own backup.",
                next_step="sign in there with the PIN of the time of the backup.",
                code="grant-to-itself",
            )
        with decisions.noted(home) as notes, database.write(connection):
            now_ms = clock.now().wall_ms
            orders = _orders_to(connection, header.unit)
            grant = Grant(header.unit, wanted.unit, realm, header.id, now_ms, orders)
            before = connection.execute(
                "SELECT unit, min(granted_ms) FROM grants WHERE former = ? AND unit <> ?"
                " GROUP BY unit ORDER BY min(granted_ms), unit",
                (grant.former, grant.unit),
            ).fetchall()
            said = {
                "unit": grant.unit,
                "former": grant.former,
                "backup": grant.backup.hex(),
                "reason": wanted.reason,
                "by": wanted.by,
            }
            repeated = not _note(connection, said, now_ms)
            if not repeated:
                notes.add(decisions.GRANTED, now_ms, **said)
            owed, again = _inherit_orders(connection, grant)
    finally:
        connection.close()
    raw = grants.make(grant, secret, recv_public, read_file(home.hot_key))
    others = tuple((unit, int(granted_ms)) for unit, granted_ms in before)
    return Given(grant, raw, owed, again, others, repeated)


def decide_again(connection: Connection, decision: Mapping[str, Any]) -> bool:
    """What was granted before the database was put back; False where it knows it already."""
    return _note(connection, decision, decision["ms"])


def _note(connection: Connection, said: Mapping[str, str], now_ms: int) -> bool:
    """Note a grant and tell of it; False where this one was noted before, as when its file was mislaid."""
    unit, former, backup = said["unit"], said["former"], said["backup"]
    noted = connection.execute(
        "SELECT 1 FROM grants WHERE unit = ? AND former = ? AND backup = ?", (unit, former, backup)
    ).fetchone()
    if noted is not None:
        return False
    connection.execute(
        "INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?)",
        (unit, former, backup, said["reason"], said["by"], now_ms),
    )
    database.raise_alarm(connection, "succeeded", former, f"{unit} continues what it wrote", now_ms)
    return True


class Families:
    """Which units continue one another, directly or over several."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, unit: str) -> tuple[str, ...]:
        """The unit and all that are one with it, in a fixed order."""
        if self._connection.execute("SELECT 1 FROM grants LIMIT 1").fetchone() is None:
            return (unit,)
        found, new = {unit}, {unit}
        while new:
            there = {
                other
                for one in new
                for row in self._connection.execute(
                    "SELECT unit, former FROM grants WHERE unit = ?1 OR former = ?1", (one,)
                ).fetchall()
                for other in row
            }
            new = there - found
            found |= new
        return tuple(sorted(found))


def _orders_to(connection: Connection, unit: str) -> bytes:
    """The orders that a unit was given, as they were sealed to it; empty when there are none that fit in."""
    row = connection.execute("SELECT raw FROM orders WHERE unit = ?", (unit,)).fetchone()
    return b"" if row is None or len(row[0]) > MOST_ORDERS_BYTES else bytes(row[0])


def _inherit_orders(connection: Connection, grant: Grant) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Every order to the lost unit, done there or not, is still to be done by the one that goes on.

    Returns:
        Whom it is about; and those of them who are not in the orders that the grant carries, because the
        lost unit had inherited them itself and no order was given to it since.
    """
    connection.execute(
        "INSERT INTO erasures_of_units SELECT erasure, ?1, NULL FROM erasures_of_units WHERE unit = ?2"
        " ON CONFLICT (erasure, unit) DO UPDATE SET done_ms = NULL",
        (grant.unit, grant.former),
    )
    rows = connection.execute(
        "SELECT DISTINCT patient FROM erasures JOIN erasures_of_units USING (erasure) WHERE unit = ?"
        " ORDER BY patient",
        (grant.former,),
    )
    owed = tuple(patient for (patient,) in rows.fetchall())
    if not grant.orders:
        return owed, owed
    inherited = connection.execute(
        "SELECT DISTINCT patient FROM grants JOIN erasures_of_units AS theirs ON theirs.unit = grants.former"
        " JOIN erasures_of_units AS ours ON ours.erasure = theirs.erasure AND ours.unit = grants.unit"
        " JOIN erasures ON erasures.erasure = theirs.erasure"
        " WHERE grants.unit = ? AND erasures.ordered_ms <= grants.granted_ms"
        " AND NOT EXISTS (SELECT 1 FROM erasures AS later JOIN erasures_of_units AS told"
        " ON told.erasure = later.erasure WHERE told.unit = grants.unit"
        " AND later.ordered_ms > grants.granted_ms) ORDER BY patient",
        (grant.former,),
    )
    return owed, tuple(patient for (patient,) in inherited.fetchall())


def _public(private: bytes) -> bytes:
    try:
        return recovery.public(private)
    except ValueError:  # not even the length of a key
        return b""


def _enrolled(connection: Connection, unit: str) -> bytes:
    row = connection.execute("SELECT recv_public FROM units WHERE unit = ?", (unit,)).fetchone()
    if row is None:
        raise GrantRefused(
            f"No unit {unit} is enrolled here.",
            next_step="enrol it first, or have its name spelt.",
            code="unit-unknown",
        )
    return bytes(row[0])
