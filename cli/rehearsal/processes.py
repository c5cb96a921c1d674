"""Keeps the rehearsal's processes: starts, waits, kills, starts again, and ends every one at the end.

Each process writes to a log of its own under ``DIR/log``. A process is ended by its own id, never by
name. Where ``setpriv`` exists (util-linux), the kernel ends them too should the rehearsal itself be
killed, so that nothing is left behind on a laptop.
"""

import asyncio
import dataclasses
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, ClassVar, Final, Self

from edge.errors import QafilaError

_POLL_S: Final = 0.02
_TERM_S: Final = 3.0
READ_THE_LOGS: Final = "run it again with --keep DIR and read what stands in DIR/log."


class RehearsalFailed(QafilaError):
    """The rehearsal could not be played to its end, so it proves nothing."""

    code: ClassVar[str] = "rehearsal-failed"

    def __init__(self, sentence: str, *, next_step: str = READ_THE_LOGS) -> None:
        super().__init__(sentence, next_step=next_step)


@dataclasses.dataclass(slots=True)
class Kept:
    """One process that is to be running, unless ``may_end``: a command that ends, or one we killed."""

    name: str
    command: Sequence[str]
    process: "subprocess.Popen[bytes]"
    may_end: bool = False

    @property
    def pid(self) -> int:
        return self.process.pid

    def bury(self) -> None:
        """Wait for the end of what was told to end, and let go of it."""
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()

    def say(self, line: str) -> None:
        """Write one line to its standard input."""
        stdin = self.process.stdin
        if stdin is not None:
            stdin.write(line.encode() + b"\n")
            stdin.flush()


class Keeper:
    """Owner of every process of one rehearsal; leaving its context ends them all.

    Args:
        logs: where each process's output goes, one file per name, appended across restarts.
        watch: told the id of each process right after it started.
    """

    def __init__(self, logs: Path, watch: Callable[[int], None]) -> None:
        self._logs = logs
        self._watch = watch
        self._kept: dict[str, Kept] = {}
        self._wrapper = _die_with_me()

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.end_all()

    def start(self, name: str, command: Sequence[str], *, pass_fds: Sequence[int] = ()) -> Kept:
        """Start a process under ``name``; one that was killed is replaced."""
        with self.log(name).open("ab") as log:
            process = self._spawn(command, stdout=log, stderr=log, pass_fds=pass_fds)
        kept = Kept(name, command, process)
        self._kept[name] = kept
        return kept

    def kept(self, name: str) -> Kept:
        """What runs, or ran, under this name."""
        return self._kept[name]

    def restart(self, name: str) -> Kept:
        """Start again what ran under this name."""
        return self.start(name, self._kept[name].command)

    async def run(self, name: str, command: Sequence[str], *, stdin: str = "", timeout_s: float = 30) -> None:
        """Run a command to its end; its output goes to the log.

        Raises:
            RehearsalFailed: it did not end well.
        """
        with self.log(name).open("ab") as log:
            process = self._spawn(command, stdout=log, stderr=log)
        self._kept[name] = Kept(name, command, process, may_end=True)
        if process.stdin is None:  # pragma: no cover  it is always a pipe
            raise RehearsalFailed(f"{name} was started without an input.")
        process.stdin.write(stdin.encode())
        process.stdin.close()
        await self.wait(lambda: process.poll() is not None, f"{name} to end", timeout_s=timeout_s)
        if process.returncode != 0:
            raise self.failure(f"{name} ended with status {process.returncode}", name)

    async def wait(self, ready: Callable[[], object], what: str, *, timeout_s: float = 20) -> None:
        """Wait until ``ready`` gives something true.

        Raises:
            RehearsalFailed: it did not in time, or a process that should be running has ended.
        """
        give_up = time.monotonic() + timeout_s
        while not ready():
            if time.monotonic() > give_up:
                raise RehearsalFailed(f"Waited {timeout_s:.0f} s in vain for {what}.")
            await asyncio.sleep(_POLL_S)

    def kill(self, name: str) -> None:
        """SIGKILL, and wait until the kernel has taken it away.

        Raises:
            RehearsalFailed: it was not running any more, and not by our doing.
        """
        kept = self._kept[name]
        self._check(kept)
        kept.may_end = True
        kept.process.kill()
        kept.bury()

    def check_alive(self) -> None:
        """Raise if something that was started to keep running is gone, and it was not we who killed it.

        How it ended does not matter: a collector that stops politely collects as little as one that the
        kernel took for want of memory.

        Raises:
            RehearsalFailed: and which.
        """
        for kept in self._kept.values():
            self._check(kept)

    def _check(self, kept: Kept) -> None:
        status = kept.process.poll()
        if status is not None and not kept.may_end:
            raise self.failure(f"{kept.name} ended by itself with status {status}", kept.name)

    def log(self, name: str) -> Path:
        """Where the output of ``name`` goes."""
        return self._logs / f"{name}.log"

    def failure(self, sentence: str, name: str) -> RehearsalFailed:
        """An error with the last line of a log, where the reason usually stands."""
        lines = self.log(name).read_text(errors="replace").strip().splitlines()
        last = f": {lines[-1]}" if lines else ""
        return RehearsalFailed(f"{sentence}{last}.", next_step=f"read {self.log(name)} (--keep DIR).")

    def end_all(self) -> None:
        """Ask every process to end, then insist; started last, ended first."""
        running = [kept for kept in reversed(self._kept.values()) if kept.process.poll() is None]
        for kept in running:
            kept.process.terminate()
        give_up = time.monotonic() + _TERM_S
        for kept in running:
            try:
                kept.process.wait(timeout=max(0.0, give_up - time.monotonic()))
            except subprocess.TimeoutExpired:
                kept.process.kill()
        for kept in self._kept.values():
            kept.bury()

    def _spawn(
        self,
        command: Sequence[str],
        *,
        stdout: IO[bytes],
        stderr: IO[bytes],
        pass_fds: Sequence[int] = (),
    ) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(  # the caller keeps it; end_all waits for it
            [*self._wrapper, *command],
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            env=_environment(),
            pass_fds=pass_fds,
            start_new_session=True,  # Ctrl-C reaches the rehearsal alone, which then ends them in order
        )
        self._watch(process.pid)
        return process


def qafila(home: Path, *words: str) -> list[str]:
    """The command line of one of our own commands, run by this very interpreter."""
    return [sys.executable, "-m", "cli.main", *words, "--home", str(home)]


def screen(home: Path, *words: str) -> list[str]:
    """The command line of the screen, as a person types it: whoever looks for it by that finds it."""
    return [str(Path(sys.executable).with_name("qafila")), "tui", *words, "--home", str(home)]


def _environment() -> Mapping[str, str]:
    """The caller's, so that the same packages are found; output unbuffered, so that logs are whole."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    environment.pop("QAFILA_HOME", None)  # the rehearsal's own --home counts
    return environment


def _die_with_me() -> list[str]:
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []
