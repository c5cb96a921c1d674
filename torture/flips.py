"""Bits rot: one in every page, one after the other, and a fresh process reads what is left."""

import random
import shutil
import tempfile
from collections import deque
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from edge.store.pagecheck import PAGE_BYTES
from torture.fresh import Found, Readers, read
from torture.progress import Done, nobody
from torture.scratch import fast
from torture.tally import Tally

_AT_ONCE: Final = 8
_DATABASE: Final = Path("store") / "qafila.db"


def flip(readers: Readers, home: Path, key: bytes, rounds: int, seed: int, done: Done = nobody) -> Tally:
    """Flip one bit ``rounds`` times, each in a copy of a store that was closed properly.

    Pages take their turn in an order from the seed, so that as many rounds as pages reach every page. A
    flip is *detected* when the store refuses with a code, its verification names the damage, or a check of
    every page finds the one that is rotten, though nobody has read it. A flip that is not detected is a
    wrong value on somebody's screen, today or later.
    """
    dice = random.Random(f"flips {seed}")  # noqa: S311  a seed, so that a round can be played again
    whole = (home / _DATABASE).read_bytes()
    truth = read(home, key)
    pages = list(range(len(whole) // PAGE_BYTES))
    dice.shuffle(pages)
    tally = Tally(acknowledged=len(truth.entries))
    waiting: deque[tuple[Future[Found], str, Path]] = deque()
    with tempfile.TemporaryDirectory(dir=fast()) as scratch:
        for number in range(rounds):
            page, bit = pages[number % len(pages)], dice.randrange(PAGE_BYTES * 8)
            rotten = bytearray(whole)
            rotten[page * PAGE_BYTES + bit // 8] ^= 1 << bit % 8
            onto = Path(scratch) / str(number)
            (onto / _DATABASE).parent.mkdir(parents=True)
            (onto / _DATABASE).write_bytes(rotten)
            name = f"flip {number} of seed {seed}: page {page}, bit {bit}"
            waiting.append((readers.read(onto, key), name, onto))
            while len(waiting) > _AT_ONCE or (number == rounds - 1 and waiting):
                future, what, where = waiting.popleft()
                tally += _judge(future.result(), truth, what)
                shutil.rmtree(where)
                done()
    return tally


def _judge(found: Found, truth: Found, what: str) -> Tally:
    if found.refused or found.wrong:
        return Tally(rounds=1, detected=1)
    lost = sum(found.entries.get(each) != digest for each, digest in truth.entries.items())
    if not lost and found.rows == truth.rows and found.rotten:
        return Tally(rounds=1, detected=1)
    return Tally(1, 0, lost, 0, (f"{what}: read as if nothing were wrong, and something is",))
