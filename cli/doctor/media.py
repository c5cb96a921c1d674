"""The key slots and the device secret: both copies of each, and when the second medium was last seen."""

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cli.doctor.asked import Asked
from cli.doctor.finding import Finding, code, failed, passed, troubled, warned
from edge.config import Places, UnitConfig
from edge.errors import QafilaError
from edge.security import device_secret, slot_file
from edge.security.secret_sources import SEEN_WITHIN_DAYS

NAMES: Final = ("slots", "device-secret", "device-secret-copy")
_DAY_MS: Final = 86_400_000
_SLOT_CODES: Final = ("slots-", "device-secret-", "secret-helper-")
_AS_OWNER: Final = "Run it as root or the unit's user."


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """One file that should hold the device secret.

    Attributes:
        visible: whether this user may see if it is there.
        secret: what it holds.
        fault: why it does not.
        disk: the number of the file system it lies on.
    """

    visible: bool = True
    secret: bytes | None = dataclasses.field(default=None, repr=False)
    fault: QafilaError | None = None
    disk: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Media:
    """What opens the store beside a person.

    Attributes:
        copy: None where no second copy is configured.
        seen_ms: when the copy was last seen, if that is noted.
        noted: whether this user may read that note, or there is none.
        elsewhere: whether a credential or a helper gives the secret, which only the agent asks.
        whole: how many of the two slot files open; None where they may not be seen.
        slots_fault: why neither opens.
        store_disk: the number of the file system that the store lies on.
    """

    file: Source
    copy: Source | None
    seen_ms: int | None
    noted: bool
    elsewhere: bool
    whole: int | None
    slots_fault: QafilaError | None = None
    store_disk: int | None = None


def look(places: Places, config: UnitConfig) -> Media:
    """See the files. No helper is run, and that a copy was seen is for the agent to note."""
    file = _source(config.device_secret(places))
    second = config.device_secret_copy(places)
    copy = None if second is None else _source(second)
    found = [each.secret for each in (file, copy) if each is not None and each.secret is not None]
    whole, fault = _slots(places.slots, found)
    seen_ms, noted = _noted(places.store / "secret-copy.seen", second)
    elsewhere = bool(config.security.device_secret_helper or config.security.device_secret_credential)
    return Media(file, copy, seen_ms, noted, elsewhere, whole, fault, _disk(places.store))


def judge(seen: Media, asked: Asked, wall_ms: int, realm: str) -> list[Finding]:
    return [_judge_slots(seen, asked), _judge_file(seen, asked, realm), _judge_copy(seen, wall_ms)]


def _judge_slots(seen: Media, asked: Asked) -> Finding:  # noqa: PLR0911  a return for each finding
    name = "slots"
    said = asked.problem
    if said is not None and said.startswith(_SLOT_CODES):
        step = "Put the medium of this unit in, or its second copy; the store itself is untouched."
        return failed(name, "The agent cannot open them ({code}).", step, code=code(said))
    if seen.whole == 1:
        return warned(
            name,
            "One of the two files is missing, damaged or of before.",
            "Sign in and change a PIN (qafila users pin): that writes both.",
        )
    if seen.whole:
        return passed(name, "Both files open with the device secret.")
    if asked.status is not None:
        return passed(name, "The running agent can open them.")
    if seen.whole is None:
        return warned(name, "Not known: this user may not look at them.", _AS_OWNER)
    if seen.slots_fault is not None and (seen.file.secret or (seen.copy is not None and seen.copy.secret)):
        return troubled(name, seen.slots_fault)
    return warned(
        name,
        "Not known: without the device secret they do not open.",
        "Put the medium in, or start the agent.",
    )


def _judge_file(seen: Media, asked: Asked, realm: str) -> Finding:  # noqa: PLR0911  a return for each finding
    name = "device-secret"
    if not seen.file.visible:
        return warned(name, "Not known: this user may not look at its medium.", _AS_OWNER)
    if seen.file.secret is not None:
        if realm == "production" and seen.file.disk is not None and seen.file.disk == seen.store_disk:
            return warned(
                name,
                "It lies on the medium that the store is on: who takes that has both.",
                "Move it to a removable medium: qafila unit renew-secret.",
            )
        return passed(name, "It is there and whole.")
    if seen.elsewhere:
        if asked.status is not None and asked.problem is None:
            return passed(name, "The running agent has it from its credential or helper.")
        return warned(
            name, "Not known: a credential or helper gives it to the agent alone.", "Start the agent."
        )
    if seen.file.fault is not None and (seen.copy is None or seen.copy.secret is None):
        return troubled(name, seen.file.fault)
    return warned(
        name,
        "Its first medium is missing or damaged; the second copy opens the unit.",
        "Make new media soon: qafila unit renew-secret FILE --copy FILE.",
    )


def _judge_copy(seen: Media, wall_ms: int) -> Finding:  # noqa: PLR0911  a return for each finding
    name = "device-secret-copy"
    step = "Put the second medium in for a moment, with the agent running."
    if seen.copy is None:
        return warned(
            name,
            "There is no second copy: with the first medium the store would be lost.",
            "qafila unit copy-secret FILE, on another medium that is kept elsewhere.",
        )
    if seen.copy.secret is not None:
        if seen.file.secret is not None and seen.file.secret != seen.copy.secret:
            return warned(
                name,
                "The two media hold two secrets: one is of before a renewal.",
                "Give the command of the renewal again, or put the right medium in.",
            )
        return passed(name, "The second copy is in, and whole.")
    if not seen.noted:
        return warned(name, "Not known: this user may not read when it was last seen.", _AS_OWNER)
    if seen.seen_ms is None:
        return warned(name, "The second copy was never seen where unit.toml names it.", step)
    days = (wall_ms - seen.seen_ms) // _DAY_MS
    if days < 0:
        return warned(
            name, "Not known: by the clock it was last seen in the future.", "Set the clock, then " + step
        )
    if days > SEEN_WITHIN_DAYS:
        return warned(name, "The second copy was last seen {days} days ago.", step, days=days)
    return passed(name, "The second copy was last seen {days} days ago.", days=days)


def _source(path: Path) -> Source:
    try:
        there = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        there = None
    except OSError:
        return Source(visible=False)
    if there is not None and not os.access(path, os.R_OK):
        return Source(visible=False)
    try:
        return Source(secret=device_secret.read(path), disk=_disk(path))
    except QafilaError as error:
        return Source(fault=error)


def _slots(path: Path, secrets: Sequence[bytes]) -> tuple[int | None, QafilaError | None]:
    try:
        if not os.access(path.parent, os.R_OK | os.X_OK):
            return None, None
        slot_file.read(path, secrets)
    except OSError:
        return None, None
    except QafilaError as error:
        return 0, error
    return slot_file.whole_copies(path, secrets), None


def _noted(note: Path, copy: Path | None) -> tuple[int | None, bool]:
    try:
        said = json.loads(note.read_bytes())
        return (int(said["seen_ms"]) if said["copy"] == str(copy) else None), True
    except PermissionError:
        return None, False
    except (OSError, ValueError, TypeError, KeyError):
        return None, True


def _disk(path: Path) -> int | None:
    try:
        return path.stat().st_dev
    except OSError:
        return None
