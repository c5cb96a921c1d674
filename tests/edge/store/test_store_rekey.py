"""A new key for the store: whatever cuts it short, one of the two files is whole and the slots say which."""

from pathlib import Path

import pytest

from edge.clock import SystemClock
from edge.records.fields import Field, Kind, Stream
from edge.store import rekey
from edge.store.errors import StoreError, WrongKey
from edge.store.store import Store

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "qafila.db"
    store = Store.create(made, OLD, unit="van-07", realm="training", moment=SystemClock().now())
    with store.write() as tx:
        for _ in range(50):
            tx.append(Stream.AUDIT, Kind.ACCESS, {Field.ACTION: "looked"})
    store.close()
    return made


def mark(store: Store) -> None:
    with store.write() as tx:
        tx.append(Stream.AUDIT, Kind.ACCESS, {Field.ACTION: "key.rotated"})


def tip(path: Path, key: bytes) -> int:
    store = rekey.open_settled(path, key)
    try:
        assert store.verify().valid
        return store.watermark(Stream.AUDIT).tip
    finally:
        store.close()


def test_the_new_key_opens_everything_and_the_old_one_nothing(path: Path) -> None:
    before = tip(path, OLD)
    rekey.prepare(path, OLD, NEW, mark)
    rekey.finish(path)
    assert tip(path, NEW) == before + 1
    with pytest.raises(WrongKey):
        Store.open(path, OLD)
    assert sorted(each.name for each in path.parent.iterdir()) == ["qafila.db"]


@pytest.mark.parametrize(("slots_hold", "marked"), [(OLD, 0), (NEW, 1)])
def test_a_cut_between_copy_and_rename_is_settled_by_the_key_that_the_slots_hold(
    path: Path, slots_hold: bytes, marked: int
) -> None:
    before = tip(path, OLD)
    rekey.prepare(path, OLD, NEW, mark)
    assert tip(path, slots_hold) == before + marked
    assert sorted(each.name for each in path.parent.iterdir()) == ["qafila.db"]


def _die(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("where", ["_copy", "check_sealed", "_whole", "_drop_companions", "_sync"])
def test_a_cut_inside_the_copying_leaves_the_old_store(
    path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tip(path, OLD)
    with monkeypatch.context() as cut:
        cut.setattr(rekey, "_remove", lambda _: None)  # a killed process tidies nothing
        cut.setattr(rekey, where, _die)
        with pytest.raises(KeyboardInterrupt):
            rekey.prepare(path, OLD, NEW, mark)
    assert rekey._beside(path).exists()
    assert tip(path, OLD) == before
    assert not rekey._beside(path).exists()
    rekey.prepare(path, OLD, NEW, mark)
    rekey.finish(path)
    assert tip(path, NEW) == before + 1


def test_a_cut_between_removing_the_log_and_the_rename(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tip(path, OLD)
    rekey.prepare(path, OLD, NEW, mark)
    with monkeypatch.context() as cut:
        cut.setattr(Path, "rename", _die)
        with pytest.raises(KeyboardInterrupt):
            rekey.finish(path)
    assert tip(path, NEW) == before + 1


def test_a_wrong_key_changes_neither_file(path: Path) -> None:
    rekey.prepare(path, OLD, NEW, mark)
    held = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    with pytest.raises(WrongKey):
        rekey.open_settled(path, bytes(32))
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == held


def test_a_store_that_is_not_sound_keeps_its_key(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[5 * 4096 + 100] ^= 1
    path.write_bytes(raw)
    with pytest.raises(StoreError):
        rekey.prepare(path, OLD, NEW, mark)
    assert path.read_bytes() == bytes(raw)
    assert not rekey._beside(path).exists()
