"""Whose is a reading: never another patient's, whatever devices and nurse do."""

import asyncio
import logging
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.agent.audience import Audience
from edge.agent.capture import Capture
from edge.agent.commands.patients import PatientCommands
from edge.agent.commands.visits import VisitCommands
from edge.agent.commit import OpenStore, StoreRoom
from edge.agent.ledger import Ledger
from edge.agent.parts import Device
from edge.agent.sealing import Sealing
from edge.clock import Clock, Moment, SystemClock
from edge.localapi.client import new_request_id
from edge.ports.caller import Call, CallRefused, Json, Person
from edge.ports.driver import DeviceMisbehaved
from edge.records.fields import Stream
from edge.spool import Outbox
from edge.store.rows import Observation
from edge.store.store import Store
from edge.vitals.reading import Reading
from tests.edge.agent.agent_world import (
    KEY,
    UNIT,
    Card,
    Centre,
    DeviceBroke,
    Nurse,
    ScriptedDriver,
    World,
    finger_off,
    pressure,
    shown,
    steady,
    until,
)


class Quiet:
    """A caller that listens to nothing."""

    person: Person | None = Person("amina", "Amina", "nurse")
    uid = 0
    closed = False

    def post(self, event: str, data: Json) -> None:
        pass


class Bench:
    """Capture and visits on a real store, without socket and agent."""

    def __init__(self, directory: Path, clock: Clock | None = None) -> None:
        self.directory = directory
        self.room = StoreRoom()
        clock, audience = clock or SystemClock(), Audience()
        ledger = Ledger(self.room, clock, audience, os.urandom)
        devices = [Device(ScriptedDriver("oximeter-1")), Device(ScriptedDriver("oximeter-2"))]
        self.capture = Capture(ledger, audience, clock, devices, production=True)
        self.visits = VisitCommands(ledger, self.capture)
        self.patients = PatientCommands(ledger)

    async def open(self) -> None:
        def make() -> OpenStore:
            store = Store.open(self.directory / "qafila.db", KEY)
            outbox = Outbox(self.directory)
            return OpenStore(store, Sealing(store, outbox, batch=200, session_s=1e9, audit_s=1e9), KEY)

        await self.room.open(make)
        self.capture.begin(None)

    def call(self, method: str) -> Call:
        return Call(new_request_id(), method, Quiet())

    async def open_visit(self) -> uuid.UUID:
        registered = await self.patients.register(
            self.call("patient.register"),
            family="Benali",
            given="Zahra",
            sex="female",
            birth=None,
            identifiers=(),
            phone=None,
            village=None,
            family_arabic=None,
            given_arabic=None,
            birth_estimated=False,
            consents=(),
            expected=None,
        )
        patient = uuid.UUID(str(registered["patient"]))
        opened = await self.visits.open(self.call("encounter.open"), patient=patient)
        return uuid.UUID(str(opened["encounter"]))

    async def close_visit(self, encounter: uuid.UUID) -> None:
        await self.visits.close(self.call("encounter.close"), encounter=encounter)

    async def observations(self) -> list[Observation]:
        def look(opened: OpenStore) -> list[Observation]:
            store = opened.store
            visits = [v for patient in store.patients() for v in store.encounters_of(patient.patient)]
            return [*store.tray(), *(o for visit in visits for o in store.observations(visit.encounter))]

        return await self.room.do(look)


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("empty")
    path = directory / "qafila.db"
    Store.create(path, KEY, unit=UNIT, realm="production", moment=SystemClock().now()).close()
    return directory


steps = st.lists(
    st.one_of(
        st.just(("visit", 0)),
        st.just(("leave", 0)),
        st.tuples(st.sampled_from(["on", "off", "gone", "wait"]), st.integers(0, 1)),
        st.tuples(st.just("wait"), st.integers(0, 1)),
    ),
    max_size=25,
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(script=steps)
def test_a_reading_is_never_another_patients(
    script: Sequence[tuple[str, int]], empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("script")
    for path in empty_store.iterdir():
        shutil.copy(path, directory)
    asyncio.run(Play(Bench(directory)).run(script))


class Play:
    """Acts a script out. Each placing of a finger shows a pulse of its own, so that its owner can be told."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.visit: uuid.UUID | None = None
        self.owner: dict[int, uuid.UUID | None] = {}
        self.pulse = [0, 0]
        self.device_s = [0.0, 0.0]

    async def run(self, script: Sequence[tuple[str, int]]) -> None:
        await self.bench.open()
        for step, device in script:
            if step == "visit":
                self.visit = self.visit or await self.bench.open_visit()
            elif step == "leave":
                await self.leave()
            elif step in {"off", "gone"}:
                await self.lift(device, gone=step == "gone")
            elif step == "on" and not self.pulse[device]:
                self.pulse[device] = 41 + len(self.owner)
                self.owner[self.pulse[device]] = self.visit
            await self.show(device)
        await self.check()
        self.bench.room.end()

    async def leave(self) -> None:
        if self.visit is not None:
            await self.bench.close_visit(self.visit)
            self.visit = None

    async def lift(self, device: int, *, gone: bool) -> None:
        self.pulse[device] = 0
        if gone:
            self.bench.capture.gone(f"oximeter-{device + 1}")
        else:
            await self.hear(device, finger_off)

    async def show(self, device: int) -> None:
        """Four seconds of what the display shows, if a finger is in."""
        if self.pulse[device]:
            for _ in range(4):
                await self.hear(device, lambda at_s: shown(97, self.pulse[device], at_s))

    async def hear(self, device: int, reading: Callable[[float], Reading]) -> None:
        self.device_s[device] += 1
        await self.bench.capture.hear(f"oximeter-{device + 1}", reading(self.device_s[device]))

    async def check(self) -> None:
        pulses = [o for o in await self.bench.observations() if o.code == "pulse.spo2"]
        assert len({o.value for o in pulses}) == len(pulses)
        for kept in pulses:
            expected = self.owner[int(kept.value or 0)]
            assert kept.encounter is None or (expected is not None and kept.encounter == expected.bytes)


async def test_a_finger_that_stays_in_while_the_patient_changes_goes_to_the_tray(
    world: World, oximeter: ScriptedDriver
) -> None:
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["saved", "readings"])
        first = await nurse.visit()
        oximeter.say(*steady(97, 72, seconds=3))
        for _ in range(3):
            await nurse.event("reading")
        await nurse.ask("encounter.close", encounter=first)
        second = await nurse.visit("Idrissi")
        oximeter.say(*steady(97, 72, 3, 6))
        while (await nurse.event("saved"))["what"] != "reading":
            pass
        assert (await nurse.ask("encounter.show", encounter=second))["observations"] == []
        assert (await nurse.ask("encounter.show", encounter=first))["observations"] == []
        assert len((await nurse.ask("tray.list"))["observations"]) == 2


async def test_one_reading_is_kept_for_each_placing(world: World, oximeter: ScriptedDriver) -> None:
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["readings"])
        visit = await nurse.visit()
        oximeter.say(*steady(97, 72, 0, 30), finger_off(30), *steady(95, 80, 31, 10))
        for _ in range(41):
            await nurse.event("reading")
        shown_ = (await nurse.ask("encounter.show", encounter=visit))["observations"]
        assert [(o["code"], o["value"]) for o in shown_] == [
            ("spo2", "97"),
            ("pulse.spo2", "72"),
            ("spo2", "95"),
            ("pulse.spo2", "80"),
        ]
        assert [o["reading"] for o in shown_] == [1, 1, 2, 2]


async def test_take_keeps_what_the_display_shows_now(world: World, oximeter: ScriptedDriver) -> None:
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["readings"])
        visit = await nurse.visit()
        with pytest.raises(CallRefused) as error:
            await nurse.ask("take", device="oximeter-1")
        assert error.value.stable_code == "nothing-to-take"
        with pytest.raises(CallRefused) as error:
            await nurse.ask("take", device="cuff-9")
        assert error.value.stable_code == "no-device"
        oximeter.say(shown(93, 88, 1))
        await nurse.event("reading")
        id_ = new_request_id()
        first = await nurse.ask("take", request_id=id_, device="oximeter-1")
        assert await nurse.ask("take", request_id=id_, device="oximeter-1") == first
        assert len((await nurse.ask("encounter.show", encounter=visit))["observations"]) == 2


async def test_a_number_that_cannot_be_is_stored_as_missing(world: World, oximeter: ScriptedDriver) -> None:
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["saved"])
        visit = await nurse.visit()
        oximeter.say(pressure(350, 80), pressure(80, 120))
        for _ in range(2):
            while (await nurse.event("saved"))["what"] != "reading":
                pass
        shown_ = (await nurse.ask("encounter.show", encounter=visit))["observations"]
        assert [(o["code"], o.get("value"), o.get("missing")) for o in shown_] == [
            ("bp.sys", None, "out-of-range"),
            ("bp.dia", "80", None),
            ("bp.sys", None, "out-of-range"),
            ("bp.dia", None, "out-of-range"),
        ]


async def test_a_stored_record_of_a_device_goes_to_the_tray_and_only_once(
    world: World, oximeter: ScriptedDriver
) -> None:
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["readings"])
        await nurse.visit()
        oximeter.say(
            pressure(120, 80, b"record-1"), pressure(120, 80, b"record-1"), pressure(121, 81, b"r-2")
        )
        for _ in range(3):
            await nurse.event("reading")
        await until(lambda: world.store().watermark(Stream.VITALS).tip >= 7)
        tray = (await nurse.ask("tray.list"))["observations"]
        assert [o["value"] for o in tray] == ["120", "80", "121", "81"]


class StoppedClock:
    """Time that stands still."""

    moment = SystemClock().now()

    def now(self) -> Moment:
        return self.moment

    def monotonic_s(self) -> float:
        return 0.0


async def test_two_readings_in_one_millisecond_stay_apart(empty_store: Path, tmp_path: Path) -> None:
    for path in empty_store.iterdir():
        shutil.copy(path, tmp_path)
    bench = Bench(tmp_path, StoppedClock())
    await bench.open()
    for device in ("oximeter-1", "oximeter-2", "oximeter-1", "oximeter-1"):
        await bench.capture.hear(device, pressure(120, 80))
    store = Store.open(tmp_path / "qafila.db", KEY)
    rows = store._connection.execute(
        "SELECT DISTINCT device, boot, monotonic_ms FROM observations"
    ).fetchall()
    store.close()
    bench.room.end()
    assert len(rows) == 4


@pytest.mark.parametrize("realm", ["training", "production"])
async def test_production_stores_nothing_simulated(tmp_path: Path, realm: str) -> None:
    simulator = ScriptedDriver("sim-1")
    world = World(tmp_path / realm, Centre(realm), [Device(simulator, simulated=True)], realm=realm)
    world.make()
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["saved", "readings"])
        simulator.say(pressure(120, 80))
        if realm == "production":
            assert (await nurse.event("not-saved"))["code"] == "simulated-refused"
            assert (await nurse.ask("tray.list"))["observations"] == []
        else:
            await nurse.event("saved")
            kept = (await nurse.ask("tray.list"))["observations"]
            assert [o["source"] for o in kept] == ["simulated", "simulated"]


async def test_a_locked_agent_keeps_no_reading_and_says_so(world: World, oximeter: ScriptedDriver) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        await nurse.ask("lock")
        oximeter.say(*steady(97, 72, 0, 20))
        await until(oximeter._events.empty)
        assert (await nurse.ask("status"))["locked"] is True
        await nurse.ask("sign-in", user="amina", pin="482913")
        assert (await nurse.ask("encounter.show", encounter=visit))["observations"] == []
        oximeter.say(*steady(97, 72, 20, 7))
        await until(lambda: world.store().watermark(Stream.VITALS).tip >= 5)
        assert len((await nurse.ask("encounter.show", encounter=visit))["observations"]) == 2


async def test_a_device_that_goes_is_opened_again_and_told_once(
    world: World, oximeter: ScriptedDriver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["devices", "readings"])
        broken = [DeviceBroke("It is unplugged."), DeviceMisbehaved("It is another device.")]
        oximeter.say(shown(97, 72, 1), *broken, shown(97, 72, 1))
        states = [await nurse.event("device") for _ in range(4)]
        assert [(state["state"], state["code"]) for state in states] == [
            ("present", None),
            ("gone", "device-unavailable"),
            ("gone", "device-misbehaved"),
            ("present", None),
        ]
        assert oximeter.sessions == 3
        [device] = (await nurse.ask("status"))["devices"]
        assert device == {
            "key": "oximeter-1",
            "kind": "contec-cms50",
            "state": "present",
            "code": None,
            "on_command": False,
        }
    told = [record.message for record in caplog.records if "device" in record.message]
    assert told == ["device gone", "device back"]


async def test_a_device_to_which_there_is_a_way_again_is_waited_for(
    world: World, oximeter: ScriptedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.agent.supervisor.WAITED_FOR_S", 0.1)
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["devices"])
        oximeter.say(DeviceBroke("The radio is off.", code="radio-down"))
        states = [await nurse.event("device") for _ in range(2)]
        assert [(each["state"], each["code"]) for each in states] == [
            ("gone", "radio-down"),
            ("starting", None),
        ]
        oximeter.say(DeviceBroke("It does not answer."), shown(97, 72, 1))
        states = [await nurse.event("device") for _ in range(2)]
        assert [each["code"] for each in states] == ["device-unavailable", None]


async def test_an_unexpected_bug_of_a_driver_ends_the_agent(world: World, oximeter: ScriptedDriver) -> None:
    oximeter.say(ZeroDivisionError())
    with pytest.raises(ExceptionGroup) as bug:
        async with world.running():
            await asyncio.sleep(5)
    assert bug.group_contains(ZeroDivisionError)


async def test_a_slow_card_holds_up_neither_heartbeat_nor_display(
    world: World, oximeter: ScriptedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = OpenStore.commit
    card_is_ready = threading.Event()

    def slow(opened: OpenStore, work: Callable[..., object], *, begins: bool = False) -> object:
        assert card_is_ready.wait(20)
        return genuine(opened, work, begins=begins)

    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["readings"])
        visit = await nurse.visit()
        async with asyncio.TaskGroup() as group:
            monkeypatch.setattr(OpenStore, "commit", slow)
            saving = group.create_task(nurse.observe(visit))
            for _ in range(3):
                await nurse.event("heartbeat")
            oximeter.say(shown(97, 72, 1))
            await nurse.event("reading")
            assert not saving.done()
            card_is_ready.set()


async def outcome(nurse: Nurse) -> dict[str, Any]:
    """What became of a reading: nothing to say when it was saved, else why it was not."""
    async for name, data in nurse.api.events():
        if name == "not-saved":
            return data
        if name == "saved" and data["what"] == "reading":
            break
    return {}


async def test_a_reading_that_cannot_be_stored_is_told_and_the_device_goes_on(
    world: World, oximeter: ScriptedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card(monkeypatch)
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["readings", "saved"])
        visit = await nurse.visit()
        card.full = True
        told: dict[str, Any] = {}
        kept = -1
        while not told:
            oximeter.say(pressure(120, 80))
            told = await outcome(nurse)
            kept += 1
        assert told["code"] == "store-full"
        assert told["device"] == "oximeter-1"
        card.full = False
        oximeter.say(pressure(130, 85))
        assert await outcome(nurse) == {}
        shown_ = (await nurse.ask("encounter.show", encounter=visit))["observations"]
        assert [o["value"] for o in shown_] == ["120", "80"] * kept + ["130", "85"]
        assert (await nurse.ask("store.verify"))["valid"] is True
