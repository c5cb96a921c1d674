"""A unit whose store went back in time: what it sends again is one entry, whatever comes first."""

import itertools
import json
from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from cli.commands.central import app
from edge import cbor
from edge.agent.rivals import SECOND_SESSION
from edge.audit.chain import Entry
from edge.records.fields import Field, Kind, Stream
from sync.central import database, schema, standing
from sync.central.landing import Upward
from tests.sync.central_world import Centre, Unit, make_centre

ROWS = "SELECT count(*) FROM {} WHERE unit = 'van-07'"


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return make_centre(tmp_path)


@pytest.fixture
def unit(centre: Centre) -> Unit:
    return centre.unit()


def reborn(unit: Unit, matched: int, *, again: bool = True) -> Unit:
    """The same box in a new epoch after ``matched`` entries of its vitals, the rest journalled again."""
    child = Unit(unit.name, unit.keyset)
    child.sign_private, child.recv_public = unit.sign_private, unit.recv_public
    child.secrets = {patient: secret for patient, secret in unit.secrets.items() if patient}
    child.secrets[b""] = bytes(range(32))
    child.wall_ms = unit.wall_ms
    parent = [unit.epoch, [1, matched, 1, 1, 1]]
    for stream in Stream:
        child.journal[stream].clear()
        child.append(stream, Kind.GENESIS, {Field.SALT: child.secrets[b""], Field.PARENT: parent})
    for entry in unit.journal[Stream.VITALS][matched:] if again else ():
        journal_again(child, unit, entry.seq)
    child.new_session()
    return child


def said(entry: Entry) -> dict[int, Any]:
    """What an entry's payload holds."""
    return cast("dict[int, Any]", cbor.decode(entry.payload or b""))


def journal_again(child: Unit, unit: Unit, seq: int) -> None:
    entry = unit.journal[Stream.VITALS][seq - 1]
    fields = said(entry)
    stamp = {field: fields.pop(field) for field in (Field.WALL_MS, Field.BOOT, Field.MONOTONIC_MS)}
    patient = fields.pop(Field.PATIENT, b"")
    fields.pop(Field.SALT, None)
    fields.setdefault(Field.ORIGIN, [unit.epoch, Stream.VITALS, seq])
    genuine, child.wall_ms = child.wall_ms, int(stamp[Field.WALL_MS]) - 1000
    child.append(Stream.VITALS, entry.kind, fields, patient)
    child.wall_ms = genuine


def whole(unit: Unit, *ends: int) -> list[Upward]:
    return [unit.key_message(), *unit.batches(Stream.VITALS, *(ends or (len(unit.journal[Stream.VITALS]),)))]


def counted(centre: Centre) -> dict[str, int]:
    return {table: centre.value(ROWS.format(table)) for table in ("patients", "encounters", "observations")}


ONCE = {"patients": 2, "encounters": 4, "observations": 12}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_what_came_and_comes_again_is_there_once_whatever_comes_first(
    centre: Centre, unit: Unit, order: tuple[int, ...]
) -> None:
    unit.visit()
    unit.visit("Idrissi")
    child = reborn(unit, 5)
    parts = [whole(unit, 10), [unit.batch(Stream.VITALS, 11, 19)], whole(child)]
    for part in order:
        centre.land(*parts[part])
        centre.explode()
    assert counted(centre) == ONCE
    assert centre.last("opened").nacks == ()
    assert centre.value("SELECT count(*) FROM entries") == 19 - 1 + 1 + len(child.journal[Stream.VITALS])
    assert centre.rows("SELECT * FROM conflicts") == []
    assert centre.counters()["van-07", "entry-journalled-again"] == 14


def test_in_one_round_it_is_there_once_too(centre: Centre, unit: Unit) -> None:
    unit.visit()
    unit.visit("Idrissi")
    child = reborn(unit, 5)
    centre.land(*whole(unit), *whole(child))
    centre.explode()
    assert counted(centre) == ONCE


def test_what_never_came_is_taken_from_where_it_comes_again(centre: Centre, unit: Unit) -> None:
    unit.visit()
    unit.visit("Idrissi")
    centre.take(*whole(unit, 8))
    centre.take(*whole(reborn(unit, 5)))
    assert counted(centre) == ONCE


def test_another_content_under_the_origin_is_another_entry(centre: Centre, unit: Unit) -> None:
    """The card's later branch came first; what the old copy wrote instead is kept beside it."""
    unit.visit()
    old = unit.fork(Stream.VITALS, 10)
    old.carried = set(unit.carried)
    unit.visit("Idrissi")
    old.visit("Karimi")
    centre.take(*whole(unit))
    child = reborn(old, 10)
    centre.take(*whole(child))
    assert counted(centre) == {"patients": 3, "encounters": 6, "observations": 18}
    assert centre.counters().get(("van-07", "entry-journalled-again")) is None


def test_back_in_time_twice_keeps_the_first_name(centre: Centre, unit: Unit) -> None:
    unit.visit()
    child = reborn(unit, 5)
    grandchild = reborn(child, 1)
    origins = [said(each)[Field.ORIGIN][0] for each in grandchild.journal[Stream.VITALS][1:]]
    assert origins == [unit.epoch] * 5
    for one in (grandchild, child, unit):
        centre.take(*whole(one))
    assert counted(centre) == {"patients": 1, "encounters": 2, "observations": 6}


def test_a_reading_of_the_tray_finds_its_patient_by_any_of_its_names(centre: Centre, unit: Unit) -> None:
    patient = unit.visit()
    tray = unit.append(Stream.VITALS, Kind.OBSERVATION, {Field.CODE: "temp", Field.VALUE: [369, -1]})
    child = reborn(unit, tray.seq - 1)
    again = len(child.journal[Stream.VITALS])
    child.append(Stream.VITALS, Kind.ASSIGNMENT, {Field.ASSIGNED: [again], Field.REASON: "hers"}, patient)
    grandchild = reborn(child, 1)
    expected = [(unit.epoch_hex, tray.seq)]
    look = "SELECT assigned_epoch, assigned FROM assignments"
    centre.take(*whole(unit))
    centre.take(*whole(child))
    assert centre.rows(look) == expected
    centre.take(*whole(grandchild))
    assert centre.rows(look) == expected, "the assignment itself came again, too"


def test_the_fork_is_noted_and_what_was_written_before_it_may_come_late(centre: Centre, unit: Unit) -> None:
    unit.visit()
    child = reborn(unit, 5)
    centre.take(*whole(child))
    (noted,) = centre.rows("SELECT epoch, parent, matched FROM lineage")
    assert noted == (child.epoch_hex, unit.epoch_hex, json.dumps([1, 5, 1, 1, 1]))
    assert centre.value("SELECT count(*) FROM alarms WHERE code = 'forked'") == 1
    centre.take(*whole(unit))
    assert centre.rows("SELECT * FROM clones") == []


@pytest.mark.parametrize("child_first", [True, False])
def test_an_epoch_that_lives_on_marks_the_unit_and_nothing_is_refused(
    centre: Centre, unit: Unit, *, child_first: bool
) -> None:
    unit.visit()
    child = reborn(unit, 5, again=False)
    unit.wall_ms += 60_000
    unit.visit("Idrissi")
    first, second = (child, unit) if child_first else (unit, child)
    centre.take(*whole(first))
    centre.take(*whole(second))
    assert centre.rows("SELECT epoch, stream, seq FROM clones") == [(unit.epoch_hex, "vitals", 11)]
    assert centre.value("SELECT count(*) FROM alarms WHERE code = 'cloned'") == 1
    assert counted(centre)["patients"] == 2
    [stands] = standing.units(centre.home)
    assert stands == standing.UnitStanding(
        "van-07", 2, 1, (unit.epoch_hex,), conflicts=0, quarantined=0, received=stands.received
    )
    assert stands.as_json()["cloned"] == [unit.epoch_hex]
    assert centre.value("SELECT through FROM chains WHERE epoch = ?", unit.epoch_hex) == 19


def test_who_says_that_somebody_else_uses_its_name_is_listed_with_what_to_do(
    centre: Centre, unit: Unit
) -> None:
    centre.unit("van-08")
    for wall_ms in (1_800_000_000_000, 1_800_086_400_000):
        unit.wall_ms = wall_ms
        unit.append(Stream.ALERT, Kind.ALERT, {Field.ALERT_CODE: SECOND_SESSION})
    centre.take(unit.key_message(), unit.batch(Stream.ALERT, 1, len(unit.journal[Stream.ALERT])))
    said = {each.unit: (each.second_sessions, each.second_session_ms) for each in standing.units(centre.home)}
    assert {unit: n for unit, (n, _) in said.items()} == {"van-07": 2, "van-08": 0}
    assert (said["van-07"][1] or 0) >= 1_800_086_400_000
    shown = CliRunner().invoke(app, ["units", "--home", str(centre.home.directory.parent)])
    assert "van-07: second-session, said 2 times, last on 2027-01-16" in shown.output
    assert "central disconnect" in shown.output


def test_a_database_of_the_first_schema_is_brought_along(centre: Centre, unit: Unit) -> None:
    for statement in (
        "DROP INDEX entries_by_origin",
        "DROP TABLE lineage",
        "DROP TABLE clones",
        *(f"DROP TABLE {table}" for table in ("erasures", "erased_people", "erasures_of_units", "orders")),
        "DROP TABLE grants",
        *("DROP TABLE losses", "DROP TABLE work", "DROP TABLE corrections", "DROP TABLE health"),
        *(f"DROP TABLE {table}" for table in ("blobs", "waveforms", "wave_chunks", "wave_ends")),
        *("DROP TABLE wave_previews", "DROP TABLE attachments", "DROP TABLE attachment_parts"),
        *(f"DROP TABLE {table}" for table in ("revocations", "revoked_at", "approvals", "held")),
        "DROP TABLE keysets_of_units",
        *(f"DROP TABLE {table}" for table in ("requests", "request_changes", "down_news")),
        *(f"DROP TABLE {table}" for table in ("outbox", "outbox_sealed", "outbox_people")),
        *(f"DROP TABLE {table}" for table in ("consents", "merges", "sites", "devices", "clocks")),
        *(
            f"ALTER TABLE {column.split('.')[0]} DROP COLUMN {column.split('.')[1]}"
            for column in (
                "patients.family_arabic",
                "patients.given_arabic",
                "patients.birth_estimated",
                "encounters.site",
                "encounters.latitude_e7",
                "encounters.longitude_e7",
            )
        ),
        "ALTER TABLE assignments DROP COLUMN assigned_epoch",
        "PRAGMA user_version = 1",
    ):
        centre.connection.execute(statement)
    look = "SELECT type, name FROM sqlite_schema ORDER BY name"
    fresh = make_centre(centre.home.directory.parent / "other")
    brought = database.connect(centre.home.database)
    assert brought.execute(look).fetchall() == fresh.rows(look)
    assert brought.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
    brought.close()
    centre.restart()
    unit.visit()
    centre.take(*whole(unit))
    assert counted(centre)["patients"] == 1
