"""Recordings over the socket: shown as far as they have come, read back whole, audited."""

import asyncio
import dataclasses
import math
from decimal import Decimal
from typing import Any

import pytest

from edge import cbor
from edge.agent.commands import waves
from edge.agent.recorder import Recorder
from edge.localapi.client import connect
from edge.ports.caller import CallRefused
from edge.records.fields import Field, Stream
from edge.store.errors import StoreFull
from edge.store.store import Store
from edge.vitals.codes import Code
from edge.vitals.quantity import Quantity, Unit
from edge.vitals.reading import Flaw, Flawed, Mode, Reading, Wave
from tests.edge.agent.agent_world import Nurse, ScriptedDriver, World, state, until

RATE = Decimal(130)
BEAT = [round(900 * math.exp(-(((at % 104) - 50) ** 2) / 20)) for at in range(13 * 130)]
ON = Reading(((Code.HEART_RATE, Quantity(Decimal(70), Unit.PER_MINUTE)),), mode=Mode.CONTINUOUS)


def wave(samples: list[int], lead: str = "II", **more: Any) -> Wave:  # noqa: ANN401  any field
    made = Wave(Code.ECG, lead, Unit.MICROVOLT, RATE, samples, step=Decimal("2.5"))
    return dataclasses.replace(made, **more)


def frames(samples: list[int], **more: Any) -> list[Wave]:  # noqa: ANN401  any field
    return [wave(samples[at : at + 73], **more) for at in range(0, len(samples), 73)]


async def saved(nurse: Nurse, what: str) -> dict[str, Any]:
    while (event := await nurse.event("saved"))["what"] != what:
        pass
    return event


async def recorded(nurse: Nurse, visit: str, device: ScriptedDriver) -> dict[str, Any]:
    """Thirteen seconds of ECG in a visit that is then closed."""
    await nurse.ask("subscribe", topics=["saved"])
    device.say(ON, *frames(BEAT))
    assert (await saved(nurse, "wave"))["saved"][0][2] == "wave"
    await until(device._events.empty)
    await nurse.ask("encounter.close", encounter=visit)
    [shown] = (await nurse.ask("encounter.show", encounter=visit))["recordings"]
    return dict(shown)


async def test_a_recording_is_shown_as_saved_and_read_back_whole(
    world: World, oximeter: ScriptedDriver
) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        assert (await nurse.ask("status"))["waves"] == {"saved": 0, "recording": []}
        shown = await recorded(nurse, visit, oximeter)
        assert (shown["state"], shown["seconds"], shown["chunks"]) == ("saved", "13.0", 2)
        assert (shown["device"], shown["code"], shown["leads"]) == ("oximeter-1", "ecg", ["II"])
        assert (shown["unit"], shown["step"], shown["rate"]) == ("uV", "2.5", "130")
        assert (shown["recording"], shown["interrupted"]) == (False, False)
        read = await nurse.ask("waveform.read", waveform=shown["waveform"])
        assert [sample for chunk in read["chunks"] for sample in chunk["samples"][0]] == BEAT
        assert (read["encounter"], read["more"], read["waveform"]) == (visit, False, shown)
        assert (await nurse.ask("status"))["waves"] == {"saved": 1, "recording": []}


async def test_while_it_is_recorded_only_whole_chunks_are_there(
    world: World, oximeter: ScriptedDriver
) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        await nurse.ask("subscribe", topics=["saved"])
        oximeter.say(ON, *frames(BEAT))
        await saved(nurse, "wave")
        [shown] = (await nurse.ask("encounter.show", encounter=visit))["recordings"]
        assert (shown["seconds"], shown["recording"], shown["state"]) == ("10.0", True, "saved")
        assert (await nurse.ask("status"))["waves"]["recording"] == ["oximeter-1"]


async def test_a_long_recording_is_read_in_parts(
    world: World, oximeter: ScriptedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waves, "SAMPLES_AT_ONCE", 1300)
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        shown = await recorded(nurse, visit, oximeter)
        first = await nurse.ask("waveform.read", waveform=shown["waveform"])
        assert ([chunk["number"] for chunk in first["chunks"]], first["more"]) == ([1], True)
        second = await nurse.ask("waveform.read", waveform=shown["waveform"], first=2)
        assert ([chunk["number"] for chunk in second["chunks"]], second["more"]) == ([2], False)
        beyond = await nurse.ask("waveform.read", waveform=shown["waveform"], first=3)
        assert (beyond["chunks"], beyond["more"]) == ([], False)


async def test_leads_flaws_and_gaps_reach_the_reader(world: World, oximeter: ScriptedDriver) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        oximeter.say(ON)
        for number in range(3):
            off = (Flawed(Flaw.LEAD_OFF, 1, 2),)
            oximeter.say(wave([number] * 5, "I", gap=number == 2), wave([-number] * 5, "V1", flaws=off))
        await until(oximeter._events.empty)
        await nurse.ask("encounter.close", encounter=visit)
        [shown] = (await nurse.ask("encounter.show", encounter=visit))["recordings"]
        [chunk] = (await nurse.ask("waveform.read", waveform=shown["waveform"]))["chunks"]
        assert shown["leads"] == ["I", "V1"]
        assert chunk["samples"] == [[0] * 5 + [1] * 5 + [2] * 5, [0] * 5 + [-1] * 5 + [-2] * 5]
        assert [(f["lead"], f["flaw"], f["first"], f["count"]) for f in chunk["flaws"]] == [
            (1, "lead-off", first, 2) for first in (1, 6, 11)
        ]
        assert [index for index, _ in chunk["gaps"]] == [10]


async def test_a_screen_is_told_which_samples_are_no_signal(world: World, oximeter: ScriptedDriver) -> None:
    async with world.nurse() as nurse:
        await nurse.visit()
        await nurse.ask("subscribe", topics=["waves"])
        oximeter.say(ON, wave([900, 0, 0], flaws=(Flawed(Flaw.LEAD_OFF, 1, 2),)))
        assert (await nurse.event("wave"))["off"] is True
        oximeter.say(wave([900, 901, 900], flaws=(Flawed(Flaw.SATURATED, 1, 1),)))
        assert (await nurse.event("wave"))["off"] is False


async def test_who_looked_is_committed_before_the_samples_are_given_out(
    world: World, oximeter: ScriptedDriver
) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        shown = await recorded(nurse, visit, oximeter)
        before = _audited(world)
        read = await nurse.ask("waveform.read", waveform=shown["waveform"])
        [entry] = _audited(world)[len(before) :]
        assert entry[Field.ACTION] == "waveform.read"
        assert entry[Field.OBJECT].hex() == read["patient"].replace("-", "")


async def test_no_samples_are_given_out_when_nobody_can_note_it(
    world: World, oximeter: ScriptedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        shown = await recorded(nurse, visit, oximeter)

        def full(*_: object) -> None:
            raise StoreFull("The disk is full.", next_step="Make room.")

        monkeypatch.setattr(Store, "write", full)
        with pytest.raises(CallRefused) as error:
            await nurse.ask("waveform.read", waveform=shown["waveform"])
        assert error.value.stable_code == "store-full"
        monkeypatch.undo()


async def test_a_technician_sees_no_samples_and_an_unknown_recording_is_named(
    world: World, oximeter: ScriptedDriver
) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        shown = await recorded(nurse, visit, oximeter)
        with pytest.raises(CallRefused) as error:
            await nurse.ask("waveform.read", waveform=visit)
        assert error.value.stable_code == "no-waveform"
        async with connect(world.socket) as other:
            await other.call("sign-in", user="tariq", pin="615243")
            with pytest.raises(CallRefused) as error:
                await other.call("waveform.read", waveform=shown["waveform"])
            assert error.value.stable_code == "not-allowed"


async def test_a_damaged_chunk_is_refused_with_its_code(world: World, oximeter: ScriptedDriver) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        shown = await recorded(nurse, visit, oximeter)
        store = world.store()
        store._connection.execute("UPDATE waveform_chunks SET data = zeroblob(50) WHERE number = 2")
        store.close()
        with pytest.raises(CallRefused) as error:
            await nurse.ask("waveform.read", waveform=shown["waveform"], first=2)
        assert error.value.stable_code == "wave-damaged"
        verified = await nurse.ask("store.verify")
        assert (verified["valid"], verified["damage"], verified["first_bad"]["stream"]) == (
            False,
            "samples",
            "wave",
        )


async def test_a_recording_is_received_when_its_samples_are(world: World, oximeter: ScriptedDriver) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        shown = await recorded(nurse, visit, oximeter)
        assert (shown["state"], shown["received"], shown["chunks"]) == ("saved", 0, 2)
        world.deliver(_receipt(world, "landed", wave=3), "landed")
        await until_state(nurse, visit, "saved")
        world.deliver(_receipt(world, "opened", wave=3), "opened")
        again = await until_received(nurse, visit, 1)
        assert (again["state"], again["received"]) == ("saved", 1)
        world.deliver(_receipt(world, "landed"), "landed")
        await until_state(nurse, visit, "arrived")
        assert (await until_received(nurse, visit, 1))["state"] == "arrived"
        world.deliver(_receipt(world, "opened"), "opened")
        await until_state(nurse, visit, "received")
        assert (await until_received(nurse, visit, 2)) == shown | {"state": "received", "received": 2}
        await until(lambda: not world.spooled("wave"))
        streams = (await nurse.ask("status"))["streams"]
        assert (streams["wave"]["tip"], streams["wave"]["landed"], streams["wave"]["opened"]) == (5, 5, 5)
        [patient] = (await nurse.ask("patient.list"))["patients"]
        assert patient["state"] == "received"
        assert (await nurse.ask("store.verify"))["valid"] is True


async def until_state(nurse: Nurse, visit: str, state: str) -> None:
    async with asyncio.timeout(30):
        while (await _one_recording(nurse, visit))["state"] != state:
            await asyncio.sleep(0.01)


async def until_received(nurse: Nurse, visit: str, chunks: int) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while (shown := await _one_recording(nurse, visit))["received"] != chunks:
            await asyncio.sleep(0.01)
    return shown


async def _one_recording(nurse: Nurse, visit: str) -> dict[str, Any]:
    [shown] = (await nurse.ask("encounter.show", encounter=visit))["recordings"]
    return dict(shown)


def _receipt(world: World, level: str, wave: int | None = None) -> bytes:
    """What an honest centre says that has all the spool ever held, of waves up to an entry."""
    store = world.store()
    try:
        tips = {stream: mark.tip for stream, mark in store.watermarks().items()}
        tips[Stream.WAVE] = wave or tips[Stream.WAVE]
        return world.receipt_for(
            level, streams={stream: state(store, stream, tip) for stream, tip in tips.items()}
        )
    finally:
        store.close()


def _audited(world: World) -> list[dict[int, Any]]:
    store = world.store()
    try:
        entries = store.entries(Stream.AUDIT, 1, 10_000)
        return [dict(cbor.decode(entry.payload or b"")) for entry in entries]  # type: ignore[arg-type]  # maps
    finally:
        store.close()


async def test_a_recording_that_a_crash_interrupted_is_ended_at_the_next_unlock(
    world: World, oximeter: ScriptedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> None:
        """As if the process had died before it could."""

    async with world.nurse() as nurse:
        visit = await nurse.visit()
        await nurse.ask("subscribe", topics=["saved"])
        oximeter.say(ON, *frames(BEAT))
        await saved(nurse, "wave")
        monkeypatch.setattr(Recorder, "finish", nothing)
    async with world.nurse() as nurse:
        [shown] = (await nurse.ask("encounter.show", encounter=visit))["recordings"]
        assert (shown["seconds"], shown["recording"], shown["interrupted"]) == ("10.0", False, True)
        assert (await nurse.ask("store.verify"))["valid"] is True


async def test_a_lock_saves_what_there_is_and_a_crash_takes_the_open_chunk(
    world: World, oximeter: ScriptedDriver
) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        oximeter.say(ON, *frames(BEAT[:260]))
        await until(oximeter._events.empty)
        await nurse.ask("lock")
        await nurse.ask("sign-in", user="amina", pin="482913")
        [shown] = (await nurse.ask("encounter.show", encounter=visit))["recordings"]
        assert (shown["seconds"], shown["recording"], shown["interrupted"]) == ("2.0", False, False)
        oximeter.say(ON, *frames(BEAT[:130]))
        await until(oximeter._events.empty)
    async with world.nurse() as nurse:
        recordings = (await nurse.ask("encounter.show", encounter=visit))["recordings"]
        assert [each["seconds"] for each in recordings] == ["2.0"]
