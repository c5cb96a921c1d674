"""The power goes: at any moment of a real agent's work, with whatever luck for what was not synced."""

import asyncio
import dataclasses
import random
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from torture import unit
from torture.disk import ODDS, Disk
from torture.fresh import Found, Readers, read
from torture.nurse import Identity, Nurse
from torture.progress import Done, nobody
from torture.scratch import fast
from torture.tally import Tally
from torture.trace import Said, Step, read_trace, strace
from torture.unit import Agent

WANTED: Final = ("store", "spool/out")
REQUESTS_A_LOCK: Final = 45
"""Locking closes the file: the WAL is moved into it and removed, the moment at which most can go wrong."""
_AT_ONCE: Final = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Recording:
    """What the agent did, from a disk that was synced.

    Attributes:
        before: the files at the beginning, by path: inode and content.
        truth: what every acknowledged entry says, from the store that the agent left behind.
    """

    home: Path
    key: bytes
    before: dict[str, tuple[int, bytes]]
    steps: list[Step]
    truth: dict[Identity, bytes]


def record(base: Path, locks: int) -> Recording:
    """Let a traced agent work for a nurse, locking the store ``locks`` times."""
    home = unit.make_unit(base)
    key = unit.store_key(home)
    paths = sorted(path for path in home.rglob("*") if path.is_file())
    before = {str(path): (inode, path.read_bytes()) for inode, path in enumerate(paths, 1)}
    log = base / "trace"
    agent = Agent(home, before=strace(log))
    try:
        asyncio.run(_work(agent, locks))
        # The tracer ends with the agent: everything it did is in the log.
        agent.terminate()
    finally:
        agent.kill()
    steps = read_trace(log, home, {path: inode for path, (inode, _) in before.items()})
    return Recording(home, key, before, steps, read(home, key).entries)


async def _work(agent: Agent, locks: int) -> None:
    nurse = Nurse()
    for _ in range(locks):
        async with agent.signed_in() as api:
            for _ in range(REQUESTS_A_LOCK):
                await nurse.ask(api)
            await api.call("lock")


def cut(readers: Readers, recording: Recording, rounds: int, seed: int, done: Done = nobody) -> Tally:
    """Cut the power ``rounds`` times, and read what is left each time in a fresh process."""
    dice = random.Random(f"power {seed}")  # noqa: S311  a seed, so that a round can be played again
    steps = recording.steps
    moments = sorted(dice.choices(range(1, len(steps) + 1), k=rounds))
    disk = Disk(recording.before)
    promises: set[Identity] = set()
    tally, taken = Tally(), 0
    waiting: deque[tuple[Future[Found], set[Identity], str, Path]] = deque()
    with tempfile.TemporaryDirectory(dir=fast()) as scratch:
        for number, moment in enumerate(moments):
            for step in steps[taken:moment]:
                disk.take(step)
                if isinstance(step.operation, Said):
                    promises |= step.operation.saved
            taken = moment
            [luck] = dice.choices(list(ODDS), weights=list(ODDS.values()))
            onto = Path(scratch) / str(number)
            disk.write_out(recording.home, onto, WANTED, luck, dice)
            name = f"power cut {number} of seed {seed}: after step {moment}, {luck.value}"
            waiting.append((readers.read(onto, recording.key), set(promises), name, onto))
            while len(waiting) > _AT_ONCE or (number == rounds - 1 and waiting):
                found, promised, what, where = waiting.popleft()
                tally += judge(found.result(), promised, recording.truth, what)
                shutil.rmtree(where)
                done()
    return dataclasses.replace(tally, acknowledged=len(promises))


def judge(found: Found, promised: set[Identity], truth: dict[Identity, bytes], what: str) -> Tally:
    """One round: every promised entry is there as it was, nothing twice, nothing that cannot be."""
    lost = sum(found.entries.get(each) != truth[each] for each in promised)
    trouble = "; ".join(_trouble(found, lost))
    return Tally(1, 0, lost, found.doubled, (f"{what}: {trouble}",) if trouble else ())


def _trouble(found: Found, lost: int) -> Iterator[str]:
    if found.refused:
        yield f"the store does not open (code: {found.refused})"
    if found.wrong:
        yield found.wrong
    if lost:
        yield f"{lost} lost"
    if found.doubled:
        yield f"{found.doubled} doubled"
