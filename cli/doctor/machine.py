"""Swap, core dumps, system units, and the versions of what this program stands on."""

import dataclasses
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cli.doctor.finding import Finding, Word, failed, passed, warned
from edge.security.process import swap_is_on
from edge.store import sqlite
from edge.store.connection import OLDEST_SQLITE

NAMES: Final = ("swap", "core-dumps", "versions")
OLDEST_PYTHON: Final = (3, 11)
_WITHIN_S: Final = 2.0
_UNIT_FOLDERS: Final = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_SWAPS: Final = Path("/proc/swaps")
_PROC: Final = Path("/proc")


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """What the kernel and the interpreter say.

    Attributes:
        swap: None where it cannot be seen.
        core_bytes: what the running agent may dump of its memory, as ``/proc/PID/limits`` has it; None where
            no agent runs or it cannot be seen.
        agent: whether one runs.
        cipher: SQLCipher's version; empty when the library does not encrypt.
    """

    swap: bool | None
    core_bytes: str | None
    agent: bool
    python: tuple[int, int, int]
    sqlite: str
    cipher: str
    cryptography: str
    openssl: str


def look(agent_pid: int | None) -> Machine:
    """See all of it; ``agent_pid`` is who holds the store's lock."""
    import cryptography
    from cryptography.hazmat.backends.openssl import backend

    connection = sqlite.connect(":memory:")
    try:
        row = connection.execute("PRAGMA cipher_version").fetchone()
    finally:
        connection.close()
    return Machine(
        swap_is_on(_SWAPS) if os.access(_SWAPS, os.R_OK) else None,
        _core_bytes(agent_pid) if agent_pid else None,
        bool(agent_pid),
        sys.version_info[:3],
        sqlite.VERSION,
        "" if row is None else str(row[0]),
        cryptography.__version__,
        backend.openssl_version_text(),
    )


def judge(seen: Machine) -> list[Finding]:
    return [_swap(seen.swap), _dumps(seen), _versions(seen)]


def _swap(on: bool | None) -> Finding:
    if on is None:
        return warned("swap", "Not known: the kernel does not say.", "Look at swapon --show.")
    if on:
        return warned(
            "swap",
            "It is on: what is in memory may be written to a disk, unencrypted.",
            "swapoff -a, and take it out of /etc/fstab; memory compressed in place (zram) is fine.",
        )
    return passed("swap", "Nothing in memory is written to a disk.")


def _dumps(seen: Machine) -> Finding:
    name = "core-dumps"
    if seen.core_bytes is None:
        why = (
            "the running agent's limits cannot be seen"
            if seen.agent
            else "no agent runs that could be looked at"
        )
        return warned(
            name, "Not known: {why}.", "Run it with the agent running, as root or its user.", why=Word(why)
        )
    if seen.core_bytes != "0":
        return failed(
            name,
            "A crash of the agent would write its memory to a file.",
            "Start it as `qafila agent`, which switches that off.",
        )
    return passed(name, "A crash of the agent writes no memory to a file.")


def _versions(seen: Machine) -> Finding:
    name = "versions"
    said = {
        "python": Word(".".join(map(str, seen.python))),
        "sqlite": Word(seen.sqlite),
        "cipher": Word(seen.cipher or "none"),
        "cryptography": Word(seen.cryptography),
        "openssl": Word(seen.openssl),
    }
    text = "Python {python}, SQLite {sqlite}, SQLCipher {cipher}, cryptography {cryptography} ({openssl})."
    if tuple(int(part) for part in seen.sqlite.split(".")) < OLDEST_SQLITE or not seen.cipher:
        return failed(
            name, text + " That SQLite does not serve.", "Install sqlcipher3 0.6.4 or later.", **said
        )
    if seen.python < OLDEST_PYTHON:
        return failed(name, text + " That Python is too old.", "Install Python 3.11 or later.", **said)
    return passed(name, text, **said)


def _core_bytes(pid: int, proc: Path = _PROC) -> str | None:
    try:
        lines = (proc / str(pid) / "limits").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    words = next((line.split() for line in lines if line.startswith("Max core file size")), [])
    return words[4] if len(words) > 4 else None


def look_at_units(folders: Mapping[str, Path] | None = None) -> dict[str, str | None]:
    """The system units of ours that are installed, and how each does; None where systemd does not say."""
    where = [Path(folder) for folder in _UNIT_FOLDERS] if folders is None else list(folders.values())
    names = sorted({unit.name for folder in where for unit in folder.glob("qafila*.service")} - {""})
    return {name: _state(name) for name in names if "@" not in name}


def judge_units(states: Mapping[str, str | None]) -> list[Finding]:
    """Nothing where none is installed."""
    if not states:
        return []
    bad = [name for name, state in states.items() if state == "failed"]
    silent = [name for name, state in states.items() if state is None]
    if bad:
        return [
            failed(
                "units",
                "Not running: {units}.",
                "systemctl status UNIT says why.",
                units=", ".join(bad),
            )
        ]
    if silent:
        return [
            warned("units", "Not known: systemd does not answer.", "Run it on the machine itself, booted.")
        ]
    idle = sum(state != "active" for state in states.values())
    return [
        passed("units", "{count} are installed, none has failed, {idle} rest.", count=len(states), idle=idle)
    ]


def _state(unit: str) -> str | None:
    program = shutil.which("systemctl")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "show", "--property=ActiveState", "--value", unit],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_WITHIN_S,
            check=False,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def described() -> dict[str, str]:
    """What kind of machine this is, for a support file."""
    return {"system": platform.system(), "kernel": platform.release(), "machine": platform.machine()}
