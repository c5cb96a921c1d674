"""Copying the store to another medium and putting it back: megabytes a second, all checks included."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.vanday import REALM, UNIT, payloads
from edge.clock import SystemClock
from edge.records.fields import Kind, Stream
from edge.store import Store, backup
from edge.store.backup import Order

_VISITS: Final = 6000
_A_TRANSACTION: Final = 200
_TIMES: Final = 3
_MEGABYTE: Final = 1e6


def run() -> list[dict[str, Any]]:
    """Both ways, over the median of three."""
    with tempfile.TemporaryDirectory(prefix="qafila-bench-") as directory:
        return list(_both_ways(Path(directory)))


def _both_ways(root: Path) -> Iterator[dict[str, Any]]:
    key, clock = os.urandom(32), SystemClock()
    database = root / "store.db"
    _fill(database, key)
    order = Order(key, clock.now(), None, {})
    making, putting = list[float](), list[float]()
    size = entries = 0
    for number in range(_TIMES):
        into = root / str(number)
        into.mkdir()
        began = time.perf_counter()
        written = backup.write(database, into, order)
        making.append(time.perf_counter() - began)
        manifest = backup.look(written.folder)
        backup_key = manifest.opened_by(key)
        assert backup_key is not None
        began = time.perf_counter()
        backup.copy_out(written.folder, manifest, backup_key, root / f"{number}.db", key)
        putting.append(time.perf_counter() - began)
        size, entries = written.header.size, written.entries
    yield _row(f"store of {entries:,} entries", size / _MEGABYTE, "MB")
    yield _row("backup, read back and verified", _rate(size, making), "MB/s")
    yield _row("backup put back under the store's key", _rate(size, putting), "MB/s")


def _fill(database: Path, key: bytes) -> None:
    store = Store.create(database, key, unit=UNIT, realm=REALM, moment=SystemClock().now())
    visits = 0
    entries = iter(payloads(_VISITS))
    more = True
    while more:
        with store.write() as tx:
            more = False
            for kind, payload in entries:
                tx.append(Stream.VITALS, kind, payload)
                visits += kind is Kind.ENCOUNTER_CLOSED
                if kind is Kind.ENCOUNTER_CLOSED and visits % _A_TRANSACTION == 0:
                    more = True
                    break
    store.close()


def _rate(size: int, seconds: list[float]) -> float:
    return size / _MEGABYTE / sorted(seconds)[len(seconds) // 2]


def _row(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 2), "unit": unit, "goal": ""}
