"""A store of an earlier version opens, and is whole whenever the way to the present one is cut short.

``tests/vectors/store/version-1.db`` was made by the software as it was at version 1: unit van-07, training
realm, key 00 01 ... 1f, four patients with a closed visit each.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge.store import Store, StoreNewer, migrations, schema, sqlite
from edge.store.connection import connect

KEY = bytes(range(32))
FIRST = Path(__file__).parents[2] / "vectors" / "store" / "version-1.db"

KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from edge.store import migrations, connection

class Killing:
    def __init__(self, real, left): self._real, self._left = real, left
    def __getattr__(self, name): return getattr(self._real, name)
    def execute(self, *words):
        self._left -= 1
        if self._left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._real.execute(*words)

first, home = Path(sys.argv[1]), Path(sys.argv[2])
for statement in range(1000):
    (home / str(statement)).mkdir()
    path = Path(shutil.copy(first, home / str(statement) / "qafila.db"))
    child = os.fork()
    if child == 0:
        migrations.bring_up_to_date(Killing(connection.connect(path, bytes(range(32))), statement))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
    if status == 0:
        break
"""
"""Brings a copy of a store along in a fresh process, killed at its n-th statement, for every n there is."""


@pytest.fixture
def first(tmp_path: Path) -> Path:
    (tmp_path / "first").mkdir(mode=0o700)
    return Path(shutil.copy(FIRST, tmp_path / "first" / "qafila.db"))


def version_of(path: Path) -> int:
    connection = connect(path, KEY)
    [(version,)] = connection.execute("PRAGMA user_version").fetchall()
    connection.close()
    return int(version)


def seen(store: Store) -> dict[str, object]:
    """What a nurse sees of the four patients, by every way to find them."""
    texts = (
        "alaoui",
        "AB 123456",
        "ab1234",
        "06 12 34",
        "0612345678",
        "nguessan",
        "n'gu",
        "ai",
        "ait-ali",
        "احمد",
        "اح",
    )
    return {text: [int.from_bytes(each.patient) for each in store.find_patients(text)] for text in texts}


FOUND = {
    "alaoui": [1], "AB 123456": [1], "ab1234": [1], "06 12 34": [1], "0612345678": [1], "nguessan": [3],
    "n'gu": [3], "ai": [4, 1], "ait-ali": [4], "احمد": [2], "اح": [2],
}  # fmt: skip


def test_a_store_of_the_first_version_opens_and_everything_is_found(first: Path) -> None:
    assert version_of(first) == 1
    store = Store.open(first, KEY)
    assert store.verify().valid
    assert [each.family for each in store.patients()] == ["Aït-Ali", "N'Guessan", "العلوي", "Alaoui"]
    assert seen(store) == FOUND
    store.close()
    assert version_of(first) == schema.VERSION


def test_it_then_has_the_tables_of_a_fresh_one(first: Path, store: Store) -> None:
    look = "SELECT type, name, sql FROM sqlite_schema ORDER BY name"
    brought = Store.open(first, KEY)
    assert brought._rows(look) == store._rows(look)
    brought.close()


def test_a_store_that_is_up_to_date_is_not_written_to(first: Path) -> None:
    Store.open(first, KEY).close()
    before = first.read_bytes()
    Store.open(first, KEY).close()
    assert first.read_bytes() == before


def test_killed_at_any_statement_it_is_of_one_version_or_the_next_and_whole(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(FIRST), str(tmp_path)],
        check=True, timeout=300, capture_output=True, text=True,
    )  # fmt: skip
    statuses = [int(line) for line in done.stdout.split()]
    assert statuses == [-signal.SIGKILL] * (len(statuses) - 1) + [0]
    versions: list[int] = []
    for statement in range(len(statuses)):
        path = tmp_path / str(statement) / "qafila.db"
        versions.append(version_of(path))
        store = Store.open(path, KEY)  # goes on from where it was cut
        assert store.verify().valid
        assert seen(store) == FOUND
        store.close()
    assert versions == sorted(versions)
    assert set(versions) == set(range(1, schema.VERSION + 1))
    assert len(versions) > 10


def test_a_disk_that_refuses_a_step_leaves_the_version_before(
    first: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_connection: sqlite.Connection) -> None:
        raise OSError(28, os.strerror(28))

    broken = migrations._Step(schema.ADDED_IN_3, full)
    monkeypatch.setitem(migrations._STEPS, 3, broken)
    with pytest.raises(OSError, match="No space"):
        Store.open(first, KEY)
    assert version_of(first) == 2
    monkeypatch.undo()
    Store.open(first, KEY).close()
    assert version_of(first) == schema.VERSION


def test_a_later_version_is_refused_and_not_touched(first: Path) -> None:
    connection = connect(first, KEY)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = first.read_bytes()
    with pytest.raises(StoreNewer):
        Store.open(first, KEY)
    assert first.read_bytes() == before
