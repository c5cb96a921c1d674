"""What systemd hears from a process."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.notify import STOPPING, Service


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(0)
        yield listening


def everything(heard: socket.socket) -> list[str]:
    said: list[str] = []
    while True:
        try:
            said.append(heard.recv(4096).decode())
        except BlockingIOError:
            return said


def test_ready_is_said_once_and_life_four_times_a_period(heard: socket.socket) -> None:
    now = [100.0]
    service = Service(
        lambda: now[0], {"NOTIFY_SOCKET": heard.getsockname(), "WATCHDOG_USEC": "20000000", "OTHER": "x"}
    )
    for tenth in range(200):
        now[0] = 100.0 + tenth / 10
        service.alive()
    service.tell(STOPPING)
    assert everything(heard) == [
        "READY=1\nWATCHDOG=1",
        "WATCHDOG=1",
        "WATCHDOG=1",
        "WATCHDOG=1",
        "STOPPING=1",
    ]


@pytest.mark.parametrize("watched", [{}, {"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"}])
def test_who_is_not_watched_says_only_that_it_is_ready(heard: socket.socket, watched: dict[str, str]) -> None:
    now = [0.0]
    service = Service(lambda: now[0], {"NOTIFY_SOCKET": heard.getsockname(), **watched})
    for second in range(100):
        now[0] = float(second)
        service.alive()
    assert everything(heard) == ["READY=1\nWATCHDOG=1"]


def test_an_abstract_name_is_spoken_to() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        name = f"qafila-{os.urandom(6).hex()}"
        listening.bind(f"\0{name}")
        Service(lambda: 0.0, {"NOTIFY_SOCKET": f"@{name}"}).alive()
        assert listening.recv(4096) == b"READY=1\nWATCHDOG=1"


@pytest.mark.parametrize("name", ["", "/nowhere/notify"])
def test_nobody_listening_keeps_nobody_from_working(name: str) -> None:
    service = Service(lambda: 0.0, {"NOTIFY_SOCKET": name})
    service.alive()
    service.tell(STOPPING)
