"""Uplink and broker at the two ends of an emulated link; see ``tests.system.emulated_link``.

A broker at the far end is heard by the test through a socket file, which no network namespace hides, so
that the centre's own traffic takes nothing from the link.
"""

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self

import pytest

from tests.sync.uplink_rig import CentreKeys
from tests.system.brokers import ROOT, START_S, Mosquitto
from tests.system.emulated_link import BROKER, IP
from tests.system.uplink_process import Uplink

PORT: Final = 1883


class NoLaboratory(Exception):
    """This machine does not let us make network namespaces with TUN devices."""


class ThinLink:
    """The emulated link as a process.

    Args:
        seed: of its losses.

    Raises:
        NoLaboratory: it cannot be made here.
    """

    def __init__(self, seed: int = 1) -> None:
        if IP is None or shutil.which("nsenter") is None:
            raise NoLaboratory("ip or nsenter is not installed")
        self._process = subprocess.Popen(
            (sys.executable, "-m", "tests.system.emulated_link", str(seed)),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        said = self._answer()
        if "impossible" in said:
            self.close()
            raise NoLaboratory(said["impossible"])
        self._as_user = bool(said["as_user"])
        self.near = self._enter(said["near"])
        self.far = self._enter(said["far"])
        """Words that run a command at one end when put before it."""

    def _enter(self, pid: int) -> list[str]:
        whose = ["-U", "--preserve-credentials"] if self._as_user else []
        return ["nsenter", "-t", str(pid), *whose, "-n", "--"]

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            assert self._process.stderr is not None
            raise NoLaboratory(self._process.stderr.read().decode()[-500:])
        answer: dict[str, Any] = json.loads(line)
        return answer

    def shape(self, **wanted: float) -> dict[str, Any]:
        """Change the link in both directions; returns the counts after it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
        self._process.stdin.flush()
        return self._answer()

    def counts(self) -> dict[str, Any]:
        return self.shape()

    def hole(self, *, swallow: bool) -> None:
        self.shape(hole=swallow)

    def close(self) -> None:
        self._process.kill()
        self._process.wait(30)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FarMosquitto(Mosquitto):
    """Mosquitto at the far end, with a socket file beside its port.

    Attributes:
        path: the socket file.
    """

    def __init__(self, link: ThinLink, directory: Path, extra: Sequence[str] = ()) -> None:
        self._link = link
        self.path = directory / "broker"
        super().__init__(directory, (f"listener 0 {self.path}", "user root", *extra), PORT)

    def _listener(self) -> str:
        return f"listener {self.port} {BROKER}"

    def _command(self) -> Sequence[str]:
        return (*self._link.far, *super()._command())

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            assert process.poll() is None, f"the broker ended with {process.returncode}"
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(self.path))
                return
            time.sleep(0.02)
        raise AssertionError(f"nobody listens on {self.path} after {START_S} s")


def near_uplink(link: ThinLink, home: Path, keys: CentreKeys, **patience: float) -> Uplink:
    """An uplink at the near end, with the waits it has in service unless others are given."""
    uplink = Uplink(home, keys, [PORT])
    uplink.settings["brokers"] = [{"host": BROKER, "port": PORT, "tls": False}]
    uplink.settings["patience"] = patience
    uplink.command = [*link.near, *uplink.command]
    return uplink


@contextlib.contextmanager
def thin_link(seed: int = 1) -> Iterator[tuple[ThinLink, FarMosquitto]]:
    """A link with a broker behind it; a test is skipped where there can be none."""
    try:
        link = ThinLink(seed)
    except NoLaboratory as error:
        pytest.skip(str(error))
    # the path of a socket file has to be short
    with (
        link,
        tempfile.TemporaryDirectory(prefix="qafila-") as directory,
        FarMosquitto(link, Path(directory)) as broker,
    ):
        yield link, broker
