"""A stick goes back and forth between a spool and a centre, with real envelopes and real receipts."""

import os
import secrets
from pathlib import Path

import pytest

from edge.records.fields import Stream
from edge.spool.names import parse
from edge.spool.stick import FOLDER, StickRefused
from sync.central import courier as centre_end
from sync.central import explode, keyring
from sync.central.landing import Upward
from sync.uplink import courier as box_end
from sync.uplink import outgoing
from sync.uplink.courier import CopiedOut, Van
from sync.uplink.incoming import down_name, read_name
from sync.wire import cose, receipts, topics
from sync.wire.keyset import Use
from tests.sync.central_world import Centre, Unit, make_centre

UNIT = "van-07"
PRIORITY = {"key": 0, "alert": 1, "vitals": 2, "doc": 3, "wave": 4, "audit": 5}


class World:
    """A centre, a unit with a spool, and a stick."""

    def __init__(self, base: Path) -> None:
        self.centre: Centre = make_centre(base)
        self.unit: Unit = self.centre.unit(UNIT)
        self.out, self.in_, self.stick = base / "out", base / "in", base / "stick"
        for place in (self.out, self.in_, self.stick):
            place.mkdir()
        self.van = Van(UNIT, self.centre.keyset, self.out, self.in_, self.centre.home.read_roots())

    @property
    def up(self) -> Path:
        return self.stick / FOLDER / UNIT / "up"

    @property
    def back(self) -> Path:
        return self.stick / FOLDER / UNIT / "receipts"

    def spool(self, *messages: Upward, first: int = 1, n: int = 1) -> list[Path]:
        made: list[Path] = []
        for message in messages:
            topic = topics.parse(message.topic)
            assert topic is not None
            word = str(topic.word)
            place = (0, 0) if word == "key" else (first, n)
            name = f"{PRIORITY[word]}-{word}-{place[0]}-{place[1]}-{secrets.token_hex(8)}"
            (self.out / name).write_bytes(message.payload)
            made.append(self.out / name)
        return made

    def spool_all(self) -> list[Path]:
        """A key message and everything of every stream."""
        made = self.spool(self.unit.key_message())
        for stream, journal in self.unit.journal.items():
            made += self.spool(self.unit.batch(stream, 1, len(journal)), n=len(journal))
        return made

    def copy_out(self) -> CopiedOut:
        return box_end.copy_out(self.stick, self.van)

    def import_(self) -> centre_end.Imported:
        return centre_end.import_stick(self.centre.home, self.stick, self.centre.clock)

    def export(self, *units: str) -> centre_end.Exported:
        return centre_end.export_receipts(self.centre.home, self.stick, units)

    def take_in(self) -> box_end.TakenIn:
        return box_end.take_in(self.stick, self.van)

    def names(self, place: Path) -> set[str]:
        return {path.name for path in place.iterdir()}


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.unit.visit()
    return made


def test_a_stick_alone_brings_everything_and_takes_the_receipts_back(world: World) -> None:
    files = world.spool_all()
    assert world.copy_out().copied == len(files)
    assert world.names(world.up) == world.names(world.out)
    before = {path: path.read_bytes() for path in world.up.iterdir()}
    assert (world.import_().new, world.import_().repeated) == (len(files), len(files))
    assert {path: path.read_bytes() for path in world.up.iterdir()} == before, "reading changed the stick"
    assert world.centre.value("SELECT count(*) FROM observations") == 0, "the collector opened something"
    assert explode.once(world.centre.home, world.centre.clock) == 1
    assert world.centre.value("SELECT count(*) FROM observations") == 6
    assert world.export().written == {UNIT: 2}
    assert world.take_in().taken == 2
    opened = next(path for path in world.in_.iterdir() if path.name.startswith("opened"))
    receipt = receipts.verify(opened.read_bytes(), world.centre.keyset, UNIT)
    assert {stream: each.through for stream, each in receipt.streams.items()} == {
        stream: len(journal) for stream, journal in world.unit.journal.items()
    }


def test_every_step_may_be_repeated(world: World) -> None:
    files = world.spool_all()
    world.copy_out()
    again = world.copy_out()
    assert (again.copied, again.there, again.size) == (0, len(files), 0)
    world.import_()
    explode.once(world.centre.home, world.centre.clock)
    assert explode.once(world.centre.home, world.centre.clock) == 0
    rows = world.centre.value("SELECT count(*) FROM observations")
    assert world.import_().new == 0
    explode.once(world.centre.home, world.centre.clock)
    assert world.centre.value("SELECT count(*) FROM observations") == rows
    world.export()
    assert world.export() == centre_end.Exported({UNIT: 0}, there=2)
    world.take_in()
    here = {path: path.read_bytes() for path in world.in_.iterdir()}
    assert (world.take_in().taken, world.take_in().known) == (0, 2)
    assert {path: path.read_bytes() for path in world.in_.iterdir()} == here


def test_what_the_centre_has_signed_for_leaves_the_stick_and_nothing_else_does(world: World) -> None:
    covered = {path.name for path in world.spool_all()}
    world.copy_out()
    world.import_()
    world.export()
    # The centre has it; the agent, whose store was lost, has nothing more, and something new is measured.
    for path in world.out.iterdir():
        path.unlink()
    world.unit.visit("Zahraoui")
    new = world.spool(world.unit.batch(Stream.VITALS, 11, 19), first=11, n=9)
    orphan = world.spool(world.unit.batch(Stream.VITALS, 12, 15), first=12, n=4)[0]
    (world.up / orphan.name).write_bytes(orphan.read_bytes())
    orphan.unlink()
    done = world.copy_out()
    assert (done.copied, done.removed) == (1, len(covered))
    assert world.names(world.up) == {new[0].name, orphan.name}, "the last copy of something was removed"


def test_what_the_centre_has_signed_for_is_not_copied_again(world: World) -> None:
    files = world.spool_all()
    world.copy_out()
    world.import_()
    world.export()
    done = world.copy_out()
    assert (done.copied, done.there, done.covered) == (0, 0, len(files))


def test_a_copy_that_was_cut_short_is_made_whole(world: World) -> None:
    files = world.spool_all()
    world.copy_out()
    (world.up / files[1].name).write_bytes(files[1].read_bytes()[:100])
    assert world.copy_out().copied == 1
    assert world.import_().refused == {}


def test_a_hostile_stick_brings_what_is_good_and_nothing_else(world: World, tmp_path: Path) -> None:
    good = world.spool_all()
    world.copy_out()
    payload = good[1].read_bytes()
    secret = tmp_path / "secret"
    secret.write_bytes(payload)

    def name(word: str = "vitals") -> str:
        return f"{PRIORITY[word]}-{word}-1-1-{secrets.token_hex(8)}"

    (world.up / name()).symlink_to(secret)
    os.mkfifo(world.up / name())
    (world.up / name()).mkdir()
    (world.up / name()).write_bytes(payload[:-1])
    (world.up / name()).write_bytes(b"")
    (world.up / name()).write_bytes(payload[:-40] + os.urandom(40))
    (world.up / name("audit")).write_bytes(good[1].read_bytes())
    (world.up / name()).write_bytes(bytes(300_000))
    (world.up / ("x" * 255)).write_bytes(payload)
    (world.up / "\x1b[2J\u202e").write_bytes(payload)
    other = world.stick / FOLDER / "van-08" / "up"
    other.mkdir(parents=True)
    (other / name()).write_bytes(payload)
    stranger = world.centre.unit("van-09")
    misplaced = stranger.batch(Stream.VITALS, 1, 1)
    (world.up / name()).write_bytes(misplaced.payload)
    done = world.import_()
    assert done.new == len(good)
    assert done.refused == {
        "no-file": 3,
        "form": 1,
        "version": 1,
        "signature": 1,
        "topic": 1,
        "too-large": 1,
        "unit-unknown": 1,
        "kid": 1,
    }
    assert done.other == 2
    assert world.centre.value("SELECT count(*) FROM landing") == len(good) - 1
    assert world.import_().new == 0


def test_receipts_that_are_not_ours_old_or_damaged_move_nothing(world: World) -> None:
    other = world.centre.unit("van-09")
    other.visit()
    world.centre.land(other.key_message(), other.batch(Stream.VITALS, 1, 3))
    world.spool_all()
    world.copy_out()
    world.import_()
    world.export()
    (old,) = world.back.iterdir()
    world.unit.visit()
    world.spool(world.unit.batch(Stream.VITALS, 11, 19), first=11, n=9)
    world.copy_out()
    world.import_()
    old_raw, old_name = old.read_bytes(), old.name
    world.export(UNIT, "van-09")
    assert not old.exists(), "an older receipt stays beside the newer"
    (world.back / old_name).write_bytes(old_raw)
    foreign = next((world.stick / FOLDER / "van-09" / "receipts").iterdir())
    epoch = world.unit.epoch.hex()
    (world.back / f"landed-{epoch}-1-000000000091").write_bytes(foreign.read_bytes())
    (world.back / f"landed-{epoch}-1-000000000092").write_bytes(old_raw[:-1])
    (world.back / f"landed-{epoch}-1-000000000093").symlink_to(old)
    os.mkfifo(world.back / f"landed-{epoch}-1-000000000094")
    (world.back / f"opened-{epoch}-1-000000000095").write_bytes(bytes(100_000))
    (world.back / "README.txt").write_bytes(b"")
    done = world.take_in()
    assert (done.taken, done.older, done.other) == (1, 1, 1)
    assert done.refused == {"unit": 1, "form": 1, "no-file": 2, "too-large": 1}
    assert {name.partition("-")[0] for name in world.names(world.in_)} == {"landed"}
    (newest,) = world.in_.iterdir()
    receipt = receipts.verify(newest.read_bytes(), world.centre.keyset, UNIT)
    assert receipt.streams[Stream.VITALS].through == 19
    # A stick that was away for weeks: what it says is older than what came by the link meanwhile.
    newest.rename(world.in_ / f"landed-{epoch}-1-{receipt.rseq + 1:012d}")
    assert world.take_in().known == 1


def order(world: World, raw: bytes) -> None:
    world.centre.connection.execute(
        "INSERT INTO orders VALUES (?, 1, ?) ON CONFLICT (unit) DO UPDATE SET raw = excluded.raw", (UNIT, raw)
    )


def test_what_the_centre_has_to_tell_goes_down_sealed_as_it_is(world: World, tmp_path: Path) -> None:
    world.spool_all()
    world.copy_out()
    world.import_()
    order(world, os.urandom(500))
    world.export()
    order(world, newest := os.urandom(900))
    assert world.export() == centre_end.Exported({UNIT: 1}, there=1)
    down = world.stick / FOLDER / UNIT / "down"
    (only,) = down.iterdir()
    (down / f"down-{'0' * 16}").write_bytes(b"under a name that is not its own")
    (down / "README").write_bytes(b"")
    (down / f"down-{'1' * 16}").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(down / f"down-{'2' * 16}")
    done = world.take_in()
    assert (done.down, done.other, done.refused) == (1, 2, {"no-file": 2})
    assert (world.in_ / only.name).read_bytes() == newest
    assert world.names(world.in_) == {only.name, next(iter(world.names(world.back)))}
    assert world.take_in().down == 0


def test_a_flood_of_messages_down_is_not_taken(world: World) -> None:
    world.spool_all()
    world.copy_out()
    world.import_()
    world.export()
    down = world.stick / FOLDER / UNIT / "down"
    down.mkdir()
    for _ in range(100):
        raw = os.urandom(40)
        (down / down_name(raw)).write_bytes(raw)
    assert world.take_in().down == box_end.MOST_DOWN


def test_a_name_promises_nothing(world: World) -> None:
    """A receipt under another number and level is taken for what it is."""
    world.spool_all()
    world.copy_out()
    world.import_()
    world.export()
    (file,) = world.back.iterdir()
    file.rename(world.back / f"opened-{world.unit.epoch.hex()}-1-{999:012d}")
    world.take_in()
    (taken,) = world.in_.iterdir()
    assert read_name(taken.name) == (("landed", world.unit.epoch.hex(), 1), 1)


def test_a_key_message_that_did_not_come_is_asked_for_and_ends(world: World) -> None:
    world.spool(world.unit.batch(Stream.VITALS, 1, 10), n=10)
    world.copy_out()
    world.import_()
    explode.once(world.centre.home, world.centre.clock)
    world.export()
    assert world.centre.last("landed").sessions_needed == (world.unit.sealer.session,)
    assert [nack.reason for nack in world.centre.last("opened").nacks] == ["key"]


def test_a_folder_without_a_sealed_file_counts_as_nobody(world: World) -> None:
    world.spool_all()
    world.copy_out()
    (world.stick / FOLDER / "van-99" / "up").mkdir(parents=True)
    (world.stick / FOLDER / "van-98").mkdir()
    done = world.import_()
    assert (done.units, done.empty) == ([UNIT], ["van-98", "van-99"])


def test_sticks_with_nothing_for_us_say_so(world: World) -> None:
    for act in (world.import_, world.export, world.take_in):
        with pytest.raises(StickRefused) as refused:
            act()
        assert refused.value.next_step
        assert refused.value.stable_code in {"stick-empty", "stick-no-receipts"}
    with pytest.raises(StickRefused) as refused:
        world.export("van-99")
    assert refused.value.stable_code == "unit-unknown"
    assert list(world.stick.iterdir()) == []
    assert world.copy_out().copied == 0


def test_a_stick_full_of_receipts_is_refused_before_they_are_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(box_end, "MOST_RECEIPTS", 3)
    world.back.mkdir(parents=True)
    for number in range(4):
        os.mkfifo(world.back / f"landed-{'0' * 16}-1-{number:012d}")
    with pytest.raises(StickRefused) as refused:
        world.take_in()
    assert refused.value.stable_code == "stick-too-much"


def test_files_that_the_agent_joins_meanwhile_are_copied_in_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = world.spool(world.unit.key_message(), world.unit.batch(Stream.VITALS, 1, 5), n=5)
    real = outgoing.read_regular

    def read(path: Path) -> bytes | None:
        if path == small[1] and path.exists():
            world.spool(world.unit.batch(Stream.VITALS, 1, 10), n=10)
            path.unlink()
        return real(path)

    monkeypatch.setattr(box_end, "read_regular", read)
    assert world.copy_out().copied == 2
    assert {str(name.word) for each in world.names(world.up) if (name := parse(each))} == {"key", "vitals"}
    assert world.import_().new == 2


def test_new_keys_come_by_the_stick_before_the_receipts_that_they_sign(world: World) -> None:
    world.spool_all()
    world.copy_out()
    world.import_()
    [made] = keyring.rotate(world.centre.home, Use.LANDED)
    world.import_()  # signed with the new key
    world.export()
    there = world.stick / FOLDER / UNIT / "keyset"
    [own] = there.iterdir()
    (there / "keyset-000000000099").write_bytes(own.read_bytes()[:-1] + b"x")
    done = world.take_in()
    assert (done.keyset, done.taken, done.refused) == (2, 1, {"signature": 1})
    assert {name.partition("-")[0] for name in world.names(world.in_)} == {"keyset", "landed"}
    [receipt] = [path for path in world.in_.iterdir() if path.name.startswith("landed")]
    assert cose.read(receipt.read_bytes()).kid == made.kid
    assert world.take_in().known == 1
