"""Units, links, broker and centre as the shipped processes, and how each of them is broken and mended."""

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from chaos.faults import Fault
from chaos.hostile import Material, hostile_broker
from chaos.van import Van
from cli.rehearsal import broker
from cli.rehearsal.link_cutter import LinkCutter, State
from cli.rehearsal.processes import Keeper, qafila
from edge.config import Places
from torture.unit import PIN, USER

REALM: Final = "training"
WEEKS_DAYS: Final = 40
_LONG: Final = 0.03
"""The part of the outages that last long enough for a dead link to be noticed by itself."""


class Stage:
    """Everything of one run.

    Args:
        base: where everything lies.
        keeper: who keeps the processes.
        units: how many vans.
        dice: decides which part breaks, and for how long.
        patient: whether some outages may last half a minute.
        workers: how many collectors and how many exploders; more than one needs PostgreSQL.
        database: where PostgreSQL is; None for SQLite.
    """

    def __init__(
        self,
        base: Path,
        keeper: Keeper,
        dice: random.Random,
        *,
        units: int,
        patient: bool,
        workers: int = 1,
        database: str | None = None,
    ) -> None:
        self.base = base
        self.centre = base / "centre"
        self.vans: list[Van] = []
        self._keeper = keeper
        self._dice = dice
        self._units = units
        self._patient = patient
        self._workers = workers
        self._database = database
        self._port = broker.free_port()
        self._days = base / "days-ahead"
        self._material = Material(dice)
        self._busy: dict[str, asyncio.Lock] = {}

    async def build(self) -> None:
        """Make a centre and units, introduce them to one another, and start everything."""
        self.base.mkdir(parents=True)
        self._days.write_text("0")
        where = [] if self._database is None else ["--database", self._database]
        address = f"{broker.LOOPBACK}:{self._port}"
        await self._run(self.centre, "central", "init", "--realm", REALM, "--broker", address, *where)
        await self._start_broker()
        home = str(Places.at(self.centre).central)
        for word, names in (("collect", self._collectors), ("explode", self._exploders)):
            for name in names:
                self._keeper.start(name, [sys.executable, "-m", "chaos.ahead", word, home, str(self._days)])
        for number in range(self._units):
            self.vans.append(await self._make_van(f"van-{number + 1:02}"))
        for van in self.vans:
            van.start()

    async def strike(self, fault: Fault) -> None:  # noqa: C901, PLR0912  a line or two for each
        """Break one thing, wait, mend it. What is broken already is left until it is mended."""
        van = self._dice.choice(self.vans)
        match fault:
            case Fault.KILL_AGENT:
                await self._down(van.agent)
            case Fault.KILL_UPLINK:
                await self._down(van.uplink, meanwhile=van.lose_notes)
            case Fault.KILL_BOX:
                await self._box_down(van)
            case Fault.KILL_BROKER:
                await self._down("broker", again=self._start_broker)
            case Fault.KILL_COLLECTOR:
                await self._down(self._dice.choice(self._collectors))
            case Fault.KILL_EXPLODER:
                await self._down(self._dice.choice(self._exploders))
            case Fault.CUT_LINK:
                await self._link_down(van, State.CUT)
            case Fault.BLACK_HOLE:
                await self._link_down(van, State.HOLE)
            case Fault.LOSE_SPOOL:
                await self._box_down(van, van.lose_files)
            case Fault.LOSE_RECEIPTS:
                van.lose_receipts()
            case Fault.HOSTILE_BROKER:
                names = [each.name for each in self.vans]
                await asyncio.to_thread(hostile_broker, self._port, names, self._material, self._dice)
            case Fault.HOSTILE_UPLINK:
                await asyncio.to_thread(van.deceive, self._material)
            case Fault.TIME_PASSES:
                later = self._days.with_suffix(".next")  # exploders read it at any moment
                later.write_text(str(int(self._days.read_text()) + WEEKS_DAYS))
                later.replace(self._days)

    async def close(self) -> None:
        """Let go of the links, and wait until nothing goes through them any more."""
        for van in self.vans:
            van.link.close()
        while any(van.link.live for van in self.vans):  # noqa: ASYNC110  its connections end by themselves
            await asyncio.sleep(0.01)

    @property
    def _collectors(self) -> list[str]:
        return [f"collector-{number + 1}" for number in range(self._workers)]

    @property
    def _exploders(self) -> list[str]:
        return [f"exploder-{number + 1}" for number in range(self._workers)]

    async def _box_down(self, van: Van, meanwhile: Callable[[], object] = lambda: None) -> None:
        async with self._alone(van.uplink):
            self._keeper.kill(van.uplink)
            await self._down(van.agent, meanwhile=meanwhile)
            self._keeper.restart(van.uplink)

    async def _down(
        self,
        name: str,
        *,
        meanwhile: Callable[[], object] = lambda: None,
        again: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        async with self._alone(name):
            await asyncio.sleep(self._dice.uniform(0, 0.2))
            self._keeper.kill(name)
            meanwhile()
            await asyncio.sleep(self._away_s())
            if again is not None:
                await again()
            else:
                self._keeper.restart(name)

    async def _link_down(self, van: Van, state: State) -> None:
        async with self._alone(f"{van.name}-link"):
            await van.link.turn(state)
            long = self._patient and self._dice.random() < _LONG
            await asyncio.sleep(self._dice.uniform(15, 40) if long else self._away_s())
            await van.link.turn(State.OPEN)

    def _away_s(self) -> float:
        return self._dice.uniform(0.05, 1.5)

    def _alone(self, name: str) -> asyncio.Lock:
        return self._busy.setdefault(name, asyncio.Lock())

    async def _make_van(self, name: str) -> Van:
        home, papers = self.base / name, self.base / f"{name}.papers"
        papers.mkdir()
        request, bundle = str(papers / "request"), str(papers / "bundle")
        link = LinkCutter(self._port)
        address = f"{broker.LOOPBACK}:{await link.listen()}"
        typed = f"{PIN}\n"
        await self._run(
            *(home, "unit", "init", "--realm", REALM, "--id", name, "--user", USER, "--pin-stdin"),
            typed=typed,
        )
        await self._run(home, "unit", "csr", request)
        await self._run(self.centre, "central", "enrol", request, "--out", bundle, "--broker", address)
        await self._run(home, "unit", "enrol", bundle)
        return Van(name, home, self._keeper, link, random.Random(self._dice.random()))  # noqa: S311  replayed

    async def _run(self, home: Path, *words: str, typed: str = "") -> None:
        name = f"{home.name}-{'-'.join(words[:2])}"
        await self._keeper.run(name, qafila(home, *words), stdin=typed, timeout_s=120)

    async def _start_broker(self) -> None:
        folder = self.base / "broker"
        folder.mkdir(exist_ok=True)
        self._keeper.start("broker", broker.command(broker.choose("auto"), self._port, folder))
        await self._keeper.wait(lambda: broker.listening(self._port), "the broker to listen", timeout_s=60)
