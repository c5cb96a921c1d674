"""What stands on a patient's sheet: of that visit, accounted for before it is given."""

import uuid
from decimal import Decimal
from typing import Any

import pytest

from edge import cbor
from edge.agent import sheet
from edge.ports.caller import CallRefused
from edge.records.fields import Field, Stream
from edge.vitals.codes import Code
from edge.vitals.quantity import Quantity, Unit
from edge.vitals.reading import Flaw, Flawed, Mode, Reading, Wave
from tests.edge.agent.agent_world import Nurse, ScriptedDriver, World, until

RATE = Decimal(130)
ON = Reading(((Code.HEART_RATE, Quantity(Decimal(70), Unit.PER_MINUTE)),), mode=Mode.CONTINUOUS)


def frame(first: int, *flaws: Flawed) -> Wave:
    """A tenth of ten seconds that counts upwards, so that a strip tells where it was cut."""
    return Wave(
        Code.ECG,
        "II",
        Unit.MICROVOLT,
        RATE,
        list(range(first, first + 130)),
        step=Decimal("2.5"),
        flaws=flaws,
    )


async def measured(nurse: Nurse, patient: str, *temperatures: str) -> str:
    visit = str((await nurse.ask("encounter.open", patient=patient))["encounter"])
    for said in temperatures:
        await nurse.observe(visit, value=said)
    return visit


def accesses(world: World) -> list[tuple[Any, Any]]:
    store = world.store()
    try:
        entries = store.entries(Stream.AUDIT, 1, store.watermark(Stream.AUDIT).tip)
    finally:
        store.close()
    said = [cbor.decode(entry.payload) for entry in entries if entry.payload is not None]
    return [
        (each.get(Field.ACTION), each.get(Field.OBJECT))
        for each in said
        if isinstance(each, dict) and each.get(Field.ACTION) == sheet.METHOD
    ]


async def test_the_visit_and_what_earlier_ones_gave_and_nobody_else(world: World) -> None:
    async with world.nurse() as nurse:
        patient, other = await nurse.patient("Benali"), await nurse.patient("Alaoui")
        for whose, said in ((patient, "37.2"), (other, "39.9")):
            await nurse.ask("encounter.close", encounter=await measured(nurse, whose, said))
        visit = await measured(nurse, patient, "36.9")
        told = await nurse.ask("visit.sheet", encounter=visit)
        assert (told["realm"], told["unit"], told["made_by"]) == ("training", "van-07", "Amina")
        assert told["record"]["family"] == "Benali"
        assert [each["value"] for each in told["visit"]["observations"]] == ["36.9"]
        assert [each["values"] for each in told["earlier"]] == [{"temp": "37.2"}]
        assert (told["earlier_at_centre"], told["strip"]) == (False, None)


async def test_every_sheet_is_in_the_audit_trail_so_a_second_one_is_seen(world: World) -> None:
    async with world.nurse() as nurse:
        visit = await measured(nurse, await nurse.patient("Benali"), "36.9")
        for _ in range(2):
            await nurse.ask("visit.sheet", encounter=visit)
    assert accesses(world) == [(sheet.METHOD, uuid.UUID(visit).bytes)] * 2


async def test_the_strip_is_the_cleanest_ten_seconds_and_not_the_last(
    world: World, oximeter: ScriptedDriver
) -> None:
    off = Flawed(Flaw.LEAD_OFF, 0, 130)
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        await nurse.ask("subscribe", topics=["saved"])
        oximeter.say(ON, *(frame(at * 130, *([off] if at in {1, 2, 22} else [])) for at in range(24)))
        await until(oximeter._events.empty)
        await nurse.ask("encounter.close", encounter=visit)
        strip = (await nurse.ask("visit.sheet", encounter=visit))["strip"]
    assert (strip["lead"], strip["unit"], strip["step"], strip["rate"]) == ("II", "uV", "2.5", "130.000")
    assert strip["samples"] == list(range(1300, 2600)), "the second of three chunks has no electrode off"
    assert strip["flaws"] == []
    assert isinstance(strip["wall_ms"], int)


async def test_a_visit_that_is_not_there_is_said_to_be(world: World) -> None:
    async with world.nurse() as nurse:
        with pytest.raises(CallRefused) as refused:
            await nurse.ask("visit.sheet", encounter=str(uuid.uuid4()))
    assert refused.value.stable_code == "no-encounter"
    assert accesses(world) == []
