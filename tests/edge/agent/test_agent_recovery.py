"""Back in by telephone, through a real agent: challenge, code, new PIN, alert, new key."""

from typing import Any

import pytest

from edge import recovery
from edge.errors import QafilaError
from edge.localapi.client import connect
from edge.records.fields import Stream
from edge.recovery import Reason
from edge.security.lockout import FREE_FAILURES
from edge.security.slots import Slots
from edge.store import rekey
from edge.store.errors import WrongKey
from edge.store.store import Store
from tests.edge.agent.agent_world import KEY, PIN, SECRET, UNIT, Nurse, World
from tests.edge.agent.test_agent_people import NEW, code, signs_in

WHY = Reason.FORGOTTEN_PIN


@pytest.fixture
def world(world: World) -> World:
    world.recovery_key = recovery.make_private()
    return world


def unlocked(world: World, user: str, pin: str) -> Store:
    key = Slots.load(world.home / "store" / "slots", SECRET).unlock(user, pin)
    return Store.open(world.home / "store" / "qafila.db", key)


async def asked(nurse: Nurse, user: str = "amina") -> str:
    return str((await nurse.ask("recover.ask", user=user, reason=WHY.value))["challenge"])


def centre_says(world: World, challenge: str, user: str = "amina") -> str:
    assert world.recovery_key is not None
    return recovery.answer(world.recovery_key, challenge, UNIT, user, WHY)


def fields(said: str, user: str = "amina", pin: str = NEW) -> dict[str, Any]:
    return {"user": user, "reason": WHY.value, "code": said, "pin": pin}


async def test_a_forgotten_pin_is_replaced_by_telephone_and_the_store_gets_a_new_key(world: World) -> None:
    async with world.nurse("sami", "739154") as nurse:  # who signs in first seals the slot
        await nurse.observe(await nurse.visit())
    async with world.running(), connect(world.socket) as api:
        nurse = Nurse(api)
        challenge = await asked(nurse)
        assert len(challenge.replace("-", "")) == 60
        said = centre_says(world, challenge.lower().replace("-", " "))
        misheard = said[:-1] + ("7" if said.endswith("Z") else "Z")
        assert await code(nurse, "recover", **fields(misheard)) == "recovery-code-wrong"
        assert await code(nurse, "recover", **fields(said, user="sami")) == "recovery-code-wrong"
        assert await code(nurse, "recover", **fields(said, pin="123456")) == "pin-too-weak"
        assert await nurse.ask("recover", **fields(said)) == {"rotated": True}
        assert (await nurse.ask("status"))["locked"] is True
        assert await signs_in(world, "amina", PIN) == "wrong-pin"
        assert await code(nurse, "recover", **fields(said)) == "recovery-code-wrong", "a code is used once"
        assert await signs_in(world, "sami", "739154") == "nurse"
        assert await signs_in(world, "amina", NEW) == "supervisor"
    with pytest.raises(WrongKey):
        Store.open(world.home / "store" / "qafila.db", KEY)
    store = unlocked(world, "amina", NEW)
    assert store.verify().valid
    row = store._row("SELECT code, text, operator, patient FROM alerts")
    assert row == ("recovered", "forgotten-pin", "amina", None)
    alerts = store.entries(Stream.ALERT, 2, store.watermark(Stream.ALERT).tip)
    assert len(alerts) == 1
    store.close()
    assert world.spooled("alert"), "sealed to leave first"


async def test_an_old_slot_file_and_an_old_code_open_nothing_after_it(world: World) -> None:
    async with world.nurse() as nurse:
        challenge = await asked(nurse)
    files = [world.home / "store" / name for name in ("slots", "slots.2")]
    old = [file.read_bytes() for file in files]
    said = centre_says(world, challenge)
    async with world.running(), connect(world.socket) as api:
        await Nurse(api).ask("recover", **fields(said))
    for file, content in zip(files, old, strict=True):
        file.write_bytes(content)
    async with world.running(), connect(world.socket) as api:
        assert await signs_in(world, "amina", PIN) == "wrong-key"
        assert await code(Nurse(api), "recover", **fields(said)) == "wrong-key"


async def test_before_enrolment_there_is_no_way_by_telephone(world: World) -> None:
    world.enrolled = False
    async with world.nurse() as nurse:
        assert await code(nurse, "recover.ask", user="amina", reason=WHY.value) == "no-recovery-slot"
        assert await code(nurse, "recover", **fields("0" * 32)) == "no-recovery-slot"


async def test_another_recovery_key_in_the_keyset_gets_a_slot_of_its_own(world: World) -> None:
    async with world.nurse() as nurse:
        first = await asked(nurse)
        world.recovery_key = recovery.make_private()
        assert await signs_in(world, "sami", "739154") == "nurse"
        second = await asked(nurse)
        assert first != second
        centre_says(world, second)


async def test_codes_cannot_be_tried_out(world: World) -> None:
    async with world.nurse() as nurse:
        codes = [await code(nurse, "recover", **fields("0" * 32)) for _ in range(6)]
        assert codes == ["recovery-code-wrong"] * 5 + ["too-many-attempts"]
        assert await signs_in(world, "amina", PIN) == "supervisor", "wrong codes lock nobody out"


async def test_a_supervisor_changes_the_key_and_everybody_signs_in_again(world: World) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        await nurse.observe(visit)
        assert await signs_in(world, "sami", "739154") == "nurse"
        await nurse.ask("key.rotate")
        assert await code(nurse, "patient.list") == "store-locked"
        await nurse.ask("sign-in", user="amina", pin=PIN)
        assert len((await nurse.ask("encounter.show", encounter=visit))["observations"]) == 1
        await nurse.ask("recover.ask", user="amina", reason=WHY.value)


async def test_nobody_of_this_name_gets_no_challenge_and_names_are_not_tried_out(world: World) -> None:
    async with world.nurse() as nurse:
        await nurse.ask("sign-in", user="amina", pin=PIN)
        assert await asked(nurse)
        for _ in range(FREE_FAILURES + 1):
            assert await code(nurse, "recover.ask", user="nobody", reason=WHY.value) == "no-such-user"
        for user in ("nobody", "amina"):
            assert await code(nurse, "recover.ask", user=user, reason=WHY.value) == "too-many-attempts"


@pytest.mark.parametrize("where", ["prepare", "finish"])
async def test_a_key_change_that_fails_leaves_the_new_pin_and_a_store_that_opens(
    world: World, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise QafilaError("The disk is full.", next_step="Free space.", code="store-full")

    async with world.nurse() as nurse:
        said = centre_says(world, await asked(nurse))
        monkeypatch.setattr(rekey, where, broken)
        assert await nurse.ask("recover", **fields(said)) == {"rotated": False}
        assert await signs_in(world, "amina", NEW) == "supervisor"
        await nurse.ask("sign-in", user="amina", pin=NEW)
    store = unlocked(world, "amina", NEW)
    assert store.verify().valid
    store.close()


def test_each_letter_of_challenge_and_code_matters() -> None:
    private = recovery.make_private()
    slot = recovery.seal(recovery.public(private), UNIT, KEY)
    challenge = recovery.challenge(slot, UNIT, "amina", WHY)
    said = recovery.answer(private, challenge, UNIT, "amina", WHY)
    assert recovery.unseal(slot, said, UNIT, "amina", WHY) == KEY
    for text, use in (
        (challenge, lambda t: recovery.answer(private, t, UNIT, "amina", WHY)),
        (said, lambda t: recovery.unseal(slot, t, UNIT, "amina", WHY)),
    ):
        for place, letter in enumerate(text):
            wrong = text[:place] + ("7" if letter != "7" else "8") + text[place + 1 :]
            with pytest.raises(recovery.RecoveryRefused):
                use(wrong)
        for cut in ("", text[:-1], text + "0", "ü" * len(text), "\N{ARABIC-INDIC DIGIT FIVE}" * 60):
            with pytest.raises(recovery.RecoveryRefused):
                use(cut)
    for unit, user, why in (("van-08", "amina", WHY), (UNIT, "sami", WHY), (UNIT, "amina", Reason.HANDOVER)):
        with pytest.raises(recovery.RecoveryRefused):
            recovery.answer(private, challenge, unit, user, why)
        with pytest.raises(recovery.RecoveryRefused):
            recovery.unseal(slot, said, unit, user, why)
    other = recovery.answer(recovery.make_private(), challenge, UNIT, "amina", WHY)
    with pytest.raises(recovery.RecoveryRefused):
        recovery.unseal(slot, other, UNIT, "amina", WHY)


def test_what_is_misread_over_a_telephone_is_understood() -> None:
    private = recovery.make_private()
    slot = recovery.seal(recovery.public(private), UNIT, KEY)
    challenge = recovery.challenge(slot, UNIT, "amina", WHY)
    heard = challenge.replace("0", "o").replace("1", "l").replace("-", "  ").lower()
    said = recovery.answer(private, heard, UNIT, "amina", WHY)
    assert recovery.unseal(slot, said.replace("1", "I").replace("0", "O"), UNIT, "amina", WHY) == KEY
