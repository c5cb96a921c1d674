"""Letting a box have what a lost one's backup holds; and which units are one in what they wrote.

A grant is noted before it is written: from then on entries of the two units are held against each other by
their origins, so that what the lost unit had delivered is not made a row twice.
"""

import dataclasses
from pathlib import Path
from typing import ClassVar

from edge import backups, recovery
from edge.clock import Clock
from edge.errors import QafilaError
from sync.central import database
from sync.central.database import Connection
from sync.central.home import CentreHome, read_file
from sync.wire import grants
from sync.wire.grants import Grant


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
    """

    grant: Grant
    raw: bytes
    owed: tuple[str, ...]


def give(home: CentreHome, wanted: Wanted, key_file: Path, clock: Clock) -> Given:
    """Note a grant durably; then what is to be carried to the box.

    The backup may hold patients whom the lost unit was ordered to erase; the box owes that from now on,
    and is told when two people order it again.

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
        grant = Grant(header.unit, wanted.unit, realm, header.id, clock.now().wall_ms)
        with database.write(connection):
            connection.execute(
                "INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?)",
                (
                    *(grant.unit, grant.former, grant.backup.hex()),
                    *(wanted.reason, wanted.by, grant.granted_ms),
                ),
            )
            owed = _inherit_orders(connection, grant)
            database.raise_alarm(
                connection,
                "succeeded",
                grant.former,
                f"{grant.unit} continues what it wrote",
                grant.granted_ms,
            )
    finally:
        connection.close()
    return Given(grant, grants.make(grant, secret, recv_public, read_file(home.hot_key)), owed)


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


def _inherit_orders(connection: Connection, grant: Grant) -> tuple[str, ...]:
    """Every order to the lost unit, done there or not, is still to be done by the one that goes on."""
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
    return tuple(patient for (patient,) in rows.fetchall())


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
