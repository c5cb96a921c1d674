"""How far a long run is, on the standard error now and then; the results stand alone on the output."""

import sys
import time
from collections.abc import Callable
from typing import Final, TypeAlias

EVERY_S: Final = 30.0
Done: TypeAlias = Callable[[], object]
"""Called once a round is done."""


def nobody() -> None:
    """Tells nobody."""


class Progress:
    """Counts rounds of one part, and says how many are done and how long the others may take."""

    def __init__(
        self,
        part: str,
        rounds: int,
        every_s: float = EVERY_S,
        now_s: Callable[[], float] = time.monotonic,
        say: Callable[[str], object] = lambda line: print(line, file=sys.stderr, flush=True),
    ) -> None:
        self._part = part
        self._rounds = rounds
        self._every_s = every_s
        self._now_s = now_s
        self._say = say
        self._done = 0
        self._began_s = self._said_s = now_s()

    def __call__(self) -> None:
        self._done += 1
        now_s = self._now_s()
        if now_s - self._said_s < self._every_s:
            return
        self._said_s = now_s
        spent_s = now_s - self._began_s
        left_s = spent_s / self._done * (self._rounds - self._done)
        self._say(
            f"{self._part}: {self._done} of {self._rounds} after {_minutes(spent_s)} min,"
            f" at this pace {_minutes(left_s)} min to go"
        )


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f}" if seconds >= 600 else f"{seconds / 60:.1f}"
