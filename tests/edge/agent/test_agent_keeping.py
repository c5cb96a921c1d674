"""The agent lets go of what is due, and of whom the centre ordered to be erased; through its real parts."""

import shutil
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from edge import cbor, recovery
from edge.agent.keeping import ERASURE_WAITS
from edge.clock import SystemClock
from edge.ports.orders import ErasureOrder
from edge.records.fields import Field, Kind, Stream
from edge.security.slots import Slots
from edge.store.errors import WrongKey
from edge.store.removing import DAY_MS
from edge.store.store import Store
from sync.wire import keys, orders
from tests.edge.agent.agent_world import KEY, PIN, SECRET, UNIT, Nurse, World, until

PLANTED = "Zzyzxplanted"
CONTROL = "Ouarzazicontrol"
NOW = SystemClock().now().wall_ms + DAY_MS


@pytest.fixture
def world(world: World) -> World:
    world.recovery_key = recovery.make_private()  # with it the store may be given another key
    return world


def order(patient: str) -> ErasureOrder:
    return ErasureOrder(bytes(16), UUID(patient).bytes, "asked by the patient", ("hakim", "leila"), 1)


def message(world: World, given: Sequence[ErasureOrder], **changed: Any) -> bytes:  # noqa: ANN401  as `make`
    store = unlocked(world)
    options: dict[str, Any] = {
        "recv_public": store.identity().recv_public,
        "privates": world.centre.records,
        "realm": world.realm,
    }
    store.close()
    unit = changed.pop("unit", UNIT)
    return orders.make(given, unit, len(given), **options | changed)


def unlocked(world: World) -> Store:
    key = Slots.load(world.home / "store" / "slots", SECRET).unlock("amina", PIN)
    return Store.open(world.home / "store" / "qafila.db", key)


async def planted(nurse: Nurse, family: str) -> str:
    """One patient with a closed visit."""
    visit = await nurse.visit(family)
    await nurse.observe(visit)
    shown = await nurse.ask("encounter.show", encounter=visit)
    await nurse.ask("encounter.close", encounter=visit)
    return str(shown["patient"]["patient"] if isinstance(shown["patient"], dict) else shown["patient"])


def receive(world: World, at_ms: int = NOW) -> None:
    """The centre has opened everything there is, at that time."""
    world.deliver(world.receipt_for("opened", centre_ms=at_ms), "opened")


def asked(world: World, statement: str) -> list[Any]:
    store = unlocked(world)
    try:
        return store._rows(statement)
    finally:
        store.close()


def there(world: World, statement: str) -> bool:
    return bool(asked(world, statement))


async def test_an_order_erases_once_everything_has_been_received(world: World) -> None:
    async with world.nurse() as nurse:
        gone, stays = await planted(nurse, PLANTED), await planted(nurse, CONTROL)
        told = message(world, [order(gone)])
        world.deliver(told, "down", "down-1")
        await until(lambda: there(world, "SELECT 1 FROM erasures"))
        assert len((await nurse.ask("patient.list"))["patients"]) == 2, "not received yet"
        assert ERASURE_WAITS in (await nurse.ask("status"))["notes"]
        receive(world)
        await until(lambda: there(world, "SELECT 1 FROM erasures WHERE done_ms IS NOT NULL"))
        assert ERASURE_WAITS not in (await nurse.ask("status"))["notes"]
        shown = (await nurse.ask("patient.list"))["patients"]
        assert [each["patient"] for each in shown] == [stays]
        assert (await nurse.ask("patient.find", text=PLANTED))["patients"] == []
        assert (await nurse.ask("store.verify"))["valid"] is True
        world.deliver(told, "down", "down-1")  # the broker keeps it, so it comes again
        await until(lambda: not list((world.home / "in").glob("down-*")))
        await nurse.ask("lock")
        # the lock has given the store another key: what the old file was opens no more
        with pytest.raises(WrongKey):
            Store.open(world.home / "store" / "qafila.db", KEY)
    entries = asked(world, f"SELECT payload FROM journal WHERE kind = {Kind.ERASED:d}")  # noqa: S608  a number
    said = [cbor.decode(payload) for (payload,) in entries]
    assert [each[Field.PEOPLE] for each in said] == [[UUID(gone).bytes]]  # type: ignore[index]
    for file in (world.home).rglob("*"):
        assert not file.is_file() or PLANTED.encode() not in file.read_bytes()


async def test_a_visit_that_is_open_is_finished_first(world: World) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit(PLANTED)
        await nurse.observe(visit)
        patient = str(UUID(bytes=asked(world, "SELECT patient FROM patients")[0][0]))
        world.deliver(message(world, [order(patient)]), "down", "down-1")
        receive(world)
        await until(lambda: there(world, "SELECT 1 FROM opened_marks"))
        await nurse.observe(visit)
        assert asked(world, "SELECT done_ms FROM erasures") == [(None,)]
        await nurse.ask("encounter.close", encounter=visit)
        receive(world, NOW + DAY_MS)
        await until(lambda: there(world, "SELECT 1 FROM erasures WHERE done_ms IS NOT NULL"))
        assert (await nurse.ask("patient.list"))["patients"] == []


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"unit": "van-08"}, "order-unit"),
        ({"realm": "production"}, "order-realm"),
        ({"recv_public": keys.sealing_public(keys.make_sealing())}, "order-key"),
        ({"privates": (keys.make_signing(), keys.make_signing())}, "order-kid"),
        ({"privates": 1}, "order-kid"),  # one person's key twice
        ({"privates": 2}, "order-kid"),  # a key of another use beside it
    ],
    ids=["unit", "realm", "sealed to another", "strangers", "one person", "another use"],
)
async def test_what_two_people_did_not_sign_for_this_unit_erases_nobody(
    world: World, changed: dict[str, Any], code: str
) -> None:
    one, _ = world.centre.records
    if "privates" in changed:
        pairs = {1: (one, one), 2: (one, world.centre.opened)}
        changed = {"privates": pairs.get(changed["privates"], changed["privates"])}
    async with world.nurse() as nurse:
        gone = await planted(nurse, PLANTED)
        receive(world)
        world.deliver(message(world, [order(gone)], **changed), "down", "down-1")
        await until(lambda: not list((world.home / "in").glob("down-*")))
        assert (await nurse.ask("status"))["refusals"] == {code: 1}
        assert len((await nurse.ask("patient.list"))["patients"]) == 1
    assert asked(world, "SELECT * FROM erasures") == []


async def test_what_is_old_goes_by_the_time_of_receipts_alone(world: World) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit(CONTROL)
        await nurse.observe(visit)
        await nurse.ask("encounter.close", encounter=visit)
        patient = str(UUID(bytes=asked(world, "SELECT patient FROM patients")[0][0]))
        later = (await nurse.ask("encounter.open", patient=patient))["encounter"]
        await nurse.observe(later)
        await nurse.ask("encounter.close", encounter=later)
        receive(world)
        await until(lambda: there(world, "SELECT 1 FROM opened_marks"))
        receive(world, NOW + 399 * DAY_MS)
        await until(lambda: len(asked(world, "SELECT DISTINCT at_ms FROM opened_marks")) == 2)
        assert len((await nurse.ask("encounter.show", encounter=visit))["observations"]) == 1
        receive(world, NOW + 400 * DAY_MS)
        await until(lambda: there(world, "SELECT 1 FROM encounters WHERE purged_ms IS NOT NULL"))
        shown = await nurse.ask("encounter.show", encounter=visit)
        assert (shown["observations"], shown["purged"]) == ([], True)
        kept = await nurse.ask("encounter.show", encounter=later)
        assert (len(kept["observations"]), kept["purged"]) == (1, False)
        assert (await nurse.ask("store.verify"))["valid"] is True


async def test_a_store_put_back_to_before_an_erasure_erases_again(world: World) -> None:
    """A backup still has the patient: the order comes again, because the broker keeps it."""
    async with world.nurse() as nurse:
        gone = await planted(nurse, PLANTED)
        told = message(world, [order(gone)])
        receive(world)
        await until(lambda: there(world, "SELECT 1 FROM opened_marks"))
    copy = world.home.with_name("copy")
    shutil.copytree(world.home / "store", copy)
    for _ in range(2):
        async with world.nurse() as nurse:
            world.deliver(told, "down", "down-1")
            await until(lambda: there(world, "SELECT 1 FROM erasures WHERE done_ms IS NOT NULL"))
            assert (await nurse.ask("patient.list"))["patients"] == []
        shutil.rmtree(world.home / "store")
        shutil.copytree(copy, world.home / "store")


async def test_whatever_stands_in_the_audit_trail_of_an_erased_patient_names_nobody(world: World) -> None:
    async with world.nurse() as nurse:
        gone = await planted(nurse, PLANTED)
        await nurse.ask("patient.find", text=PLANTED)
        receive(world)
        world.deliver(message(world, [order(gone)]), "down", "down-1")
        await until(lambda: there(world, "SELECT 1 FROM erasures WHERE done_ms IS NOT NULL"))
    store = unlocked(world)
    trail = [entry.payload or b"" for entry in store.entries(Stream.AUDIT, 1, 10_000)]
    store.close()
    assert any(UUID(gone).bytes in payload for payload in trail), "who looked at whom stays"
    assert not any(PLANTED.encode() in payload for payload in trail)


async def test_a_centre_that_lost_what_is_erased_here_gets_all_the_rest(world: World) -> None:
    """A chain with a hole would stand still behind it for ever: the unit begins another."""
    async with world.nurse() as nurse:
        gone = await planted(nurse, PLANTED)
        await planted(nurse, CONTROL)
        receive(world)
        world.deliver(message(world, [order(gone)]), "down", "down-1")
        await until(lambda: there(world, "SELECT 1 FROM erasures WHERE done_ms IS NOT NULL"))
        await nurse.ask("subscribe", topics=["streams"])
        first = unlocked(world).epoch
        nothing = world.centre.receipt("opened", first, {}, generation=2, rseq=1)
        world.deliver(nothing, "opened", "opened-2")
        told = await nurse.event("forked")
        assert told["reason"] == "centre-restored"
        await until(lambda: unlocked(world).epoch != first)
        assert (await nurse.ask("store.verify"))["valid"] is True
        assert [each["family"] for each in (await nurse.ask("patient.list"))["patients"]] == [CONTROL]
    store = unlocked(world)
    entries = store.entries(Stream.VITALS, 1, 10_000)
    assert all(entry.payload is not None for entry in entries)
    assert sum(entry.kind is Kind.PATIENT for entry in entries) == 1
    store.close()
