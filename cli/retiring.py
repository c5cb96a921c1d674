"""Taking a unit out of use: it signs where its journal ends, and destroys what opens it.

The order is what a power cut cannot spoil. First the signed statement lies beside the unit and on the medium;
then the key slots are destroyed, which decides: nobody opens the store any more. Then everything else goes,
and last ``unit.toml``. Cut short before the slots the unit is as it was; after them the same command goes on,
and needs no PIN.
"""

import contextlib
import dataclasses
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from cli.files import write_new_file
from cli.signed_in import unlocked
from cli.unit_secret import load_slots
from edge.agent.mail import standing_of
from edge.agent.receipts import OPENED, judge
from edge.agent.sealing import Sealing
from edge.audit.chain import VISIBLE_HEAD_BYTES
from edge.clock import SystemClock
from edge.config import Places, UnitConfig, load
from edge.errors import QafilaError
from edge.ports.sealing import ReceiptRefused
from edge.records.fields import Stream
from edge.records.people import user_id
from edge.security.errors import SecurityError, SlotsDamaged
from edge.security.exclusive import ExclusiveLock
from edge.security.files import overwrite_private, sync_directory, write_private
from edge.security.slot_file import copies_of
from edge.spool import Inbox, Outbox
from edge.store.store import Store
from sync.wire import retirement
from sync.wire.errors import EnvelopeRefused
from sync.wire.retirement import End, Retirement

METHOD: Final = "unit.retire"
STATEMENT: Final = "retired.cbor"
_AFTER: Final = "retired"
"""Where the public papers of a retired unit lie below its home."""


class NotRetired(QafilaError):
    """The unit is as it was."""

    code: ClassVar[str] = "not-retired"


def begun(places: Places) -> bytes | None:
    """The statement of a unit whose end was cut short after its slots were destroyed, or that is retired."""
    if places.config.exists() and _may_open(places):
        return None
    for path in (places.pinned / STATEMENT, places.base / _AFTER / STATEMENT):
        with contextlib.suppress(FileNotFoundError):
            return path.read_bytes()
    return None


def _may_open(places: Places) -> bool:
    """Whether slots are there that somebody's PIN opens; also where the device secret is only not put in."""
    if not any(path.exists() for path in copies_of(places.slots)):
        return False
    try:
        load_slots(places, load(places.config))
    except SlotsDamaged:
        return False
    except SecurityError:
        pass
    return True


def unit_at(places: Places) -> str:
    """Which unit is to be retired.

    Raises:
        ConfigMissing, ConfigRefused: there is none.
    """
    if (statement := begun(places)) is not None:
        return retirement.unchecked(statement).unit
    return load(places.config).unit.id


def retire(places: Places, user: str, pin: str, file: Path, *, reason: str, force: bool) -> dict[str, Any]:
    """Sign where the journal ends, write it to ``file``, and destroy all that opens the store.

    Args:
        places: of a unit whose agent is stopped.
        user: the supervisor who signs in for it.
        pin: that person's.
        file: where the statement goes, for the centre.
        reason: why, in words that name no patient.
        force: also where entries have not been received; they are lost then.

    Raises:
        NotRetired: something has not been received, the reason is missing, or the unit has no centre.
        NotAllowed, AgentRunning, SecurityError, StoreError: the unit is as it was.
        FileRefused: the medium does not take the statement; the unit is as it was.
    """
    if not 1 <= len(reason.strip()) <= retirement.MOST_WORDS:
        raise NotRetired(
            f"A reason of 1 to {retirement.MOST_WORDS} characters is needed.",
            next_step="say with --reason why it is taken out of use; name no patient.",
            code="reason-refused",
        )
    with unlocked(places, user, pin, METHOD) as (_, store, _):
        said = _last_word(places, store, user_id(user), reason.strip())
        if said.given_up:
            _seal_what_is_not(places, store)
        if said.given_up and not force:
            raise NotRetired(
                f"{said.given_up} entries of this unit have not been received: nothing was changed.",
                next_step="start the agent, give qafila sync now --user NAME --wait 300, stop it, leave the"
                " uplink running, and try again. Where no link will ever be, --force gives them up.",
                code="not-received-yet",
            )
        raw = _signed_before(places, said) or retirement.sign(said, store.identity().sign_private)
        write_private(places.pinned / STATEMENT, raw)
        _write_statement(file, raw)
    with ExclusiveLock(places.agent_lock):
        media = _destroy(places)
    return _told(said, file, media)


def go_on(places: Places, statement: bytes, file: Path) -> dict[str, Any]:
    """Finish what was cut short, and write the statement again where it is not there."""
    _write_statement(file, statement)
    media: list[str] = []
    if places.config.exists():
        places.store.mkdir(mode=0o700, exist_ok=True)
        with ExclusiveLock(places.agent_lock):
            media = _destroy(places)
    return _told(retirement.unchecked(statement), file, media)


def _last_word(places: Places, store: Store, by: str, reason: str) -> Retirement:
    received = _received(places, store)
    ends: dict[Stream, End] = {}
    for stream, mark in store.watermarks().items():
        head = store.head_at(stream, mark.tip)
        ends[stream] = End(mark.tip, bytes(head or bytes(32))[:VISIBLE_HEAD_BYTES], received[stream])
    return Retirement(store.unit, store.realm, SystemClock().now().wall_ms, store.epoch, ends, reason, by)


def _received(places: Places, store: Store) -> Mapping[Stream, int]:
    """Up to where the centre has signed for each stream, with the receipts that have come since."""
    from cli.wiring import Pinned  # only here: it knows all parts by name

    enrolled = Pinned(places, SystemClock())()
    received = {stream: mark.opened for stream, mark in store.watermarks().items()}
    if enrolled is None:
        return received
    for name, raw in Inbox(places.spool_in).take():
        if not name.startswith(OPENED):
            continue
        with contextlib.suppress(ReceiptRefused):
            for move in judge(enrolled.receipts.read(raw), standing_of(store, enrolled)).moves:
                if move.level == OPENED:
                    received[move.stream] = move.through
    return received


def _seal_what_is_not(places: Places, store: Store) -> None:
    """The audit of the last hour, where the agent had no time to: link or courier stick then carry it."""
    from cli.wiring import Pinned  # only here: it knows all parts by name

    enrolled, clock = Pinned(places, SystemClock())(), SystemClock()
    if enrolled is not None:
        sealing = Sealing(store, Outbox(places.spool_out), batch=200, session_s=0.0, audit_s=0.0)
        sealing.start(enrolled.make_sealer)
        sealing.seal_gaps(enrolled.make_sealer, clock.monotonic_s())


def _signed_before(places: Places, said: Retirement) -> bytes | None:
    """The statement of an attempt that was cut short, where it says the same."""
    with contextlib.suppress(FileNotFoundError, EnvelopeRefused):
        raw = (places.pinned / STATEMENT).read_bytes()
        if dataclasses.replace(retirement.unchecked(raw), made_ms=said.made_ms) == said:
            return raw
    return None


def _write_statement(file: Path, raw: bytes) -> None:
    if not (file.is_file() and file.read_bytes() == raw):
        write_new_file(file, raw)


def _destroy(places: Places) -> list[str]:
    """Everything that opens the store first, then everything of it; gives the media that are still to go."""
    media = _destroy_keys(places, load(places.config))
    for directory in (places.spool_out, places.spool_in, places.uplink):
        _empty(directory)
    _empty(places.store, but=places.agent_lock)
    sync_directory(places.store)
    after = places.base / _AFTER
    if places.pinned.exists() and not after.exists():
        places.pinned.rename(after)
    shutil.move(places.config, after / places.config.name)  # perhaps another file system
    for directory in (places.base, places.config.parent, after):
        sync_directory(directory)
    return media


def _destroy_keys(places: Places, config: UnitConfig) -> list[str]:
    copy = config.device_secret_copy(places)
    for path in (*copies_of(places.slots), config.device_secret(places), *places.uplink.glob("tls-*.key")):
        _shred(path)
    if copy is None:
        return []
    if not copy.exists():
        return [str(copy)]
    _shred(copy)
    return []


def _shred(path: Path) -> None:
    """Write over it, then remove it. What flash keeps of it needs the rest to be of use."""
    if not path.is_file():
        return
    with contextlib.suppress(OSError):
        overwrite_private(path, secrets.token_bytes(path.stat().st_size))
    path.unlink()
    sync_directory(path.parent)


def _empty(directory: Path, but: Path | None = None) -> None:
    for path in directory.iterdir() if directory.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != but:
            path.unlink()


def _told(said: Retirement, file: Path, media: list[str]) -> dict[str, Any]:
    return {
        "unit": said.unit,
        "statement": str(file),
        "entries": sum(end.tip for end in said.ends.values()),
        "received": sum(end.received for end in said.ends.values()),
        "given_up": said.given_up,
        "media_to_destroy": media,
    }
