"""A page of the store rots under a running agent: it is said, and everything else is read and saved on."""

import os

import pytest

from edge import cbor
from edge.agent.commit import OpenStore, Saves
from edge.agent.sealing import Sealing
from edge.agent.unwritten import Unwritten
from edge.ports.caller import CallRefused
from edge.records.fields import Field, Stream
from edge.store.errors import StoreReadOnly
from edge.store.pagecheck import PAGE_BYTES
from tests.edge.agent.agent_world import KEY, Nurse, World


def rot(world: World, name: str) -> None:
    """Flip one bit of the root page of a table or index, in the file and out of the agent's memory of it."""
    database = world.home / "store" / "qafila.db"
    store = world.store()
    try:
        [(page,)] = store._rows("SELECT rootpage FROM sqlite_schema WHERE name = ?", name)
        with store.write() as tx:  # another's commit: whoever has pages in memory reads them anew
            tx.remember(f"for {name}", b"{}")
        store._rows("PRAGMA wal_checkpoint(TRUNCATE)")
        with database.open("r+b") as file:
            file.seek((page - 1) * PAGE_BYTES + 2000)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 4]))
    finally:
        store.close()


async def code_of(nurse: Nurse, method: str, **fields: object) -> str:
    with pytest.raises(CallRefused) as error:
        await nurse.ask(method, **fields)
    assert error.value.next_step
    return error.value.stable_code


async def test_a_bad_page_is_said_and_what_is_not_on_it_is_read_and_saved(world: World) -> None:
    async with world.nurse() as nurse:
        first = await nurse.visit()
        await nurse.observe(first, "temp", "36.9")
        rot(world, "observations_of_encounter")
        assert await code_of(nurse, "encounter.show", encounter=first) == "store-damaged"
        assert (await nurse.ask("status"))["problem"] == "store-damaged"
        values = [{"code": "temp", "value": "38.0"}]
        assert await code_of(nurse, "observe", encounter=first, values=values) == "store-damaged"
        assert len((await nurse.ask("patient.list"))["patients"]) == 1
        await nurse.patient("Tazi")
        assert len((await nurse.ask("patient.list"))["patients"]) == 2
        assert (await nurse.ask("status"))["problem"] == "store-damaged", "a save does not mend a page"


async def test_where_nothing_can_be_appended_reading_goes_on_and_is_written_down_later(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with world.nurse() as nurse:
        await nurse.patient()
        rot(world, "sqlite_autoindex_journal_1")  # every new entry is entered there
        assert (
            await code_of(nurse, "patient.register", family="Tazi", given="Omar", sex="male")
            == "store-damaged"
        )
        assert len((await nurse.ask("patient.list"))["patients"]) == 1
        assert [vars(each)["action"] for each in caplog.records if "audit" in each.message][
            -1
        ] == "patient.list"
    assert "Benali" not in caplog.text


class Card:
    """A disk that takes writes or does not."""

    def __init__(self) -> None:
        self.wrong: str | None = None

    def __call__(self) -> str | None:
        return self.wrong


def test_what_is_held_is_committed_in_order_and_held_within_bounds(world: World) -> None:
    card = Card()
    store = world.store()
    opened = OpenStore(
        store,
        Sealing(store, world.outbox, batch=200, session_s=1, audit_s=1),
        KEY,
        Saves(card=card, look_at_card=card),
    )
    held = Unwritten(most=3)

    def entries() -> list[str]:
        found = store.entries(Stream.AUDIT, 2, 100)
        return [str(cbor.decode(each.payload or b"")[Field.ACTION]) for each in found]  # type: ignore[index]  # a map

    store._connection.execute("PRAGMA query_only = ON")  # SQLITE_READONLY, as a card gives it
    card.wrong = "store-read-only"
    store._connect_again = None
    held.note(opened, [{Field.ACTION: "one"}])
    held.note(opened, [{Field.ACTION: "two"}, {Field.ACTION: "three"}])
    with pytest.raises(StoreReadOnly):
        held.note(opened, [{Field.ACTION: "one too many"}])
    held.catch_up(opened)
    assert (len(held), entries()) == (3, [])

    card.wrong = None
    store._connection.execute("PRAGMA query_only = OFF")
    held.catch_up(opened)
    held.note(opened, [{Field.ACTION: "four"}])
    assert (len(held), entries()) == (0, ["one", "two", "three", "four"])
    store.close()


async def test_verify_names_a_page_that_nobody_reads(world: World) -> None:
    async with world.nurse() as nurse:
        await nurse.visit()
        whole = await nurse.ask("store.verify")
        assert (whole["valid"], whole["bad_pages"], whole["damage"]) == (True, 0, None)
        rot(world, "sites")
        found = await nurse.ask("store.verify")
        assert (found["valid"], found["bad_pages"], found["damage"]) == (False, 1, "unreadable")
        assert found["entries"]["vitals"] == 3, "the journal is elsewhere, and whole"
        assert (await nurse.ask("status"))["problem"] == "store-damaged"
        await nurse.patient("Tazi")


async def test_verify_of_a_journal_that_cannot_be_walked_says_so(world: World) -> None:
    async with world.nurse() as nurse:
        await nurse.visit()
        rot(world, "journal")
        found = await nurse.ask("store.verify")
        assert (found["valid"], found["damage"], found["entries"]) == (False, "unreadable", {})
