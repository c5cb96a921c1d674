"""Turns samples that come in bursts into an even flow; pure."""

from collections import deque
from collections.abc import Sequence
from typing import Final

SHORTEST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 1.5
LONGEST_BACKLOG_S: Final = 4.0
"""More than this is not shown late but dropped: the screen is live."""


class Playout:
    """Holds samples back for as long as the longest pause between bursts, then gives them out evenly.

    A chest strap sends half a second of ECG at once; drawn as it comes, the wave would jump.

    Args:
        rate: samples per second.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._waiting: deque[int] = deque()
        self._wait_s = SHORTEST_WAIT_S
        self._fed_s: float | None = None
        self._drawn_s = 0.0
        self._carry = 0.0
        self._flowing = False

    def feed(self, samples: Sequence[int], now_s: float) -> None:
        """Take samples that have just come."""
        if self._fed_s is not None:
            pause_s = (now_s - self._fed_s) * 1.2
            self._wait_s = min(LONGEST_WAIT_S, max(SHORTEST_WAIT_S, pause_s, self._wait_s * 0.98))
        self._fed_s = now_s
        self._waiting.extend(samples)
        while len(self._waiting) > self.rate * LONGEST_BACKLOG_S:
            self._waiting.popleft()

    def due(self, now_s: float) -> list[int]:
        """The samples to draw by now."""
        backlog_s = len(self._waiting) / self.rate
        elapsed_s, self._drawn_s = now_s - self._drawn_s, now_s
        if not self._flowing:
            self._flowing = backlog_s >= self._wait_s
            self._carry = 0.0
            return []
        speed = 1 + max(-0.1, min(0.25, (backlog_s - self._wait_s) / 4))
        wanted = self._carry + self.rate * elapsed_s * speed
        count = int(wanted)
        self._carry = wanted - count
        if count > len(self._waiting):
            self._flowing = False
        return [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]
