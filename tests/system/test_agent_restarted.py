"""An agent that dies and is started again by systemd, whose part the test plays: it holds the descriptors."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.config import Places
from edge.localapi.client import connect
from edge.ports.caller import CallRefused
from tests.cli.units import PIN, make_unit
from tests.system.brokers import ROOT

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

HANDED_OVER = """
import os, sys
held = int(sys.argv[1])
if held >= 0:
    os.dup2(held, 3, inheritable=True)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="store-key")
os.execv(sys.executable, [sys.executable, "-m", "cli.main", "agent", "--home", sys.argv[2], "--json"])
"""


class Systemd:
    """Holds what the service hands over, under its name, and hands it to the next process."""

    def __init__(self, listening: socket.socket, home: Path) -> None:
        self._listening = listening
        self._home = home
        self.held: int | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def holds(self) -> bool:
        return self.held is not None

    def start(self) -> None:
        with (self._home / "log").open("ab") as log:
            held = -1 if self.held is None else self.held
            self.process = subprocess.Popen(
                [sys.executable, "-c", HANDED_OVER, str(held), str(self._home)],
                cwd=ROOT, stdout=log, stderr=log, pass_fds=() if self.held is None else (self.held,),
            )  # fmt: skip
        self.hear_until("READY=1")

    def hear_until(self, word: str) -> None:
        give_up_s = time.monotonic() + 60
        while True:
            assert time.monotonic() < give_up_s, f"{word} was not said"
            raw, descriptors, _, _ = socket.recv_fds(self._listening, 4096, 4)
            words = raw.decode().split("\n")
            if "FDSTOREREMOVE=1" in words:
                self.drop()
            if "FDSTORE=1" in words:
                self.drop()
                (self.held,) = descriptors
            if word in words:
                return

    def drop(self) -> None:
        if self.held is not None:
            os.close(self.held)
            self.held = None

    def end(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(60)
        self.process = None


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        playing = Systemd(listening, make_unit(tmp_path / "home"))
        yield playing
        if playing.process is not None:
            playing.end(signal.SIGKILL)
        playing.drop()


async def call(home: Path, *methods: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """The answer to the last of these."""
    async with asyncio.timeout(60), connect(Places.at(home).socket) as api:
        answer: dict[str, Any] = {}
        for method, fields in methods:
            answer = await api.call(method, **fields)
        return answer


def locked(home: Path) -> bool:
    return bool(asyncio.run(call(home, ("status", {})))["locked"])


def settled(home: Path, *, shut: bool) -> bool:
    """Whether the store is as expected within a while; it opens a moment after the agent is ready."""
    give_up_s = time.monotonic() + 30
    while locked(home) is not shut and time.monotonic() < give_up_s:
        time.sleep(0.05)
    return locked(home) is shut


SIGN_IN: tuple[str, dict[str, Any]] = ("sign-in", {"user": "fatima", "pin": PIN})


def test_the_store_is_open_again_after_a_kill_and_a_restart_and_shut_after_a_boot_and_a_lock(
    systemd: Systemd, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    systemd.start()
    assert locked(home)
    asyncio.run(call(home, SIGN_IN))
    systemd.hear_until("FDSTORE=1")

    systemd.end(signal.SIGKILL)
    systemd.start()
    assert settled(home, shut=False)
    with pytest.raises(CallRefused):  # the store is open; whoever wants to see something signs in
        asyncio.run(call(home, ("patient.list", {})))
    systemd.hear_until("FDSTORE=1")

    systemd.end(signal.SIGTERM)  # systemctl restart: nobody has locked it
    assert systemd.holds()
    systemd.start()
    assert settled(home, shut=False)
    systemd.hear_until("FDSTORE=1")

    secret = Places.at(home).device_secret
    aside = secret.rename(tmp_path / "medium-taken-out")
    systemd.end(signal.SIGKILL)
    systemd.start()
    systemd.hear_until("FDSTOREREMOVE=1")
    assert locked(home)
    assert not systemd.holds()
    aside.rename(secret)

    asyncio.run(call(home, SIGN_IN))
    systemd.hear_until("FDSTORE=1")
    asyncio.run(call(home, SIGN_IN, ("lock", {})))
    systemd.hear_until("FDSTOREREMOVE=1")
    assert not systemd.holds()
    assert b"store open again after a restart" in (home / "log").read_bytes()
