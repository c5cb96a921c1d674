"""SIGKILL in the midst of a migration, a backup, a new key, a purge, an erasure, while a nurse asks.

Afterwards a fresh process opens the store with the key that the slots hold. Everything acknowledged has its
entry, the chain verifies (a payload that is gone is named by a later entry), a backup that has its name is
whole and holds what was acknowledged before it was begun, and a store of the first version is of the
present one with every row.
"""

import asyncio
import contextlib
import os
import random
import shutil
from pathlib import Path
from typing import Final

from edge.config import Places, write_initial
from edge.localapi.client import AgentUnreachable, Api, new_request_id
from edge.ports.caller import CallRefused
from edge.security import device_secret
from edge.security.slots import KEY_BYTES, create
from edge.store import backup
from edge.store.store import Store
from torture import unit
from torture.crash_within import CHANGES, command
from torture.fresh import Found, Readers
from torture.nurse import Identity, Nurse, identities
from torture.progress import Done, nobody
from torture.tally import Tally
from torture.unit import PIN, USER, Agent

_STEPS_BITS: Final = 7
"""A new key takes about a hundred steps. So many rounds of each change meet each of 128 steps once."""
_FIRST_VERSION: Final = Path(__file__).parents[1] / "tests" / "vectors" / "store" / "version-1.db"
_ITS_KEY: Final = bytes(range(32))


async def kill(readers: Readers, base: Path, rounds: int, seed: int, done: Done = nobody) -> Tally:
    """Kill an agent ``rounds`` times, each time within the next of the changes.

    ``detected`` of the tally counts the changes that had been brought to their end, or gone through.
    """
    van = _Van(readers, base, f"changes {seed}")
    await asyncio.to_thread(van.make)
    for number in range(rounds):
        await van.round(number, CHANGES[number % len(CHANGES)])
        done()
    return Tally(rounds, len(van.nurse.acknowledged), van.lost, van.doubled, tuple(van.broken), van.effects)


class _Van:
    def __init__(self, readers: Readers, base: Path, seed: str) -> None:
        self._readers = readers
        self._base = base
        self._seed = seed
        dice = random.Random(seed)  # noqa: S311  a seed, so that a round can be played again
        self._first = dice.randrange(1 << _STEPS_BITS)
        self._stick = base / "stick"
        self.nurse = Nurse()
        self.lost = 0
        self.doubled = 0
        self.effects = 0
        self.broken: list[str] = []

    def make(self) -> None:
        self._home = unit.make_unit(self._base)
        self._stick.mkdir()
        self._key = unit.store_key(self._home)
        self._gone = 0

    async def round(self, number: int, change: str) -> None:
        nth = self._first ^ _spread(number // len(CHANGES))
        name = f"{self._seed}: {change} {number}, killed at step {nth}"
        if change == "migration":
            await self._migrate(number, nth, name)
            return
        before = set(self.nurse.acknowledged)
        await self._live(change, nth)
        key = await asyncio.to_thread(unit.store_key, self._home)
        found = await asyncio.wrap_future(self._readers.read(self._home, key))
        self._judge(found, self.nurse.acknowledged, name)
        self.effects += key != self._key or found.gone > self._gone
        self._key, self._gone = key, found.gone
        for folder in self._stick.glob(f"*{backup.SUFFIX}"):
            await self._look_at_backup(folder, key, before, name)
        shutil.rmtree(self._stick)
        self._stick.mkdir()

    async def _live(self, change: str, nth: int) -> None:
        """One life of an agent, to its end within the change."""
        agent = Agent(self._home, *command(self._home, change, nth))
        try:
            with contextlib.suppress(AgentUnreachable):
                async with agent.signed_in() as api, asyncio.TaskGroup() as group:
                    if change in {"backup", "rekey"}:
                        await self._come_back(api)
                        group.create_task(self._ask_for(change, api))
                    await self._work(api)
            await asyncio.to_thread(agent.process.wait, unit.STARTS_WITHIN_S)
        finally:
            await asyncio.to_thread(agent.kill)

    async def _come_back(self, api: Api) -> None:
        """The oldest patient has another visit: the values of the first may be purged then."""
        visits = self.nurse.visits
        while self.nurse.visits == visits:
            await self.nurse.ask(api)
        oldest = (await api.call("patient.list"))["patients"][-1]["patient"]
        opened = await api.call("encounter.open", patient=oldest, request_id=new_request_id())
        closed = await api.call("encounter.close", encounter=opened["encounter"], request_id=new_request_id())
        self.nurse.acknowledged |= identities(opened["saved"]) | identities(closed["saved"])

    async def _work(self, api: Api) -> None:
        with contextlib.suppress(CallRefused):  # a store that gets another key is locked first
            await self.nurse.ask_until_it_dies(api)

    async def _ask_for(self, change: str, api: Api) -> None:
        with contextlib.suppress(AgentUnreachable):
            if change == "backup":
                await api.call("store.backup", into=str(self._stick), within_s=unit.STARTS_WITHIN_S)
            else:
                await api.call("key.rotate", within_s=unit.STARTS_WITHIN_S)

    async def _look_at_backup(self, folder: Path, key: bytes, before: set[Identity], name: str) -> None:
        manifest = backup.look(folder)
        backup_key = manifest.opened_by(key)
        target = self._base / "restored" / "store" / "qafila.db"
        target.parent.mkdir(parents=True)
        new = os.urandom(KEY_BYTES)
        if backup_key is None:
            self.broken.append(f"{name}: a backup that its unit cannot open")
        else:
            await asyncio.to_thread(backup.copy_out, folder, manifest, backup_key, target, new)
            found = await asyncio.wrap_future(self._readers.read(self._base / "restored", new))
            self._judge(found, before, f"{name}, its backup")
            self.effects += 1
        shutil.rmtree(self._base / "restored")

    async def _migrate(self, number: int, nth: int, name: str) -> None:
        """A unit whose store is of the first version is unlocked."""
        home, whole = self._base / f"first-{number}", self._base / f"whole-{number}"
        await asyncio.to_thread(_make_first, home)
        await asyncio.to_thread(_make_first, whole)
        Store.open(whole / "store" / "qafila.db", _ITS_KEY).close()
        truth = await asyncio.wrap_future(self._readers.read(whole, _ITS_KEY))
        agent = Agent(home, *command(home, "migration", nth))
        try:
            with contextlib.suppress(AgentUnreachable):
                async with agent.signed_in():
                    pass
        finally:
            await asyncio.to_thread(agent.kill)
        found = await asyncio.wrap_future(self._readers.read(home, _ITS_KEY))
        self._judge(found, set(truth.entries), name)
        if found.rows != truth.rows:
            self.broken.append(f"{name}: other rows than a migration at one go gives")
        self.effects += 1
        shutil.rmtree(home)
        shutil.rmtree(whole)

    def _judge(self, found: Found, promised: set[Identity], name: str) -> None:
        lost = sum(each not in found.entries for each in promised)
        self.lost += lost
        self.doubled += found.doubled
        wrong = [what for what in (found.refused, found.wrong) if what]
        wrong += [f"{lost} lost, {found.doubled} doubled"] if lost or found.doubled else []
        self.broken += [f"{name}: {what}" for what in wrong]


def _spread(number: int) -> int:
    """Numbers one after the other, far apart: their bits in reverse."""
    return int(f"{number % (1 << _STEPS_BITS):0{_STEPS_BITS}b}"[::-1], 2)


def _make_first(home: Path) -> None:
    """A unit that was made long ago, which no centre has enrolled."""
    places = Places.at(home)
    for folder in (places.store, places.spool_out, places.spool_in, places.pinned):
        folder.mkdir(parents=True)
    places.store.chmod(0o700)
    shutil.copy(_FIRST_VERSION, places.database)
    secret = device_secret.make(places.device_secret)
    create(
        places.slots, unit="van-07", user=USER, name="", role="supervisor", pin=PIN, key=_ITS_KEY,
        device_secret=secret,
    )  # fmt: skip
    write_initial(places, "van-07", "training")
