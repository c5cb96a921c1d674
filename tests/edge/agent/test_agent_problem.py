"""What ``status`` says is wrong: before anybody signs in, and while the disk takes nothing."""

import logging

import pytest

from edge.agent.commit import Saves
from edge.errors import QafilaError
from edge.localapi.client import connect
from edge.ports.caller import CallRefused
from edge.store.errors import StoreFull, StoreMissing, StoreRefused
from tests.edge.agent.agent_world import Card, World


async def test_a_locked_agent_says_what_is_missing_and_logs_it_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    found: QafilaError | None = StoreMissing("There is none.", next_step="Make one.")
    world.preconditions = lambda: found  # as it is when asked
    with caplog.at_level(logging.ERROR):
        async with world.running(), connect(world.socket) as api:
            for _ in range(2):
                status = await api.call("status")
                assert (status["locked"], status["problem"]) == (True, "store-missing")
            found = None
            assert (await api.call("status"))["problem"] is None
    [told] = [vars(record) for record in caplog.records]
    assert (told["code"], told["sentence"], told["next"]) == ("store-missing", "There is none.", "Make one.")


async def test_a_full_disk_is_the_problem_until_a_save_succeeds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card(monkeypatch)
    async with world.nurse() as nurse:
        card.full = True
        code = ""
        while code != "store-full":  # until the pages at hand are used up
            try:
                await nurse.patient()
            except CallRefused as error:
                code = error.stable_code
        assert (await nurse.ask("status"))["problem"] == "store-full"
        card.full = False
        assert (await nurse.ask("status"))["problem"] == "store-full"
        await nurse.patient()
        assert (await nurse.ask("status"))["problem"] is None


def test_a_refused_request_is_no_problem_of_the_unit_and_does_not_hide_one() -> None:
    saves = Saves()
    saves.failed(StoreRefused("Not open.", code="encounter-not-open"))
    assert saves.problem is None
    saves.failed(StoreFull("Full."))
    saves.failed(StoreRefused("Not open.", code="encounter-not-open"))
    assert saves.problem == "store-full"


async def test_too_many_wrong_pins_say_how_long_to_wait(world: World) -> None:
    async with world.running(), connect(world.socket) as api:
        refused: list[CallRefused] = []
        while not refused or refused[-1].stable_code == "wrong-pin":
            with pytest.raises(CallRefused) as error:
                await api.call("sign-in", user="amina", pin="111111")
            refused.append(error.value)
    last = refused[-1]
    assert (last.stable_code, last.sentence, last.about) == (
        "too-many-attempts",
        "Too many wrong PINs: wait 2 s.",
        ("2 s",),
    )
