"""One line that shows how far the morning is; only where somebody watches a terminal."""

import sys
from typing import Final, TextIO

_WIDTH: Final = 24


class Progress:
    """Draws on ``stream`` when that is a terminal, else does nothing. Numbers only, never names.

    Args:
        total: how many steps there are.
    """

    def __init__(self, total: int, stream: TextIO = sys.stderr) -> None:
        self._total = total
        self._done = 0
        self._stream = stream
        self._shown = stream.isatty()

    def step(self, words: str) -> None:
        """One more step is done; ``words`` say what comes."""
        self._done = min(self._done + 1, self._total)
        self.say(words)

    def say(self, words: str) -> None:
        """Change the words, not the bar."""
        if self._shown:
            full = _WIDTH * self._done // self._total
            print(
                f"\r\x1b[K[{'█' * full}{'·' * (_WIDTH - full)}] {words}",
                end="",
                file=self._stream,
                flush=True,
            )

    def clear(self) -> None:
        """Leave the line as it was found."""
        if self._shown:
            print("\r\x1b[K", end="", file=self._stream, flush=True)
