"""A box takes a lost unit's place by a backup and a grant; the centre has everything once.

Real stores, slots, spools and sealers on the boxes; collector's and exploder's own code on a real database.
"""

import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import unit_setup
from cli.signed_in import unlocked
from cli.store_copies import make_backup, restore_backup
from cli.wiring import Pinned
from edge.agent.commit import OpenStore
from edge.agent.history import look_at_unlock
from edge.agent.keeping import TRY_AGAIN_S, Keeper
from edge.agent.parts import Periods
from edge.agent.sealing import Sealing
from edge.clock import SystemClock
from edge.config import Places
from edge.errors import QafilaError
from edge.records.fields import Field, Kind, Payload, Stream
from edge.security import process
from edge.spool import Outbox
from edge.store import Store
from sync.central import database, erasing, grants, setup, standing
from sync.central.exploder import Exploder
from sync.central.home import CentreHome, read_file
from sync.central.landing import Lander, Upward
from sync.central.receipts import ReceiptWriter
from sync.wire import grants as wire_grants
from sync.wire import topics
from sync.wire.errors import EnvelopeRefused
from tests.cli.units import qafila_here

PIN = "482913"
CLOCK = SystemClock()


@pytest.fixture(autouse=True)
def _soft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "harden", lambda: None)  # for good, and this process has other tests


class Centre:
    """A centre whose files stand in one folder."""

    def __init__(self, directory: Path) -> None:
        self.home = CentreHome(directory)
        setup.init(self.home, "training")
        self.connection = database.connect(self.home.database)
        landed, opened = (
            ReceiptWriter(level, "training", 1, read_file(path))
            for level, path in (("landed", self.home.landed_key), ("opened", self.home.opened_key))
        )
        self.lander = Lander(self.connection, "training", CLOCK, landed)
        second = database.connect(self.home.database)
        self.exploder = Exploder(second, "training", CLOCK, read_file(self.home.seal_to_key), opened)

    def take(self, unit: str, spool: Path) -> None:
        messages = [
            Upward(topics.up(unit, path.name.split("-")[1]), path.read_bytes())
            for path in sorted(spool.iterdir())
            if not path.name.startswith(".")
        ]
        self.lander.land(messages)
        self.exploder.round()
        while self.exploder.pending:
            self.exploder.round()

    def families(self) -> list[str]:
        """One for each row, so that who is there twice is seen."""
        rows = self.connection.execute("SELECT family FROM patients ORDER BY family").fetchall()
        return [family for (family,) in rows]

    def values(self) -> int:
        [(count,)] = self.connection.execute("SELECT count(*) FROM observations").fetchall()
        return int(count)

    def close(self) -> None:
        self.connection.close()


class Box:
    """One box, enrolled; works with its own code while no agent runs."""

    def __init__(self, base: Path, unit: str, centre: Centre) -> None:
        self.unit, self.places = unit, Places.at(base / unit)
        unit_setup.make_unit(self.places, realm="training", unit=unit, user="fatima", pin=PIN)
        _, bundle = setup.enrol(centre.home, unit_setup._request(self.places), CLOCK)
        file = base / f"{unit}.bundle"
        file.write_bytes(bundle)
        unit_setup.install_bundle(self.places, file)

    def work(self, *families: str) -> None:
        """Sign in, see patients, seal it all."""
        enrolled = Pinned(self.places, CLOCK)()
        assert enrolled is not None
        with unlocked(self.places, "fatima", PIN, "store.verify") as (_, store, _):
            sealing = Sealing(store, Outbox(self.places.spool_out), batch=3, session_s=1e9, audit_s=1e9)
            look_at_unlock(store, sealing, enrolled.make_sealer, CLOCK.now(), 0.0)
            sealing.enrol(enrolled.make_sealer, 0.0)
            for family in families:
                visit(store, family)
            while sealing.upkeep(0.0, all_audit=True):
                pass
            assert sealing.problem is None
            assert store.verify().valid

    def forget_spool(self) -> None:
        shutil.rmtree(self.places.spool_out)
        self.places.spool_out.mkdir()

    def families(self) -> list[str]:
        with unlocked(self.places, "fatima", PIN, "store.verify") as (_, store, _):
            assert (store.unit, store.verify().valid) == (self.unit, True)
            return sorted(patient.family for patient in store.patients())


def visit(store: Store, family: str) -> None:
    patient, encounter = (family.encode() * 16)[:16], (family.encode()[::-1] * 16)[:16]
    wall: Payload = {Field.WALL_MS: CLOCK.now().wall_ms}
    with store.write() as tx:
        who: Payload = {Field.FAMILY: family, Field.GIVEN: "Zahra", Field.REVISION: 1, Field.SEX: "female"}
        tx.append(Stream.VITALS, Kind.PATIENT, wall | who, patient=patient)
        here: Payload = wall | {Field.ENCOUNTER: encounter}
        tx.append(Stream.VITALS, Kind.ENCOUNTER_OPENED, here, patient=patient)
        value: Payload = here | {Field.CODE: "temp", Field.VALUE: [369, -1], Field.SOURCE: 1}
        tx.append(Stream.VITALS, Kind.OBSERVATION, value, patient=patient)
        tx.append(Stream.VITALS, Kind.ENCOUNTER_CLOSED, here | {Field.COUNT: 1}, patient=patient)


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return Centre(tmp_path / "centre")


def granted(centre: Centre, folder: Path, to: str, out: Path, key: Path | None = None) -> Path:
    manifest = (folder / "manifest").read_bytes()
    wanted = grants.Wanted(manifest, to, "unit-lost", "hakim")
    raw = grants.give(centre.home, wanted, key or centre.home.recovery_key, CLOCK).raw
    out.write_bytes(raw)
    return out


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(QafilaError) as error:
        call()
    assert error.value.next_step
    return error.value.stable_code


@pytest.mark.timeout(180)
def test_what_the_lost_unit_had_saved_is_at_the_centre_once(tmp_path: Path, centre: Centre) -> None:
    lost, new = Box(tmp_path, "van-07", centre), Box(tmp_path, "van-19", centre)
    lost.work("Alaoui")
    centre.take("van-07", lost.places.spool_out)
    lost.work("Benali")  # saved, and nobody at the centre knows
    (tmp_path / "stick").mkdir()
    folder = tmp_path / "stick" / str(make_backup(lost.places, "fatima", PIN, tmp_path / "stick")["folder"])
    lost.work("Chraibi")  # after the backup; it lies in the spool of a van that may be found
    new.work()
    centre.take("van-19", new.places.spool_out)
    assert centre.families() == ["Alaoui"]

    grant = granted(centre, folder, "van-19", tmp_path / "van-19.grant")
    answer = restore_backup(new.places, "fatima", PIN, folder, grant)
    assert (answer["former"], answer["set_aside"]) == ("van-07", "qafila.db.set-aside-1")
    again = restore_backup(new.places, "fatima", PIN, folder, grant)
    assert (again["done_before"], again["former"]) == (True, "van-07")
    assert new.families() == ["Alaoui", "Benali"]
    new.work("Driss")
    centre.take("van-19", new.places.spool_out)
    assert centre.families() == ["Alaoui", "Benali", "Driss"]
    assert centre.values() == 3

    centre.take("van-07", lost.places.spool_out)  # the van is found after all
    assert centre.families() == ["Alaoui", "Benali", "Chraibi", "Driss"]
    assert centre.values() == 4
    assert [each.conflicts for each in standing.units(centre.home)] == [0, 0]
    assert [each.quarantined for each in standing.units(centre.home)] == [0, 0]
    assert [each.cloned for each in standing.units(centre.home)] == [(), ()]

    lost.work("Elalaoui")  # somebody goes on with it, though another box has taken its place
    centre.take("van-07", lost.places.spool_out)
    assert centre.families()[-1] == "Elalaoui", "nothing is refused"
    assert [len(each.cloned) for each in standing.units(centre.home)] == [1, 0]
    centre.close()


@pytest.mark.timeout(180)
def test_who_gets_a_backup_owes_the_erasures_that_came_after_it(tmp_path: Path, centre: Centre) -> None:
    """Else somebody who was erased lives on in another box, and the centre says that all is done."""
    lost, _ = Box(tmp_path, "van-07", centre), Box(tmp_path, "van-19", centre)
    lost.work("Alaoui", "Benali")
    centre.take("van-07", lost.places.spool_out)
    stick = tmp_path / "stick"
    stick.mkdir()
    folder = stick / str(make_backup(lost.places, "fatima", PIN, stick)["folder"])
    wanted = grants.Wanted((folder / "manifest").read_bytes(), "van-19", "unit-lost", "hakim")
    gone = uuid.UUID(bytes=(b"Alaoui" * 16)[:16])
    order: Callable[[], erasing.Ordered] = lambda: erasing.order(  # noqa: E731  said twice
        centre.home, gone, "asked", by=("a", "b"), key_files=centre.home.records_keys, clock=CLOCK
    )
    assert grants.give(centre.home, wanted, centre.home.recovery_key, CLOCK).owed == ()
    centre.connection.execute("DELETE FROM grants")
    assert order().units == ("van-07",)
    centre.connection.execute("UPDATE erasures_of_units SET done_ms = 1")  # there it is done
    assert grants.give(centre.home, wanted, centre.home.recovery_key, CLOCK).owed == (gone.hex,)
    (standing_order,) = erasing.standings(centre.home)
    assert standing_order.units == {"van-07": 1, "van-19": None}
    assert order().units == ("van-07", "van-19")
    assert [unit for unit, *_ in erasing.outgoing(centre.connection)] == ["van-07", "van-19"]
    centre.close()


@pytest.mark.timeout(180)
def test_the_grant_brings_the_orders_and_nobody_has_to_give_them_again(
    tmp_path: Path, centre: Centre
) -> None:
    lost, new = Box(tmp_path, "van-07", centre), Box(tmp_path, "van-19", centre)
    lost.work("Alaoui", "Benali")
    centre.take("van-07", lost.places.spool_out)
    stick = tmp_path / "stick"
    stick.mkdir()
    folder = stick / str(make_backup(lost.places, "fatima", PIN, stick)["folder"])
    new.work()
    centre.take("van-19", new.places.spool_out)
    gone = uuid.UUID(bytes=(b"Alaoui" * 16)[:16])
    ordered = erasing.order(
        centre.home, gone, "asked", by=("a", "b"), key_files=centre.home.records_keys, clock=CLOCK
    )
    grant = granted(centre, folder, "van-19", tmp_path / "van-19.grant")
    answer = restore_backup(new.places, "fatima", PIN, folder, grant)
    assert (answer["to_erase"], answer["orders_refused"]) == (1, None)
    with unlocked(new.places, "fatima", PIN, "store.verify") as (_, store, _):
        assert store.erasures_waiting() == [(ordered.erasure.bytes, gone.bytes, "asked")]
        opened = OpenStore(
            store, Sealing(store, Outbox(new.places.spool_out), batch=9, session_s=1, audit_s=1), b""
        )
        keeper = Keeper(Periods())
        keeper.keep_up(opened, CLOCK.now(), 0.0)
        assert len(store.patients()) == 2, "it has to be at the centre first"
        with store.write() as tx:
            for stream, mark in store.watermarks().items():
                tx.move_watermark("opened", stream, mark.tip)
        keeper.keep_up(opened, CLOCK.now(), TRY_AGAIN_S)
        assert [each.family for each in store.patients()] == ["Benali"]
        assert store.verify().valid
    new.work()
    centre.take("van-19", new.places.spool_out)
    (standing_order,) = erasing.standings(centre.home)
    assert standing_order.units["van-19"] is not None, "the box says that it is done, by itself"
    centre.close()


@pytest.mark.timeout(180)
def test_a_second_grant_for_what_one_unit_wrote_is_said(tmp_path: Path) -> None:
    centre = Centre(tmp_path / "central")
    lost = Box(tmp_path, "van-07", centre)
    for unit in ("van-19", "van-31"):
        Box(tmp_path, unit, centre)
    (tmp_path / "stick").mkdir()
    folder = tmp_path / "stick" / str(make_backup(lost.places, "fatima", PIN, tmp_path / "stick")["folder"])
    words = ("central", "grant", str(folder), "--reason", "unit-lost", "--by", "hakim", "--json")
    said: list[list[str]] = []
    for number, unit in enumerate(("van-19", "van-31", "van-19")):
        out = tmp_path / f"{number}.grant"
        to = ("--to", unit, "--key", str(centre.home.recovery_key), "--out", str(out))
        done = qafila_here(*words, *to, home=tmp_path)
        assert done.returncode == 0, done.stderr
        said.append([each["unit"] for each in json.loads(done.stdout)["granted_before"]])
    assert said == [[], ["van-19"], ["van-31"]], "of the box itself nothing is said"
    centre.close()


def test_who_was_inherited_without_a_message_has_to_be_ordered_again(tmp_path: Path, centre: Centre) -> None:
    """An order is sealed to the unit it was given to: who inherited it twice over cannot open it."""
    boxes = {unit: Box(tmp_path, unit, centre) for unit in ("van-07", "van-19", "van-31")}
    boxes["van-07"].work("Alaoui", "Benali")
    centre.take("van-07", boxes["van-07"].places.spool_out)
    gone = [uuid.UUID(bytes=(name * 16)[:16]) for name in (b"Alaoui", b"Benali")]

    def order(patient: uuid.UUID) -> None:
        keys = centre.home.records_keys
        erasing.order(centre.home, patient, "asked", by=("a", "b"), key_files=keys, clock=CLOCK)

    def give(former: str, unit: str) -> grants.Given:
        (tmp_path / unit / former).mkdir(exist_ok=True)
        made = make_backup(boxes[former].places, "fatima", PIN, tmp_path / unit / former)
        manifest = (tmp_path / unit / former / str(made["folder"]) / "manifest").read_bytes()
        wanted = grants.Wanted(manifest, unit, "unit-lost", "hakim")
        return grants.give(centre.home, wanted, centre.home.recovery_key, CLOCK)

    order(gone[0])
    assert (give("van-07", "van-19").owed, give("van-07", "van-19").again) == ((gone[0].hex,), ())
    given = give("van-19", "van-31")
    assert (given.owed, given.again) == ((gone[0].hex,), (gone[0].hex,))
    order(gone[1])  # to all of the family, with everything before it
    given = give("van-19", "van-31")
    assert (set(given.owed), given.again) == ({each.hex for each in gone}, ())
    centre.close()


@pytest.mark.timeout(180)
def test_a_grant_is_for_one_backup_on_one_box(tmp_path: Path, centre: Centre) -> None:
    lost, new = Box(tmp_path, "van-07", centre), Box(tmp_path, "van-19", centre)
    stick = tmp_path / "stick"
    stick.mkdir()
    first, second = (stick / str(make_backup(lost.places, "fatima", PIN, stick)["folder"]) for _ in range(2))
    wrong_key = tmp_path / "wrong.key"
    wrong_key.write_bytes(bytes(32))
    assert refused(lambda: granted(centre, first, "van-20", tmp_path / "a")) == "unit-unknown"
    assert refused(lambda: granted(centre, first, "van-07", tmp_path / "a")) == "grant-to-itself"
    assert refused(lambda: granted(centre, first, "van-19", tmp_path / "a", wrong_key)) == "centre-key-wrong"
    before = new.places.database.read_bytes()
    grant = granted(centre, first, "van-19", tmp_path / "van-19.grant")
    wanted = grants.Wanted((first / "manifest").read_bytes(), "van-19", "unit-lost", "hakim")
    again = grants.give(centre.home, wanted, centre.home.recovery_key, CLOCK)
    assert (again.repeated, again.before) == (True, ()), "one box is no clone of itself"
    noted = "SELECT (SELECT count(*) FROM grants), (SELECT count(*) FROM alarms WHERE code = 'succeeded')"
    assert centre.connection.execute(noted).fetchone() == (1, 1)
    put: Callable[[Path, Path], object] = lambda folder, by: restore_backup(  # noqa: E731  said four times
        new.places, "fatima", PIN, folder, by
    )
    assert refused(lambda: put(second, grant)) == "grant-refused"
    raw, enrolled = grant.read_bytes(), unit_setup.installed(new.places)
    assert enrolled is not None
    with unlocked(new.places, "fatima", PIN, "store.verify") as (_, store, _):
        private = store.identity().recv_private
    assert wire_grants.read(raw, enrolled.roots, "training", private)[0].unit == "van-19"
    for place in range(len(raw)):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        with pytest.raises(EnvelopeRefused):
            wire_grants.read(changed, enrolled.roots, "training", private)
    assert new.places.database.read_bytes() == before
    new.work("Driss")
    assert refused(lambda: put(first, grant)) == "backup-no-successor"
    assert new.families() == ["Driss"]
    centre.close()
