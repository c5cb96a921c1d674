"""The disk fills at any write, and somebody reads for long: nothing is half saved, and all of it recovers."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.clock import ClockQuality, Moment
from edge.store import Store, StoreError, StoreFull, card
from edge.store.connection import WAL_LIMIT_BYTES

MOMENT = Moment(1_795_334_400_000, b"bootboot", 1000, ClockQuality.OPERATOR)
BLOCK = 4096
needs_mount = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting a small disk needs root"
)


class Tight:
    """A disk that has as much room as a test gives it, to the block."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def leave(self, blocks: int) -> None:
        """So many blocks free, and no more."""
        disk = os.statvfs(self.directory)
        used = disk.f_blocks - disk.f_bfree
        self._mount("remount,", (used + blocks) * BLOCK)

    def begin(self, blocks: int) -> None:
        self._mount("", blocks * BLOCK)

    def _mount(self, how: str, size: int) -> None:
        words = ("mount", "-t", "tmpfs", "-o", f"{how}size={size},mode=700", "tmpfs", str(self.directory))
        done = subprocess.run(words, check=False, capture_output=True)
        if done.returncode != 0:
            pytest.skip("this machine lets nobody mount a small disk")


@pytest.fixture
def tight(tmp_path: Path) -> Iterator[Tight]:
    directory = tmp_path / "tight"
    directory.mkdir()
    disk = Tight(directory)
    disk.begin(4096)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)  # noqa: S607  umount(8)


def save(store: Store, each: Any) -> None:  # noqa: ANN401  a Visit of the conftest
    with store.write() as tx:
        each.register(tx)
        each.open(tx)
        each.observe(tx)
        each.close(tx)


@needs_mount
def test_wherever_the_disk_fills_nothing_is_half_saved_and_everything_is_read(
    tight: Tight, key: bytes, visit: Callable[[], Any]
) -> None:
    """One block more each time, so that every write of a commit is the one that finds no room."""
    path = tight.directory / "qafila.db"
    store = Store.create(path, key, unit="van-07", realm="training", moment=MOMENT)
    saved = [visit()]
    save(store, saved[0])
    refused: list[StoreFull] = []
    for blocks in range(200):
        tight.leave(min(blocks, 1))
        try:
            save(store, each := visit())
        except StoreFull as error:
            refused.append(error)
            assert {one.patient for one in store.patients(999)} == {one.patient for one in saved}
            assert store.tips().seqs[1] == 1 + 4 * len(saved)
        else:
            saved.append(each)
            break
    assert len(refused) >= 10, "a visit is written in more blocks than that"
    assert all("nothing was saved" in error.sentence for error in refused)
    assert len(saved) == 2
    assert store.verify().valid
    tight.leave(400)
    for _ in range(5):
        save(store, visit())
    store.close()
    again = Store.open(path, key)
    assert again.verify().valid
    assert len(again.patients(999)) == 7
    again.close()


@needs_mount
def test_a_disk_without_a_block_lets_nothing_fold_back_and_loses_nothing(
    tight: Tight, key: bytes, visit: Callable[[], Any]
) -> None:
    """The log cannot be folded into the file: it stays, is read, and is folded back when there is room."""
    path = tight.directory / "qafila.db"
    store = Store.create(path, key, unit="van-07", realm="training", moment=MOMENT)
    for _ in range(30):
        save(store, visit())
    tight.leave(0)
    with pytest.raises(StoreFull):
        store.checkpoint()
    assert len(store.patients(999)) == 30
    store.close()
    again = Store.open(path, key)
    assert len(again.patients(999)) == 30
    tight.leave(1000)
    save(again, visit())
    assert again.verify().valid
    again.close()


@needs_mount
@pytest.mark.parametrize("blocks", [1, 3, 9, 40, 70, 100])
def test_a_store_that_finds_no_room_while_it_is_made_is_not_made(
    tight: Tight, key: bytes, blocks: int
) -> None:
    tight.leave(blocks)
    with pytest.raises(StoreError):
        Store.create(tight.directory / "qafila.db", key, unit="van-07", realm="training", moment=MOMENT)
    assert list(tight.directory.iterdir()) == []


def test_a_long_reader_makes_the_log_long_and_its_end_makes_it_short(
    store: Store, database: Path, key: bytes, visit: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What somebody reads cannot be folded back meanwhile. It is said, and it costs room, never an entry."""
    log = database.with_name(database.name + "-wal")
    monkeypatch.setattr(card, "LONG_LOG_BYTES", WAL_LIMIT_BYTES)
    for _ in range(100):
        save(store, visit())
    assert log.stat().st_size <= WAL_LIMIT_BYTES
    reader = Store.open(database, key)
    reader._connection.execute("BEGIN")
    seen = len(reader.patients(9999))
    saved = 0
    while log.stat().st_size <= WAL_LIMIT_BYTES:
        assert not card.log_is_long(database)
        save(store, visit())
        saved += 1
        assert saved < 5000, "the log does not grow: nobody reads, or nobody writes"
    assert card.log_is_long(database)
    assert len(reader.patients(9999)) == seen, "the reader sees what was there when it began"
    reader._connection.execute("COMMIT")
    reader.close()
    for _ in range(3):
        save(store, visit())
    assert log.stat().st_size <= WAL_LIMIT_BYTES
    assert not card.log_is_long(database)
    assert len(store.patients(9999)) == seen + saved + 3
    assert store.verify().valid


def test_verifying_leaves_no_reader_behind(store: Store, database: Path, visit: Callable[[], Any]) -> None:
    """The longest reader of our own: when it is over, the whole log can be folded back."""
    for _ in range(50):
        save(store, visit())
    store.verify()
    store.bad_pages()
    [(busy, left, folded)] = store._rows("PRAGMA wal_checkpoint(TRUNCATE)")
    assert (busy, left, folded) == (0, 0, 0)
    assert database.with_name(database.name + "-wal").stat().st_size == 0
