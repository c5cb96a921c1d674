"""Serial ports for tests: real pseudo-terminals, and the simulator behind one."""

import asyncio
import contextlib
import json
import os
import pty
import subprocess
import sys
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from drivers.devices.contec_cms50.codec import Command, command
from drivers.devices.contec_cms50.unit import Unit


class Terminal:
    """A pseudo-terminal: ``near`` is the device's end, ``path`` names the other."""

    def __init__(self) -> None:
        self.near, far = pty.openpty()
        self.path = os.ttyname(far)
        tty.setraw(far)
        os.close(far)

    def pull(self) -> None:
        """Unplug it; harmless when it is unplugged already."""
        if self.near >= 0:
            os.close(self.near)
            self.near = -1


class AnsweringTerminal(Terminal):
    """One with a unit that hears and answers; what it streams, the test sends.

    Attributes:
        heard: all that the host said.
        after_start: what it streams as soon as it is told to start.
    """

    def __init__(self, unit: Unit) -> None:
        super().__init__()
        self.heard = bytearray()
        self.after_start = b""
        os.set_blocking(self.near, False)
        self._unit = unit
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.near, self._hear)

    def pull(self) -> None:
        if self.near >= 0:
            self._loop.remove_reader(self.near)
        super().pull()

    def _hear(self) -> None:
        with contextlib.suppress(OSError):  # nobody has the other end open now
            data = os.read(self.near, 4096)
            self.heard += data
            os.write(self.near, self._unit.hear(data, self._loop.time()))
            if self.after_start and self.heard.endswith(command(Command.START)):
                os.write(self.near, self.after_start)


class Simulator:
    """The simulator's process; orders go to its standard input.

    Args:
        folder: of the device that is simulated.
    """

    def __init__(self, link: Path, *options: str, folder: str = "contec_cms50") -> None:
        self.link = link
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", f"drivers.devices.{folder}.simulator",
                "--link", str(link), *options,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.ready: dict[str, Any] = json.loads(self._process.stdout.readline())

    @property
    def pid(self) -> int:
        return self._process.pid

    def say(self, *orders: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{order}\n" for order in orders))
        self._process.stdin.flush()

    def end(self) -> int:
        """Close its standard input, as the death of its owner would, and give its exit status."""
        self._process.communicate(timeout=30)
        return self._process.returncode


@contextlib.contextmanager
def simulator(link: Path, *options: str, folder: str = "contec_cms50") -> Iterator[Simulator]:
    started = Simulator(link, *options, folder=folder)
    try:
        yield started
    finally:
        started.end()
