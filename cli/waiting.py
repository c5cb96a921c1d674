"""Something that takes a while: what it is, what to do meanwhile, and how much of the time has gone."""

import contextlib
import sys
import threading
import time
from collections.abc import Generator
from typing import Final

BAR: Final = 24
_EVERY_S: Final = 0.25


@contextlib.contextmanager
def waiting(text: str, seconds: float) -> Generator["Waiting"]:
    """Say what is waited for, on standard error; in a terminal with a bar that fills.

    A script sees one line.
    """
    shown = Waiting(text, seconds)
    shown.begin()
    try:
        yield shown
    finally:
        shown.end()


class Waiting:
    """The bar; made by `waiting`."""

    def __init__(self, text: str, seconds: float) -> None:
        self._text = text
        self._seconds = seconds
        self._began_s = 0.0
        self._over = threading.Event()
        self._paused = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        print(self._text, file=sys.stderr, flush=True)
        self._began_s = time.monotonic()
        if sys.stderr.isatty() and self._seconds > 2:
            self._thread = threading.Thread(target=self._draw, daemon=True)
            self._thread.start()

    def end(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def paused(self) -> Generator[None]:
        """While something is asked, nothing is drawn over the question."""
        self._paused.set()
        if self._thread is not None:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        try:
            yield
        finally:
            self._paused.clear()

    def _draw(self) -> None:
        while not self._over.wait(_EVERY_S):
            if self._paused.is_set():
                continue
            gone_s = time.monotonic() - self._began_s
            filled = min(BAR, int(BAR * gone_s / self._seconds))
            left = max(0, round(self._seconds - gone_s))
            bar = "#" * filled + "-" * (BAR - filled)
            print(f"\r[{bar}] {left} s", end="\033[K", file=sys.stderr, flush=True)
