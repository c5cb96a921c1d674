"""What becomes of what a cuff says: whose reading it is, and what is shown without being kept."""

import dataclasses
from decimal import Decimal

import pytest

from edge.ports.caller import CallRefused
from edge.records.fields import Stream
from edge.vitals.codes import Code
from edge.vitals.quantity import Quantity, Unit
from edge.vitals.reading import Mode, Reading
from tests.edge.agent.agent_world import ScriptedDriver, World, pressure, until

PUMPING = Reading(
    ((Code.CUFF_PRESSURE, Quantity(Decimal(152), Unit.MILLIMETRE_OF_MERCURY)),), mode=Mode.CONTINUOUS
)


def cuff_reading(systolic: int, *, just_taken: bool) -> Reading:
    said = pressure(systolic, 80, f"record {systolic}".encode())
    return dataclasses.replace(said, just_taken=just_taken)


async def test_a_record_of_now_is_the_open_visits_and_one_of_before_waits_in_the_tray(
    world: World, oximeter: ScriptedDriver
) -> None:
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["readings"])
        visit = await nurse.visit()
        oximeter.say(cuff_reading(118, just_taken=False), cuff_reading(121, just_taken=True))
        oximeter.say(cuff_reading(121, just_taken=True))  # the link broke before the cuff knew
        for _ in range(3):
            assert (await nurse.event("reading"))["finished"] is True
        await until(lambda: world.store().watermark(Stream.VITALS).tip >= 7)
        kept = (await nurse.ask("encounter.show", encounter=visit))["observations"]
        tray = (await nurse.ask("tray.list"))["observations"]
        assert [o["value"] for o in kept] == ["121", "80"]
        assert [o["value"] for o in tray] == ["118", "80"]


async def test_a_live_reading_that_may_be_anybodys_waits_in_the_tray(
    world: World, oximeter: ScriptedDriver
) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        oximeter.say(dataclasses.replace(pressure(121, 80), just_taken=False))
        await until(lambda: world.store().watermark(Stream.VITALS).tip >= 3)
        assert (await nurse.ask("encounter.show", encounter=visit))["observations"] == []
        assert len((await nurse.ask("tray.list"))["observations"]) == 2


async def test_what_a_thermometer_shows_while_it_rises_is_never_kept(
    world: World, oximeter: ScriptedDriver
) -> None:
    def rising(celsius: str) -> Reading:
        value = Quantity(Decimal(celsius), Unit.CELSIUS)
        return Reading(((Code.TEMPERATURE, value),), mode=Mode.CONTINUOUS, passing=True)

    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["readings"])
        visit = await nurse.visit()
        oximeter.say(*[rising("36.1")] * 10, rising("97.9"))
        for _ in range(10):
            shown = await nurse.event("reading")
            assert (shown["values"][0]["value"], shown["settled"]) == ("36.1", False)
        assert (await nurse.event("reading"))["values"] == [{"code": "temp", "missing": "out-of-range"}]
        with pytest.raises(CallRefused) as refused:
            await nurse.ask("take", device="oximeter-1")
        assert refused.value.stable_code == "nothing-to-take"
        assert (await nurse.ask("encounter.show", encounter=visit))["observations"] == []


async def test_the_pressure_in_the_cuff_is_shown_and_never_kept(
    world: World, oximeter: ScriptedDriver
) -> None:
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["readings"])
        visit = await nurse.visit()
        oximeter.say(*[PUMPING] * 10)
        for _ in range(10):
            shown = await nurse.event("reading")
            assert shown["values"] == [{"code": "bp.cuff", "value": "152", "unit": "mm[Hg]"}]
            assert (shown["settled"], shown["finished"]) == (False, False)
        with pytest.raises(CallRefused) as refused:
            await nurse.ask("take", device="oximeter-1")
        assert refused.value.stable_code == "nothing-to-take"
        assert (await nurse.ask("encounter.show", encounter=visit))["observations"] == []
