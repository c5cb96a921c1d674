"""A disk that keeps only what was synced, and of the rest whatever it likes.

The rules are the weakest a file system may have: bytes of a file are kept by a sync of the file, names by
a sync of their directory. Of what was not synced any write may be on the disk or not, or torn at a sector;
names change in the order in which they were changed.
"""

import dataclasses
import random
from collections.abc import Mapping
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Final, TypeAlias

from torture.trace import Cut, Made, NamesSynced, Removed, Renamed, Step, Synced, Wrote

SECTOR: Final = 512

_Change: TypeAlias = Wrote | Cut
_Naming: TypeAlias = Made | Renamed | Removed


class Luck(Enum):
    """What becomes of that which was not synced."""

    GONE = "nothing of it is there"
    KEPT = "all of it is there"
    SOME = "some of it is there"
    TORN = "some of it is there, and of that some in part"


ODDS: Final = {Luck.GONE: 4, Luck.KEPT: 1, Luck.SOME: 5, Luck.TORN: 5}


@dataclasses.dataclass(slots=True)
class _Waiting:
    ended: int
    change: _Change


class Disk:
    """Follows steps; `write_out` gives what a power cut now would leave."""

    def __init__(self, files: Mapping[str, tuple[int, bytes]]) -> None:
        """``files``: what was there and synced before, by path: inode and content."""
        self._names = {path: inode for path, (inode, _) in files.items()}
        self._content = {inode: bytearray(content) for inode, content in files.values()}
        self._waiting: dict[int, list[_Waiting]] = {}
        self._namings: list[tuple[int, _Naming]] = []

    def take(self, step: Step) -> None:
        """The next step, in the order of their places."""
        match step.operation:
            case Wrote() | Cut() as change:
                self._waiting.setdefault(change.inode, []).append(_Waiting(step.ended, change))
            case Made() | Renamed() | Removed() as naming:
                self._namings.append((step.ended, naming))
            case Synced(inode, begun):
                waiting = self._waiting.pop(inode, [])
                content = self._content.setdefault(inode, bytearray())
                for each in waiting:
                    if each.ended < begun:
                        _apply(content, each.change)
                self._waiting[inode] = [each for each in waiting if each.ended >= begun]
            case NamesSynced(directory, begun):
                kept = [n for n in self._namings if n[0] < begun and _is_in(directory, n[1])]
                for _, naming in kept:
                    _rename(self._names, naming)
                self._namings = [n for n in self._namings if n not in kept]
            case _:
                pass

    def write_out(
        self, home: Path, onto: Path, wanted: tuple[str, ...], luck: Luck, dice: random.Random
    ) -> None:
        """Write what is left below ``wanted`` directories of ``home`` to ``onto``."""
        names = dict(self._names)
        many = {Luck.GONE: 0, Luck.KEPT: len(self._namings)}.get(luck, dice.randint(0, len(self._namings)))
        for _, naming in self._namings[:many]:
            _rename(names, naming)
        for directory in wanted:
            (onto / directory).mkdir(parents=True, exist_ok=True)
        for path, inode in names.items():
            inside = PurePosixPath(path).relative_to(home)
            if any(inside.is_relative_to(directory) for directory in wanted):
                (onto / inside).parent.mkdir(parents=True, exist_ok=True)
                (onto / inside).write_bytes(self._left(inode, luck, dice))

    def _left(self, inode: int, luck: Luck, dice: random.Random) -> bytes:
        content = self._content.get(inode, bytearray())
        waiting = self._waiting.get(inode)
        if luck is Luck.GONE or not waiting:
            return bytes(content)
        left = bytearray(content)
        for each in waiting:
            if luck is Luck.KEPT or dice.random() < 0.5:
                torn = luck is Luck.TORN and dice.random() < 0.5
                _apply(left, each.change, dice if torn else None)
        return bytes(left)


def _apply(content: bytearray, change: _Change, dice: random.Random | None = None) -> None:
    """Make a change to a file; with ``dice`` only some of its sectors."""
    if isinstance(change, Cut):
        del content[change.length :]
        content.extend(bytes(change.length - len(content)))
        return
    for begin in range(0, len(change.data), SECTOR):
        if dice is not None and dice.random() < 0.5:
            continue
        part = change.data[begin : begin + SECTOR]
        at = change.offset + begin
        content.extend(bytes(max(0, at + len(part) - len(content))))
        content[at : at + len(part)] = part


def _rename(names: dict[str, int], naming: _Naming) -> None:
    match naming:
        case Made(path, inode):
            names[path] = inode
        case Renamed(old, new):
            if old in names:
                names[new] = names.pop(old)
        case Removed(path):
            names.pop(path, None)


def _is_in(directory: str, naming: _Naming) -> bool:
    path = naming.new if isinstance(naming, Renamed) else naming.path
    return path.rpartition("/")[0] == directory
