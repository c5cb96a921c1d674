"""Runs the real agent and kills it at a named point of its N-th commit: ``HOME POINT N``."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from cli.wiring import run_agent
from edge.agent.sealing import Sealing
from edge.config import Places
from edge.localapi.connection import Connection
from edge.spool import Outbox

POINTS: Final[dict[str, tuple[type, str, str]]] = {
    "before the sealed file": (Outbox, "prepare", "before"),
    "after the sealed file": (Outbox, "prepare", "after"),
    "before COMMIT": (Sealing, "prepare", "after"),
    "after COMMIT": (Sealing, "publish", "before"),
    "after the file has its name": (Sealing, "publish", "after"),
    "before the answer": (Connection, "answer", "before"),
}


def command(home: Path, point: str, nth: int) -> tuple[str, ...]:
    """The words that run it."""
    return (sys.executable, "-m", "torture.crash", str(home), point, str(nth))


def crash_at(owner: type, method: str, when: str, nth: int) -> None:
    """Replace a method by one that kills the process around its N-th call."""
    genuine: Callable[..., Any] = getattr(owner, method)
    calls = 0

    def crashing(*args: object) -> object:
        nonlocal calls
        calls += 1
        if calls == nth and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = genuine(*args)
        if calls == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, method, crashing)


if __name__ == "__main__":
    home, point, number = sys.argv[1:]
    crash_at(*POINTS[point], nth=int(number))
    run_agent(Places.at(Path(home)))
