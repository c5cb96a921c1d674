"""Every known way to open the file wrongly is refused, and refusing changes nothing."""

import hashlib
import os
import shutil
import stat
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2

from edge.clock import ClockQuality, Moment
from edge.store import (
    Store,
    StoreDamaged,
    StoreError,
    StoreExists,
    StoreMissing,
    StoreNewer,
    StoreTooOld,
    StoreUnprotected,
    WrongKey,
    connection,
    sqlite,
)
from edge.store.pagecheck import key_fits

MOMENT = Moment(1_795_334_400_000, b"bootboot", 1000, ClockQuality.OPERATOR)


def digests(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


def crashed_copy(store: Store, database: Path, to: Path) -> Path:
    """What a killed agent leaves: the file with its WAL and shared memory."""
    assert database.with_name("qafila.db-wal").stat().st_size > 0
    assert store.unit == "van-07"
    shutil.copytree(database.parent, to)
    return to / database.name


def test_a_wrong_key_changes_not_a_byte(filled: Store, database: Path, tmp_path: Path) -> None:
    copy = crashed_copy(filled, database, tmp_path / "copy")
    before = digests(copy.parent)
    assert set(before) == {"qafila.db", "qafila.db-wal", "qafila.db-shm"}
    with pytest.raises(WrongKey):
        Store.open(copy, os.urandom(32))
    assert digests(copy.parent) == before


def test_a_wrong_key_for_a_cleanly_closed_store_changes_not_a_byte(filled: Store, database: Path) -> None:
    filled.close()
    before = digests(database.parent)
    assert set(before) == {"qafila.db"}
    with pytest.raises(WrongKey):
        Store.open(database, os.urandom(32))
    assert digests(database.parent) == before


def test_the_right_key_opens_what_a_killed_agent_left(
    filled: Store, database: Path, tmp_path: Path, key: bytes
) -> None:
    store = Store.open(crashed_copy(filled, database, tmp_path / "copy"), key)
    assert store.verify().valid
    assert len(store.patients()) == 12
    store.close()


@pytest.mark.parametrize("length", [0, 16, 31, 33, 48])
def test_a_key_of_another_length_is_no_passphrase(database: Path, length: int) -> None:
    with pytest.raises(WrongKey):
        Store.create(database, os.urandom(length), unit="van-07", realm="training", moment=MOMENT)
    assert not database.exists()


def test_a_missing_store_is_never_made_by_opening(tmp_path: Path, key: bytes) -> None:
    with pytest.raises(StoreMissing) as refused:
        Store.open(tmp_path / "store" / "qafila.db", key)
    assert refused.value.next_step
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_vanishes_while_it_is_opened_is_not_made_anew(
    store: Store, database: Path, key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.close()

    def fits_and_goes(path: Path, key: bytes) -> bool:
        fits = key_fits(path, key)
        path.unlink()
        return fits

    monkeypatch.setattr(connection, "key_fits", fits_and_goes)
    with pytest.raises(StoreError):
        Store.open(database, key)
    assert list(database.parent.iterdir()) == []


def test_a_directory_in_its_place_is_no_store(database: Path, key: bytes) -> None:
    database.mkdir(parents=True)
    with pytest.raises(StoreMissing):
        Store.open(database, key)


def test_an_empty_file_is_damage_and_stays_empty(database: Path, key: bytes) -> None:
    database.parent.mkdir()
    database.touch()
    with pytest.raises(StoreDamaged):
        Store.open(database, key)
    assert database.stat().st_size == 0


def test_a_plain_database_is_refused(database: Path, key: bytes) -> None:
    database.parent.mkdir()
    plain = sqlite.connect(f"{database.as_uri()}?mode=rwc")
    plain.execute("CREATE TABLE meta (name, value)")
    plain.close()
    before = digests(database.parent)
    with pytest.raises(StoreUnprotected):
        Store.open(database, key)
    assert digests(database.parent) == before


def test_an_existing_store_is_never_written_over(store: Store, database: Path, key: bytes) -> None:
    epoch = store.epoch
    with pytest.raises(StoreExists):
        Store.create(database, key, unit="van-08", realm="training", moment=MOMENT)
    store.close()
    again = Store.open(database, key)
    assert (again.unit, again.epoch) == ("van-07", epoch)
    again.close()


def test_a_left_over_wal_alone_counts_as_a_store(database: Path, key: bytes) -> None:
    database.parent.mkdir()
    database.with_name("qafila.db-wal").write_bytes(b"somebody's visits")
    with pytest.raises(StoreExists):
        Store.create(database, key, unit="van-08", realm="training", moment=MOMENT)


def test_a_making_cut_short_leaves_no_store_and_can_be_repeated(database: Path, key: bytes) -> None:
    database.parent.mkdir()
    database.with_name("qafila.db.new").write_bytes(b"half of it")
    database.with_name("qafila.db.new-wal").write_bytes(b"and of its log")
    Store.create(database, key, unit="van-07", realm="training", moment=MOMENT).close()
    assert [path.name for path in database.parent.iterdir()] == ["qafila.db"]


def test_a_making_that_fails_leaves_nothing(
    database: Path, key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_: Path) -> None:
        raise StoreError("no room")

    monkeypatch.setattr("edge.store.creation.check_sealed", no_room)
    with pytest.raises(StoreError):
        Store.create(database, key, unit="van-07", realm="training", moment=MOMENT)
    assert list(database.parent.iterdir()) == []


@pytest.mark.parametrize(("version", "taken"), [("3.51.2", False), ("3.40.1", False), ("3.51.3", True)])
def test_a_library_that_can_lose_data_is_refused(version: str, taken: bool) -> None:
    if taken:
        connection.check_library(version)
    else:
        with pytest.raises(StoreTooOld):
            connection.check_library(version)


def test_the_version_gate_stands_before_every_opening(
    store: Store, database: Path, key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.close()
    monkeypatch.setattr(sqlite, "VERSION", "3.51.2")
    with pytest.raises(StoreTooOld):
        Store.open(database, key)
    with pytest.raises(StoreTooOld):
        Store.create(database.with_name("other.db"), key, unit="a-unit", realm="training", moment=MOMENT)


def test_a_library_without_cipher_is_refused(
    store: Store, database: Path, key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.close()
    real = sqlite.connect

    class NoCipher:
        def __init__(self, uri: str) -> None:
            self._real = real(uri)

        def execute(self, sql: str, *values: object) -> object:
            if "cipher_status" in sql:
                return self._real.execute("SELECT 0")
            return self._real.execute(sql, *values)  # type: ignore[arg-type]  # handed through

        def close(self) -> None:
            self._real.close()

    monkeypatch.setattr(sqlite, "connect", NoCipher)
    with pytest.raises(StoreUnprotected):
        Store.open(database, key)


def test_a_newer_store_is_refused(store: Store, database: Path, key: bytes) -> None:
    store._connection.execute("PRAGMA user_version = 999")
    store.close()
    with pytest.raises(StoreNewer):
        Store.open(database, key)


def test_nothing_of_the_file_is_in_the_clear(filled: Store, database: Path) -> None:
    filled.checkpoint()
    for path in database.parent.iterdir():
        content = path.read_bytes()
        assert not content.startswith(b"SQLite format 3\x00")
        for canary in (b"Alaoui", "Aïcha".encode(), b"journal", b"van-07", b"amina"):
            assert canary not in content
    assert database.stat().st_size > 4096


def test_files_are_their_owners_alone(filled: Store, database: Path) -> None:
    assert filled.unit
    assert stat.S_IMODE(database.parent.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in database.parent.iterdir()}
    assert modes == {"qafila.db": 0o600, "qafila.db-wal": 0o600, "qafila.db-shm": 0o600}


def test_attach_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(dbapi2.DatabaseError, match="authoriz"):
        store._connection.execute("ATTACH ? AS other", (str(tmp_path / "other.db"),))
    assert not (tmp_path / "other.db").exists()


@pytest.mark.parametrize(
    ("pragma", "answer"),
    [
        ("cipher_status", "1"),
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("secure_delete", 1),
        ("recursive_triggers", 1),
        ("temp_store", 2),
        ("trusted_schema", 0),
    ],
)
def test_every_connection_is_set_up(store: Store, pragma: str, answer: object) -> None:
    assert store._connection.execute(f"PRAGMA {pragma}").fetchone() == (answer,)


def test_a_setting_that_does_not_take_is_noticed(
    store: Store, database: Path, key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.close()
    misspelt = tuple(("synchronos" if n == "synchronous" else n, v) for n, v in connection.SETTINGS)
    monkeypatch.setattr(connection, "SETTINGS", (*misspelt, ("synchronous", "NORMAL")))
    with pytest.raises(StoreError, match="synchronous"):
        Store.open(database, key)


def test_sqlcipher_does_not_write_to_the_screen(
    filled: Store, database: Path, key: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    filled.close()
    content = bytearray(database.read_bytes())
    for page in range(1, len(content) // 4096):
        content[page * 4096 + 100] ^= 1
    database.write_bytes(content)
    with pytest.raises(StoreDamaged):
        Store.open(database, key)
    assert capfd.readouterr() == ("", "")


def test_a_damaged_first_page_is_damage_and_not_a_wrong_key(
    filled: Store, database: Path, key: bytes
) -> None:
    filled.close()
    content = bytearray(database.read_bytes())
    content[200] ^= 1
    database.write_bytes(content)
    assert key_fits(database, key)
    with pytest.raises(StoreDamaged) as refused:
        Store.open(database, key)
    assert "salvage" in refused.value.next_step
    assert "can still be read here" not in refused.value.next_step


def test_the_errors_of_the_driver_never_quote_data(store: Store) -> None:
    with pytest.raises(StoreError) as refused:
        store._run("INSERT INTO meta (name, value) VALUES ('unit', 'secret name')")
    assert "secret name" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
