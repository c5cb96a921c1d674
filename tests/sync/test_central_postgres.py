"""What is said of PostgreSQL alone: whose a database is, who waits for whom, what its errors are called."""

import json
import threading
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from cli.main import build
from cli.rehearsal.cluster import Cluster
from edge.records.fields import Field, Kind, Stream
from sync.central import database, postgres
from sync.central.postgres import PostgresConnection, translated
from sync.central.sqlite import SqliteConnection
from sync.central.trouble import CentreDatabaseError
from tests.sync import central_world
from tests.sync.central_world import Centre, make_centre


@pytest.fixture
def centre(tmp_path: Path, postgresql: Cluster, monkeypatch: pytest.MonkeyPatch) -> Centre:
    monkeypatch.setattr(central_world, "new_place", postgresql.new_space)
    return make_centre(tmp_path)


def refused(path: Path, place: str) -> str:
    with pytest.raises(CentreDatabaseError) as raised:
        database.create(path, place)
    assert raised.value.next_step
    assert "secret" not in str(raised.value)
    return raised.value.stable_code


def test_an_address_is_one_of_postgresql_and_holds_no_password(tmp_path: Path) -> None:
    path = tmp_path / "central.db"
    assert refused(path, "mysql://localhost/centre") == "database-address"
    assert refused(path, "postgresql://qafila:secret@localhost/centre") == "database-password"
    assert refused(path, "postgresql://localhost/centre?password=secret") == "database-password"
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_not_there_is_named(tmp_path: Path, postgresql: Cluster) -> None:
    path = tmp_path / "central.db"
    assert refused(path, "postgresql://localhost:1/centre") == "database-unreachable"
    assert refused(path, postgresql.address.replace("/postgres?", "/nowhere?")) == "database-unreachable"


def test_the_command_makes_one_and_another_is_refused(tmp_path: Path, postgresql: Cluster) -> None:
    place = postgresql.new_space()
    init = ["central", "init", "--realm", "training", "--database", place, "--json"]
    one, two = ([*init, "--home", str(tmp_path / name)] for name in ("one", "two"))
    made = CliRunner().invoke(build(one), one)
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["database"] == "postgresql"
    address = tmp_path / "one" / "central" / "database.url"
    assert address.read_text().strip() == place
    assert address.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "one" / "central" / "central.db").exists()
    second = CliRunner().invoke(build(two), two)
    assert isinstance(second.exception, CentreDatabaseError)
    assert second.exception.stable_code == "centre-exists"
    assert not (tmp_path / "two" / "central").exists()


def test_another_centres_database_is_refused(centre: Centre, tmp_path: Path) -> None:
    other = make_centre(tmp_path / "other")
    (other.home.directory / "database.url").write_text((centre.home.directory / "database.url").read_text())
    with pytest.raises(CentreDatabaseError) as raised:
        database.connect(other.home.database)
    assert raised.value.stable_code == "database-of-another"


def test_who_writes_of_one_unit_waits_for_nobody_elses(centre: Centre) -> None:
    one, two, three = (database.connect(centre.home.database) for _ in range(3))
    for each in (one, two, three):
        each.execute("SET lock_timeout = '200ms'")
    with database.write(one, ["van-07"]):
        with database.write(two, ["van-08", "van-09"]):
            pass
        for units in (["van-06", "van-07"], None):
            with pytest.raises(CentreDatabaseError) as raised, database.write(three, units):
                pass
            assert raised.value.stable_code == "database-busy"
    with database.write(three):
        pass


def test_many_that_name_units_in_any_order_never_lock_each_other_out(centre: Centre) -> None:
    failed: list[BaseException] = []

    def write(names: list[str]) -> None:
        connection = database.connect(centre.home.database)
        try:
            for _ in range(40):
                with database.write(connection, names):
                    database.count(connection, "seen", names[0], 1, 0)
                    database.count(connection, "seen", names[1], 1, 0)
        except BaseException as error:  # noqa: BLE001  told below
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(names,)) for names in (["a", "b"], ["b", "a"]) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    assert centre.value("SELECT CAST(sum(n) AS INTEGER) FROM counters WHERE code = 'seen'") == 4 * 40 * 2


def test_a_claim_is_one_connections_and_ends_with_it(centre: Centre) -> None:
    one, two = (database.connect(centre.home.database) for _ in range(2))
    assert one.try_claim("van-07")
    assert one.try_claim("van-07")
    assert not two.try_claim("van-07")
    one.release("van-07")
    assert two.try_claim("van-07")
    assert not one.try_claim("van-07")
    two.close()
    deadline = threading.Event()
    while not one.try_claim("van-07"):
        assert not deadline.wait(0.01)
    one.close()


def test_two_exploders_share_the_units_and_never_one(centre: Centre) -> None:
    units = [centre.unit(f"van-{n:02}") for n in range(4)]
    for unit in units:
        unit.visit()
        centre.land(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    assert isinstance(centre.connection, PostgresConnection)
    assert centre.connection.try_claim("van-01")  # somebody else is at it
    centre.explode()
    done = centre.rows("SELECT DISTINCT unit FROM entries ORDER BY unit")
    assert done == [("van-00",), ("van-02",), ("van-03",)]
    assert centre.rows("SELECT DISTINCT unit FROM work") == [("van-01",)]
    centre.connection.release("van-01")
    centre.exploder._blocked_until_s = 0.0  # pyright: ignore[reportPrivateUsage]  this clock stands still
    centre.explode()
    assert centre.value("SELECT count(*) FROM entries") == 40
    assert centre.rows("SELECT 1 FROM work") == []


def test_a_text_that_the_database_cannot_hold_makes_no_row_and_stops_nobody(centre: Centre) -> None:
    unit = centre.unit()
    patient = unit.visit("Ala\0oui")
    unit.append(Stream.VITALS, Kind.OBSERVATION, {Field.CODE: "sp\0o2", Field.VALUE: [97, 0]}, patient)
    tip = len(unit.journal[Stream.VITALS])
    centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, tip))
    assert centre.last("opened").streams[Stream.VITALS].through == tip
    assert centre.value("SELECT count(*) FROM patients") == 0
    assert centre.value("SELECT count(*) FROM entries") == tip


def test_no_error_quotes_a_row(centre: Centre) -> None:
    connection = database.connect(centre.home.database)
    values = ("van-07", b"", b"", b"", b"Alaoui", 0)
    with database.write(connection):
        connection.execute("INSERT INTO units VALUES (?, ?, ?, ?, ?, ?)", values)
    with pytest.raises(postgres.StatementRefused) as raised, database.write(connection):
        connection.execute("INSERT INTO units VALUES (?, ?, ?, ?, ?, ?)", values)
    assert "van-07" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    connection.close()


def test_a_connection_that_was_ended_is_named(centre: Centre) -> None:
    connection = database.connect(centre.home.database)
    [(backend,)] = connection.execute("SELECT pg_backend_pid()").fetchall()
    centre.connection.execute("SELECT pg_terminate_backend(?)", (backend,))
    with pytest.raises(CentreDatabaseError) as raised, database.write(connection):
        pass
    assert raised.value.stable_code == "database-lost"
    connection.close()


@pytest.mark.parametrize(
    ("written", "meant", "order"),
    [
        ("SELECT 1 FROM a WHERE b = ? AND c = ?", "SELECT 1 FROM a WHERE b = %s AND c = %s", (0, 1)),
        ("WHERE a = ?2 OR b = ?1 OR c = ?2", "WHERE a = %s OR b = %s OR c = %s", (1, 0, 1)),
        ("WHERE raw <> x'' AND u = ?", "WHERE raw <> '\\x'::bytea AND u = %s", (0,)),
        ("WHERE a LIKE '%?' AND b = ?", "WHERE a LIKE '%%?' AND b = %s", (0,)),
        ("WHERE a LIKE '%?'", "WHERE a LIKE '%?'", ()),
    ],
)
def test_a_statement_is_translated(written: str, meant: str, order: tuple[int, ...]) -> None:
    if "?" not in written.replace("'%?'", ""):
        assert translated(written)[1] == order
    else:
        assert translated(written) == (meant, order)


def test_psycopg_is_not_loaded_by_a_centre_on_a_file(tmp_path: Path) -> None:
    assert psycopg.__version__  # here it is
    text = Path(database.__file__).read_text()
    assert "psycopg" not in "".join(line for line in text.splitlines() if line.startswith(("import", "from")))
    assert isinstance(make_centre(tmp_path).connection, SqliteConnection)
