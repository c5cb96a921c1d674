"""A new key for the store: a copy under the new key beside it, then one rename.

Killed at any point one of the two is whole, and the key slots say which: as long as they hold the old key
the copy is nothing and is removed; as soon as they hold the new one the copy is the store. The old file's
blocks stay on the flash until they are written over; only the old key opens them.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge.store import sqlite
from edge.store.connection import check_sealed, connect, connect_new
from edge.store.errors import StoreDamaged, StoreReadOnly, translated
from edge.store.pagecheck import key_fits
from edge.store.store import Store

_SUFFIX: Final = ".rekeyed"
_COMPANIONS: Final = ("-wal", "-shm", "-journal")
_PAGES_A_STEP: Final = 500


def open_settled(path: Path, key: bytes) -> Store:
    """Open the store; a change of its key that was cut short is finished or undone first.

    Only for who holds the unit's exclusive lock.
    """
    new = _beside(path)
    if new.exists():
        if path.is_file() and key_fits(path, key):
            _remove(new)
        elif key_fits(new, key):
            _take_over(new, path)
    return Store.open(path, key)


def prepare(path: Path, old: bytes, new_key: bytes, mark: Callable[[Store], None]) -> None:
    """Make a whole, durable, checked copy under the new key; the store itself is not changed.

    Args:
        path: of the store, which nobody has open.
        old: its key.
        new_key: the copy's.
        mark: writes into the copy what shall stand in it once it is the store.

    Raises:
        StoreError: nothing was changed.
    """
    new = _beside(path)
    _remove(new)
    try:
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        _copy(path, old, new, new_key)
        copied = Store.open(new, new_key)
        try:
            mark(copied)
        finally:
            copied.close()
        _whole(new)
        check_sealed(new)
        _drop_companions(new)
        _sync(new)
        _sync(new.parent)
    except OSError:
        _remove(new)
        raise StoreReadOnly(
            "The store cannot be copied: its directory takes no files.",
            next_step="Free space on the unit, or check the disk.",
        ) from None
    except BaseException:
        _remove(new)
        raise


def finish(path: Path) -> None:
    """Put the copy in the store's place; to be called when the key slots hold the new key."""
    _take_over(_beside(path), path)


def _copy(path: Path, old: bytes, new: Path, new_key: bytes) -> None:
    with contextlib.ExitStack() as stack, translated():
        source = connect(path, old)
        stack.callback(source.close)
        source.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        target = connect_new(new, new_key)
        stack.callback(target.close)
        sqlite.copy(source, target, _PAGES_A_STEP)
        if [row[0] for row in target.execute("PRAGMA integrity_check")] != ["ok"]:
            raise StoreDamaged(
                "The copy of the store is not sound; the store is as it was.",
                next_step="Verify the store with qafila store verify.",
            )
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _whole(path: Path) -> None:
    """Refuse a copy of which something is still in its log: the log does not come along."""
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        raise OSError(log)


def _take_over(new: Path, path: Path) -> None:
    """Rename; what is left of the old file's log goes first, for it would be replayed into the new file."""
    _drop_companions(path)
    new.rename(path)
    _sync(path.parent)


def _drop_companions(path: Path) -> None:
    for companion in _COMPANIONS:
        path.with_name(path.name + companion).unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + _SUFFIX)


def _remove(path: Path) -> None:
    _drop_companions(path)
    path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
