"""A disk that refuses a write, now and then, at every place where the agent writes: full, or read-only.

``strace`` lets system calls on the store's files fail before they do anything, every n-th of them with a
step that no request repeats, so that in time each write of each kind of request is met. The nurse is
refused, and asks again under the same id. At the end of each life everything that was acknowledged is there
once, in a fresh process, and nothing else than a refusal in plain words was ever said.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from edge.config import Places
from edge.localapi.client import AgentUnreachable
from edge.ports.caller import CallRefused
from torture import unit
from torture.fresh import Readers
from torture.nurse import Nurse
from torture.progress import Done, nobody
from torture.tally import Tally
from torture.unit import PIN, USER, Agent

ERRORS: Final = ("ENOSPC", "EROFS")
SAID: Final = frozenset(
    {"store-full", "store-nearly-full", "store-read-only", "store-io-error", "store-locked"}
)
"""What a refusal may be called; ``store-locked`` by who asks again after a sign-in that was refused."""
STEPS: Final = (41, 53, 71, 97, 131)
"""Registering a patient makes some thirty writes: asking again helps where every step is longer."""
REQUESTS_A_LIFE: Final = 60
_TRIES: Final = 40
_CALLS: Final = "pwrite64,write,ftruncate,fallocate"


async def refuse(
    readers: Readers,
    base: Path,
    rounds: int,
    seed: int,
    done: Done = nobody,
    requests: int = REQUESTS_A_LIFE,
) -> Tally:
    """Let ``rounds`` writes fail, or more until a life is over; by turns for each of `ERRORS`.

    Args:
        readers: look at what is left, each in a process of its own.
        base: where a unit is made.
        rounds: how many.
        seed: replays a run.
        done: called for each.
        requests: to be answered in one life of the agent.
    """
    dice = random.Random(f"refused {seed}")  # noqa: S311  a seed, so that a round can be played again
    home = await asyncio.to_thread(unit.make_unit, base)
    key = await asyncio.to_thread(unit.store_key, home)
    nurse, broken = Nurse(), list[str]()
    met = lost = doubled = life = 0
    while met < rounds or life < len(ERRORS):
        error = ERRORS[life % len(ERRORS)]
        life += 1
        first, step = dice.randint(1, 60), dice.choice(STEPS)
        name = f"{error} {seed}, life {life}: every {step}th write from the {first}th on"
        log = base / "refused"
        agent = Agent(home, before=_failing(home, log, f"{error}:when={first}+{step}"))
        try:
            broken += [f"{name}: {what}" for what in await _live(agent, nurse, requests)]
            if dice.random() < 0.5:
                await asyncio.to_thread(agent.terminate)
        finally:
            await asyncio.to_thread(agent.kill)
        now = log.read_bytes().count(b"(INJECTED)")
        if not now:
            broken.append(f"{name}: no write was met")
            break
        for _ in range(min(now, rounds - met)):
            done()
        met += now
        found = await asyncio.wrap_future(readers.read(home, key))
        missing = sum(each not in found.entries for each in nurse.acknowledged)
        lost, doubled = lost + missing, doubled + found.doubled
        wrong = [what for what in (found.refused, found.wrong) if what]
        wrong += [f"{missing} lost, {found.doubled} doubled"] if missing or found.doubled else []
        broken += [f"{name}: {what}" for what in wrong]
        if wrong:
            break
    return Tally(met, len(nurse.acknowledged), lost, doubled, tuple(broken))


def _failing(home: Path, log: Path, error: str) -> tuple[str, ...]:
    database = Places.at(home).database
    files = [database, *(database.with_name(database.name + end) for end in ("-wal", "-shm", "-journal"))]
    named = [word for file in files for word in ("-P", str(file))]
    trace = ("-e", f"trace={_CALLS}", "-e", f"inject={_CALLS}:error={error}")
    return ("strace", "-f", "-qq", "-s", "0", "-o", str(log), *named, *trace)


async def _live(agent: Agent, nurse: Nurse, requests: int) -> list[str]:
    """One life: sign in, ask, be refused, ask again; what was said that nobody may say."""
    odd: list[str] = []
    with contextlib.suppress(AgentUnreachable):
        async with agent.connected() as api:
            await _insist(lambda: api.call("sign-in", user=USER, pin=PIN), odd)
            for _ in range(requests):
                if not odd:
                    await _insist(lambda: nurse.ask(api), odd)
    if agent.process.poll() is not None:
        odd.append("the agent has ended")
    return odd


async def _insist(ask: Callable[[], Awaitable[Any]], odd: list[str]) -> None:
    """Ask until it is done."""
    for _ in range(_TRIES):
        try:
            await ask()
        except CallRefused as refused:
            if refused.stable_code not in SAID or not refused.next_step:
                odd.append(f"said {refused.stable_code}: {refused}")
        else:
            return
    odd.append(f"refused {_TRIES} times, though most writes are taken")
