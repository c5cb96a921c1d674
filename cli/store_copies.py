"""Backups of a unit's store: made through the running agent or with its lock, put back with its lock."""

import datetime
import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from cli import unit_papers
from cli.asking import agent_runs, ask_agent_as
from cli.files import read_small_file
from cli.signed_in import unlocked
from cli.unit_secret import secret_sources
from cli.unit_setup import installed
from edge.agent import payloads, restoring
from edge.agent.commands.backups import told
from edge.agent.permissions import may
from edge.agent.refusals import NotAllowed
from edge.agent.restoring import Restoration
from edge.backups import BackupRefused, Manifest
from edge.clock import SystemClock
from edge.config import Places, load
from edge.ports.orders import ErasureOrder
from edge.records.fields import Kind, Stream
from edge.records.people import user_id
from edge.security import device_secret, process, slot_file
from edge.security.errors import DeviceSecretWrong, SecurityError, SlotsDamaged, WrongPin
from edge.security.exclusive import ExclusiveLock
from edge.security.files import make_private_directory, write_private
from edge.security.lockout import Lockout
from edge.security.slot_file import copies_of
from edge.security.slots import Slots
from edge.spool import Outbox
from edge.store import backup
from edge.store.rekey import open_settled
from sync.boxend.orders import BoxOrderReader
from sync.wire import grants
from sync.wire.errors import EnvelopeRefused

BACKUP: Final = "store.backup"
RESTORE: Final = "store.restore"
Owed: TypeAlias = Callable[[bytes], Sequence[ErasureOrder]]
_HISTORY: Final = logging.getLogger("edge.agent.history")


def make_backup(places: Places, user: str, pin: str, into: Path) -> dict[str, Any]:
    """Back the store up below ``into``.

    Raises:
        BackupFailed: there is none. NotAllowed, CallRefused: this person may not.
    """
    if agent_runs(places):
        return ask_agent_as(places, user, pin, BACKUP, into=str(into))
    with unlocked(places, user, pin, BACKUP) as (_, store, key):
        from cli.wiring import Pinned  # only here: it knows all parts by name

        clock = SystemClock()
        enrolled = Pinned(places, clock)()
        stamp = payloads.stamp(clock.now(), user_id(user))
        with store.write() as tx:
            tx.append(Stream.AUDIT, Kind.ACCESS, stamp | payloads.access(BACKUP))
        recovery_to = None if enrolled is None else enrolled.recovery
        order = backup.Order(key, clock.now(), recovery_to, unit_papers.papers(places))
        return dict(told(backup.write(places.database, into, order), order))


def restore_backup(places: Places, user: str, pin: str, folder: Path, grant: Path | None) -> dict[str, Any]:
    """Put a backup in the store's place.

    Raises:
        BackupRefused: it is not this unit's and there is no grant, or is damaged; nothing was changed.
        NotAllowed, SecurityError, StoreError: the store is as it was.
    """
    from cli.wiring import Pinned  # only here: it knows all parts by name

    manifest = backup.look(folder)
    process.harden()
    make_private_directory(places.store)
    _HISTORY.addHandler(logging.NullHandler())  # what it says is in our answer
    with ExclusiveLock(places.agent_lock):
        brought = [] if places.config.exists() else _settle_in(places, manifest, user_id(user), pin)
        config = load(places.config)
        _check_unit(config.unit.id, manifest, grant)
        secrets = secret_sources(places, config).every()
        slots, key = _sign_in(places, manifest, secrets, user_id(user), pin)
        if grant is None:
            backup_key = _backup_key(places, manifest, secrets, user_id(user), pin, key)
            owed: Owed = _nothing_owed
        else:
            backup_key, owed = _granted(places, manifest, grant, key)
        ours = config.unit.id == manifest.header.unit
        done_before = restoring.is_made_of(places.database, key, manifest)
        if (ours or done_before) and not restoring.is_lost(places.database, key):
            if done_before:
                return _answer(config.unit.id, manifest, brought, None)
            raise BackupRefused(
                "The store of this unit is whole: nothing was restored.",
                next_step="Use it. If an older state is wanted all the same, set its files aside first.",
                code="store-not-lost",
            )
        clock = SystemClock()
        _put_slots_back(places, manifest)
        for directory in (places.spool_out, places.spool_in):
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        enrolled = Pinned(places, clock)()
        done = restoring.restore(
            *(places.database, folder, manifest, backup_key),
            Restoration(
                *(config.unit.id, config.unit.realm, slots, key),
                None if enrolled is None else enrolled.make_sealer,
                *(Outbox(places.spool_out), clock, user_id(user), config.seal.batch),
                owed,
            ),
        )
    return _answer(config.unit.id, manifest, brought, done)


def _answer(
    unit: str, manifest: Manifest, brought: Sequence[str], done: restoring.Restored | None
) -> dict[str, Any]:
    """What there is now; without ``done`` this backup was put back before, and nothing was changed now."""
    made = datetime.datetime.fromtimestamp(manifest.header.made_ms / 1000, datetime.UTC)
    return {
        "unit": unit,
        "former": manifest.header.unit if manifest.header.unit != unit else None,
        "made": f"{made:%Y-%m-%d %H:%M} UTC",
        "done_before": done is None,
        "entries": None if done is None else done.entries,
        "again": None if done is None else done.again,
        "set_aside": None if done is None or done.aside is None else done.aside.name,
        "brought": list(brought),
        "to_erase": 0 if done is None else done.to_erase,
        "orders_refused": None if done is None else done.orders,
    }


def _settle_in(places: Places, manifest: Manifest, user: str, pin: str) -> list[str]:
    """A box without configuration becomes the unit of the backup, once somebody of that unit has signed in.

    The device secret is looked for where a new unit has it: a configuration may name a program to ask, and
    none is believed that only lay on a medium.
    """
    slots, key = _unlock_brought(places, manifest, [device_secret.read(places.device_secret)], user, pin)
    _check_role(slots, user)
    if manifest.opened_by(key) is None:
        raise _other_key()
    return unit_papers.put_back(places, dict(manifest.papers))


def _put_slots_back(places: Places, manifest: Manifest) -> None:
    slots = {name: paper for name, paper in manifest.papers.items() if name == unit_papers.SLOTS}
    unit_papers.put_back(places, slots)


def _check_unit(unit: str, manifest: Manifest, grant: Path | None) -> None:
    if manifest.header.unit != unit and grant is None:
        raise BackupRefused(
            f"The backup is of {manifest.header.unit}, this unit is {unit}: nothing was restored.",
            next_step="Restore it on its own unit, or ask the centre for a grant (qafila central grant).",
            code="backup-of-another-unit",
        )


def _sign_in(
    places: Places, manifest: Manifest, secrets: Sequence[bytes], user: str, pin: str
) -> tuple[Slots, bytes]:
    """Slots and the store's key: of this unit, or of the backup where this unit has none."""
    lockout = Lockout(places.store / "lockout", SystemClock().monotonic_s)
    lockout.begin(user)
    if any(copy.exists() for copy in copies_of(places.slots)):
        slots = Slots.load(places.slots, *secrets)
        key = slots.unlock(user, pin)
    else:
        slots, key = _unlock_brought(places, manifest, secrets, user, pin)
    lockout.succeeded(user)
    _check_role(slots, user)
    return slots, key


def _check_role(slots: Slots, user: str) -> None:
    asking = next(each for each in slots.users() if each.user == user)
    if not may(asking.role, RESTORE):
        raise NotAllowed


def _backup_key(
    places: Places, manifest: Manifest, secrets: Sequence[bytes], user: str, pin: str, key: bytes
) -> bytes:
    """What opens the backup: the store's key, or the one that it had when the backup was made."""
    opened = manifest.opened_by(key)
    if opened is not None:
        return opened
    try:
        _, then = _unlock_brought(places, manifest, secrets, user, pin)
        opened = manifest.opened_by(then)
    except SecurityError:
        opened = None
    if opened is None:
        raise _other_key()
    return opened


def _nothing_owed(_: bytes) -> Sequence[ErasureOrder]:
    return ()


def _granted(places: Places, manifest: Manifest, grant: Path, key: bytes) -> tuple[bytes, Owed]:
    """What opens another unit's backup: the centre's grant to this one; and what reads the orders in it."""
    enrolled = installed(places)
    if enrolled is None:
        raise _no_grant("This unit is not enrolled, so no grant can be for it.", "Enrol it first.")
    store = open_settled(places.database, key)
    try:
        private = store.identity().recv_private
    finally:
        store.close()
    try:
        given, secret = grants.read(read_small_file(grant), enrolled.roots, enrolled.realm, private)
    except EnvelopeRefused:
        raise _no_grant(
            f"{grant} is no grant of this unit's centre, or it is for another unit.",
            "Ask the centre for one: qafila central grant, with this unit's name.",
        ) from None
    header = manifest.header
    if (given.unit, given.former, given.backup) != (enrolled.unit, header.unit, header.id):
        raise _no_grant("The grant is for another backup.", "Bring the backup that it was given for.")
    opened = manifest.opened_by_secret(secret)
    if opened is None:
        raise _no_grant("The grant does not open this backup.", "Ask the centre for another one.")

    def owed(former_private: bytes) -> Sequence[ErasureOrder]:
        orders = BoxOrderReader(header.unit, enrolled.keyset)
        return orders.read(given.orders, former_private) if given.orders else ()

    return opened, owed


def _no_grant(sentence: str, next_step: str) -> BackupRefused:
    return BackupRefused(sentence, next_step=next_step, code="grant-refused")


def _unlock_brought(
    places: Places, manifest: Manifest, secrets: Sequence[bytes], user: str, pin: str
) -> tuple[Slots, bytes]:
    """The backup's own slots, read from a folder that is gone afterwards; the key they give."""
    if unit_papers.SLOTS not in manifest.papers:
        raise WrongPin
    with tempfile.TemporaryDirectory(dir=places.store, prefix=".slots-") as folder:
        path = Path(folder) / "slots"
        write_private(path, manifest.papers[unit_papers.SLOTS])
        try:
            slots = Slots.load(path, *secrets)
        except (SlotsDamaged, DeviceSecretWrong):
            raise _other_slots(slot_file.names(manifest.papers[unit_papers.SLOTS], secrets)) from None
        return slots, slots.unlock(user, pin)


def _other_slots(ours: bool | None) -> BackupRefused:
    """Why the slots in a backup do not open: damage, or a device secret that is not in."""
    if ours is False:
        return BackupRefused(
            "The backup was made under another device secret.",
            next_step="Put the medium of that time in, and name it as `device_secret_copy` in unit.toml.",
            code="backup-other-secret",
        )
    return BackupRefused(
        "The key slots in the backup are damaged: its manifest was changed.",
        next_step="Take another backup.",
        code="backup-damaged",
    )


def _other_key() -> BackupRefused:
    return BackupRefused(
        "The backup was made under another key of the store, and this PIN does not lead to it.",
        next_step="Sign in as somebody who has the same PIN as then, or ask the centre for a grant.",
        code="backup-other-key",
    )
