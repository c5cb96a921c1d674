"""SIGKILL, at any moment and at every named point; the nurse asks again, and everything is counted."""

import asyncio
import contextlib
import random
from pathlib import Path
from typing import Final

from edge.localapi.client import AgentUnreachable
from torture import crash, unit
from torture.fresh import Readers
from torture.nurse import Nurse
from torture.progress import Done, nobody
from torture.tally import Tally, total
from torture.unit import Agent, everything

UNITS: Final = 2
"""Side by side: an agent that starts leaves one core idle."""
LATEST_S: Final = 0.3
LATEST_COMMIT: Final = 30
_LOOK_EVERY: Final = 10
"""Looking at all there is takes longer the more there is; the last look is at everything anyhow."""


async def kill(readers: Readers, base: Path, rounds: int, seed: int, done: Done = nobody) -> Tally:
    """Kill agents ``rounds`` times, while nurses ask without pause."""
    shares = [rounds // UNITS + (number < rounds % UNITS) for number in range(UNITS)]
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_kill(readers, base / f"unit-{number}", share, f"kills {seed} {number}", done))
            for number, share in enumerate(shares)
            if share
        ]
    return total(task.result() for task in tasks)


async def _kill(readers: Readers, base: Path, rounds: int, seed: str, done: Done) -> Tally:
    dice = random.Random(seed)  # noqa: S311  a seed, so that a round can be played again
    home = await asyncio.to_thread(unit.make_unit, base)
    key = await asyncio.to_thread(unit.store_key, home)
    nurse = Nurse()
    broken: list[str] = []
    for number in range(rounds):
        missing = await _round(home, nurse, dice, point=number % 2 == 1, look=number % _LOOK_EVERY == 0)
        if missing:
            broken.append(f"{seed}: {missing} entries were missing before kill {number}")
        done()
    missing = await _after_all(home, nurse)
    found = await asyncio.wrap_future(readers.read(home, key))
    lost = missing + sum(each not in found.entries for each in nurse.acknowledged)
    broken += [f"{seed}: {what}" for what in (found.refused, found.wrong) if what]
    broken += [f"{seed}: {lost} lost, {found.doubled} doubled"] if lost or found.doubled else []
    return Tally(rounds, len(nurse.acknowledged), lost, found.doubled, tuple(broken))


async def _round(home: Path, nurse: Nurse, dice: random.Random, *, point: bool, look: bool) -> int:
    """One life of an agent; gives how many acknowledged entries it did not have when it began, if we look."""
    words: tuple[str, ...] = ()
    if point:
        words = crash.command(home, dice.choice(list(crash.POINTS)), dice.randint(2, LATEST_COMMIT))
    after_s = dice.uniform(0.0, LATEST_S)
    agent = Agent(home, *words)
    missing = 0
    try:
        # It may die while we look: that too is a moment at which it commits.
        with contextlib.suppress(AgentUnreachable):
            async with agent.signed_in() as api:
                if look:
                    missing = len(nurse.acknowledged - await everything(api))
                if not point:
                    asyncio.get_running_loop().call_later(after_s, agent.process.kill)
                await nurse.ask_until_it_dies(api)
    finally:
        await asyncio.to_thread(agent.kill)
    return missing


async def _after_all(home: Path, nurse: Nurse) -> int:
    """Let an agent live; gives how many acknowledged entries it does not have."""
    agent = Agent(home)
    try:
        async with agent.signed_in() as api:
            await nurse.ask_what_is_open(api)
            missing = len(nurse.acknowledged - await everything(api))
        await asyncio.to_thread(agent.terminate)
    finally:
        await asyncio.to_thread(agent.kill)
    return missing
