"""Real brokers and a cuttable link for tests: each a process of its own, on a free port of loopback.

A broker keeps its port, so that it can be killed and started again under its clients' feet.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol, Self

import pytest

START_S: Final = 40.0
FIRST_PORT: Final = 20_000
PORTS_EACH: Final = 500
WORKERS: Final = 12
ROOT: Final = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """A port of loopback that nobody listens on now.

    From below the range that outgoing connections take theirs from: one of those could otherwise sit on
    a broker's port while the broker is down. Tests that run side by side take theirs from different
    hundreds for the same reason; the demo's lie above all of them.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    begin = FIRST_PORT + worker * PORTS_EACH
    while True:
        port = random.randrange(begin, begin + PORTS_EACH)  # noqa: S311  any will do
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until somebody listens; fail at once when the process that should has ended."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the broker ended with {process.returncode}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError(f"nobody listens on {port} after {START_S} s")


class Broker(Protocol):
    """What a test may do to a broker."""

    port: int
    speaks_5: bool

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None:
        """End it as a power cut would: what it kept in memory is gone."""
        ...


class _Process:
    """A broker as a process."""

    speaks_5 = True

    def __init__(self, port: int | None = None) -> None:
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def _command(self) -> Sequence[str]:
        raise NotImplementedError

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        assert self._process is None
        self._process = subprocess.Popen(
            self._command(), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait(self._process)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        wait_for_port(self.port, process)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Mosquitto(_Process):
    """Debian's Mosquitto without persistence: a kill loses everything it acknowledged.

    Args:
        directory: where its configuration is written.
        extra: further lines of configuration.
    """

    def __init__(self, directory: Path, extra: Sequence[str] = (), port: int | None = None) -> None:
        super().__init__(port)
        self._config = directory / f"mosquitto-{self.port}.conf"
        self._extra = extra

    @staticmethod
    def program() -> str | None:
        return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

    def _listener(self) -> str:
        return f"listener {self.port} 127.0.0.1"

    def _command(self) -> Sequence[str]:
        program = self.program()
        if program is None:
            missing = "Mosquitto is not installed; `make test` brings it in where it may"
            if os.environ.get("CI"):
                pytest.fail(missing)
            pytest.skip(missing)
        lines = (
            self._listener(),
            "allow_anonymous true",
            "persistence false",
            "set_tcp_nodelay true",
            "log_dest none",
            *self._extra,
        )
        self._config.write_text("\n".join(lines) + "\n")
        return (program, "-c", str(self._config))


class EmbeddedBroker(_Process):
    """amqtt, as the demo starts it: MQTT 3.1.1 only, everything in memory."""

    speaks_5 = False

    def _command(self) -> Sequence[str]:
        return (sys.executable, "-m", "cli.rehearsal.embedded_broker", "--port", str(self.port))


class CutLink:
    """A link cutter in front of a port; see ``cli.rehearsal.link_cutter`` for the commands."""

    def __init__(self, to: int) -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-m", "cli.rehearsal.link_cutter", "--to", str(to)),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.port = int(self._answer()["port"])

    def _answer(self) -> dict[str, int]:
        assert self._process.stdout is not None
        answer: dict[str, int] = json.loads(self._process.stdout.readline())
        return answer

    def say(self, command: str) -> dict[str, int]:
        """Give one command; returns the counts after it."""
        assert self._process.stdin is not None
        self._process.stdin.write(command.encode() + b"\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        self._process.kill()
        self._process.wait(30)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


@contextlib.contextmanager
def cut_link(to: int) -> Iterator[CutLink]:
    link = CutLink(to)
    try:
        yield link
    finally:
        link.close()
