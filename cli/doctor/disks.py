"""The disk that the unit's store lies on: its room, whether it takes writes, and how worn it is."""

import dataclasses
import os
from pathlib import Path
from typing import Final

from cli.doctor.finding import Finding, Word, failed, passed, warned
from edge.store import card
from edge.store.errors import StoreReadOnly

FAIL_BYTES: Final = 64 * 1024 * 1024
WARN_BYTES: Final = 1024 * 1024 * 1024
WARN_FILES: Final = 1000
_MB: Final = 1_000_000
_SYS: Final = Path("/sys")
_NEARLY, _WORN = 0x09, 0x0B
"""Of an eMMC's life time estimation: 80 to 90 % used; more than it is made for (JEDEC JESD84, EXT_CSD)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Disk:
    """What the file system says.

    Attributes:
        free_files: None where it does not count them.
        fault: the code of what is wrong; None when nothing is, or nobody may look.
        tried: whether writing and reading were tried, without a byte being written.
    """

    free_bytes: int
    free_files: int | None
    read_only: bool
    fault: str | None
    tried: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Card:
    """What the medium says of itself, and the kernel of it.

    Attributes:
        used: the life that is used up, in tenths from 1 (0x0B: all of it); the worse of an eMMC's two areas.
        reserve: of its spare blocks: 1 normal, 2 four fifths used, 3 urgent.
        errors: faults of the file system that the kernel has counted, ever.
    """

    kind: str = ""
    used: int | None = None
    reserve: int | None = None
    errors: int | None = None


def look_at_disk(folder: Path, always_there: Path) -> Disk | None:
    """See the file system of ``folder``; None when it is not there or may not be seen."""
    try:
        seen = os.statvfs(folder)
    except OSError:
        return None
    try:
        there = always_there.exists()
    except OSError:
        there = False
    return Disk(
        seen.f_bavail * seen.f_frsize,
        seen.f_favail if seen.f_files else None,
        bool(seen.f_flag & os.ST_RDONLY),
        card.what_is_wrong(always_there) if there else None,
        tried=there and os.access(always_there, os.R_OK | os.W_OK),
    )


def judge_disk(seen: Disk | None) -> Finding:  # noqa: PLR0911  a return for each finding
    name = "disk"
    if seen is None:
        return warned(
            name, "Not known: the unit's folder cannot be seen.", "Run it as root or the unit's user."
        )
    free = seen.free_bytes // _MB
    if seen.read_only or seen.fault == StoreReadOnly.code:
        return failed(
            name,
            "It takes no writes.",
            "Check the card's write lock, and dmesg for errors; have a spare ready.",
        )
    if seen.fault is not None:
        return failed(
            name, "It does not give back what it holds.", "Replace the card; qafila store salvage reads."
        )
    if seen.free_bytes < FAIL_BYTES:
        return failed(name, "It has {free} MB left.", "Make room: nothing can be saved soon.", free=free)
    if seen.free_bytes < WARN_BYTES or (seen.free_files is not None and seen.free_files < WARN_FILES):
        return warned(name, "It has {free} MB left, or few files.", "Make room on it.", free=free)
    if not seen.tried:
        return warned(
            name,
            "{free} MB are free; whether it takes writes is not known to this user.",
            "Run it as root or the unit's user.",
            free=free,
        )
    return passed(name, "{free} MB are free, and it takes writes.", free=free)


def look_at_card(folder: Path, sys: Path = _SYS) -> Card:
    """See what the kernel tells everybody of the medium under ``folder``."""
    try:
        number = folder.stat().st_dev
        block = (sys / "dev" / "block" / f"{os.major(number)}:{os.minor(number)}").resolve(strict=True)
    except OSError:
        return Card()
    disk = block.parent if (block / "partition").exists() else block
    life = (_text(disk / "device" / "life_time") or "").split()
    errors = _number(_text(sys / "fs" / "ext4" / block.name / "errors_count"), 10)
    return Card(
        _text(disk / "device" / "type") or ("disk" if block.exists() else ""),
        max((used for each in life if (used := _number(each, 16))), default=None),
        _number(_text(disk / "device" / "pre_eol_info"), 16) or None,
        errors,
    )


def judge_card(seen: Card) -> Finding:
    name = "card"
    if seen.errors:
        return failed(
            name,
            "The kernel has met {errors} faults of its file system.",
            "Back up (qafila store backup), check it with fsck, and replace the card.",
            errors=seen.errors,
        )
    if (seen.used or 0) >= _WORN or (seen.reserve or 0) >= 3:
        return failed(name, "It says that it is worn out.", "Back up now, and replace it.")
    if (seen.used or 0) >= _NEARLY or (seen.reserve or 0) >= 2:
        return warned(name, "It says that most of its life is used.", "Have another one ready.")
    if seen.used is not None:
        return passed(name, "It says that at most {used} % of its life are used.", used=seen.used * 10)
    faults = "no fault was met" if seen.errors == 0 else "nor does the kernel say whether faults were met"
    return warned(
        name,
        "Not known: this medium does not say how worn it is; {faults}.",
        "Replace an SD card by its age; of a disk smartctl knows more, as root.",
        faults=Word(faults),
    )


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None


def _number(text: str | None, base: int) -> int | None:
    try:
        return None if text is None else int(text, base)
    except ValueError:
        return None
