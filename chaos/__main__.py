"""``python -m chaos [--rounds N] [--seed S]``: faults at random while units deliver, then one line.

What runs are the shipped processes: for each van an agent, an uplink and a link of its own; a broker that
keeps nothing; collectors and exploders. A round is one fault; the next comes before the last has mended.
The same seed breaks the same things in the same order; the machine decides the rest.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlcipher3 import dbapi2

from chaos.count import Count, count
from chaos.faults import series
from chaos.stage import Stage
from chaos.van import Van
from cli.rehearsal import cluster
from cli.rehearsal.cluster import Cluster
from cli.rehearsal.processes import Keeper
from edge.config import Places
from edge.localapi.client import AgentUnreachable
from torture.progress import Progress

IN_CHECK: Final = 30
UNITS: Final = 2
PATIENCE_S: Final = 240.0
_PATIENT_FROM: Final = 200
"""From so many rounds on some outages last long enough for a dead link to be noticed by itself."""
_BETWEEN_S: Final = (0.1, 0.9)
_PAUSE_S: Final = 0.04
_COUNTED: Final = ("alert", "vitals")


class _File:
    """The centre's SQLite file, read and never written."""

    def __init__(self, path: Path) -> None:
        self._uri = f"{path.resolve().as_uri()}?mode=ro"

    def read(self, statement: str) -> list[tuple[Any, ...]]:
        connection = dbapi2.connect(self._uri, uri=True)  # pyright: ignore[reportAttributeAccessIssue]  # it ships no types
        try:
            return list(connection.execute(statement).fetchall())
        finally:
            connection.close()


class _Server:
    """The centre's PostgreSQL."""

    def __init__(self, place: str) -> None:
        self._place = place

    def read(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._place) as connection:
            return list(connection.execute(statement.encode()).fetchall())


async def _play(stage: Stage, dice: random.Random, rounds: int, verified: list[bool]) -> None:
    """Everything from the building to the last receipt."""
    try:
        await stage.build()
        await _break(stage, dice, rounds)
        await _receive(stage.vans, verified)
    finally:
        await stage.close()


async def _break(stage: Stage, dice: random.Random, rounds: int) -> None:
    """Break one thing after another while nurses work."""
    stop, done = asyncio.Event(), Progress("chaos", rounds)
    async with asyncio.TaskGroup() as work:
        for van in stage.vans:
            work.create_task(van.work(_PAUSE_S, stop))
        async with asyncio.TaskGroup() as faults:
            for fault in series(dice, rounds):
                faults.create_task(stage.strike(fault))
                await asyncio.sleep(dice.uniform(*_BETWEEN_S))
                done()
        stop.set()


async def _receive(vans: Iterable[Van], verified: list[bool]) -> None:
    """Wait until everything is received, and have each unit look at its chain."""
    give_up = time.monotonic() + PATIENCE_S
    for van in vans:
        while not await _is_received(van):
            if time.monotonic() > give_up:
                print(f"{van.name} was not received whole in {PATIENCE_S:.0f} s", file=sys.stderr)
                break
            await asyncio.sleep(0.3)
        verified.append(await van.verify())


async def _is_received(van: Van) -> bool:
    try:
        streams = await van.streams()
    except AgentUnreachable:
        return False
    return all(streams[word]["opened"] == streams[word]["tip"] for word in _COUNTED)


def run(base: Path, rounds: int, seed: int, workers: int, *, sideways: bool) -> tuple[Count, bool]:
    """Break ``rounds`` things, and count; the flag says whether every unit's chain verifies."""
    dice = random.Random(f"chaos {seed}")  # noqa: S311  a story to be told again
    verified: list[bool] = []
    with ExitStack() as stack:
        place = None
        if sideways:
            place = stack.enter_context(Cluster(durable=True)).new_space()
        keeper = stack.enter_context(Keeper(base / "log", lambda _pid: None))
        stage = Stage(
            base / "stage",
            keeper,
            dice,
            units=UNITS,
            patient=rounds >= _PATIENT_FROM,
            workers=workers if sideways else 1,
            database=place,
        )
        try:
            asyncio.run(_play(stage, dice, rounds, verified))
        finally:
            keeper.end_all()
        centre = _File(Places.at(stage.centre).central / "central.db") if place is None else _Server(place)
        return count(stage.vans, centre), bool(verified) and all(verified)


def main() -> None:
    """Run, and end with the one line that sums up."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=IN_CHECK, help="how many faults")
    parser.add_argument(
        "--seed", type=int, help="replays the faults of a run; a new one is made up and printed"
    )
    parser.add_argument("--workers", type=int, default=2, help="collectors, and exploders, on PostgreSQL")
    parser.add_argument(
        "--database",
        choices=("auto", "sqlite", "postgresql"),
        default="auto",
        help="what the centre keeps it in",
    )
    parser.add_argument("--keep", type=Path, help="leave everything in this folder, to be looked at")
    asked = parser.parse_args()
    if asked.rounds < 1:
        parser.error("--rounds is at least 1. (code: chaos-rounds)")
    seed = random.SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    there = cluster.programs() is not None
    if asked.database == "postgresql" and not there:
        sys.exit(
            "PostgreSQL is not installed here. Next: apt-get install postgresql. (code: packages-missing)"
        )
    sideways = asked.database != "sqlite" and there
    print(f"seed {seed}, centre on {'PostgreSQL' if sideways else 'SQLite'}", flush=True)
    began = time.monotonic()
    with ExitStack() as stack:
        base = asked.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found, verified = run(base.resolve(), asked.rounds, seed, asked.workers, sideways=sideways)
    print(
        f"{found.purged} purged on the units, {found.differing} differing, {found.conflicts} conflicts,"
        f" chains {'valid' if verified else 'NOT VALID'}, {time.monotonic() - began:.0f} s"
    )
    print(
        f"chaos: rounds={asked.rounds} acknowledged={found.acknowledged} lost={found.lost}"
        f" doubled={found.doubled} unreported={found.unreported} seed={seed}"
    )
    sys.exit(0 if found.good and verified else 1)


if __name__ == "__main__":
    main()
