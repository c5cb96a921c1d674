"""What devices said of themselves, and which of it belongs to an observation."""

from pathlib import Path

from edge.records.fields import Field, Kind, Payload, Stream
from edge.store import Store, Transaction
from edge.vitals.identity import Identity


def said(tx: Transaction, device: str, serial: str, **more: object) -> None:
    payload: Payload = {Field.DEVICE: device, Field.DEVICE_KIND: "sig-bp", Field.SERIAL: serial}
    payload |= {Field[name.upper()]: value for name, value in more.items()}  # type: ignore[misc]  # any
    tx.append(Stream.VITALS, Kind.DEVICE, payload)


def observed(tx: Transaction, device: str) -> int:
    payload: Payload = {Field.CODE: "temp", Field.VALUE: [365, -1], Field.DEVICE: device}
    return tx.append(Stream.VITALS, Kind.OBSERVATION, payload).seq


def test_an_observation_belongs_to_the_device_as_it_described_itself_by_then(store: Store) -> None:
    with store.write() as tx:
        before_any = observed(tx, "cuff-1")
        said(tx, "cuff-1", "A", manufacturer="Maker", model="M", firmware="1.0", battery=80, wall_ms=5)
        said(tx, "cuff-2", "X")
        first = observed(tx, "cuff-1")
    with store.write() as tx:
        said(tx, "cuff-1", "B")
        second = observed(tx, "cuff-1")
    serials = {
        each.entry.seq: None if (found := store.device_of(each.entry)) is None else found.identity.serial
        for each in store.tray()
    }
    assert serials == {before_any: None, first: "A", second: "B"}
    earlier = store.device_of(store.tray()[1].entry)
    assert earlier is not None
    assert earlier.identity == Identity("Maker", "M", "A", "1.0", 80)
    assert (earlier.kind, earlier.wall_ms) == ("sig-bp", 5)


def test_the_latest_word_of_a_device_is_its_own(store: Store) -> None:
    with store.write() as tx:
        said(tx, "cuff-1", "A")
        said(tx, "cuff-2", "X")
    latest = store.device_said("cuff-1")
    assert latest is not None
    assert latest.identity == Identity(serial="A")
    assert store.device_said("cuff-3") is None
    assert store.verify().valid


def test_the_difference_of_the_clocks_stands_beside_the_devices_time(store: Store) -> None:
    payload: Payload = {
        Field.CODE: "temp",
        Field.VALUE: [365, -1],
        Field.DEVICE: "cuff-1",
        Field.DEVICE_TIME: "2026-11-22T08:00:00",
        Field.CLOCK_OFF: -3600,
    }
    with store.write() as tx:
        tx.append(Stream.VITALS, Kind.OBSERVATION, payload)
    [kept] = store.tray()
    assert (kept.device_time, kept.clock_off_s) == ("2026-11-22T08:00:00", -3600)


def test_what_unlocks_a_device_is_kept_replaced_and_forgotten_and_stands_in_no_entry(store: Store) -> None:
    key, other = bytes(range(0x60, 0x70)), bytes(range(0x70, 0x80))
    assert store.device_secrets() == {}
    with store.write() as tx:
        tx.set_device_secret("cuff-1", other)
        tx.set_device_secret("cuff-1", key)
        tx.set_device_secret("cuff-2", other)
        tx.set_device_secret("cuff-2", None)
        tx.set_device_secret("cuff-3", None)
        assert tx.appended == []
    assert store.device_secrets() == {"cuff-1": key}
    path = Path(store._row("SELECT file FROM pragma_database_list")[0])  # type: ignore[index]  # it has a file
    store.checkpoint()
    for file in path.parent.iterdir():
        assert key not in file.read_bytes()
