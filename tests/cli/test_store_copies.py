"""A backup is put back: on this box and on an empty one, by those who may, and never over anything."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.secret_renewal import renew
from cli.signed_in import unlocked
from cli.store_copies import make_backup, restore_backup
from cli.unit_setup import make_unit
from edge import backups
from edge.agent.people import Change, carry_out
from edge.agent.refusals import NotAllowed
from edge.config import Places
from edge.errors import QafilaError
from edge.records.fields import Field, Kind, Payload, Stream
from edge.security import process
from edge.store import Store, rekey
from edge.store.transaction import Transaction

PIN, OTHER_PIN = "482913", "739164"
FAMILY = "Alaoui"


@pytest.fixture(autouse=True)
def _soft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "harden", lambda: None)  # for good, and this process has other tests


def made(home: Path, unit: str = "van-07") -> Places:
    places = Places.at(home)
    make_unit(places, realm="training", unit=unit, user="fatima", pin=PIN)
    return places


@pytest.fixture
def van(tmp_path: Path) -> Places:
    (tmp_path / "stick").mkdir()
    return made(tmp_path / "van")


def register(places: Places, family: str) -> None:
    with (
        unlocked(places, "fatima", PIN, "store.verify") as (_, store, _),
        store.write() as tx,
    ):
        payload: Payload = {Field.FAMILY: family, Field.GIVEN: "Zahra", Field.REVISION: 1, Field.WALL_MS: 1}
        patient = len(store.patients()).to_bytes(16)
        tx.append(Stream.VITALS, Kind.PATIENT, payload, patient=patient)


def backed_up(places: Places, user: str = "fatima", pin: str = PIN) -> Path:
    stick = places.base.parent / "stick"
    return stick / str(make_backup(places, user, pin, stick)["folder"])


def families(places: Places) -> list[str]:
    with unlocked(places, "fatima", PIN, "store.verify") as (_, store, _):
        assert store.verify().valid
        return sorted(patient.family for patient in store.patients())


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(QafilaError) as error:
        call()
    assert error.value.next_step
    return error.value.stable_code


def test_a_damaged_store_is_set_aside_and_the_backup_goes_on_under_another_epoch(van: Places) -> None:
    register(van, FAMILY)
    folder = backed_up(van)
    register(van, "Benali")
    assert refused(lambda: restore_backup(van, "fatima", PIN, folder, None)) == "store-not-lost"
    with van.database.open("r+b") as file:  # a card that rots
        file.seek(5 * 4096)
        file.write(bytes(4096))
    rotten = van.database.read_bytes()
    answer = restore_backup(van, "fatima", PIN, folder, None)
    assert (van.store / str(answer["set_aside"])).read_bytes() == rotten
    assert families(van) == [FAMILY]
    before = van.database.read_bytes()
    again = restore_backup(van, "fatima", PIN, folder, None)  # nobody was sure that it had been done
    assert (again["done_before"], again["entries"], again["made"]) == (True, None, answer["made"])
    assert van.database.read_bytes() == before
    assert refused(lambda: restore_backup(van, "fatima", PIN, backed_up(van), None)) == "store-not-lost"
    with unlocked(van, "fatima", PIN, "store.verify") as (_, store, _):
        fork = store.last_fork()
        assert fork is not None
        assert fork.reason == "restored"
        assert fork.again == answer["again"] > 0
        first = store.entry_ids(Stream.VITALS, 2, 2)[0]
        assert first.epoch != store.epoch, "a patient keeps the name under which they were saved"
        assert store.head_at(Stream.VITALS, 2) is not None


def test_an_empty_box_with_the_device_secret_becomes_the_unit(van: Places, tmp_path: Path) -> None:
    register(van, FAMILY)
    folder, box = backed_up(van), Places.at(tmp_path / "box")
    again: Callable[[], object] = lambda: restore_backup(box, "fatima", PIN, folder, None)  # noqa: E731  said thrice
    assert refused(again) == "device-secret-missing"
    box.device_secret.parent.mkdir(parents=True)
    shutil.copy(van.device_secret, box.device_secret)
    assert refused(lambda: restore_backup(box, "fatima", "918273", folder, None)) == "wrong-pin"
    assert not box.config.exists(), "a medium is not believed before somebody has signed in"
    again()
    assert families(box) == [FAMILY]
    assert box.config.read_bytes() == van.config.read_bytes()


def test_a_cut_before_the_new_store_has_its_name_leaves_the_old_one(
    van: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(van, FAMILY)
    folder = backed_up(van)
    van.database.write_bytes(b"no store")
    with monkeypatch.context() as cut:

        def die(_: object) -> None:
            raise KeyboardInterrupt

        cut.setattr("edge.agent.restoring._close_for_good", die)
        with pytest.raises(KeyboardInterrupt):
            restore_backup(van, "fatima", PIN, folder, None)
    assert van.database.read_bytes() == b"no store"
    restore_backup(van, "fatima", PIN, folder, None)
    assert families(van) == [FAMILY]


def test_a_backup_from_before_a_new_key_opens_by_the_same_pin(van: Places) -> None:
    register(van, FAMILY)
    folder = backed_up(van)
    new_key = bytes(range(32))
    with unlocked(van, "fatima", PIN, "store.verify") as (slots, _, old):
        new = slots.rekeyed(new_key)

    def mark(store: Store) -> None:
        with store.write() as tx:
            tx.set_slots_generation(new.generation)

    rekey.prepare(van.database, old, new_key, mark)
    new.save()
    rekey.finish(van.database)
    van.database.unlink()
    assert restore_backup(van, "fatima", PIN, folder, None)["set_aside"] is None
    assert families(van) == [FAMILY]
    Store.open(van.database, new_key).close()


def test_a_flipped_bit_in_the_slots_of_a_backup_is_damage_whatever_key_there_is_now(
    van: Places, tmp_path: Path
) -> None:
    """Slots are what a backup of before a new key is opened with; nothing else in the manifest tells."""
    folder = backed_up(van)
    (tmp_path / "new").mkdir()
    assert renew(van, "fatima", PIN, tmp_path / "new" / "device.secret", None)["former"]
    manifest, slots = folder / "manifest", van.base / "slots of then"
    whole = manifest.read_bytes()
    slots.write_bytes(backups.read(whole).papers["slots"])
    begin, size = whole.index(slots.read_bytes()), len(slots.read_bytes())
    van.database.unlink()

    def restored(place: int | None) -> str:
        changed = bytearray(whole)
        if place is not None:
            changed[begin + place] ^= 1 << place % 8
        manifest.write_bytes(changed)
        return refused(lambda: restore_backup(van, "fatima", PIN, folder, None))

    assert restored(None) == "backup-other-secret", "the medium of then is not in"
    config = van.config.read_text(encoding="utf-8")
    named = f'device_secret_copy = "{van.device_secret}"'
    van.config.write_text(config.replace("[security]", f"[security]\n{named}"), encoding="utf-8")
    for place in (*range(16), *range(24, size, 97), size - 1):
        assert restored(place) == "backup-damaged", place
    assert {restored(place) for place in range(16, 24)} == {"backup-other-secret"}, "so they name the secret"
    manifest.write_bytes(whole)
    assert restore_backup(van, "fatima", PIN, folder, None)["entries"] > 0


def test_another_units_backup_changes_no_byte(van: Places, tmp_path: Path) -> None:
    folder, other = backed_up(van), made(tmp_path / "other", "van-08")
    before = other.database.read_bytes()
    assert refused(lambda: restore_backup(other, "fatima", PIN, folder, None)) == "backup-of-another-unit"
    assert refused(lambda: restore_backup(other, "fatima", PIN, tmp_path, None)) == "backup-missing"
    assert other.database.read_bytes() == before


def test_a_technician_may_back_up_and_only_a_supervisor_may_restore(van: Places) -> None:
    with unlocked(van, "fatima", PIN, "users.add") as (slots, store, key):
        new = slots.with_user("sami", "Sami", "technician", OTHER_PIN, key)

        def commit(work: Callable[[Transaction], None]) -> None:
            with store.write() as tx:
                work(tx)

        carry_out(commit, store, slots.reload, new, Change("users.add", "sami", "users.add"), {})
    folder = backed_up(van, "sami", OTHER_PIN)
    van.database.unlink()
    with pytest.raises(NotAllowed):
        restore_backup(van, "sami", OTHER_PIN, folder, None)
    assert not van.database.exists()
