"""Breaking the glass, through a real agent: alert first, then access, for minutes only."""

from pathlib import Path

import pytest

from edge.agent.parts import Device, Pace
from edge.localapi.client import connect, new_request_id
from edge.records.fields import Stream
from edge.store.errors import StoreFull
from edge.store.store import Store
from tests.edge.agent.agent_world import Centre, Nurse, ScriptedDriver, World
from tests.edge.agent.test_agent_locks import LOOK_S, MovedClock
from tests.edge.agent.test_agent_people import actions, code

TARIQ = "615243"


@pytest.fixture
def moved() -> MovedClock:
    return MovedClock()


@pytest.fixture
def world(tmp_path: Path, moved: MovedClock) -> World:
    pace = Pace(mail_s=0.02, lock_look_s=LOOK_S, screen_lock_s=7200.0, store_lock_s=1e9)
    made = World(tmp_path, Centre(), [Device(ScriptedDriver())], pace=pace, clock=moved)
    made.make()
    return made


def alerts(world: World) -> list[tuple[object, ...]]:
    store = world.store()
    try:
        return store._rows("SELECT code, text, operator FROM alerts")
    finally:
        store.close()


async def test_the_alert_is_committed_before_anything_is_shown_and_it_ends_by_itself(
    world: World, moved: MovedClock
) -> None:
    async with world.nurse("tariq", TARIQ) as tariq:
        assert await code(tariq, "patient.list") == "not-allowed"
        assert alerts(world) == []
        assert await tariq.ask("break-glass", reason="nurse is ill, patient collapsed", minutes=10) == {
            "minutes": 10
        }
        assert alerts(world) == [("glass-broken", "nurse is ill, patient collapsed", "tariq")]
        assert world.spooled("alert")
        await tariq.ask("patient.list")
        await tariq.ask("subscribe", topics=["readings"])
        moved.ahead_s += 599
        await tariq.ask("patient.list")
        moved.ahead_s += 1
        assert await code(tariq, "patient.list") == "not-allowed"
        await tariq.event("glass-whole")
        assert await code(tariq, "subscribe", topics=["readings"]) == "not-allowed"
        assert (await tariq.ask("users.list"))["users"], "what a technician may, may still be done"
    assert actions(world, "glass") == [("glass-broken:10min", None)]
    assert actions(world, "patient.list")


async def test_an_old_request_opens_nothing_again(world: World, moved: MovedClock) -> None:
    request = new_request_id()
    async with world.nurse("tariq", TARIQ) as tariq:
        for allowed in (True, False):
            await tariq.api.call("break-glass", request_id=request, reason="nurse is ill", minutes=5)
            if allowed:
                await tariq.ask("patient.list")
                moved.ahead_s += 300
            assert await code(tariq, "patient.list") == "not-allowed"
    assert len(alerts(world)) == 1


async def test_it_is_no_supervisors_right_and_ends_with_the_session(world: World) -> None:
    async with world.nurse("tariq", TARIQ) as tariq:
        await tariq.ask("break-glass", reason="nurse is ill", minutes=60)
        assert await code(tariq, "users.disable", user="sami") == "not-allowed"
        assert await code(tariq, "device.scan") == "not-allowed", "a nurse for now, not both"
        await tariq.ask("sign-in", user="tariq", pin=TARIQ)
        assert await code(tariq, "patient.list") == "not-allowed"


@pytest.mark.parametrize(
    "fields", [{"reason": "", "minutes": 5}, {"reason": "x", "minutes": 61}, {"minutes": 5}]
)
async def test_without_a_reason_or_for_longer_it_is_refused(world: World, fields: dict[str, object]) -> None:
    async with world.nurse("tariq", TARIQ) as tariq:
        assert await code(tariq, "break-glass", **fields) == "field-refused"
        assert await code(tariq, "patient.list") == "not-allowed"


async def test_who_may_see_patients_has_no_glass_to_break(world: World) -> None:
    async with world.nurse("sami", "739154") as sami:
        assert await code(sami, "break-glass", reason="x", minutes=5) == "not-allowed"


async def test_a_disk_that_takes_no_alert_gives_no_access(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreFull("The disk is full.", next_step="Free space.")

    async with world.nurse("tariq", TARIQ) as tariq, connect(world.socket) as api:
        with monkeypatch.context() as disk:
            disk.setattr(Store, "write", full)
            assert await code(tariq, "break-glass", reason="nurse is ill", minutes=5) == "store-full"
        assert await code(tariq, "patient.list") == "not-allowed"
        assert (await Nurse(api).ask("status"))["locked"] is False
    store = world.store()
    assert store.watermark(Stream.ALERT).tip == 1
    store.close()
