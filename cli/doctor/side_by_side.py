"""Runs the groups of checks side by side, each in a thread, and waits for none longer than it may take."""

import dataclasses
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from cli.doctor.finding import Finding, Word, warned

WITHIN_S: Final = 3.1
"""For the slowest; with the program's own start and the question to the agent less than five seconds."""


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """Checks that are made together.

    Attributes:
        names: what they are called, so that each is told of even when the group gives no answer.
    """

    names: Sequence[str]
    run: Callable[[], Sequence[Finding]]
    within_s: float = WITHIN_S


def run_all(groups: Sequence[Group]) -> list[Finding]:
    """Every group's findings, in the order of the groups.

    A thread that hangs, in a dead card or a dead name server, is left behind: it ends with the process.
    """
    found: list[list[Finding] | None] = [None] * len(groups)

    def run(at: int) -> None:
        try:
            found[at] = list(groups[at].run())
        except Exception as error:  # noqa: BLE001  one check's fault must not hide what the others have found
            found[at] = [_at_fault(name, error) for name in groups[at].names]

    begun_s = time.monotonic()
    threads = [threading.Thread(target=run, args=(at,), daemon=True) for at in range(len(groups))]
    for thread in threads:
        thread.start()
    for thread, group in zip(threads, groups, strict=True):
        thread.join(max(0.0, begun_s + group.within_s - time.monotonic()))
    return [finding for group, told in zip(groups, found, strict=True) for finding in _told(group, told)]


def _told(group: Group, findings: Sequence[Finding] | None) -> Sequence[Finding]:
    return [_silent(name, group.within_s) for name in group.names] if findings is None else findings


def _silent(name: str, within_s: float) -> Finding:
    return warned(
        name,
        "Not known: no answer within {seconds} s.",
        "Look whether the machine is busy, or what this depends on hangs; then run it again.",
        seconds=within_s,
    )


def _at_fault(name: str, error: Exception) -> Finding:
    return warned(
        name,
        "Not known: the check itself failed ({fault}).",
        "Run it as root or as the unit's own user; if it stays, tell those who maintain it.",
        fault=Word(type(error).__name__),
    )
