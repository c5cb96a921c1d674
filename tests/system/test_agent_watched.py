"""Each process of ours, started as systemd would: it is ready, it lives, it is missed."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.units import make_unit, qafila_here
from tests.sync.uplink_rig import CentreKeys
from tests.system.brokers import ROOT, free_port
from tests.system.uplink_process import Uplink

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

PERIOD_S = 1.0


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", str(int(PERIOD_S * 1e6)))
        yield listening


def start(home: Path, *words: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "cli.main", *words, "--home", str(home)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def agent(home: Path) -> "subprocess.Popen[bytes]":
    return start(make_unit(home), "agent")


def collector(home: Path) -> "subprocess.Popen[bytes]":
    made = qafila_here(
        "central", "init", "--realm", "training", "--broker", f"127.0.0.1:{free_port()}", home=home
    )
    assert made.returncode == 0, made.stderr
    return start(home, "central", "collect")


def exploder(home: Path) -> "subprocess.Popen[bytes]":
    made = qafila_here(
        "central", "init", "--realm", "training", "--broker", f"127.0.0.1:{free_port()}", home=home
    )
    assert made.returncode == 0, made.stderr
    return start(home, "central", "explode")


def uplink(home: Path) -> "subprocess.Popen[bytes]":
    made = Uplink(home, CentreKeys(), [free_port()])
    made.start()
    return made.process


def silence_s(heard: socket.socket, least_s: float) -> float:
    """How long nothing was said; ends as soon as something is."""
    heard.settimeout(least_s)
    begin = time.monotonic()
    try:
        heard.recv(4096)
    except TimeoutError:
        return least_s
    finally:
        heard.settimeout(60)
    return time.monotonic() - begin


@pytest.mark.parametrize("begin", [agent, uplink, collector, exploder])
def test_it_is_ready_lives_and_is_missed_when_it_hangs(
    begin: Callable[[Path], "subprocess.Popen[bytes]"], heard: socket.socket, tmp_path: Path
) -> None:
    """Without network, without anybody signed in: what a box has in the first minute of the day."""
    process = begin(tmp_path / "home")
    try:
        assert heard.recv(4096) == b"READY=1\nWATCHDOG=1"
        assert heard.recv(4096) == b"WATCHDOG=1"
        os.kill(process.pid, signal.SIGSTOP)
        while silence_s(heard, 0.2) < 0.2:
            pass  # what was said before it was stopped
        assert silence_s(heard, PERIOD_S) == PERIOD_S
        os.kill(process.pid, signal.SIGCONT)
        assert heard.recv(4096) == b"WATCHDOG=1"
    finally:
        process.kill()
        process.wait(30)
