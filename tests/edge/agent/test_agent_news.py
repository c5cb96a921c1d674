"""What is known of the unit and its devices comes by itself: nobody has to ask again."""

import dataclasses
import datetime
from decimal import Decimal

import pytest

from edge.clock import SystemClock
from edge.vitals.identity import Identity
from edge.vitals.place import NoPosition, Place, Position
from tests.edge.agent.agent_world import Nurse, ScriptedDriver, World, shown, until
from tests.edge.agent.test_agent_places import gps, van
from tests.edge.agent.workshop_stage import NEW, TECHNICIAN, Shop, pairing

__all__ = ["gps", "van"]  # fixtures
IFRANE = Position(Decimal("33.5333331"), Decimal("-5.1"))


def now_utc() -> datetime.datetime:
    return datetime.datetime.fromtimestamp(SystemClock().now().wall_ms / 1000, datetime.UTC)


async def told(nurse: Nurse, quality: str, place: dict[str, str] | None) -> int | None:
    """Wait until the unit is said to be so; by how much its clock is off."""
    while True:
        news = await nurse.event("unit")
        if (news["clock"]["quality"], news["place"]) == (quality, place):
            return None if news["clock"]["off_ms"] is None else int(news["clock"]["off_ms"])


async def test_a_clock_that_gets_better_and_a_place_are_told(
    van: World, gps: ScriptedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with van.nurse() as nurse:
        await nurse.ask("subscribe", topics=["devices"])
        gps.say(Place(NoPosition.NO_FIX, now_utc(), 100))
        assert await told(nurse, "gnss", None) is not None
        gps.say(Place(IFRANE, now_utc(), 101))
        await told(nurse, "gnss", {"latitude": "33.533", "longitude": "-5.100"})
        gps.say(Place(IFRANE, now_utc() + datetime.timedelta(days=4000), 102))
        off_ms = await told(nurse, "none", {"latitude": "33.533", "longitude": "-5.100"})
        assert off_ms is not None
        assert off_ms > 3_000 * 86_400_000
        monkeypatch.setattr("edge.agent.whereabouts.FRESH_FOR_S", 0.0)  # the roof of a garage
        await told(nurse, "none", None)


async def test_what_stays_as_it_is_is_told_once(van: World, gps: ScriptedDriver) -> None:
    async with van.nurse() as nurse:
        await nurse.ask("subscribe", topics=["devices"])
        gps.say(Place(IFRANE, now_utc(), 100))
        await told(nurse, "gnss", {"latitude": "33.533", "longitude": "-5.100"})
        gps.say(*[Place(IFRANE, now_utc(), 101 + n) for n in range(20)])
        beats = 0
        async for name, _ in nurse.api.events():
            assert name != "unit"
            beats += name == "heartbeat"
            if beats == 20:
                return


async def test_a_battery_a_new_device_and_one_that_is_given_up_are_told(workbench: World, shop: Shop) -> None:
    async with workbench.nurse(*TECHNICIAN) as technician:
        await technician.ask("subscribe", topics=["devices"])
        cuff, reading = shop.made["cuff-1"], shown(97, 72, 1)
        for percent in (80, 80, 9):
            cuff.say(dataclasses.replace(reading, identity=Identity("A&D", battery_percent=percent)))
        batteries: list[int] = []
        while batteries[-1:] != [9]:
            news = await technician.event("device")
            assert (news["key"], news["kind"]) == ("cuff-1", "sig-bp")
            if news.get("identity"):
                batteries.append(news["identity"]["battery_percent"])
        assert batteries == sorted(set(batteries), reverse=True)
        async with pairing(technician, **NEW):
            await until(lambda: "cuff-2" in shop.made)
            shop.keys.add(NEW["port"])
            shop.made["cuff-2"].ready = True
        keys: list[str] = []
        while "cuff-2" not in keys:
            keys.append((await technician.event("device"))["key"])
        await technician.ask("device.forget", device="cuff-2")
        assert await technician.event("device-forgotten") == {"key": "cuff-2"}
