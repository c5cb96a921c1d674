"""The store and its chain, as far as they can be judged without anybody's PIN."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cli.doctor.asked import Asked
from cli.doctor.finding import Finding, code, failed, passed, troubled, warned
from edge.config import Places
from edge.errors import QafilaError
from edge.store.connection import check_file
from edge.store.schema import VERSION

NAMES: Final = ("store", "store-lock", "store-schema", "chain")
_LOCKS: Final = Path("/proc/locks")


@dataclasses.dataclass(frozen=True, slots=True)
class Files:
    """What lies in the store's folder.

    Attributes:
        visible: whether this user may look into it.
        fault: what is wrong with the database's file.
        open_to: the rights that others than its owner have on the folder.
        holder: the process that holds its lock, 0 for none; None where that cannot be seen.
    """

    visible: bool
    fault: QafilaError | None = None
    open_to: int = 0
    holder: int | None = None


def look(places: Places) -> Files:
    """See the files; takes no lock and opens nothing for writing."""
    try:
        mode = places.store.stat().st_mode
    except FileNotFoundError:
        mode = 0
    except OSError:
        return Files(visible=False)
    if mode and not os.access(places.store, os.R_OK | os.X_OK):
        return Files(visible=False)
    fault: QafilaError | None = None
    try:
        check_file(places.database)
    except QafilaError as error:
        fault = error
    return Files(True, fault, mode & 0o077, holder_of(places.agent_lock))  # noqa: FBT003  the first field


def holder_of(lock: Path, locks: Path = _LOCKS) -> int | None:
    """Which process holds a lock, 0 for none; read from the kernel's list, so that none is ever taken."""
    try:
        seen = lock.stat()
    except FileNotFoundError:
        return 0
    except OSError:
        return None
    try:
        lines = locks.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    name = f"{os.major(seen.st_dev):02x}:{os.minor(seen.st_dev):02x}:{seen.st_ino}"
    for line in lines:
        words = line.split()
        if len(words) > 5 and words[1] == "FLOCK" and words[5] == name:
            return abs(int(words[4])) or 1
    return 0


def judge(seen: Files, asked: Asked, version: str) -> list[Finding]:
    return [
        _store(seen, asked),
        _lock(seen, asked),
        _schema(asked, version),
        _chain(asked),
    ]


def _store(seen: Files, asked: Asked) -> Finding:
    name = "store"
    if asked.unlocked and asked.problem is None:
        return passed(name, "The running agent has it open.")
    if not seen.visible:
        return warned(
            name, "Not known: this user may not look into its folder.", "Run it as root or the unit's user."
        )
    if seen.fault is not None:
        return troubled(name, seen.fault)
    if seen.open_to:
        return warned(
            name, "Others than its owner may enter its folder.", "chmod 700 the folder of the store."
        )
    return passed(name, "Its file is there and encrypted; what is in it takes a PIN.")


def _lock(seen: Files, asked: Asked) -> Finding:
    name = "store-lock"
    if seen.holder is None:
        return warned(name, "Not known: who holds it cannot be seen.", "Run it as root or the unit's user.")
    if seen.holder and asked.status is None:
        return warned(
            name,
            "Process {pid} holds it, and no agent answers.",
            "Wait until a command on the store has ended; else look at that process.",
            pid=seen.holder,
        )
    if asked.status is not None and not seen.holder:
        return failed(name, "An agent answers without holding it.", "Stop every agent, then start one.")
    return passed(name, "The agent holds it." if seen.holder else "Nobody holds it.")


def _schema(asked: Asked, version: str) -> Finding:
    name = "store-schema"
    if asked.unlocked and asked.status is not None and asked.status["version"] == version:
        return passed(name, "The agent has opened it, so it is of schema {schema}.", schema=VERSION)
    return warned(
        name,
        "Not known: it stands inside the store. This program knows schema {schema}.",
        "Sign in, then run it again.",
        schema=VERSION,
    )


def _chain(asked: Asked) -> Finding:
    name = "chain"
    if asked.status is None or not asked.unlocked:
        return warned(name, "Not known without a PIN.", "qafila store verify reads all of it.")
    streams: Mapping[str, Mapping[str, Any]] = asked.status["streams"]
    stopped = [stream["stopped"] for stream in streams.values() if stream["stopped"]]
    if stopped:
        return failed(
            name,
            "{count} streams stand still ({code}).",
            "qafila store verify says what is wrong; then call those who answer for this unit.",
            count=len(stopped),
            code=code(stopped[0]),
        )
    if forked := asked.status.get("forked"):
        return warned(
            name,
            "The store went back in time and went on by itself ({code}).",
            "Find out whether a copy of this card is in use; the centre has nothing twice.",
            code=code(forked["reason"]),
        )
    tip, landed = (sum(stream[word] for stream in streams.values()) for word in ("tip", "landed"))
    if not landed:
        return warned(name, "Not known: no receipt speaks of it yet.", "qafila store verify reads all of it.")
    return passed(
        name,
        "The centre's receipts agree with it as far as they go, {landed} of {tip} entries;"
        " `qafila store verify` hashes each anew.",
        landed=landed,
        tip=tip,
    )
