"""The disk fails: said in plain words, nothing half saved, everything saved before still there."""

import contextlib
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.clock import ClockQuality, Moment
from edge.store import (
    Store,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreReadOnly,
    WrongKey,
)

MOMENT = Moment(1_795_334_400_000, b"bootboot", 1000, ClockQuality.OPERATOR)
needs_mount = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting a small disk needs root"
)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB."""
    directory = tmp_path / "small"
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(directory)],  # noqa: S607  mount(8)
        check=False,
        capture_output=True,
    )
    if mounted.returncode != 0:
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        yield directory
    finally:  # lazily: a child that a failed test left behind may still stand in it
        subprocess.run(["umount", "-l", str(directory)], check=True)  # noqa: S607  umount(8)


def save(store: Store, each: Any) -> None:  # noqa: ANN401  a Visit of the conftest
    with store.write() as tx:
        each.register(tx)
        each.open(tx)
        each.observe(tx)
        each.close(tx)


@needs_mount
def test_a_full_disk_saves_nothing_loses_nothing_and_recovers(
    small_disk: Path, key: bytes, visit: Callable[[], Any]
) -> None:
    path = small_disk / "qafila.db"
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(400_000))
    store = Store.create(path, key, unit="van-07", realm="training", moment=MOMENT)
    saved: list[bytes] = []
    refused: list[StoreError] = []
    for _ in range(3000):
        each = visit()
        try:
            save(store, each)
        except StoreFull as error:
            refused.append(error)
            if len(refused) == 3:
                break
        else:
            assert not refused, "saved after the disk was full"
            saved.append(each.patient)
    assert len(refused) == 3
    assert "nothing was saved" in refused[0].sentence
    assert refused[0].next_step
    assert {p.patient for p in store.patients(10_000)} == set(saved)
    assert store.tips().seqs[1] == 1 + 4 * len(saved)
    assert store.verify().valid

    ballast.unlink()
    save(store, each := visit())
    saved.append(each.patient)
    store.close()
    again = Store.open(path, key)
    assert {p.patient for p in again.patients(10_000)} == set(saved)
    assert again.verify().valid
    again.close()


@needs_mount
def test_a_store_cannot_be_made_on_a_full_disk_and_leaves_nothing(small_disk: Path, key: bytes) -> None:
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        for _ in range(200):
            file.write(bytes(16_384))
            file.flush()
    with pytest.raises(StoreError):
        Store.create(small_disk / "qafila.db", key, unit="van-07", realm="training", moment=MOMENT)
    assert list(small_disk.iterdir()) == [ballast]


@needs_mount
def test_a_disk_that_turns_read_only_is_said_and_read(
    small_disk: Path, key: bytes, visit: Callable[[], Any]
) -> None:
    store = Store.create(small_disk / "qafila.db", key, unit="van-07", realm="training", moment=MOMENT)
    save(store, each := visit())
    store.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)  # noqa: S607  mount(8)
    try:
        reading = Store.open(small_disk / "qafila.db", key)
        assert [p.patient for p in reading.patients()] == [each.patient]
        with pytest.raises(StoreReadOnly) as refused:
            save(reading, visit())
        assert refused.value.next_step
        assert reading.verify().valid
        reading.close()
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)  # noqa: S607  mount(8)
    again = Store.open(small_disk / "qafila.db", key)
    assert [p.patient for p in again.patients()] == [each.patient]
    again.close()


def test_every_flipped_bit_is_noticed(filled: Store, database: Path, key: bytes, tmp_path: Path) -> None:
    """A wrong value is never shown: a flip is refused on opening, or found on reading the page."""
    chance = random.Random(os.environ.get("QAFILA_SEED", "7"))  # noqa: S311  seeded to be repeated
    filled.close()
    whole = database.read_bytes()
    copy = tmp_path / "copy.db"
    for _ in range(60):
        flipped = bytearray(whole)
        flipped[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        copy.write_bytes(flipped)
        with pytest.raises((StoreDamaged, WrongKey)):
            read_everything(copy, key)
    copy.write_bytes(whole)
    read_everything(copy, key)


def read_everything(path: Path, key: bytes) -> None:
    store = Store.open(path, key)
    try:
        bad_pages = store._rows("PRAGMA cipher_integrity_check")
        assert store.verify().valid
        store.patients(10_000)
        if bad_pages:
            raise StoreDamaged("a page nobody uses")
    finally:
        store.close()


def test_a_wal_torn_anywhere_leaves_whole_transactions(
    store: Store, database: Path, key: bytes, tmp_path: Path, visit: Callable[[], Any]
) -> None:
    chance = random.Random(os.environ.get("QAFILA_SEED", "7"))  # noqa: S311  seeded to be repeated
    for _ in range(10):
        save(store, visit())
    whole, log = database.read_bytes(), database.with_name("qafila.db-wal").read_bytes()
    copy = tmp_path / "copy.db"
    for _ in range(30):
        cut = chance.randrange(len(log))
        for companion in ("-wal", "-shm"):
            copy.with_name(copy.name + companion).unlink(missing_ok=True)
        copy.write_bytes(whole)
        copy.with_name("copy.db-wal").write_bytes(log[:cut] + chance.randbytes(chance.choice([0, 4096])))
        again = Store.open(copy, key)
        assert again.verify().valid
        assert (again.tips().seqs[1] - 1) % 4 == 0
        assert len(again.patients()) == (again.tips().seqs[1] - 1) // 4
        again.close()


def test_a_second_writer_waits_and_is_told(
    store: Store, database: Path, key: bytes, visit: Callable[[], Any]
) -> None:
    other = Store.open(database, key)
    other._connection.execute("PRAGMA busy_timeout = 50")
    with store.write() as tx:
        visit().register(tx)
        with pytest.raises(StoreBusy):
            save(other, visit())
    save(other, visit())
    assert len(store.patients()) == 2
    other.close()
