"""A backup in the place of a store that is lost: on the same unit, or on a box that takes the unit's place.

The copy is made whole beside the store, under the key that the slots hold, and begins another epoch there:
no identity that the lost store may have given is given a second time. What no receipt has called opened
is journalled again with its origin, and the centre drops what it has. Then the copy takes the store's
name. What was there is set aside.
"""

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from edge.agent import payloads
from edge.agent.history import leave
from edge.agent.parts import MakeSealer
from edge.agent.sealing import Sealing
from edge.backups import BackupRefused, Manifest
from edge.clock import Clock
from edge.ports.orders import ErasureOrder, OrderRefused
from edge.records.fields import Kind, Stream
from edge.security.slots import Slots
from edge.spool import Outbox
from edge.store import backup, succession
from edge.store.aside import set_aside
from edge.store.errors import StoreError, StoreReadOnly
from edge.store.store import Store

RESTORED: Final = "restored"
"""Why the epoch of a backup is left."""
_ACTION: Final = "store.restore"
_SUFFIX: Final = ".restored"
_COMPANIONS: Final = ("-wal", "-shm", "-journal")


@dataclasses.dataclass(frozen=True, slots=True)
class Restoration:
    """What a backup is restored with.

    Attributes:
        unit, realm: of this box.
        key: of the store as the slots hold it.
        make: seals for this unit, or None before enrolment.
        operator: who does it.
        batch: how many entries a sealed batch aims at.
        owed: reads what the unit of the backup was ordered to erase, with that unit's receiving key.
    """

    unit: str
    realm: str
    slots: Slots
    key: bytes = dataclasses.field(repr=False)
    make: MakeSealer | None
    outbox: Outbox
    clock: Clock
    operator: str
    batch: int = 200
    owed: Callable[[bytes], Sequence[ErasureOrder]] = lambda _: ()


@dataclasses.dataclass(frozen=True, slots=True)
class Restored:
    """What is there now.

    Attributes:
        entries: of all epochs.
        again: how many of them are sent again.
        aside: what the store that was there is called now, if there was one.
        to_erase: how many patients the store is ordered to erase, as soon as the centre has all of theirs.
        orders: the code of why the orders that came with the grant are not believed, or None.
    """

    entries: int
    again: int
    aside: Path | None
    to_erase: int = 0
    orders: str | None = None


def restore(
    database: Path, folder: Path, manifest: Manifest, backup_key: bytes, with_: Restoration
) -> Restored:
    """Put a backup in the store's place; only for who holds the unit's exclusive lock.

    Raises:
        BackupRefused: the backup is damaged, or of another realm; or this unit has patients of its own.
            Orders that are not believed do not keep a restore back: care goes on, and they are told.
        StoreError: the store is as it was.
    """
    if manifest.header.realm != with_.realm:
        raise BackupRefused(
            "The backup is of the other realm: real and made-up patients are never mixed.",
            next_step="Restore it on a unit of its own realm.",
            code="backup-realm",
        )
    new = database.with_name(database.name + _SUFFIX)
    backup.copy_out(folder, manifest, backup_key, new, with_.key)
    orders: Sequence[ErasureOrder] = ()
    refused: str | None = None
    try:
        if manifest.header.unit != with_.unit:
            try:
                orders = _owed(new, with_)
            except OrderRefused as error:
                refused = error.stable_code
            _succeed(new, database, with_)
        entries, again = _begin(new, with_, orders, manifest.header.id)
        _close_for_good(new)
        aside = set_aside(database)
        new.rename(database)
        _sync(database.parent)
    except OSError:
        backup.remove(new)
        raise StoreReadOnly(
            "The store cannot be put in place: its directory takes no files.",
            next_step="Check the disk and who owns the directory; what was there is there.",
        ) from None
    except BaseException:
        backup.remove(new)
        raise
    return Restored(entries, again, aside, len({each.patient for each in orders}), refused)


def is_lost(database: Path, key: bytes) -> bool:
    """Whether the store that is here cannot be relied on: missing, damaged, or its journal does not fit."""
    try:
        store = Store.open(database, key)
    except StoreError:
        return True
    try:
        return not store.verify().valid
    except StoreError:
        return True
    finally:
        store.close()


def is_made_of(database: Path, key: bytes, manifest: Manifest) -> bool:
    """Whether the store that is here is whole and was made of this backup, whatever came to it since."""
    try:
        store = Store.open(database, key)
    except StoreError:
        return False
    try:
        return store.restored_from == manifest.header.id
    finally:
        store.close()


def _owed(new: Path, with_: Restoration) -> Sequence[ErasureOrder]:
    """What the unit of the backup was ordered to erase: sealed to a key that only its store holds."""
    store = Store.open(new, with_.key)
    try:
        return with_.owed(store.identity().recv_private)
    finally:
        store.close()


def _begin(
    new: Path, with_: Restoration, orders: Sequence[ErasureOrder], backup_id: bytes
) -> tuple[int, int]:
    """Leave the epoch of the backup; how many entries there are, and how many are sent again."""
    store = Store.open(new, with_.key)
    try:
        found = store.verify()
        if (store.unit, store.realm) != (with_.unit, with_.realm) or not found.valid:
            raise BackupRefused(
                "The backup's store is not what its manifest says.",
                next_step="Take another backup.",
                code="backup-damaged",
            )
        with store.write() as tx:
            tx.set_slots_generation(with_.slots.generation)
            tx.set_slots_intent(None)
            tx.set_restored_from(backup_id)
        sealing = Sealing(store, with_.outbox, batch=with_.batch, session_s=0.0, audit_s=0.0)
        sealing.start(with_.make)
        if with_.make is not None:
            sealing.seal_gaps(with_.make, with_.clock.monotonic_s())
        moment = with_.clock.now()
        fork = leave(store, sealing, with_.make, moment, RESTORED)
        stamp = payloads.stamp(moment, with_.operator)
        with store.write() as tx:
            tx.append(Stream.AUDIT, Kind.ACCESS, stamp | payloads.access(_ACTION))
            for each in orders:
                tx.order_erasure_again(
                    each.erasure,
                    each.patient,
                    reason=each.reason,
                    authority=json.dumps(each.authority, ensure_ascii=False),
                    ordered_ms=each.ordered_ms,
                )
        return sum(found.entries.values()), 0 if fork is None else fork.again
    finally:
        store.close()


def _succeed(new: Path, own: Path, with_: Restoration) -> None:
    """Give the copy this unit's name and keys, and what this unit has written so far."""
    copy = Store.open(new, with_.key)
    try:
        mine = Store.open(own, with_.key)
        try:
            if mine.unit != with_.unit or not mine.verify().valid:
                raise BackupRefused(
                    "The store of this box is damaged: it cannot take over another unit's.",
                    next_step="Make the box a unit anew, with a name of its own.",
                    code="backup-no-successor",
                )
            succession.take_over(copy, mine)
        finally:
            mine.close()
    finally:
        copy.close()


def _close_for_good(new: Path) -> None:
    """Nothing of the copy may be left in a log: the log does not come along."""
    log = new.with_name(new.name + "-wal")
    if log.exists() and log.stat().st_size:
        raise OSError(log)
    for companion in _COMPANIONS:
        new.with_name(new.name + companion).unlink(missing_ok=True)
    _sync(new)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
