"""What a real agent did to its disk and said on its socket, in one order, from strace.

One line of ``strace -f -y -xx`` is one call, or its beginning (``<unfinished ...>``) and later its end
(``resumed``) when another thread came between. A call becomes a *step* with two places, the lines where it
began and ended: from where it began a write may be on the disk and an answer may have been read; only from
where it ended does a sync promise anything, and only of what had ended when it began.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

from torture.nurse import Identity, identities

UNDERSTOOD: Final = frozenset(
    {"openat", "close", "write", "pwrite64", "ftruncate", "fsync", "fdatasync", "rename", "unlink",
     "lseek", "mkdir", "sendto"}
)  # fmt: skip
FOREIGN: Final = frozenset(
    {"open", "creat", "writev", "pwritev", "pwritev2", "truncate", "fallocate", "sync_file_range",
     "sync", "syncfs", "msync", "renameat", "renameat2", "unlinkat", "rmdir", "mkdirat", "link", "linkat",
     "symlink", "symlinkat", "sendmsg", "dup", "dup2", "dup3"}
)  # fmt: skip
"""Calls that this agent does not make on its home; one that does must be taught to the model first."""
MAPPED: Final = "-shm"
"""SQLite's index of the WAL is mapped memory; the first opener after a power cut makes it anew."""

BALLAST: Final = "store/ballast"
"""Holds nothing but space."""
SOCKETS: Final = "run/"
"""Nothing in it outlives the power; on a unit it is memory."""


def strace(into: Path) -> tuple[str, ...]:
    """The words to put before a command."""
    return (
        *("strace", "-f", "-y", "-xx", "-s", str(16 * 1024 * 1024), "--seccomp-bpf"),
        *("-e", "trace=" + ",".join(sorted(UNDERSTOOD | FOREIGN)), "-o", str(into)),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """A new file got a name."""

    path: str
    inode: int


@dataclasses.dataclass(frozen=True, slots=True)
class Wrote:
    """Bytes went into a file."""

    inode: int
    offset: int
    data: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Cut:
    """A file got another length."""

    inode: int
    length: int


@dataclasses.dataclass(frozen=True, slots=True)
class Synced:
    """What a file holds is on the disk: what had ended before line ``begun``."""

    inode: int
    begun: int


@dataclasses.dataclass(frozen=True, slots=True)
class NamesSynced:
    """What a directory names is on the disk: what had ended before line ``begun``."""

    directory: str
    begun: int


@dataclasses.dataclass(frozen=True, slots=True)
class Renamed:
    """A name moved, replacing what had it."""

    old: str
    new: str


@dataclasses.dataclass(frozen=True, slots=True)
class Removed:
    """A name is gone."""

    path: str


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """The socket said that these are saved."""

    saved: frozenset[Identity]


Operation: TypeAlias = Made | Wrote | Cut | Synced | NamesSynced | Renamed | Removed | Said


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One operation and the lines between which it happened."""

    begun: int
    ended: int
    operation: Operation

    @property
    def place(self) -> int:
        """The line from which it may have an effect; of a sync, from which it has one."""
        return self.ended if isinstance(self.operation, Synced | NamesSynced) else self.begun


class TraceNotUnderstood(Exception):
    """The trace holds something this model of a disk does not know; its verdict would mean nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Call:
    name: str
    arguments: str
    result: int
    begun: int
    ended: int


_LINE: Final = re.compile(r"^(?P<pid>\d+) +(?P<rest>.*)$")
_BEGUN: Final = re.compile(r"^(?P<name>\w+)\((?P<before>.*?) ?<unfinished \.\.\.>$")
_RESUMED: Final = re.compile(r"^<\.\.\. \w+ resumed>(?P<after>.*)$")
_WHOLE: Final = re.compile(r"^(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)\b")
_TEXT: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR: Final = re.compile(r"^(\d+)<((?:\\x[0-9a-f]{2})*)>")


def read_trace(path: Path, home: Path, inodes: dict[str, int]) -> list[Step]:
    """The steps below ``home`` and on its sockets, in the order of their places.

    Args:
        path: what strace has written.
        home: the unit's; what is done elsewhere does not count.
        inodes: a number for every file that was there before; new files get numbers of their own.

    Raises:
        TraceNotUnderstood: a call on a file of the home that the model does not know.
    """
    with path.open(encoding="ascii", errors="replace") as lines:
        steps = list(_Reader(str(home), inodes).steps(_calls(lines)))
    return sorted(steps, key=lambda step: step.place)


def _calls(lines: Iterable[str]) -> Iterator[_Call]:
    """Calls that came back without an error, in the order in which they ended."""
    waiting: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(lines):
        match = _LINE.match(line)
        if match is None:
            continue
        pid, rest, begun = match["pid"], match["rest"], number
        if unfinished := _BEGUN.match(rest):
            waiting[pid] = f"{unfinished['name']}({unfinished['before']}", number
            continue
        if (resumed := _RESUMED.match(rest)) and pid in waiting:
            before, begun = waiting.pop(pid)
            rest = before + resumed["after"]
        whole = _WHOLE.match(rest)
        if whole is not None and int(whole["result"]) >= 0:
            yield _Call(whole["name"], whole["arguments"], int(whole["result"]), begun, number)


class _Reader:
    """Follows names, positions and what sockets said, from call to call."""

    def __init__(self, home: str, inodes: dict[str, int]) -> None:
        self._home = home + "/"
        self._inodes = inodes
        self._new = max(inodes.values(), default=0)
        self._positions: dict[int, int] = {}
        self._said: dict[int, bytes] = {}

    def steps(self, calls: Iterable[_Call]) -> Iterator[Step]:
        for call in calls:
            for operation in self._operations(call):
                yield Step(call.begun, call.ended, operation)

    def _operations(self, call: _Call) -> Iterator[Operation]:
        match call.name:
            case "openat":
                yield from self._opened(call)
            case "write" | "pwrite64" | "ftruncate" | "fsync" | "fdatasync" | "lseek":
                yield from self._on_descriptor(call)
            case "rename" | "unlink":
                yield from self._named(call.name, *self._paths(call))
            case "sendto":
                yield from self._spoken(call)
            case "close" | "mkdir":
                pass  # a position ends with the next open; directories are taken as always there
            case _:
                # the ballast is room, and what is in it is nobody's
                if self._home in _decoded(call.arguments).replace(self._home + BALLAST, ""):
                    raise TraceNotUnderstood(f"{call.name} on a file of the home")

    def _named(self, name: str, path: str, new: str = "") -> Iterator[Operation]:
        if name == "unlink":
            if self._ours(path) and self._inodes.pop(path, None) is not None:
                yield Removed(path)
        elif self._ours(path) or self._ours(new):
            if not self._ours(new) or path not in self._inodes:
                raise TraceNotUnderstood(f"{name} of {path} to {new}")
            self._inodes[new] = self._inodes.pop(path)
            yield Renamed(path, new)

    def _opened(self, call: _Call) -> Iterator[Operation]:
        [path] = self._paths(call)
        if not self._ours(path):
            return
        self._positions[call.result] = 0
        if "O_APPEND" in call.arguments:
            raise TraceNotUnderstood(f"{path} is opened for appending")
        if "O_CREAT" in call.arguments and path not in self._inodes:
            self._new += 1
            self._inodes[path] = self._new
            yield Made(path, self._new)
        elif "O_TRUNC" in call.arguments:
            yield Cut(self._inodes[path], 0)

    def _on_descriptor(self, call: _Call) -> Iterator[Operation]:
        match = _DESCRIPTOR.match(call.arguments)
        if match is None or not self._ours(path := _decoded(match[2])):
            return
        if path not in self._inodes:
            if call.name in {"fsync", "fdatasync"}:
                yield NamesSynced(path, call.begun)
            elif call.name != "lseek" and not path.endswith("(deleted)"):
                raise TraceNotUnderstood(f"{call.name} on {path}, which was never opened")
            return
        inode, descriptor = self._inodes[path], int(match[1])
        match call.name:
            case "fsync" | "fdatasync":
                yield Synced(inode, call.begun)
            case "lseek":
                self._positions[descriptor] = call.result
            case "ftruncate":
                yield Cut(inode, int(call.arguments.rpartition(",")[2]))
            case "pwrite64":
                yield Wrote(inode, int(call.arguments.rpartition(",")[2]), self._data(call))
            case _:
                at = self._positions[descriptor]
                self._positions[descriptor] = at + call.result
                yield Wrote(inode, at, self._data(call))

    def _spoken(self, call: _Call) -> Iterator[Operation]:
        match = _DESCRIPTOR.match(call.arguments)
        if match is None:
            return
        *lines, rest = (self._said.get(int(match[1]), b"") + self._data(call)).split(b"\n")
        self._said[int(match[1])] = rest if rest[:1] == b"{" else b""
        for line in lines:
            saved = _saved(line)
            if saved:
                yield Said(frozenset(saved))

    @staticmethod
    def _data(call: _Call) -> bytes:
        text = _TEXT.search(call.arguments)
        if text is None:
            raise TraceNotUnderstood(f"{call.name} without its bytes")
        return _bytes(text[1])[: call.result]

    @staticmethod
    def _paths(call: _Call) -> list[str]:
        return [_bytes(text).decode() for text in _TEXT.findall(call.arguments)]

    def _ours(self, path: str) -> bool:
        inside = path.removeprefix(self._home)
        return inside != path and not (
            inside.startswith(SOCKETS) or inside.endswith(MAPPED) or inside == BALLAST
        )


def _saved(line: bytes) -> set[Identity]:
    """What a line on the socket says is saved: an answer, or news to a screen."""
    try:
        said = json.loads(line)
    except ValueError:
        return set()
    if not isinstance(said, dict):
        return set()
    inner = said.get("ok") or said.get("data")
    return identities(inner["saved"]) if isinstance(inner, dict) and "saved" in inner else set()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _decoded(text: str) -> str:
    """Hex escapes as the text they stand for."""
    return re.sub(r"(?:\\x[0-9a-f]{2})+", lambda match: _bytes(match[0]).decode(errors="replace"), text)
