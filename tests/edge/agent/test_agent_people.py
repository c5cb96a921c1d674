"""Who may sign in: changed through the agent, each change in the audit trail whatever cuts it short."""

from collections.abc import Callable
from typing import Any

import pytest

from edge import cbor
from edge.agent import payloads
from edge.agent.people import Change, carry_out
from edge.clock import SystemClock
from edge.errors import QafilaError
from edge.localapi.client import connect, new_request_id
from edge.records.fields import Field, Stream
from edge.security import files, slot_file
from edge.security.errors import SecretNotKept
from edge.security.slots import Slots
from edge.store.transaction import Transaction
from tests.edge.agent.agent_world import KEY, PIN, SECRET, Nurse, World

STAMP = payloads.stamp(SystemClock().now(), "amina")
SAMI = "739154"
NEW = "604827"


def actions(world: World, of: str = "users.") -> list[tuple[str, Any]]:
    """What the audit trail says was done to the users."""
    store = world.store()
    try:
        entries = store.entries(Stream.AUDIT, 1, store.watermark(Stream.AUDIT).tip)
    finally:
        store.close()
    said = [payload for entry in entries if (payload := dict(_payload(entry.payload))).get(Field.ACTION)]
    return [
        (str(each[Field.ACTION]), each.get(Field.OBJECT))
        for each in said
        if str(each[Field.ACTION]).startswith(of)
    ]


def _payload(raw: bytes | None) -> Any:  # noqa: ANN401  as wide as CBOR
    assert raw is not None
    return cbor.decode(raw)


async def code(asker: Nurse, method: str, **fields: Any) -> str:  # noqa: ANN401  as wide as JSON
    with pytest.raises(QafilaError) as refused:
        await asker.ask(method, **fields)
    assert refused.value.sentence
    assert refused.value.next_step
    return refused.value.stable_code


async def signs_in(world: World, user: str, pin: str) -> str:
    """The role of whoever signs in, or the code of the refusal."""
    async with connect(world.socket) as api:
        try:
            return str((await Nurse(api).ask("sign-in", user=user, pin=pin))["role"])
        except QafilaError as error:
            return error.stable_code


async def test_a_supervisor_gives_a_new_pin_and_the_old_one_and_its_sessions_end(world: World) -> None:
    async with world.nurse() as nurse, connect(world.socket) as api:
        sami = Nurse(api)
        await sami.ask("sign-in", user="sami", pin=SAMI)
        await nurse.ask("users.pin", user="sami", pin=NEW)
        assert await code(sami, "patient.list") == "sign-in-needed"
        assert await signs_in(world, "sami", SAMI) == "wrong-pin"
        assert await signs_in(world, "sami", NEW) == "nurse"
        assert await code(nurse, "users.pin", user="nobody", pin=NEW) == "no-such-user"
        assert await code(nurse, "users.pin", user="sami", pin="123456") == "pin-too-weak"
    assert actions(world) == [("users.pin", "sami")]


async def test_everybody_changes_their_own_pin_and_the_old_one_is_asked_again(world: World) -> None:
    async with world.nurse("sami", SAMI) as sami:
        assert await code(sami, "pin.change", pin="000000", new=NEW) == "wrong-pin"
        assert await code(sami, "pin.change", pin=SAMI, new="sami2026") == "pin-too-weak"
        await sami.ask("pin.change", pin=SAMI, new=NEW)
        await sami.ask("patient.list")
        assert await signs_in(world, "sami", NEW) == "nurse"
        assert await code(sami, "users.pin", user="amina", pin=SAMI) == "not-allowed"
    assert actions(world, "pin.change") == [("pin.change", "sami")]


async def test_guessing_the_old_pin_has_to_wait_as_at_the_door(world: World) -> None:
    async with world.nurse("sami", SAMI) as sami:
        codes = [await code(sami, "pin.change", pin="000000", new=NEW) for _ in range(6)]
        assert codes == ["wrong-pin"] * 5 + ["too-many-attempts"]
        assert await signs_in(world, "sami", SAMI) == "too-many-attempts"


async def test_a_role_changes_and_one_supervisor_remains(world: World) -> None:
    async with world.nurse() as nurse:
        assert await code(nurse, "users.role", user="amina", role="nurse") == "last-supervisor"
        assert await code(nurse, "users.disable", user="amina") == "last-supervisor"
        await nurse.ask("users.role", user="sami", role="supervisor")
        assert await signs_in(world, "sami", SAMI) == "supervisor"
        await nurse.ask("users.role", user="amina", role="nurse")
        assert await code(nurse, "users.list") == "sign-in-needed"
        assert await signs_in(world, "amina", PIN) == "nurse"
    assert actions(world) == [("users.role:supervisor", "sami"), ("users.role:nurse", "amina")]


async def test_who_is_disabled_gets_in_no_more_stays_on_the_list_and_may_come_back(world: World) -> None:
    async with world.nurse() as nurse, connect(world.socket) as api:
        sami = Nurse(api)
        await sami.ask("sign-in", user="sami", pin=SAMI)
        await nurse.ask("users.disable", user="sami")
        assert await code(sami, "patient.list") == "sign-in-needed"
        assert await signs_in(world, "sami", SAMI) == "wrong-pin"
        assert await code(nurse, "users.disable", user="sami") == "no-such-user"
        listed = {each["user"]: each["disabled"] for each in (await nurse.ask("users.list"))["users"]}
        assert listed == {"amina": False, "sami": True, "tariq": False}
        await nurse.ask("users.add", user="sami", name="Sami", role="nurse", pin=NEW)
        assert await signs_in(world, "sami", SAMI) == "wrong-pin"
        assert await signs_in(world, "sami", NEW) == "nurse"
    assert [action for action, _ in actions(world)] == ["users.disable", "users.add"]


async def test_a_repeated_request_is_done_once(world: World) -> None:
    request = new_request_id()
    async with world.nurse() as nurse:
        for _ in range(3):
            await nurse.api.call("users.disable", request_id=request, user="sami")
    assert actions(world) == [("users.disable", "sami")]


class Cut(BaseException):
    """The power goes."""


def cut_at(write: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have the power go at the n-th file of the slots; the result brings it back."""
    left = [write]

    def dying(path: Any, content: bytes) -> None:  # noqa: ANN401  as it came
        if left[0] == 0:
            raise Cut
        left[0] -= 1
        files.write_private(path, content)

    monkeypatch.setattr(slot_file, "write_private", dying)
    return lambda: monkeypatch.setattr(slot_file, "write_private", files.write_private)


@pytest.mark.parametrize(("copies_written", "happened"), [(0, False), (1, True), (2, True)])
async def test_a_change_that_is_cut_short_is_settled_at_the_next_unlock(
    world: World, monkeypatch: pytest.MonkeyPatch, copies_written: int, *, happened: bool
) -> None:
    request = new_request_id()
    store = world.store()
    loaded = Slots.load(world.home / "store" / "slots", SECRET)
    begun = 0

    def commit(work: Callable[[Transaction], None]) -> None:
        nonlocal begun
        begun += 1
        if begun == 2:
            raise Cut
        with store.write() as tx:
            work(tx)

    mend = cut_at(copies_written, monkeypatch)
    change = Change("users.disable", "sami", "users.disable", request)
    with pytest.raises(Cut):
        carry_out(commit, store, loaded.reload, loaded.without("sami", KEY), change, STAMP)
    assert begun == (1 if copies_written < 2 else 2)
    store.close()
    mend()
    async with world.nurse() as nurse:
        assert await signs_in(world, "sami", SAMI) == ("wrong-pin" if happened else "nurse")
        if happened:
            await nurse.api.call("users.disable", request_id=request, user="sami")
    said = [("users.disable", "sami")]
    assert actions(world) == (said if happened else [*said, ("users.disable:undone", "sami")])
    store = world.store()
    assert store.slots_intent is None
    assert store.slots_generation == Slots.load(world.home / "store" / "slots", SECRET).generation * happened
    store.close()


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


async def test_slots_that_cannot_be_written_leave_everything_as_it_was_and_say_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.nurse() as nurse:
        with monkeypatch.context() as broken:
            broken.setattr(slot_file, "write_private", _full)
            assert await code(nurse, "users.disable", user="sami") == SecretNotKept.code
        assert await signs_in(world, "sami", SAMI) == "nurse"
        await nurse.ask("users.disable", user="sami")
    assert [action for action, _ in actions(world)] == [
        "users.disable", "users.disable:undone", "users.disable"
    ]  # fmt: skip


def test_an_intent_is_there_before_the_slots_are(world: World) -> None:
    """The entry is durable when the first byte of the slot file is written, never after it."""
    store = world.store()
    loaded = Slots.load(world.home / "store" / "slots", SECRET)
    seen: list[tuple[str, Any]] = []

    class Watching(Slots):
        def save(self) -> None:
            seen.extend(actions(world))
            super().save()

    new = loaded.with_role("sami", "technician", KEY)
    new.__class__ = Watching

    def commit(work: Callable[[Transaction], None]) -> None:
        with store.write() as tx:
            work(tx)

    carry_out(commit, store, loaded.reload, new, Change("users.role", "sami", "users.role"), STAMP)
    store.close()
    assert seen == [("users.role", "sami")]
