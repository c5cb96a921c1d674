"""Our own: store, agent, uplink over TLS, collector and exploder on PostgreSQL or SQLite, all as shipped."""

import asyncio
import random
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from sqlcipher3 import dbapi2

from bench.link import PIN, enrolled, fill
from bench.peers.world import Broker, Link, Process, until
from edge.config import Places
from edge.localapi.client import AgentUnreachable, Api, connect
from torture.nurse import Identity, Nurse

NAME: Final = "Qafila"
_USER: Final = "bench"
_BATCH: Final = 200
_BACK_WITHIN_S: Final = 60.0


class Ours:
    """A unit and a centre below ``home``.

    Args:
        entries: how many the store holds when the link returns; 0 to begin empty.
        sealed: whether they lie sealed in the spool by then, as they do after a morning without a link.
    """

    def __init__(self, home: Path, entries: int, *, sealed: bool) -> None:
        self.home = home
        self.places = Places.at(home)
        self._log = home / "ours.log"
        self.far = Broker(home)
        self.link = Link(self.far.port)
        enrolled(home, self.far.port, self.link.port)
        self.entries = fill(self.places, _BATCH, entries, sealed=sealed) if entries else 0
        self.link.cut()
        self.centre = [self._process("central", word) for word in ("collect", "explode")]
        self._agent = self._process("agent")
        self._uplink = self._process("uplink", "--backoff-max", "0.5")
        until(self.places.socket.exists, "the agent")
        time.sleep(3)

    @property
    def edge(self) -> list[Process]:
        """What runs in the van."""
        return [self._agent, self._uplink]

    async def unlock(self) -> None:
        """Somebody signs in, so that what is not sealed is sealed."""
        async with self._signed_in():
            pass

    async def finish(self, nurse: Nurse) -> None:
        """Have her last request answered."""
        async with self._signed_in() as api:
            await nurse.ask_what_is_open(api)

    def kill(self) -> None:
        """Kill the agent and start it again."""
        self._agent.kill()
        self._agent.start()

    def received(self) -> set[Identity]:
        """What stands in the centre's rows."""
        rows = self._ask("SELECT unit, epoch, stream, seq FROM entries")
        return {(str(unit), str(epoch), str(stream), int(seq)) for unit, epoch, stream, seq in rows}

    def count(self) -> int:
        """How many entries of care are in the centre's rows."""
        return int(self._ask("SELECT count(*) FROM entries WHERE stream = 'vitals'")[0][0])

    def doubled(self) -> int:
        """Rows beyond the first of one entry."""
        rows = self._ask("SELECT count(*) - count(DISTINCT unit || epoch || stream || seq) FROM entries")
        return int(rows[0][0])

    async def work(self, nurse: Nurse, wanted: int, pause_s: float) -> None:
        """Have so many more entries acknowledged, some at a time."""
        goal = len(nurse.acknowledged) + wanted
        async with self._signed_in() as api:
            while len(nurse.acknowledged) < goal:
                await nurse.ask(api)
                await asyncio.sleep(pause_s)

    def close(self) -> None:
        """End everything."""
        for process in (*self.edge, *self.centre):
            process.kill()
        self.link.close()
        self.far.process.kill()

    @asynccontextmanager
    async def _signed_in(self) -> AsyncGenerator[Api]:
        """A connection, as soon as an agent answers; a killed one leaves its socket lying."""
        give_up_s = time.monotonic() + _BACK_WITHIN_S
        while True:
            try:
                async with connect(self.places.socket):
                    break
            except AgentUnreachable:
                if time.monotonic() > give_up_s:
                    raise
                await asyncio.sleep(0.05)
        async with connect(self.places.socket) as api:
            await api.call("sign-in", user=_USER, pin=PIN)
            yield api

    def _process(self, *words: str) -> Process:
        return Process([sys.executable, "-m", "cli.main", *words, "--home", str(self.home)], self._log)

    def _ask(self, statement: str) -> list[tuple[Any, ...]]:
        connection = dbapi2.connect(  # pyright: ignore[reportAttributeAccessIssue]  # it ships no types
            f"file:{self.places.central / 'central.db'}?mode=ro", uri=True
        )
        try:
            return list(connection.execute(statement).fetchall())
        finally:
            connection.close()


def killed(home: Path, kills: int, records_a_kill: int, dice: random.Random) -> tuple[int, int, int]:
    """Kill the agent while it works: entries acknowledged, lost and doubled."""
    ours, nurse = Ours(home, 0, sealed=False), Nurse()
    ours.link.open()
    try:
        for _ in range(kills):
            asyncio.run(ours.work(nurse, dice.randint(1, records_a_kill), 0.01))
            ours.kill()
        asyncio.run(ours.finish(nurse))
        give_up_s = time.monotonic() + 120
        while not nurse.acknowledged <= ours.received() and time.monotonic() < give_up_s:
            time.sleep(0.3)
        return len(nurse.acknowledged), len(nurse.acknowledged - ours.received()), ours.doubled()
    finally:
        ours.close()
