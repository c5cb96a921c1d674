"""Says where every task of a stuck test waits; on a serial line there is no debugger."""

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

DEPTH = 20


def tell_stuck_tasks() -> None:
    """Each task, and from the outside in what it awaits."""
    for task in asyncio.all_tasks():
        sys.stderr.write(f"stuck: {task.get_name()}\n")
        for where in _awaiting(task.get_coro()):
            sys.stderr.write(f"stuck:     {where}\n")


def _awaiting(one: object) -> Iterator[str]:
    for _ in range(DEPTH):
        frame = _first(one, "cr_frame", "ag_frame", "gi_frame")
        if frame is None:
            return
        yield f"{frame.f_code.co_qualname} {frame.f_code.co_filename}:{frame.f_lineno}"
        one = _first(one, "cr_await", "ag_await", "gi_yieldfrom")


def _first(one: object, *names: str) -> Any:  # noqa: ANN401  coroutines, generators and futures share no type
    return next((found for name in names if (found := getattr(one, name, None)) is not None), None)
