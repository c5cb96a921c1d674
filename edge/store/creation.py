"""Making a store: the tables, the unit's keys, the first epoch with its five genesis entries.

Everything is done in a file of another name, which then gets the store's: a store is there whole or
not at all, whenever the power goes.
"""

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from edge.audit import chain
from edge.clock import Moment
from edge.records.fields import Field, Kind, Payload, Stream
from edge.store import sqlite
from edge.store.base import Epoch, Whose
from edge.store.connection import check_sealed, connect_new
from edge.store.errors import StoreExists, StoreReadOnly, translated
from edge.store.identity import make_identity
from edge.store.schema import DDL, VERSION
from edge.store.transaction import SECRET_BYTES, Transaction

_NEW_SUFFIX: Final = ".new"
_COMPANIONS: Final = ("", "-wal", "-shm", "-journal")


def create_file(
    path: Path,
    key: bytes,
    whose: Whose,
    moment: Moment,
    furnish: Callable[[sqlite.Connection], None] | None = None,
) -> None:
    """Make a store at ``path``, readable by its owner only.

    ``furnish`` puts other things into the empty tables than new keys and a first epoch.

    Raises:
        StoreExists: something is there already.
        StoreReadOnly, StoreFull: the disk does not take it; nothing is left behind.
    """
    if any(_beside(path, companion).exists() for companion in _COMPANIONS):
        raise StoreExists(
            "There is a store on this unit already; it is never written over.",
            next_step="If it is to go, set its files aside first.",
        )
    new = path.with_name(path.name + _NEW_SUFFIX)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        _remove(new)  # what a making cut short has left
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError:
        raise StoreReadOnly(
            "The store cannot be made: its directory takes no files.",
            next_step="Check the disk and who owns the directory.",
        ) from None
    try:
        _fill(new, key, furnish or functools.partial(_from_nothing, whose=whose, moment=moment))
        check_sealed(new)
        _sync(new)
        new.rename(path)
    except BaseException:
        _remove(new)
        raise
    _sync(path.parent)


def begin_epoch(
    connection: sqlite.Connection, whose: Whose, moment: Moment, parent: tuple[bytes, tuple[int, ...]] | None
) -> Epoch:
    """Begin an epoch inside the open transaction: its row, five streams, a genesis as seq 1 of each.

    ``parent`` is the epoch this one comes after, with its last matched tips by stream number.
    """
    epoch_bytes, secret = os.urandom(chain.EPOCH_BYTES), os.urandom(SECRET_BYTES)
    with translated():
        cursor = connection.execute("INSERT INTO epochs (epoch, secret) VALUES (?, ?)", (epoch_bytes, secret))
        epoch = Epoch(int(cursor.lastrowid or 0), epoch_bytes, secret)
        connection.executemany(
            "INSERT INTO streams (epoch, stream, tip, head) VALUES (?, ?, 0, ?)",
            [
                (epoch.number, stream, chain.first_head(whose.realm, whose.unit, epoch_bytes, stream))
                for stream in Stream
            ],
        )
    genesis: Payload = {
        Field.WALL_MS: moment.wall_ms,
        Field.BOOT: moment.boot,
        Field.MONOTONIC_MS: moment.monotonic_ms,
        Field.CLOCK_QUALITY: int(moment.quality),
        Field.SALT: secret,
        Field.UNIT: whose.unit,
        Field.REALM: whose.realm,
    }
    if parent is not None:
        genesis[Field.PARENT] = [parent[0], list(parent[1])]
    tx = Transaction(connection, whose, epoch)
    for stream in Stream:
        tx.append(stream, Kind.GENESIS, genesis)
    tx.finish()
    return epoch


def _fill(path: Path, key: bytes, furnish: Callable[[sqlite.Connection], None]) -> None:
    connection = connect_new(path, key)
    try:
        with translated():
            connection.execute("BEGIN IMMEDIATE")
            for statement in DDL:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
            furnish(connection)
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def _from_nothing(connection: sqlite.Connection, whose: Whose, moment: Moment) -> None:
    write_meta(connection, new_meta(whose))
    begin_epoch(connection, whose, moment, parent=None)


def new_meta(whose: Whose) -> dict[str, bytes]:
    """What stands in a store that belongs to the whole of it, with fresh keys."""
    identity = make_identity()
    return {
        "unit": whose.unit.encode(),
        "realm": whose.realm.encode(),
        "sign-private": identity.sign_private,
        "recv-private": identity.recv_private,
        "slots-generation": (0).to_bytes(8),
    }


def write_meta(connection: sqlite.Connection, meta: Mapping[str, bytes]) -> None:
    """Inside the open transaction."""
    connection.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", list(meta.items()))


def _beside(path: Path, companion: str) -> Path:
    return path.with_name(path.name + companion)


def _remove(path: Path) -> None:
    for companion in _COMPANIONS:
        _beside(path, companion).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
