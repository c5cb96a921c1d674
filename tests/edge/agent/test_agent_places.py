"""What a satellite receiver says, told to whoever listens to it and to nobody else."""

import asyncio
import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from edge.agent.parts import Device
from edge.agent.selfcheck import Result, Seen, judged, passed
from edge.vitals.place import NoPosition, Place, Position
from tests.edge.agent.agent_world import Centre, ScriptedDriver, World, shown, until
from tests.edge.agent.workshop_stage import TECHNICIAN, Shop

IFRANE = Position(Decimal("33.5333331"), Decimal("-5.1"), Decimal("1665.0"))
NOON = datetime.datetime(2026, 11, 22, 12, 0, tzinfo=datetime.UTC)


@pytest.fixture
def gps() -> ScriptedDriver:
    return ScriptedDriver("gps-1")


@pytest.fixture
def van(tmp_path: Path, gps: ScriptedDriver) -> World:
    world = World(tmp_path, Centre(), [Device(gps)], workshop=Shop())
    world.make()
    return world


async def test_a_place_is_told_with_its_time_or_why_there_is_none(van: World, gps: ScriptedDriver) -> None:
    async with van.nurse() as nurse:
        await nurse.ask("device.listen", device="gps-1")
        gps.say(
            Place(IFRANE, NOON, 3, satellites=7, hdop=Decimal("0.9")), Place(NoPosition.NO_FIX, satellites=0)
        )
        assert await nurse.event("place") == {
            "device": "gps-1",
            "at": "2026-11-22T12:00:00+00:00",
            "steady": True,
            "latitude": "33.5333331",
            "longitude": "-5.1",
            "altitude_m": "1665.0",
            "satellites": 7,
            "hdop": "0.9",
        }
        lost = await nurse.event("place")
        assert (lost["missing"], lost["at"], lost["satellites"]) == ("no-fix", None, 0)
        assert "latitude" not in lost


async def test_who_listens_to_another_device_hears_of_no_place(van: World, gps: ScriptedDriver) -> None:
    oximeter = ScriptedDriver("oximeter-1")
    van.devices.append(Device(oximeter))
    async with van.nurse() as nurse:
        await nurse.ask("subscribe", topics=["readings", "waves", "saved", "streams", "devices", "link"])
        await nurse.ask("device.listen", device="oximeter-1")
        gps.say(Place(IFRANE, NOON, 3))
        await until(gps._events.empty)
        oximeter.say(shown(97, 72, 1))
        async with asyncio.timeout(30):
            async for name, _ in nurse.api.events():
                assert name != "place"
                if name == "reading":
                    break


async def test_a_receiver_is_tested_by_what_it_says(van: World, gps: ScriptedDriver) -> None:
    async with van.nurse(*TECHNICIAN) as technician:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(technician.ask("device.test", device="gps-1", seconds=60))
            while not task.done():  # what is said before the test opens it anew does not count
                gps.say(Place(NoPosition.NO_FIX))
                await asyncio.sleep(0.05)
        tested = task.result()
        assert tested["passed"] is True
        value = tested["steps"][-1]
        assert (value["step"], value["result"], value["code"]) == ("value", "passed", "no-fix")


@pytest.mark.parametrize(
    ("place", "code"), [(Place(IFRANE), None), (Place(NoPosition.IMPRECISE), "imprecise")]
)
def test_a_receiver_that_speaks_can_be_used(place: Place, code: str | None) -> None:
    seen = Seen(bluetooth=False, ready=False, error=None, identity=None, reading=None, place=place)
    value = judged(seen)[-1]
    assert (value.result, value.code) == (Result.PASSED, code)
    assert bool(value.hint) is (code is not None)
    assert passed(judged(seen))
