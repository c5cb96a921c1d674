"""A backup is one moment of the store, read back from its medium; what is no whole backup is refused."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edge import backups, recovery
from edge.backups import BackupRefused
from edge.records.fields import Kind, Stream
from edge.store import Store, StoreDamaged, backup, sqlite
from edge.store.backup import BackupFailed, Order, Written
from tests.edge.store.conftest import MOMENT, Visit

PAPERS = {"slots": b"sealed", "unit.toml": b"[unit]\n"}


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    made = tmp_path / "stick"
    made.mkdir()
    return made


def order(key: bytes, recovery_to: bytes | None = None) -> Order:
    return Order(key, MOMENT, recovery_to, PAPERS)


@pytest.fixture
def written(filled: Store, database: Path, key: bytes, stick: Path) -> Written:
    assert filled.unit == "van-07"
    return backup.write(database, stick, order(key))


def restored(written: Written, key: bytes, target: Path, new_key: bytes) -> Store:
    manifest = backup.look(written.folder)
    backup_key = manifest.opened_by(key)
    assert backup_key is not None
    backup.copy_out(written.folder, manifest, backup_key, target, new_key)
    return Store.open(target, new_key)


def test_what_was_saved_comes_back_under_another_key(written: Written, key: bytes, tmp_path: Path) -> None:
    new_key = os.urandom(32)
    store = restored(written, key, tmp_path / "new.db", new_key)
    found = store.verify()
    assert found.valid
    assert sum(found.entries.values()) == written.entries == 5 + 48
    assert len(store.patients()) == 12
    assert dict(backup.look(written.folder).papers) == PAPERS
    store.close()


def test_a_backup_of_a_store_in_use_is_one_moment_of_it(
    store: Store, database: Path, key: bytes, stick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saving goes on while the copy is made; every transaction is in it whole, or not at all."""
    monkeypatch.setattr(backup, "_PAGES_A_STEP", 2)  # a large store takes many steps
    stop, saved = threading.Event(), [0]
    ready = threading.Event()

    def work() -> None:
        while not stop.is_set():
            each = Visit()
            with store.write() as tx:
                each.register(tx)
                each.open(tx)
                each.observe(tx)
                each.close(tx)
            saved[0] += 1
            if saved[0] >= 50:
                ready.set()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert ready.wait(60)
        before = saved[0]
        done = [backup.write(database, stick, order(key)) for _ in range(3)]
        after = saved[0]
    finally:
        stop.set()
        worker.join()
    assert after > before, "nobody wrote meanwhile"
    tips = [written.header.tips[Stream.VITALS] for written in done]
    assert tips == sorted(tips)
    assert 1 + 4 * before <= tips[0]
    assert all((tip - 1) % 4 == 0 for tip in tips)
    last = restored(done[-1], key, tmp_path / "new.db", os.urandom(32))
    assert last.verify().valid
    assert last.watermark(Stream.VITALS).tip == tips[-1]
    last.close()


def test_what_is_saved_between_looking_and_copying_is_not_in_it(
    filled: Store, database: Path, key: bytes, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine, before = sqlite.copy, filled.watermark(Stream.VITALS).tip

    def late(source: sqlite.Connection, target: sqlite.Connection, pages: int) -> None:
        with filled.write() as tx:
            Visit().register(tx)
        genuine(source, target, pages)

    monkeypatch.setattr(sqlite, "copy", late)
    written = backup.write(database, stick, order(key))
    assert written.header.tips[Stream.VITALS] == before == filled.watermark(Stream.VITALS).tip - 1


def test_the_recovery_key_opens_it_and_no_other_key_does(
    filled: Store, database: Path, key: bytes, stick: Path
) -> None:
    private, other = recovery.make_private(), recovery.make_private()
    written = backup.write(database, stick, order(key, recovery.public(private)))
    manifest = backup.look(written.folder)
    slot = manifest.by_recovery
    assert slot is not None
    opened = manifest.opened_by(key)
    assert opened is not None
    for holder, gives in ((private, opened), (other, None)):
        secret = recovery.secret_of(holder, slot.point, filled.unit)
        assert secret is not None
        assert manifest.opened_by_secret(secret) == gives
    assert manifest.opened_by(os.urandom(32)) is None
    misnamed = recovery.secret_of(private, slot.point, "van-08")
    assert misnamed is not None
    assert manifest.opened_by_secret(misnamed) is None


def test_nothing_of_a_patient_can_be_read_on_the_stick(written: Written, filled: Store, key: bytes) -> None:
    assert filled.patients()[0].family == "Alaoui"
    on_it = b"".join(path.read_bytes() for path in written.folder.iterdir())
    assert b"Alaoui" not in on_it
    assert key not in on_it
    assert b"van-07" in on_it, "what may be read is found by the same search"


def test_every_byte_of_the_manifest_counts(written: Written, key: bytes) -> None:
    raw = (written.folder / backup.MANIFEST).read_bytes()
    for place in range(len(raw)):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        try:
            assert backups.read(changed).opened_by(key) is None, place
        except BackupRefused:
            continue
    for length in range(len(raw)):
        with pytest.raises(BackupRefused):
            backups.read(raw[:length])


def test_a_changed_store_is_refused_and_leaves_nothing(written: Written, key: bytes, tmp_path: Path) -> None:
    manifest = backup.look(written.folder)
    backup_key = manifest.opened_by(key)
    assert backup_key is not None
    database = written.folder / backup.DATABASE
    raw = bytearray(database.read_bytes())
    raw[len(raw) // 2] ^= 1
    database.write_bytes(raw)
    with pytest.raises(BackupRefused) as refused:
        backup.copy_out(written.folder, manifest, backup_key, tmp_path / "new.db", key)
    assert refused.value.stable_code == "backup-damaged"
    assert list(tmp_path.glob("new.db*")) == []
    database.write_bytes(raw[:-1])
    with pytest.raises(BackupRefused):
        backup.look(written.folder)


def test_a_medium_that_gives_back_something_else_makes_no_backup(
    filled: Store, database: Path, key: bytes, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control is every other test here: without the lie the same store is backed up."""
    genuine = backup._sync

    def lie(path: Path) -> None:
        genuine(path)
        if path.name == backup.DATABASE:
            return
        for there in path.glob(backup.DATABASE):
            with there.open("r+b") as file:
                file.seek(8192)
                file.write(b"rotten")

    monkeypatch.setattr(backup, "_sync", lie)
    with pytest.raises((BackupFailed, StoreDamaged)):
        backup.write(database, stick, order(key))
    assert list(stick.iterdir()) == []
    assert filled.verify().valid


def _link(manifest: Path) -> None:
    manifest.rename(manifest.with_name("elsewhere"))
    manifest.symlink_to("elsewhere")


def _pipe(manifest: Path) -> None:
    manifest.unlink()
    os.mkfifo(manifest)


def _huge(manifest: Path) -> None:
    os.truncate(manifest, backups.MOST_BYTES * 4)


def _folder(manifest: Path) -> None:
    manifest.unlink()
    manifest.mkdir()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("hostile", [_link, _pipe, _huge, _folder])
@pytest.mark.parametrize("file", [backup.MANIFEST, backup.DATABASE])
def test_what_is_no_file_of_a_backup_is_refused(
    written: Written, hostile: Callable[[Path], None], file: str
) -> None:
    hostile(written.folder / file)
    with pytest.raises(BackupRefused):
        backup.look(written.folder)


def test_a_missing_folder_is_not_made(database: Path, key: bytes, filled: Store, stick: Path) -> None:
    assert filled.unit == "van-07"
    with pytest.raises(BackupFailed) as refused:
        backup.write(database, stick / "not-mounted", order(key))
    assert refused.value.stable_code == "backup-medium"
    assert list(stick.iterdir()) == []


def test_a_newer_manifest_is_called_so(written: Written) -> None:
    raw = (written.folder / backup.MANIFEST).read_bytes()
    with pytest.raises(BackupRefused) as refused:
        backups.read(b"QFBACKUP2" + raw[9:])
    assert refused.value.stable_code == "backup-newer"


def test_a_store_whose_chain_is_broken_makes_no_backup_that_looks_whole(
    filled: Store, database: Path, key: bytes, stick: Path
) -> None:
    connection = filled._connection
    connection.execute("DROP TRIGGER journal_is_never_edited")
    connection.execute("UPDATE journal SET kind = ? WHERE id = 20", (Kind.ACCESS,))
    with pytest.raises(BackupFailed) as refused:
        backup.write(database, stick, order(key))
    assert refused.value.stable_code == "backup-of-damaged"
    assert list(stick.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from edge.clock import SystemClock
from edge.store import backup

step, key, database, stick = sys.argv[1:]
if step:
    place = Path if step == "rename" else backup
    setattr(place, step, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
backup.write(Path(database), Path(stick), backup.Order(bytes.fromhex(key), SystemClock().now(), None, {}))
"""


@pytest.mark.timeout(180)
def test_a_killed_backup_is_none_and_the_store_is_as_it_was(
    filled: Store, database: Path, key: bytes, stick: Path
) -> None:
    for step in ("_digest", "_put", "_read_back", "rename", ""):
        words = (sys.executable, "-c", KILLED, step, key.hex(), str(database), str(stick))
        status = subprocess.run(words, check=False).returncode
        assert status == (-signal.SIGKILL if step else 0), step
        assert len(list(stick.glob("*.backup"))) == (0 if step else 1), step
    assert backup.look(next(stick.glob("*.backup"))).opened_by(key) is not None
    assert filled.verify().valid
