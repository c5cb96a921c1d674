"""Runs the real agent and kills it in the midst of a change of its whole store: ``HOME CHANGE N``.

The changes are a migration, a backup, a new key, a purge and an erasure. Their steps are counted from their
beginning: statements, steps of a copy, synced files, renamed and removed names. The agent dies at the N-th,
or when the change is over. What sets a purge and an erasure going are a receipt and an order of the centre;
here the keeper is told both, once, and then does its work by itself.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import sqlcipher3.dbapi2

import edge.store.store
from cli.wiring import run_agent
from edge.agent.commit import OpenStore
from edge.agent.keeping import Keeper
from edge.agent.unlocking import Unlocking
from edge.clock import Moment, SystemClock
from edge.config import Places
from edge.store import backup, sqlite
from edge.store.removing import DAY_MS

CHANGES: Final = ("backup", "rekey", "purge", "erase", "migration")
_KEPT_DAYS: Final = 401
_driver: Final[Any] = sqlcipher3.dbapi2
_OLDEST: Final = (
    "SELECT patient FROM patients WHERE patient NOT IN (SELECT patient FROM erasures)"
    " AND patient IN (SELECT patient FROM encounters WHERE closed_ms IS NOT NULL)"
    " AND patient NOT IN (SELECT patient FROM encounters WHERE closed_ms IS NULL) ORDER BY patient LIMIT 1"
)


class Steps:
    """Counts steps while a change goes on, and ends the process at one of them."""

    def __init__(self, nth: int) -> None:
        self._left = nth
        self._within = False

    def __call__(self, *_: object) -> None:
        if not self._within:
            return
        self._left -= 1
        if self._left < 0:
            self._end()

    def of(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        """The change, whose steps count, and after which the process has ended in any case."""

        def change(*words: Any, **named: Any) -> Any:  # noqa: ANN401  as the genuine one
            self._within = True
            genuine(*words, **named)
            self._end()

        return change

    def before(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        """A call that is a step."""

        def step(*words: Any, **named: Any) -> Any:  # noqa: ANN401  as the genuine one
            self()
            return genuine(*words, **named)

        return step

    def _end(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def command(home: Path, change: str, nth: int) -> tuple[str, ...]:
    """The words that run it."""
    return (sys.executable, "-m", "torture.crash_within", str(home), change, str(nth))


def _count(steps: Steps) -> None:
    """Make every step of this process count."""

    class Counting(_driver.Connection):  # type: ignore[misc]  # the driver ships no types
        def execute(self, *words: Any) -> Any:  # noqa: ANN401  as the driver's
            steps()
            return super().execute(*words)

        def executemany(self, *words: Any) -> Any:  # noqa: ANN401  as the driver's
            steps()
            return super().executemany(*words)

        def backup(self, target: Any, **named: Any) -> None:  # noqa: ANN401  as the driver's
            super().backup(target, progress=steps, **{**named, "pages": 20})

    def connect(uri: str) -> sqlite.Connection:
        made: sqlite.Connection = _driver.connect(
            uri,
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
            factory=Counting,
        )
        return made

    def heard(event: str, _words: Sequence[Any]) -> None:
        if event in {"os.rename", "os.remove", "os.mkdir", "shutil.rmtree"}:
            steps()

    sqlite.connect = connect
    os.fsync = steps.before(os.fsync)
    sys.addaudithook(heard)


def _received(opened: OpenStore, keeper: Keeper, at_ms: int) -> None:
    """As after a receipt for everything there is."""
    with opened.write() as tx:
        for stream, mark in opened.store.watermarks().items():
            tx.move_watermark("opened", stream, mark.tip)
    keeper.opened_at(opened, at_ms)


def _set_going(change: str, steps: Steps) -> None:
    """The keeper hears of what it has to let go of, and then it counts."""
    keeper_class: Any = Keeper
    genuine = keeper_class.keep_up
    last = "SELECT coalesce(max(at_ms), 0) FROM opened_marks"

    def keep_up(keeper: Keeper, opened: OpenStore, moment: Moment, now_s: float) -> bool:
        [(marked_ms,)] = opened.store._rows(last)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  a look
        at_ms = max(int(marked_ms), SystemClock().now().wall_ms) + DAY_MS
        _received(opened, keeper, at_ms)
        if change == "purge":
            keeper.opened_at(opened, at_ms + _KEPT_DAYS * DAY_MS)
        elif not opened.store.erasures_waiting():
            oldest = opened.store._rows(_OLDEST)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  the same
            with opened.write() as tx:
                for (patient,) in oldest:
                    tx.order_erasure(patient, patient, reason="asked", authority="[]", ordered_ms=at_ms)

        def all_of_it() -> None:
            while genuine(keeper, opened, moment, now_s):
                pass

        steps.of(all_of_it)()
        return False

    keeper_class.keep_up = keep_up


def _arm(change: str, nth: int) -> None:
    steps = Steps(nth)
    _count(steps)
    match change:
        case "backup":
            backup.write = steps.of(backup.write)
        case "rekey":
            unlocking: Any = Unlocking
            unlocking._rekey = steps.of(unlocking._rekey)  # noqa: SLF001  the change itself
        case "migration":
            opening: Any = edge.store.store
            opening.bring_up_to_date = steps.of(opening.bring_up_to_date)
        case _:
            _set_going(change, steps)


if __name__ == "__main__":
    home, change, number = sys.argv[1:]
    _arm(change, int(number))
    run_agent(Places.at(Path(home)))
