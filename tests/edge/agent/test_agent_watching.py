"""What somebody does with one device that is there: test it, listen, record it, start it."""

import asyncio
import base64
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from edge.agent.parts import Device
from edge.security.recordings import Sealed
from edge.vitals.identity import Identity
from tests.edge.agent.agent_world import Centre, Nurse, ScriptedDriver, World, pressure, shown, until
from tests.edge.agent.workshop_stage import AIR, TECHNICIAN, Recorded, Shop, refused, somebody

# ── testing ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_test_opens_the_device_anew_and_judges_what_it_then_does(
    workbench: World, shop: Shop
) -> None:
    async with workbench.nurse(*TECHNICIAN) as technician:
        cuff = shop.made["cuff-1"]
        cuff.say(pressure(110, 70))  # before the test: says nothing about now
        await until(lambda: len(workbench.store().tray()) == 2)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(technician.ask("device.test", device="cuff-1", seconds=20))
            await until(lambda: cuff.sessions == 2)
            assert shop.tried == [AIR]
            await asyncio.sleep(0.1)
            assert not task.done()
            said = Identity("A&D", "UA-651BLE", "7", battery_percent=8)
            cuff.say(dataclasses.replace(pressure(121, 80), identity=said))
        tested = task.result()
        assert tested["passed"] is False
        results = {step["step"]: (step["result"], step["code"]) for step in tested["steps"]}
        assert results == {
            "way": ("passed", None),
            "there": ("passed", None),
            "paired": ("passed", None),
            "understood": ("passed", None),
            "battery": ("failed", "low-battery"),
            "clock": ("unknown", None),
            "value": ("passed", None),
        }
        # a value of a test is kept like any other
        await until(lambda: len(workbench.store().tray()) == 4)


class Asleep(Recorded):
    """A device that is waited for: nobody knows when it wakes."""

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncIterator[Any]]:
        self.sessions += 1
        await asyncio.Event().wait()
        yield self._listen()


async def test_a_device_that_is_still_waited_for_can_be_tested(tmp_path: Path, shop: Shop) -> None:
    cuff = Asleep(shop, "cuff-1")
    world = World(tmp_path, Centre(), [Device(cuff, port=AIR)], workshop=shop)
    world.make()
    async with world.nurse(*TECHNICIAN) as technician:
        await until(lambda: cuff.sessions == 1)
        tested = await technician.ask("device.test", device="cuff-1", seconds=1)
        assert cuff.sessions == 2
        assert tested["passed"] is False


async def test_a_test_of_a_silent_device_says_what_to_do(workbench: World) -> None:
    async with workbench.nurse(*TECHNICIAN) as technician:
        tested = await technician.ask("device.test", device="cuff-1", seconds=1)
        assert tested["passed"] is False
        failed = [step for step in tested["steps"] if step["result"] == "failed"]
        assert [(step["step"], step["code"]) for step in failed] == [("there", "not-heard")]
        assert failed[0]["hint"]


# ── listening ────────────────────────────────────────────────────────────────────────────────────


async def test_a_technician_hears_a_device_between_visits_and_nothing_of_a_patient(
    workbench: World, shop: Shop
) -> None:
    cuff = shop.made["cuff-1"]
    async with workbench.nurse() as nurse, somebody(workbench, *TECHNICIAN) as technician:
        await technician.ask("device.listen", device="cuff-1")
        cuff.say(shown(97, 72, 1))
        heard = await technician.event("reading")
        assert [value["value"] for value in heard["values"]] == ["97", "72"]
        await nurse.ask("subscribe", topics=["readings"])
        visit = await nurse.visit()
        cuff.say(shown(96, 71, 2))
        await nurse.event("reading")
        await nurse.ask("encounter.close", encounter=visit)
        cuff.say(dataclasses.replace(pressure(118, 76), stored=True), shown(95, 70, 3))
        heard = await technician.event("reading")
        assert [value["value"] for value in heard["values"]] == ["95", "70"]


async def test_who_listens_to_one_device_hears_no_other(workbench: World, shop: Shop) -> None:
    other = ScriptedDriver("oximeter-1")
    workbench.devices.append(Device(other))
    async with workbench.nurse() as nurse:
        await nurse.ask("device.listen", device="cuff-1")
        other.say(shown(91, 61, 1))
        await until(other._events.empty)
        shop.made["cuff-1"].say(shown(97, 72, 1))
        heard = await nurse.event("reading")
        assert heard["device"] == "cuff-1"


# ── recording ────────────────────────────────────────────────────────────────────────────────────


async def recorded(one: Nurse) -> bytes:
    """All pieces that have come."""
    content = b""
    with contextlib.suppress(TimeoutError):
        while True:
            content += base64.b64decode((await one.event("recorded", within_s=0.2))["piece"])
    return content


async def test_a_recording_is_sealed_and_opens_with_its_key(workbench: World, shop: Shop) -> None:
    cuff = shop.made["cuff-1"]
    async with workbench.nurse(*TECHNICIAN) as technician:
        await until(lambda: cuff.sessions == 1)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(technician.ask("device.record", device="cuff-1", seconds=1))
            await until(lambda: cuff.sessions == 2)
            shop.tell("cuff-1", b"120/80 of Zahra\n")
        assert (task.result()["ended"], task.result()["lines"]) == ("time", 2)
        assert shop.sinks == {}
        content = await recorded(technician)
        assert b"Zahra" not in content
        sealed = Sealed.of_file(content)
        assert (sealed.about.device, sealed.about.opens) == ("cuff-1", "technician")
        key = (await technician.ask("recording.open", head=base64.b64encode(sealed.head).decode()))["key"]
        assert sealed.open(bytes.fromhex(key)) == (b"open\n120/80 of Zahra\n", True)


async def test_a_visit_ends_a_technicians_recording(workbench: World, shop: Shop) -> None:
    async with workbench.nurse() as nurse, somebody(workbench, *TECHNICIAN) as technician:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(technician.ask("device.record", device="cuff-1", seconds=600))
            await until(lambda: "cuff-1" in shop.sinks)
            assert await refused(nurse, "device.record", device="cuff-1") == "device-busy"
            await nurse.visit()
        assert task.result()["ended"] == "visit-opened"


async def test_what_a_supervisor_records_of_a_patient_no_technician_opens(workbench: World) -> None:
    async with workbench.nurse() as supervisor, somebody(workbench, *TECHNICIAN) as technician:
        await supervisor.visit()
        assert (await supervisor.ask("device.record", device="cuff-1", seconds=1))["ended"] == "time"
        sealed = Sealed.of_file(await recorded(supervisor))
        assert sealed.about.opens == "supervisor"
        head = base64.b64encode(sealed.head).decode()
        assert await refused(technician, "recording.open", head=head) == "not-allowed"
        assert (await supervisor.ask("recording.open", head=head))["key"]
        assert await refused(supervisor, "recording.open", head="AAAA") == "not-a-recording"


# ── measuring ────────────────────────────────────────────────────────────────────────────────────


async def test_a_nurse_starts_and_stops_a_cuff_that_can_be_told(workbench: World, shop: Shop) -> None:
    other = ScriptedDriver("oximeter-1")
    workbench.devices.append(Device(other))
    async with workbench.nurse("sami", "739154") as nurse:
        shown = {each["key"]: each["on_command"] for each in (await nurse.ask("status"))["devices"]}
        assert shown == {"oximeter-1": False, "cuff-1": True}
        await nurse.ask("device.measure", device="cuff-1")
        await nurse.ask("device.measure", device="cuff-1", mode="child")
        await nurse.ask("device.stop", device="cuff-1")
        assert shop.made["cuff-1"].measured == ["adult", "child", "stop"]
        assert await refused(nurse, "device.measure", device="oximeter-1") == "cannot-measure"
    async with workbench.nurse(*TECHNICIAN) as technician:
        assert await refused(technician, "device.measure", device="cuff-1") == "not-allowed"
