"""A fleet against a centre on this machine: real envelopes, a real broker, PostgreSQL where it is installed.

Everything lies in a folder of its own that is removed at the end. What it proves is counted in the database.
"""

import asyncio
import contextlib
import dataclasses
import functools
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from cli.rehearsal import broker, cluster
from cli.rehearsal.cluster import Cluster
from cli.rehearsal.fleet_unit import REALM, FleetUnit
from cli.rehearsal.processes import Keeper, RehearsalFailed, qafila
from edge.clock import SystemClock
from sync.central import database, setup
from sync.central.home import CentreHome
from sync.wire.enrolment import Broker

_SPARE_FILES: Final = 200
_BROKER: Final = "broker"


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What is to be played.

    Attributes:
        units: how many.
        visits: of each.
        every_s: between two visits of a unit, on average.
        collectors, exploders: how many of each; more than one needs PostgreSQL.
        kills: how many of them are killed meanwhile and started again.
        on_postgres: where the tables are; a private cluster that is made for it, or a file.
    """

    units: int
    visits: int
    every_s: float
    collectors: int
    exploders: int
    kills: int
    seed: int
    on_postgres: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Played:
    """What came of it: counts from the database, seconds by the clock of this machine."""

    units: int
    entries: int
    lost: int
    doubled: int
    conflicts: int
    seconds: float
    entries_per_s: float
    landed_p50_s: float
    landed_p95_s: float
    opened_p50_s: float
    opened_p95_s: float
    resent: int
    kills: int
    collectors: int
    exploders: int
    database: str

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def play(plan: Plan, tell: Callable[[str], None]) -> Played:
    """Play it to its end.

    Raises:
        RehearsalFailed: a process ended, or not everything was received in time.
        ClusterFailed: PostgreSQL does not start here.
        BrokerMissing: Mosquitto is not installed.
    """
    several = plan.collectors + plan.exploders > 2
    if several and not plan.on_postgres:
        raise RehearsalFailed(
            "Several collectors or exploders need PostgreSQL.",
            next_step="install it, or ask for --collectors 1 --exploders 1.",
        )
    _allow_files(plan.units)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qafila-fleet-")))
        keeper = stack.enter_context(Keeper(folder / "log", lambda _: None))
        place = stack.enter_context(Cluster(durable=True)).new_space() if plan.on_postgres else None
        home, port = CentreHome(folder / "central"), broker.free_port()
        setup.init(home, REALM, (Broker("127.0.0.1", port, tls=False),), place=place)
        return asyncio.run(_Play(plan, folder, home, port, keeper, tell).run())


class _Play:
    def __init__(
        self,
        plan: Plan,
        folder: Path,
        home: CentreHome,
        port: int,
        keeper: Keeper,
        tell: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._home = home
        self._port = port
        self._keeper = keeper
        self._tell = tell
        self._chance = random.Random(plan.seed)  # noqa: S311  a seed, to be repeated
        self._killed = 0

    async def run(self) -> Played:
        plan = self._plan
        self._keeper.start(_BROKER, broker.command(broker.choose("mosquitto"), self._port, self._folder))
        await self._keeper.wait(lambda: broker.listening(self._port), "the broker")
        units = [
            FleetUnit(f"unit-{number:05}", random.Random(self._chance.random()))  # noqa: S311  the same
            for number in range(plan.units)
        ]
        self._tell(f"enrolling {plan.units} units")
        for unit in units:
            setup.enrol(self._home, unit.request(), SystemClock())
        workers = [f"collect-{n}" for n in range(plan.collectors)] + [
            f"explode-{n}" for n in range(plan.exploders)
        ]
        for worker in workers:
            self._start(worker)
        for worker in workers:
            await self._keeper.wait(functools.partial(self._connected, worker), worker, timeout_s=120)
        self._tell(f"{plan.units} units, {plan.visits} visits each")
        keyset = self._home.read_keyset(REALM)
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            working = [
                group.create_task(unit.work(self._port, keyset, plan.visits, plan.every_s)) for unit in units
            ]
            group.create_task(self._accidents(workers, lambda: all(task.done() for task in working)))
        return self._count(units, time.monotonic() - began)

    async def _accidents(self, workers: Sequence[str], over: Callable[[], bool]) -> None:
        """Kill one now and then; end with a failure when it takes too long or one ends by itself."""
        plan = self._plan
        lasts_s = plan.visits * plan.every_s
        due = [lasts_s * (number + 1) / (plan.kills + 1) for number in range(plan.kills)]
        began, patience_s = time.monotonic(), 10 * lasts_s + 300
        while not over():
            self._keeper.check_alive()
            passed = time.monotonic() - began
            if due and passed >= due[0]:
                due.pop(0)
                victim = workers[self._killed % len(workers)]
                self._keeper.kill(victim)
                self._start(victim)
                self._killed += 1
            if passed > patience_s:
                raise RehearsalFailed(f"Not everything was received within {patience_s:.0f} s.")
            await asyncio.sleep(0.2)

    def _start(self, worker: str) -> None:
        word = worker.partition("-")[0]
        self._keeper.start(worker, qafila(self._folder, "central", word, "--backoff-max", "1"))

    def _connected(self, worker: str) -> bool:
        return "broker-connected" in self._keeper.log(worker).read_text(errors="replace")

    def _count(self, units: Sequence[FleetUnit], seconds: float) -> Played:
        with contextlib.closing(database.connect(self._home.database)) as connection:
            rows = connection.execute(
                "SELECT unit, count(*), count(DISTINCT seq) FROM entries GROUP BY unit"
            ).fetchall()
            ((conflicts,),) = connection.execute("SELECT count(*) FROM conflicts").fetchall()
        there = {unit: (n, distinct) for unit, n, distinct in rows}
        counts = [there.get(unit.name, (0, 0)) for unit in units]
        entries = sum(unit.tip for unit in units)
        landed, opened = (
            sorted(wait for unit in units for wait in unit.waits[level]) for level in ("landed", "opened")
        )
        return Played(
            units=len(units),
            entries=entries,
            lost=entries - sum(distinct for _, distinct in counts),
            doubled=sum(n - distinct for n, distinct in counts),
            conflicts=conflicts,
            seconds=round(seconds, 1),
            entries_per_s=round(entries / seconds, 1),
            landed_p50_s=round(statistics.median(landed), 3),
            landed_p95_s=round(landed[len(landed) * 95 // 100], 3),
            opened_p50_s=round(statistics.median(opened), 3),
            opened_p95_s=round(opened[len(opened) * 95 // 100], 3),
            resent=sum(unit.resent for unit in units),
            kills=self._killed,
            collectors=self._plan.collectors,
            exploders=self._plan.exploders,
            database="postgresql" if self._plan.on_postgres else "sqlite",
        )


def installed() -> bool:
    """Whether there is a PostgreSQL to be used."""
    return cluster.programs() is not None


def _allow_files(units: int) -> None:
    """Each unit has a socket; children inherit the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * units + _SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        more = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))


def lines(played: Played) -> Iterator[str]:
    """What a person reads."""
    yield (
        f"{played.units} units, {played.entries} entries in {played.seconds} s"
        f" ({played.entries_per_s} a second), {played.database},"
        f" {played.collectors} collectors, {played.exploders} exploders, {played.kills} killed"
    )
    yield f"arrived: half within {played.landed_p50_s} s, 95 of 100 within {played.landed_p95_s} s"
    yield f"received: half within {played.opened_p50_s} s, 95 of 100 within {played.opened_p95_s} s"
    yield (
        f"fleet: units={played.units} entries={played.entries} lost={played.lost}"
        f" doubled={played.doubled} conflicts={played.conflicts} resent={played.resent}"
    )
