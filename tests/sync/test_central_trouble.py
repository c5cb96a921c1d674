"""A disk or a file that fails is named with a code and a next step, never an internal fault."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.records.fields import Stream
from sync.central import collect, database, explode, received
from sync.central.trouble import CentreDatabaseError
from tests.sync.central_world import Centre, make_centre

ROOT = Path(__file__).resolve().parents[2]
Use = Callable[[Centre], object]
USES: dict[str, Use] = {
    "collect": lambda centre: collect.run(centre.home, centre.clock, _stopped()),
    "explode": lambda centre: explode.run(centre.home, centre.clock, _stopped()),
    "patients": lambda centre: received.patients(centre.home),
}
every_use = pytest.mark.parametrize("use", list(USES.values()), ids=list(USES))


def _stopped() -> threading.Event:
    stop = threading.Event()
    stop.set()
    return stop


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    """A centre that has received something; nobody holds its database open."""
    centre = make_centre(tmp_path)
    unit = centre.unit()
    for _ in range(20):
        unit.visit()
    centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, 100))
    centre.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    centre.connection.close()
    centre.exploder._connection.close()  # pyright: ignore[reportPrivateUsage]  it would keep the -shm there
    return centre


def refusal(raised: pytest.ExceptionInfo[CentreDatabaseError]) -> str:
    assert raised.value.next_step
    return raised.value.stable_code


@every_use
def test_a_damaged_page_anywhere_is_named_before_anything_is_done(centre: Centre, use: Use) -> None:
    good = centre.home.database.read_bytes()
    for page in range(len(good) // 4096):
        for path in centre.home.directory.glob("central.db-*"):
            path.unlink()
        bad = bytearray(good)
        bad[page * 4096 : page * 4096 + 64] = b"\xa5" * 64
        centre.home.database.write_bytes(bytes(bad))
        with pytest.raises(CentreDatabaseError) as raised:
            use(centre)
        assert refusal(raised) == "database-damaged", page


@every_use
def test_in_a_large_database_the_small_tables_are_checked(
    centre: Centre, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_CHECKED_WHOLE_BYTES", 0)
    use(centre)
    onlooker = database.connect(centre.home.database)
    (root,) = onlooker.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'spans'").fetchone()
    onlooker.close()
    with centre.home.database.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xa5" * 64)
    with pytest.raises(CentreDatabaseError) as raised:
        use(centre)
    assert refusal(raised) == "database-damaged"


def test_damage_that_is_met_later_is_named_too(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a table too large to be checked at the start."""
    monkeypatch.setattr(database, "_CHECKED_WHOLE_BYTES", 0)
    onlooker = database.connect(centre.home.database)
    (root,) = onlooker.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'patients'").fetchone()
    onlooker.close()
    with centre.home.database.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xa5" * 64)
    with pytest.raises(CentreDatabaseError) as raised:
        received.patients(centre.home)
    assert refusal(raised) == "database-damaged"


def test_a_full_disk_is_named(centre: Centre) -> None:
    connection = database.connect(centre.home.database)
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(CentreDatabaseError) as raised, database.write(connection):
        connection.execute("INSERT INTO quarantine VALUES (1, ?, '', 0)", ("x" * 100_000,))
    assert refusal(raised) == "database-full"
    assert connection.execute("SELECT count(*) FROM quarantine").fetchone() == (0,)
    connection.close()


def test_a_database_that_is_held_too_long_is_named(centre: Centre) -> None:
    holder, other = (database.connect(centre.home.database) for _ in range(2))
    other.execute("PRAGMA busy_timeout=10")
    with database.write(holder), pytest.raises(CentreDatabaseError) as raised, database.write(other):
        pass
    assert refusal(raised) == "database-busy"
    holder.close()
    other.close()


def test_a_bug_stays_a_bug(centre: Centre) -> None:
    connection: Any = database.connect(centre.home.database)
    with pytest.raises(Exception, match="no such table") as raised, database.write(connection):
        connection.execute("INSERT INTO nowhere VALUES (1)")
    assert not isinstance(raised.value, CentreDatabaseError)
    connection.close()


@pytest.mark.parametrize("command", ["collect", "explode", "patients"])
def test_a_read_only_disk_is_named(centre: Centre, command: str) -> None:
    """A bind mount in a namespace of its own: the kernel's refusal, and nothing to clean up."""
    folder = centre.home.directory
    remount = f"mount --bind '{folder}' '{folder}' && mount -o remount,bind,ro '{folder}'"
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rm", "sh", "-c", remount], check=False).returncode:
        pytest.skip("this machine lets nobody make a mount namespace")
    qafila = f"'{sys.executable}' -m cli.main central {command} --home '{folder.parent}'"
    said = subprocess.run(
        [unshare, "-rm", "sh", "-c", f"{remount} && exec {qafila}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert said.returncode == 1
    assert "(code: database-read-only)" in said.stderr
