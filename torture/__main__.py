"""``python -m torture [--rounds N] [--seed S]``: all parts in the check's proportion, then one line.

Kills, power cuts and flipped bits stand to one another as 60 to 300 to 200. What ran is replayed by its
seed; a part alone by ``--part``. Old copies put back (``--part restores``) and writes that the disk refuses
(``--part refused``) are counted apart.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from torture import changes, flips, kills, powerloss, refusing, restores, unit
from torture.fresh import Readers, readers
from torture.nurse import Nurse
from torture.progress import Done, Progress
from torture.tally import Tally, total
from torture.unit import Agent

PROPORTION: Final = {"kills": 60, "cuts": 300, "flips": 200}
IN_CHECK: Final = sum(PROPORTION.values())
_CUTS_A_RECORDING: Final = 2000
_LOCKS_A_RECORDING: Final = 3
_FLIPPED_REQUESTS: Final = 300
_SHOWN: Final = 20
_WITHIN_A_CHANGE: Final = 10
"""One kill of so many happens within a migration, a backup, a new key, a purge or an erasure."""


def shares(rounds: int) -> dict[str, int]:
    """How many rounds each part gets; together exactly ``rounds``."""
    cuts = rounds * PROPORTION["cuts"] // IN_CHECK
    flipped = rounds * PROPORTION["flips"] // IN_CHECK
    return {"kills": rounds - cuts - flipped, "cuts": cuts, "flips": flipped}


def _kills(reading: Readers, base: Path, rounds: int, seed: int, done: Done) -> Tally:
    within = rounds // _WITHIN_A_CHANGE
    anywhere = asyncio.run(kills.kill(reading, base / "anywhere", rounds - within, seed, done))
    if not within:
        return anywhere
    return anywhere + asyncio.run(changes.kill(reading, base / "within", within, seed, done))


def _changes(reading: Readers, base: Path, rounds: int, seed: int, done: Done) -> Tally:
    return asyncio.run(changes.kill(reading, base, rounds, seed, done))


def _cuts(reading: Readers, base: Path, rounds: int, seed: int, done: Done) -> Tally:
    tallies: list[Tally] = []
    while rounds:
        part = min(rounds, _CUTS_A_RECORDING)
        into = base / str(len(tallies))
        recording = powerloss.record(into, _LOCKS_A_RECORDING)
        tallies.append(powerloss.cut(reading, recording, part, seed + len(tallies), done))
        shutil.rmtree(into)
        rounds -= part
    return total(tallies)


def _flips(reading: Readers, base: Path, rounds: int, seed: int, done: Done) -> Tally:
    home = unit.make_unit(base)
    asyncio.run(_fill(home))
    return flips.flip(reading, home, unit.store_key(home), rounds, seed, done)


async def _fill(home: Path) -> None:
    """Let a nurse work, and close the store properly."""
    agent, nurse = Agent(home), Nurse()
    try:
        async with agent.signed_in() as api:
            for _ in range(_FLIPPED_REQUESTS):
                await nurse.ask(api)
        agent.terminate()
    finally:
        agent.kill()


def _restores(_reading: Readers, base: Path, rounds: int, seed: int, done: Done) -> Tally:
    return asyncio.run(restores.restore(base, rounds, f"restores {seed}", done))


def _refused(reading: Readers, base: Path, rounds: int, seed: int, done: Done) -> Tally:
    return asyncio.run(refusing.refuse(reading, base, rounds, seed, done))


PARTS: Final[dict[str, Callable[[Readers, Path, int, int, Done], Tally]]] = {
    "kills": _kills,
    "changes": _changes,
    "cuts": _cuts,
    "flips": _flips,
    "restores": _restores,
    "refused": _refused,
}


def main() -> None:
    """Run the parts, print what each came to, and end with the one line that sums up."""
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("--rounds", type=int, default=IN_CHECK, help="kills, power cuts and flips together")
    parser.add_argument("--seed", type=int, help="replays a run; a new one is made up and printed")
    parser.add_argument("--part", choices=PARTS, help="all rounds go to one part")
    asked = parser.parse_args()
    if asked.rounds < 1:
        parser.error("--rounds is at least 1. (code: torture-rounds)")
    if shutil.which("strace") is None and asked.part in {None, "cuts", "refused"}:
        sys.exit("strace is not on this machine. Next: apt-get install strace. (code: packages-missing)")
    seed = random.SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    print(f"seed {seed}", flush=True)
    wanted = shares(asked.rounds) if asked.part is None else {asked.part: asked.rounds}
    tally = Tally()
    with tempfile.TemporaryDirectory() as scratch, readers() as reading:
        for part, rounds in wanted.items():
            if rounds:
                tally += _run(part, reading, Path(scratch).resolve() / part, rounds, seed)
    print(
        f"torture: rounds={tally.rounds} acknowledged={tally.acknowledged} lost={tally.lost}"
        f" doubled={tally.doubled} seed={seed}"
    )
    sys.exit(0 if tally.good else 1)


def _run(part: str, reading: Readers, base: Path, rounds: int, seed: int) -> Tally:
    began = time.monotonic()
    tally = PARTS[part](reading, base, rounds, seed, Progress(part, rounds))
    seconds = time.monotonic() - began
    detected = f" detected={tally.detected}" if part == "flips" else ""
    print(
        f"{part}: rounds={tally.rounds} acknowledged={tally.acknowledged} lost={tally.lost}"
        f" doubled={tally.doubled}{detected}, {seconds:.0f} s",
        flush=True,
    )
    for line in tally.broken[:_SHOWN]:
        print(f"  {line}", flush=True)
    if len(tally.broken) > _SHOWN:
        print(f"  and {len(tally.broken) - _SHOWN} more", flush=True)
    return tally


if __name__ == "__main__":
    main()
