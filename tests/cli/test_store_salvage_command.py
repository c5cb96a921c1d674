"""`qafila store salvage`: a unit whose store is damaged gets one that is whole, and hears what is lost."""

import json
from pathlib import Path

import pytest

from cli.unit_secret import secret_sources
from edge.clock import SystemClock
from edge.config import Places, load
from edge.records.fields import Field, Kind, Payload, Stream
from edge.records.people import user_id
from edge.security.slots import Slots
from edge.store import Store
from edge.store.pagecheck import PAGE_BYTES
from tests.cli.test_commands import error_of
from tests.cli.units import PIN, make_unit, qafila_here

SALVAGE = ("store", "salvage", "--user", "fatima", "--pin-stdin")
VISITS = 40


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_unit(tmp_path / "van")


def store_of(home: Path) -> Store:
    places = Places.at(home)
    slots = Slots.load(places.slots, secret_sources(places, load(places.config)).read())
    return Store.open(places.database, slots.unlock(user_id("fatima"), PIN))


def fill(home: Path) -> int:
    """Some visits; the page at which the entries' table begins."""
    store = store_of(home)
    for number in range(VISITS):
        patient, encounter = number.to_bytes(16), (1000 + number).to_bytes(16)
        stamp: Payload = {Field.WALL_MS: SystemClock().now().wall_ms, Field.PATIENT: patient}
        with store.write() as tx:
            tx.append(
                Stream.VITALS, Kind.PATIENT, stamp | {Field.FAMILY: f"Alaoui {number}", Field.GIVEN: "Z"}
            )
            tx.append(Stream.VITALS, Kind.ENCOUNTER_OPENED, stamp | {Field.ENCOUNTER: encounter})
    [(root,)] = store._rows("SELECT rootpage FROM sqlite_schema WHERE name = 'journal'")
    store.close()
    return int(root)


def rot(home: Path, page: int) -> None:
    database = Places.at(home).database
    raw = bytearray(database.read_bytes())
    raw[(page - 1) * PAGE_BYTES + 1000] ^= 1
    database.write_bytes(raw)


def test_a_damaged_store_is_set_aside_and_what_it_gives_takes_its_place(home: Path) -> None:
    root = fill(home)
    rot(home, root)  # above every entry: by the tree, none of them can be reached any more
    damaged = Places.at(home).database.read_bytes()
    written = 2 * VISITS + 5  # and a first entry of each stream
    verify = qafila_here(
        "store", "verify", "--user", "fatima", "--pin-stdin", "--json", stdin=PIN + "\n", home=home
    )
    found = json.loads(verify.stdout)
    assert (verify.returncode, found["valid"], found["damage"]) == (1, False, "unreadable")
    assert found["bad_pages"] == 1

    done = qafila_here(*SALVAGE, "--json", stdin=PIN + "\n", home=home)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["bad_pages"], answer["entries_lost"], answer["nameless"]) == (1, 0, 0)
    beside = answer["first_entries"] + answer["again"] + answer["purged"]
    assert sum(answer["kept"].values()) + beside == written, "each entry is somewhere in the account"
    assert answer["kept"]["vitals"] >= 2 * VISITS
    aside = Places.at(home).store / answer["set_aside"]
    assert aside.read_bytes() == damaged, "not a byte of it was changed"
    store = store_of(home)
    assert {each.family for each in store.patients()} == {f"Alaoui {number}" for number in range(VISITS)}
    assert store.verify().valid
    store.close()
    again = qafila_here(*SALVAGE, "--json", stdin=PIN + "\n", home=home)
    assert error_of(again)["code"] == "store-not-damaged"


def test_beside_a_whole_store_a_copy_is_made_where_nothing_is(home: Path, tmp_path: Path) -> None:
    fill(home)
    before = Places.at(home).database.read_bytes()
    done = qafila_here(*SALVAGE, "--to", str(tmp_path / "new.db"), stdin=PIN + "\n", home=home)
    assert done.returncode == 0, done.stderr
    assert "No entry is lost." in done.stdout
    assert "5 first entries of streams" in done.stdout
    assert Places.at(home).database.read_bytes() == before
    there = (tmp_path / "new.db").read_bytes()
    again = qafila_here(*SALVAGE, "--to", str(tmp_path / "new.db"), "--json", stdin=PIN + "\n", home=home)
    assert error_of(again)["code"] == "store-exists"
    assert (tmp_path / "new.db").read_bytes() == there


def test_a_nurse_may_not_and_a_wrong_pin_does_nothing(home: Path) -> None:
    assert error_of(qafila_here(*SALVAGE, "--json", stdin="111222\n", home=home))["code"] == "wrong-pin"
    added = ("users", "add", "sami", "--role", "nurse", "--by", "fatima", "--pin-stdin")
    assert qafila_here(*added, stdin=f"{PIN}\n604827\n", home=home).returncode == 0
    words = ("store", "salvage", "--user", "sami", "--pin-stdin", "--json")
    assert error_of(qafila_here(*words, stdin="604827\n", home=home))["code"] == "not-allowed"


def test_verify_of_a_stopped_unit_names_an_old_copy(home: Path) -> None:
    """Whole in itself; what its spool holds was never in it."""
    fill(home)
    verify = ("store", "verify", "--user", "fatima", "--pin-stdin")
    done = qafila_here(*verify, "--json", stdin=PIN + "\n", home=home)
    assert (done.returncode, json.loads(done.stdout)["valid"]) == (0, True)
    store = store_of(home)
    ahead = store.tips().seqs[Stream.VITALS] + 1
    store.close()
    (Places.at(home).spool_out / f"1-vitals-{ahead}-1-{'0' * 16}").write_bytes(b"sealed")
    done = qafila_here(*verify, "--json", stdin=PIN + "\n", home=home)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["valid"], answer["damage"]) == (1, False, "rolled-back")
    assert "old copy" in qafila_here(*verify, stdin=PIN + "\n", home=home).stdout
