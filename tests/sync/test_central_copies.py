"""A centre put back from a copy: a new generation, and everything again that the copy has not."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.rehearsal.cluster import Cluster
from edge.records.fields import Stream
from sync.central import copies, database, decisions, erasing, revoking
from sync.central.copies import CopyRefused
from sync.central.exclusive import exclusive
from sync.central.home import CentreError
from sync.wire import keyset as wire_keyset
from sync.wire.keyset import Use
from tests.sync import central_world
from tests.sync.central_world import Centre, Unit, make_centre

VITALS = Stream.VITALS
Visit = Callable[[], object]


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return make_centre(tmp_path)


@pytest.fixture
def unit(centre: Centre) -> Unit:
    return centre.unit()


def visit(centre: Centre, unit: Unit) -> None:
    first = len(unit.journal[VITALS]) + 1 if len(unit.journal[VITALS]) > 1 else 1
    unit.visit()
    centre.take(unit.key_message(), unit.batch(VITALS, first, len(unit.journal[VITALS])))


def close(centre: Centre) -> None:
    centre.connection.close()
    centre.exploder._connection.close()  # pyright: ignore[reportPrivateUsage]  a process that has ended


def come_back(centre: Centre) -> None:
    """The processes start anew; their receipts are of the generation that centre.toml says."""
    centre.settings = centre.home.read_settings()
    centre.keyset = centre.home.read_keyset("training")
    centre.restart()


def rows(centre: Centre) -> dict[str, list[object]]:
    tables = ("entries", "patients", "encounters", "observations", "chains", "spans", "secrets", "units")
    found: dict[str, list[object]] = {}
    for table in tables:
        picked = "*" if table != "entries" else "unit, epoch, stream, seq, leaf, head, payload"
        found[table] = sorted(centre.rows(f"SELECT {picked} FROM {table}"), key=repr)  # noqa: S608  from above
    return found


def test_the_fleet_refills_a_centre_that_was_put_back(centre: Centre, unit: Unit, tmp_path: Path) -> None:
    visit(centre, unit)
    copied = copies.back_up(centre.home, tmp_path / "copy", centre.clock)
    assert copied.entries == 10
    assert copied.file.stat().st_mode & 0o777 == 0o600
    visit(centre, unit)
    before, numbered = rows(centre), centre.last("opened").rseq
    close(centre)
    done = copies.restore(centre.home, copied.file, _elsewhere())
    assert (done.generation, done.entries) == (2, 10)
    come_back(centre)
    assert centre.keyset.generations == (1, 2)
    assert centre.keyset.version == 2
    # Each process says at once how far it is: fewer entries, in the new generation.
    for level, through in (("landed", 10), ("opened", 10)):
        writer = centre.lander._writer if level == "landed" else centre.exploder._writer  # pyright: ignore[reportPrivateUsage]
        (said,) = centre._read(writer.recent(centre.connection, centre.clock.now().wall_ms))  # pyright: ignore[reportPrivateUsage]
        assert (said.generation, said.streams[VITALS].through) == (2, through)
    # What is beyond comes again, cut as it may be, and no number falls out.
    centre.take(*unit.batches(VITALS, 7, len(unit.journal[VITALS])))
    assert rows(centre) == before
    assert centre.last("opened").generation == 2
    assert numbered
    assert centre.value("SELECT count(DISTINCT id) FROM landing") == centre.value(
        "SELECT count(*) FROM landing"
    )


def test_no_decision_is_forgotten_with_the_database(centre: Centre, unit: Unit, tmp_path: Path) -> None:
    """A unit in other hands is not believed again, nobody who was erased lives on, a successor stays one."""
    centre.unit("van-08")
    visit(centre, unit)
    copied = copies.back_up(centre.home, tmp_path / "copy", centre.clock)
    patient = uuid.UUID(hex=centre.rows("SELECT patient FROM patients")[0][0])
    keys = centre.home.records_keys
    erasing.order(centre.home, patient, "asked", by=("a", "b"), key_files=keys, clock=centre.clock)
    revoking.revoke(
        centre.home, "van-07", revoking.State.COMPROMISED, "stolen", by="hakim", clock=centre.clock
    )
    with database.write(centre.connection):
        centre.connection.execute("INSERT INTO grants VALUES ('van-07', 'van-08', '00', 'lost', 'hakim', 5)")
    with decisions.noted(centre.home) as notes:
        said = {"unit": "van-07", "former": "van-08", "backup": "00", "reason": "lost", "by": "hakim"}
        notes.add(decisions.GRANTED, 5, **said)
    tables = (
        "erasures",
        "erased_people",
        "erasures_of_units",
        "orders",
        "revocations",
        "revoked_at",
        "grants",
    )
    before = {table: centre.rows(f"SELECT * FROM {table}") for table in tables}  # noqa: S608  from above
    close(centre)
    done = copies.restore(centre.home, copied.file, _elsewhere())
    assert done.again == {"granted": 1, "revoked": 1, "erased": 1}
    assert done.all_decided_again
    come_back(centre)
    assert {table: centre.rows(f"SELECT * FROM {table}") for table in tables} == before  # noqa: S608  from above
    assert centre.rows("SELECT * FROM patients") == []
    assert centre.value("SELECT count(*) FROM entries WHERE length(payload) > 0 AND patient IS NOT NULL") == 0
    unit.visit()
    centre.land(unit.batch(VITALS, 11, 19))
    assert centre.value("SELECT count(*) FROM held") == 1, "it is believed no further than it was"
    close(centre)
    again = copies.restore(centre.home, copied.file, _elsewhere())
    assert again.again == done.again, "as often as the copy is put back"


def test_what_was_not_committed_was_not_decided(
    centre: Centre, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit(centre, unit)

    def revoke() -> None:
        revoking.revoke(centre.home, "van-07", revoking.State.RETIRED, "sold", by="hakim", clock=centre.clock)

    with monkeypatch.context() as cut:
        cut.setattr(revoking, "_write", _power_cut)
        with pytest.raises(KeyboardInterrupt):
            revoke()
    assert decisions.read(centre.home).made == ()
    with centre.home.decisions.open("ab") as file:
        file.write(b'{"what": "revoked", "id": "7f')  # the power went
    revoke()
    found = decisions.read(centre.home)
    assert ([each["unit"] for each in found.made], found.unreadable) == (["van-07"], 1)
    with monkeypatch.context() as full:
        full.setattr("sync.central.decisions.os.fsync", _no_room)
        with pytest.raises(CentreError) as refused:
            revoking.revoke(
                centre.home, "van-07", revoking.State.COMPROMISED, "found", by="hakim", clock=centre.clock
            )
    assert refused.value.stable_code == "decision-not-noted"
    assert [each.state for each in revoking.revocations(centre.home)] == ["retired"]


def _no_room(_: int) -> None:
    raise OSError(28, "No space left on device")


def _elsewhere() -> str | None:
    """An empty place, where this test's centres have their database in PostgreSQL."""
    return central_world.new_place()


def test_a_copy_goes_into_either_database(tmp_path: Path, postgresql: Cluster) -> None:
    centre = make_centre(tmp_path)
    unit = centre.unit()
    visit(centre, unit)
    before = rows(centre)
    first = copies.back_up(centre.home, tmp_path / "first", centre.clock)
    close(centre)
    done = copies.restore(centre.home, first.file, postgresql.new_space())
    come_back(centre)
    assert centre.connection.sideways
    assert done.set_aside is None
    assert rows(centre) == before
    visit(centre, unit)  # numbers go on behind those that were copied
    assert centre.value("SELECT count(*) FROM entries") == 20 - 1
    second = copies.back_up(centre.home, tmp_path / "second", centre.clock)
    before = rows(centre)
    close(centre)
    (centre.home.directory / database.ADDRESS).unlink()
    copies.restore(centre.home, second.file)
    come_back(centre)
    assert centre.home.database.exists()
    assert rows(centre) == before
    assert centre.settings.generation == 3


def test_ended_between_two_steps_it_is_done_again(
    centre: Centre, unit: Unit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit(centre, unit)
    copied = copies.back_up(centre.home, tmp_path / "copy", centre.clock)
    before = rows(centre)
    close(centre)
    in_a_file = not (centre.home.directory / database.ADDRESS).exists()
    for step in ("_put_back", "_copy", *(["_set_aside"] if in_a_file else [])):
        with monkeypatch.context() as cut:
            cut.setattr(copies, step, _power_cut)
            with pytest.raises(KeyboardInterrupt):
                copies.restore(centre.home, copied.file, _elsewhere())
        # Whatever is there now, its receipts are of a generation that no unit has heard of yet.
        assert centre.home.read_settings().generation > 1
        assert centre.home.read_settings().generation in centre.home.read_keyset("training").generations
    copies.restore(centre.home, copied.file, _elsewhere())
    come_back(centre)
    assert rows(centre) == before


def _power_cut(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_is_no_copy_of_this_centre_is_refused(centre: Centre, tmp_path: Path) -> None:
    other = make_centre(tmp_path / "other")
    foreign = copies.back_up(other.home, tmp_path / "foreign", centre.clock)
    (tmp_path / "text").write_bytes(b"")
    for file, code in (
        (tmp_path / "nowhere", "file-missing"),
        (tmp_path / "text", "copy-unknown"),
        (foreign.file, "copy-of-another"),
    ):
        with pytest.raises(CopyRefused) as raised:
            copies.restore(centre.home, file, _elsewhere())
        assert raised.value.stable_code == code
    assert centre.home.read_settings().generation == 1
    with pytest.raises(CopyRefused) as raised:
        copies.back_up(centre.home, foreign.file, centre.clock)
    assert raised.value.stable_code == "file-exists"


def test_nothing_is_put_back_under_a_running_process(centre: Centre, tmp_path: Path) -> None:
    copied = copies.back_up(centre.home, tmp_path / "copy", centre.clock)
    lock = centre.home.key_file(Use.LANDED).with_suffix(".lock")
    with exclusive(lock, "collector"), pytest.raises(CentreError) as raised:
        copies.restore(centre.home, copied.file)
    assert raised.value.stable_code == "already-running"


def test_put_back_by_postgresql_itself_only_the_generation_is_new(centre: Centre, unit: Unit) -> None:
    visit(centre, unit)
    before = rows(centre)
    close(centre)
    assert copies.restore(centre.home, None).generation == 2
    come_back(centre)
    assert rows(centre) == before
    raw = centre.home.keyset.read_bytes()
    assert wire_keyset.read(raw, centre.home.read_roots(), "training").generations == (1, 2)
