"""The screen lock and the store lock of a real agent, on a clock that a test moves."""

import asyncio
import dataclasses
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from edge.agent.parts import Device, Pace
from edge.agent.service import run
from edge.clock import SystemClock
from edge.errors import QafilaError
from edge.localapi.client import connect
from edge.ports.caller import CallRefused
from edge.records.fields import Stream
from tests.edge.agent.agent_world import (
    PIN,
    Card,
    Centre,
    Nurse,
    ScriptedDriver,
    World,
    finger_off,
    pressure,
    shown,
)
from tests.edge.agent.test_agent_people import actions, code

LOOK_S = 0.02
SCREEN_S, STORE_S = 120.0, 900.0


class MovedClock(SystemClock):
    """The system's clock, put ahead by a test."""

    ahead_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.ahead_s


@pytest.fixture
def cuff() -> ScriptedDriver:
    return ScriptedDriver("cuff-1")


@pytest.fixture
def moved() -> MovedClock:
    return MovedClock()


@pytest.fixture
def world(tmp_path: Path, cuff: ScriptedDriver, moved: MovedClock) -> World:
    pace = Pace(device_retry_s=0.02, mail_s=0.02, heartbeat_s=0.05, lock_look_s=LOOK_S, anew_s=0.05)
    made = World(tmp_path, Centre(), [Device(cuff)], pace=pace, clock=moved)
    made.make()
    return made


async def status(nurse: Nurse) -> dict[str, Any]:
    return await nurse.ask("status")


async def until_it_is(nurse: Nurse, true: Callable[[dict[str, Any]], bool]) -> None:
    async with asyncio.timeout(30):
        while not true(await status(nurse)):
            await asyncio.sleep(0.01)


async def looked(world: World) -> None:
    """Wait until the agent has looked at its locks a few times since."""
    async with connect(world.socket) as api:
        for _ in range(5):
            await api.call("status")
            await asyncio.sleep(2 * LOOK_S)


def observations(world: World) -> int:
    store = world.store()
    try:
        visit = store.open_encounter()
        return 0 if visit is None else len(store.observations(visit.encounter))
    finally:
        store.close()


async def test_after_two_minutes_without_a_sign_the_screen_is_locked_and_capture_goes_on(
    world: World, moved: MovedClock, cuff: ScriptedDriver
) -> None:
    async with world.nurse() as nurse:
        await nurse.visit()
        await nurse.ask("subscribe", topics=["readings", "saved"])
        moved.ahead_s += SCREEN_S - 5
        await looked(world)
        await nurse.ask("present")
        moved.ahead_s += SCREEN_S - 5
        await looked(world)
        await nurse.ask("patient.list")
        moved.ahead_s += 5
        await nurse.event("screen-locked")
        assert await code(nurse, "patient.list") == "screen-locked"
        assert (await status(nurse))["locked"] is False
        cuff.say(pressure(120, 80))
        async with asyncio.timeout(30):
            while observations(world) < 2:
                await asyncio.sleep(0.01)
        told: list[str] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                async for name, _ in nurse.api.events():
                    told.append(name)
        assert set(told) <= {"heartbeat"}, "nothing of a patient reaches a locked screen"
        await nurse.ask("sign-in", user="amina", pin=PIN)
        assert await nurse.ask("patient.list")
    assert actions(world, "screen-locked") == [("screen-locked", None)]


async def test_what_a_screen_asks_by_itself_is_no_sign(world: World, moved: MovedClock) -> None:
    async with world.nurse() as nurse:
        for _ in range(4):
            moved.ahead_s += SCREEN_S / 4
            with suppress(QafilaError):
                await nurse.ask("patient.list")
        assert await code(nurse, "patient.list") == "screen-locked"


async def test_a_lock_that_is_due_holds_before_anybody_has_looked(world: World, moved: MovedClock) -> None:
    world.pace = Pace(lock_look_s=3600.0, screen_lock_s=7200.0, store_lock_s=1e9)
    async with world.nurse() as nurse:
        moved.ahead_s += 7200 - 3600
        assert await code(nurse, "patient.list") == "screen-locked"


async def test_one_screen_locks_and_the_other_goes_on(world: World, moved: MovedClock) -> None:
    async with world.nurse() as nurse, connect(world.socket) as api:
        other = Nurse(api)
        await other.ask("sign-in", user="sami", pin="739154")
        moved.ahead_s += SCREEN_S - 5
        await other.ask("present")
        moved.ahead_s += 10
        assert await code(nurse, "patient.list") == "screen-locked"
        await other.ask("patient.list")


async def test_fifteen_minutes_without_visit_and_devices_lock_the_store(
    world: World, moved: MovedClock, cuff: ScriptedDriver
) -> None:
    async with world.nurse() as nurse:
        encounter = await nurse.visit()
        moved.ahead_s += 2 * STORE_S
        await looked(world)
        assert (await status(nurse))["locked"] is False, "a visit is open"
        await nurse.ask("sign-in", user="amina", pin=PIN)
        await nurse.ask("encounter.close", encounter=encounter)
        moved.ahead_s += STORE_S - 5
        cuff.say(finger_off(1.0))
        cuff.say(shown(97, 62, 2.0))
        await looked(world)
        moved.ahead_s += STORE_S - 5
        await looked(world)
        assert (await status(nurse))["locked"] is False, "a device gave a number"
        moved.ahead_s += 10
        await until_it_is(nurse, lambda said: said["locked"])
        assert await code(nurse, "patient.list") == "store-locked"
    assert ("store-locked:idle", None) in actions(world, "store-locked")


async def test_a_command_leaves_a_locked_store_locked(world: World) -> None:
    async with world.running(), connect(world.socket) as watching:
        watcher = Nurse(watching)
        async with connect(world.socket) as api:
            await Nurse(api).ask("sign-in", user="tariq", pin="615243", brief=True)
            assert (await status(watcher))["locked"] is False
            await Nurse(api).ask("sign-out")
            assert (await status(watcher))["locked"] is True
        async with connect(world.socket) as api:  # and so does one that is killed
            await Nurse(api).ask("sign-in", user="tariq", pin="615243", brief=True)
            assert (await status(watcher))["locked"] is False
        await until_it_is(watcher, lambda said: said["locked"])
        assert await code(watcher, "patient.list") == "store-locked"


async def test_a_lock_ends_the_process_for_a_new_one_at_once_and_after_a_command_when_no_other_follows(
    world: World, moved: MovedClock
) -> None:
    asked = list[QafilaError | None]()

    def refused() -> QafilaError | None:
        asked.append(QafilaError("unit.toml is refused."))
        return asked[-1]

    def allowed() -> None:
        asked.append(None)

    async def life(why_not: Callable[[], QafilaError | None]) -> bool:
        asked.clear()
        return await run(dataclasses.replace(world.parts(), begins_anew=why_not))

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        first = group.create_task(life(allowed))
        await world.until_it_listens()
        async with connect(world.socket) as api:
            await Nurse(api).ask("sign-in", user="tariq", pin="615243", brief=True)
            await Nurse(api).ask("sign-out")
        await looked(world)
        assert (asked, first.done()) == ([], False), "another command may follow"
        moved.ahead_s += 16
        assert await first is True

        world.card = lambda: "store-read-only"
        troubled = group.create_task(life(allowed))
        await world.until_it_listens()
        async with connect(world.socket) as api:
            with suppress(CallRefused):
                await Nurse(api).ask("sign-in", user="amina", pin=PIN)
                await Nurse(api).ask("lock")
            await looked(world)
        assert (asked, troubled.done()) == ([], False), "a new start would not know what is wrong"
        troubled.cancel()
        await asyncio.wait([troubled])
        world.card = lambda: None

        def mended() -> QafilaError | None:
            if len(asked) < 2:
                return refused()
            asked.append(None)
            return None

        second = group.create_task(life(mended))
        await world.until_it_listens()
        async with connect(world.socket) as api:
            await Nurse(api).ask("sign-in", user="amina", pin=PIN)
            await looked(world)
            assert asked == []
            assert await Nurse(api).ask("lock") == {}
            while not asked:
                await asyncio.sleep(0.01)
            assert (await status(Nurse(api)))["locked"] is True, "it goes on, rather than not at all"
        assert await second is True, "it asks again, and nobody has to start it"
        assert [each is None for each in asked] == [False, False, True]


async def test_who_is_told_to_stop_while_it_ends_does_not_begin_anew(world: World) -> None:
    """The service manager's SIGTERM comes while the agent is asked whether it could begin anew."""

    def allowed() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        life = group.create_task(run(dataclasses.replace(world.parts(), begins_anew=allowed)))
        await world.until_it_listens()
        async with connect(world.socket) as api:
            await Nurse(api).ask("sign-in", user="amina", pin=PIN)
            assert await Nurse(api).ask("lock") == {}
        assert await life is False


async def test_a_command_that_finds_the_store_open_leaves_it_open(world: World) -> None:
    async with world.nurse() as nurse:
        async with connect(world.socket) as api:
            await Nurse(api).ask("sign-in", user="tariq", pin="615243", brief=True)
            await Nurse(api).ask("sign-out")
        await looked(world)
        await nurse.ask("patient.list")
        await nurse.ask("sign-out")
        await looked(world)
        assert (await status(nurse))["locked"] is False, "measuring goes on when a nurse leaves her screen"


async def test_somebody_who_comes_to_stay_meanwhile_is_not_locked_out(world: World) -> None:
    async with world.running(), connect(world.socket) as staying:
        nurse = Nurse(staying)
        async with connect(world.socket) as api:
            await Nurse(api).ask("sign-in", user="tariq", pin="615243", brief=True)
            await nurse.ask("sign-in", user="amina", pin=PIN)
        await looked(world)
        await nurse.ask("patient.list")


async def test_the_store_locks_even_when_its_disk_takes_nothing(
    world: World, moved: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card(monkeypatch)
    async with world.nurse() as nurse:
        card.full = True
        moved.ahead_s += STORE_S
        await until_it_is(nurse, lambda said: said["locked"])
        card.full = False
        await nurse.ask("sign-in", user="amina", pin=PIN)
    store = world.store()
    assert store.verify().valid
    assert store.watermark(Stream.AUDIT).tip > 1
    store.close()
