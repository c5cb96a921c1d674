"""The centre: how fast sealed batches land durably, and how fast they become rows.

Real batches of a van's mornings at 200 entries, real files, synchronous=FULL, receipts signed; without a
broker. Landing is measured with one batch for each commit and with thirty-two, as a collector gathers
them under load.
"""

import contextlib
import dataclasses
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from unittest import mock

from bench import backlog
from bench.vanday import REALM
from cli.rehearsal import cluster
from cli.rehearsal.cluster import Cluster
from edge.clock import SystemClock
from sync.central import database, setup
from sync.central.exploder import Exploder
from sync.central.home import CentreHome, read_file
from sync.central.landing import Lander, Upward
from sync.central.plan import Plan
from sync.central.receipts import ReceiptWriter, SignedReceipt
from sync.wire.enrolment import Broker

_ENTRIES: Final = 20_800
_BATCH: Final = 200
_GROUP: Final = 32
_UNITS: Final = 8
_UNIT_ENTRIES: Final = 4_000
_WORKERS: Final = 2


def run() -> list[dict[str, Any]]:
    """Every figure of this room."""
    with tempfile.TemporaryDirectory(prefix="qafila-bench-") as directory:
        one, many = (_centre(Path(directory) / name) for name in ("one", "many"))
        size = sum(len(message.payload) for message in many.messages) / many.entries
        return [
            _landing(one, 1),
            _landing(many, _GROUP),
            *_exploding(many),
            _row("sealed size, for scale", size, "B/entry"),
            *_on_postgres(Path(directory)),
        ]


@dataclasses.dataclass(frozen=True, slots=True)
class _Loaded:
    """A centre and what one unit is about to send it."""

    home: CentreHome
    messages: list[Upward]
    entries: int


def _on_postgres(directory: Path) -> list[dict[str, Any]]:
    """The same into a private PostgreSQL with everything on the disk that a commit promises."""
    if cluster.programs() is None:
        return []
    with Cluster(durable=True, settings=backlog.SETTINGS) as running:
        centre = _centre(directory / "rows", running.new_space())
        landed = _landing(centre, _GROUP)
        with _time_in_commits() as spent:
            opened, processor, core = _exploding(centre)
        beside = _side_by_side(directory / "beside", running.new_space(), _WORKERS)
    rows = _row("of it, from opened to rows and receipt", centre.entries / spent[0], "entries/s")
    for row in (landed, opened, processor, core, rows):
        row["name"] = f"PostgreSQL: {row['name']}"
    return [landed, opened, processor, core, rows, *beside]


@contextlib.contextmanager
def _time_in_commits() -> Iterator[list[float]]:
    """Seconds that rounds spend between the first statement of their commit and its return."""
    commit, spent = Plan.commit, [0.0]

    def timed(plan: Plan, *arguments: Any) -> list[SignedReceipt]:  # noqa: ANN401  as commit has them
        begin = time.monotonic()
        try:
            return commit(plan, *arguments)
        finally:
            spent[0] += time.monotonic() - begin

    with mock.patch.object(Plan, "commit", timed):
        yield spent


def _centre(directory: Path, place: str | None = None) -> _Loaded:
    home = CentreHome(directory)
    setup.init(home, "training", (Broker("127.0.0.1", 1883, tls=False),), place=place)
    return _Loaded(home, list(backlog.sealed(home, _ENTRIES)), _ENTRIES)


def _row(name: str, value: float, unit: str, goal: str = "") -> dict[str, Any]:
    return {"name": name, "value": round(value, 2), "unit": unit, "goal": goal}


def _landing(centre: _Loaded, group: int) -> dict[str, Any]:
    home, messages = centre.home, centre.messages
    connection = database.connect(home.database)
    writer = ReceiptWriter("landed", REALM, 1, read_file(home.landed_key))
    lander = Lander(connection, REALM, SystemClock(), writer)
    begin = time.monotonic()
    for first in range(0, len(messages), group):
        lander.land(messages[first : first + group])
    taken = time.monotonic() - begin
    connection.close()
    return _row(f"landed, {group} batches of {_BATCH} a commit", centre.entries / taken, "entries/s")


def _exploding(centre: _Loaded) -> list[dict[str, Any]]:
    home, entries = centre.home, centre.entries
    connection = database.connect(home.database)
    writer = ReceiptWriter("opened", REALM, 1, read_file(home.opened_key))
    exploder = Exploder(connection, REALM, SystemClock(), read_file(home.seal_to_key), writer)
    wall, cpu = time.monotonic(), time.process_time()
    exploder.round()
    while exploder.pending:
        exploder.round()
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    (kept,) = connection.execute("SELECT count(*) FROM entries").fetchone()
    assert kept == entries
    connection.close()
    return [
        _row("opened, hashed and committed as rows", entries / wall, "entries/s"),
        _row("processor time of it", cpu / entries * 100_000, "s/100,000"),
        _row("so one core for itself opens", entries / cpu, "entries/s"),
    ]


def _side_by_side(directory: Path, place: str, workers: int) -> list[dict[str, Any]]:
    """Several exploders at one database, each a process, on what several units have landed."""
    home = CentreHome(directory)
    setup.init(home, "training", (Broker("127.0.0.1", 1883, tls=False),), place=place)
    messages = [
        message for n in range(_UNITS) for message in backlog.sealed(home, _UNIT_ENTRIES, f"van-{n:02}")
    ]
    _landing(_Loaded(home, messages, _UNITS * _UNIT_ENTRIES), _GROUP)
    command = [sys.executable, "-m", "bench.centre", str(directory), str(_UNITS * _UNIT_ENTRIES)]
    with contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(workers)
        ]
        for each in started:
            stack.callback(each.kill)
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        begin = time.monotonic()
        for each in started:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        spent = [float(each.stdout.readline()) for each in started if each.stdout is not None]
        took = time.monotonic() - begin
    entries = _UNITS * _UNIT_ENTRIES
    what = f"{workers} exploders side by side, {_UNITS} units"
    return [
        _row(f"PostgreSQL: {what}", entries / took, "entries/s", "≥ 50000"),
        _row("PostgreSQL: processor time of both", sum(spent) / entries * 100_000, "s/100,000"),
    ]


def _work(directory: str, entries: int) -> None:
    """``python -m bench.centre HOME ENTRIES``: one of several exploders, until all is opened."""
    home = CentreHome(Path(directory))
    connection = database.connect(home.database)
    writer = ReceiptWriter("opened", REALM, 1, read_file(home.opened_key))
    exploder = Exploder(connection, REALM, SystemClock(), read_file(home.seal_to_key), writer)
    print("ready", flush=True)
    sys.stdin.readline()
    before = time.process_time()
    while True:
        exploder.round()
        if not exploder.pending:
            if connection.execute("SELECT count(*) FROM entries").fetchone() == (entries,):
                break
            time.sleep(0.02)
    print(time.process_time() - before, flush=True)
    connection.close()


if __name__ == "__main__":
    _work(sys.argv[1], int(sys.argv[2]))
