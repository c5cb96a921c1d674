"""An enrolled training unit, made by the commands a technician types, and its agent as a real process."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from edge.config import Places
from edge.localapi.client import AgentUnreachable, Api, connect
from edge.security import device_secret
from edge.security.slots import Slots
from torture.nurse import Identity, identities

QAFILA: Final = str(Path(sys.executable).with_name("qafila"))
USER: Final = "amina"
PIN: Final = "482913"
STARTS_WITHIN_S: Final = 60.0
ENDS_WITHIN_S: Final = 30.0


def make_unit(base: Path) -> Path:
    """Make a unit and its centre below ``base``; gives the unit's home."""
    unit, centre = base / "unit", base / "centre"
    base.mkdir(parents=True, exist_ok=True)
    _qafila(
        *("unit", "init", "--realm", "training", "--id", "van-07", "--user", USER, "--pin-stdin"),
        *("--home", str(unit)),
        typed=PIN + "\n",
    )
    _qafila("unit", "csr", str(base / "request.cbor"), "--home", str(unit))
    _qafila("central", "init", "--realm", "training", "--broker", "127.0.0.1:1", "--home", str(centre))
    _qafila(
        *("central", "enrol", str(base / "request.cbor"), "--out", str(base / "bundle.cbor")),
        *("--home", str(centre)),
    )
    _qafila("unit", "enrol", str(base / "bundle.cbor"), "--home", str(unit))
    return unit


def store_key(home: Path) -> bytes:
    """The key of the unit's store, by the way every key goes: a slot and a PIN."""
    places = Places.at(home)
    return Slots.load(places.slots, device_secret.read(places.device_secret)).unlock(USER, PIN)


def _qafila(*words: str, typed: str = "") -> None:
    subprocess.run([QAFILA, *words], input=typed, text=True, check=True, capture_output=True, timeout=120)


class Agent:
    """The real agent in a process of its own, or under ``before`` such as a tracer.

    It leads a process group, so that killing it leaves nothing behind.
    """

    def __init__(self, home: Path, *command: str, before: Sequence[str] = ()) -> None:
        self.socket = Places.at(home).socket
        self._log = (home.parent / "agent.log").open("ab")
        words = command or (QAFILA, "agent", "--home", str(home))
        self.process = subprocess.Popen([*before, *words], stderr=self._log, start_new_session=True)

    def kill(self) -> None:
        """End it as a power cut ends a process, if it has not ended by itself."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(ENDS_WITHIN_S)
        self._log.close()

    def terminate(self) -> int:
        """Ask it to end; gives its exit status."""
        os.killpg(self.process.pid, signal.SIGTERM)  # a tracer before it does not pass it on
        status = self.process.wait(ENDS_WITHIN_S)
        self._log.close()
        return status

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[Api]:
        """A connection, as soon as the agent answers."""
        async with asyncio.timeout(STARTS_WITHIN_S):
            while True:
                with contextlib.suppress(AgentUnreachable):
                    async with connect(self.socket):
                        break
                if self.process.poll() is not None:
                    raise AssertionError("the agent has ended by itself; its log says why")
                await asyncio.sleep(0.02)
        async with connect(self.socket) as api:
            yield api

    @asynccontextmanager
    async def signed_in(self) -> AsyncGenerator[Api]:
        """The same, with the store unlocked."""
        async with self.connected() as api:
            await api.call("sign-in", user=USER, pin=PIN)
            yield api


async def everything(api: Api) -> set[Identity]:
    """All that is committed in the streams of care, by the snapshot."""
    seen: set[Identity] = set()
    after: dict[str, Any] = {"alert": 0, "vitals": 0}
    while True:
        page = await api.call("snapshot", after=after)
        seen |= identities(page["saved"])
        after |= page["next"]
        if not page["more"]:
            return seen
