"""What a technician does with devices through the agent: roles, patients, one thing at a time."""

import asyncio
import base64
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.agent.parts import Device
from edge.localapi.client import connect
from edge.ports.caller import CallRefused
from edge.ports.driver import CuffMode, DeviceError, DeviceUnavailable, Driver
from edge.ports.workshop import AskPasskey, DeviceRefused, Nearby, Reply, Scanned, Sink
from edge.security.recordings import Sealed
from edge.vitals.identity import Identity
from tests.edge.agent.agent_world import (
    PIN,
    Centre,
    Nurse,
    ScriptedDriver,
    World,
    pressure,
    shown,
    until,
)

AIR = "ble:C0:FF:EE:00:00:01"
TECHNICIAN = ("tariq", "615243")


class Recorded(ScriptedDriver):
    """A device that tells a recorder when it is opened and what it says, and is ready when told so."""

    def __init__(self, shop: "Shop", key: str) -> None:
        super().__init__(key)
        self._shop = shop
        self.ready = False
        self.identity = Identity()
        self.measured: list[str] = []

    @property
    def kind(self) -> str:
        return "sig-bp"

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncIterator[Any]]:
        self._shop.tell(self.key, b"open\n")
        async with super().session() as events:
            yield events

    async def measure(self, mode: CuffMode) -> None:
        self.measured.append(mode.value)

    async def stop(self) -> None:
        self.measured.append("stop")


class Shop:
    """A workshop of which a test holds every string."""

    def __init__(self) -> None:
        self.made: dict[str, Recorded] = {}
        self.keys: set[str] = set()
        self.window: str | None = None
        self.again: bool | None = None
        self.ask: AskPasskey | None = None
        self.tried: list[str] = []
        self.sinks: dict[str, Sink] = {}
        self.options: dict[str, str] = {}
        self.locks = False
        self.given: list[tuple[str, str]] = []
        self.refuses: DeviceError | None = None
        self.cuff_has = b""
        self.secrets: dict[str, bytes] | None = None
        self.told_secrets = False
        self.off_ms: int | None = None

    async def scan(self, for_s: float, *, air: bool, cables: bool) -> Scanned:
        assert for_s == 3
        found = [Nearby(AIR, (), "Cuff", ("sig-bp",), -60, paired=False)] if air else []
        found += [Nearby("/dev/ttyUSB0", ("/dev/serial/by-id/one",))] if cables else []
        return Scanned(found, {} if air else {"air": "radio-down"})

    async def make(self, key: str, kind: str, port: str, options: Mapping[str, str]) -> Driver:
        if kind != "sig-bp":
            raise DeviceRefused("There is no such kind.", next_step="See kinds.", code="unknown-kind")
        assert port
        self.options = dict(options)
        self.made[key] = Recorded(self, key)
        return self.made[key]

    @asynccontextmanager
    async def pairing(self, port: str, ask: AskPasskey, *, again: bool) -> AsyncGenerator[None]:
        self.window, self.ask, self.again = port, ask, again
        try:
            yield
        finally:
            self.window = self.ask = None

    async def paired(self, port: str) -> bool:
        return port in self.keys

    async def forget(self, port: str) -> bool:
        had = port in self.keys
        self.keys.discard(port)
        return had

    def try_again(self, port: str) -> None:
        self.tried.append(port)

    def record(self, key: str, sink: Sink | None) -> None:
        if sink is None:
            self.sinks.pop(key)
        else:
            self.sinks[key] = sink

    def secret_size(self, kind: str) -> int | None:
        return 16 if self.locks and kind == "sig-bp" else None

    async def give_secret(self, key: str, kind: str, port: str, secret: bytes) -> None:
        assert (kind, len(secret)) == ("sig-bp", 16)
        self.given.append((key, port))
        if self.refuses is not None:
            raise self.refuses
        self.cuff_has = secret

    def unlock(self, secrets: Mapping[str, bytes] | None) -> None:
        self.secrets = None if secrets is None else dict(secrets)
        self.told_secrets = True

    def clock_off(self, off_ms: int) -> None:
        self.off_ms = off_ms

    def tell(self, key: str, line: bytes) -> None:
        if key in self.sinks:
            self.sinks[key](line)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def workbench(tmp_path: Path, shop: Shop) -> World:
    """A unit with one cuff, whose devices are looked after."""
    cuff = Recorded(shop, "cuff-1")
    shop.made["cuff-1"] = cuff
    made = World(tmp_path, Centre(), [Device(cuff, port=AIR)], workshop=shop)
    made.make()
    return made


@asynccontextmanager
async def somebody(world: World, user: str = "amina", pin: str = PIN) -> AsyncIterator[Nurse]:
    async with connect(world.socket) as api:
        one = Nurse(api)
        await one.ask("sign-in", user=user, pin=pin)
        yield one


async def refused(one: Nurse, method: str, **fields: Any) -> str:  # noqa: ANN401  as wide as JSON
    with pytest.raises(CallRefused) as error:
        await one.ask(method, **fields)
    assert error.value.sentence
    assert error.value.next_step
    return error.value.stable_code


# ── who may, and when ────────────────────────────────────────────────────────────────────────────

ASKED: list[tuple[str, dict[str, Any]]] = [
    ("device.scan", {}),
    ("device.pair", {"device": "cuff-1"}),
    ("device.passkey", {"device": "cuff-1", "passkey": 1}),
    ("device.forget", {"device": "cuff-1"}),
    ("device.secret", {"device": "cuff-1", "secret": None}),
    ("device.test", {"device": "cuff-1"}),
    ("device.record", {"device": "cuff-1"}),
    ("recording.open", {"head": "AAAA"}),
]


@pytest.mark.parametrize(("method", "fields"), ASKED)
async def test_a_nurse_does_not_look_after_devices(
    workbench: World, method: str, fields: dict[str, Any]
) -> None:
    async with workbench.nurse("sami", "739154") as nurse:
        assert await refused(nurse, method, **fields) == "not-allowed"


@pytest.mark.parametrize(("method", "fields"), ASKED)
async def test_nobody_does_while_the_store_is_locked(
    workbench: World, method: str, fields: dict[str, Any]
) -> None:
    async with workbench.running(), connect(workbench.socket) as api:
        assert await refused(Nurse(api), method, **fields) == "store-locked"


@pytest.mark.parametrize("what", ["device.forget", "device.test", "device.record", "device.listen"])
async def test_nothing_is_taken_from_a_nurse_who_measures(workbench: World, what: str) -> None:
    async with workbench.nurse() as nurse, somebody(workbench, *TECHNICIAN) as technician:
        await nurse.visit()
        assert await refused(technician, what, device="cuff-1") == "visit-is-open"


@pytest.mark.parametrize("what", ["device.test", "device.record", "device.listen", "device.measure"])
async def test_a_device_that_is_not_there_is_told_as_such(workbench: World, what: str) -> None:
    async with workbench.nurse() as supervisor:
        assert await refused(supervisor, what, device="cuff-9") == "no-device"


async def test_an_agent_without_a_workshop_says_so(world: World) -> None:
    async with world.nurse() as supervisor:
        assert await refused(supervisor, "device.scan") == "devices-fixed"


# ── looking around ───────────────────────────────────────────────────────────────────────────────


async def test_what_is_near_is_told_with_the_key_it_has_here(workbench: World) -> None:
    async with workbench.nurse(*TECHNICIAN) as technician:
        seen = await technician.ask("device.scan", seconds=3)
        assert [(each["port"], each["kinds"], each["device"]) for each in seen["found"]] == [
            (AIR, ["sig-bp"], "cuff-1"),
            ("/dev/ttyUSB0", [], None),
        ]
        assert (await technician.ask("device.scan", seconds=3, air=False))["blind"] == {"air": "radio-down"}


# ── pairing ──────────────────────────────────────────────────────────────────────────────────────

NEW = {"device": "cuff-2", "kind": "sig-bp", "port": "ble:C0:FF:EE:00:00:02"}


@asynccontextmanager
async def pairing(technician: Nurse, **fields: Any) -> AsyncIterator["asyncio.Task[dict[str, Any]]"]:  # noqa: ANN401  as wide as JSON
    async with asyncio.TaskGroup() as group:
        task = group.create_task(technician.ask("device.pair", **fields))
        yield task


async def test_a_new_device_is_met_and_listened_to_at_once(workbench: World, shop: Shop) -> None:
    async with workbench.nurse(*TECHNICIAN) as technician:
        async with pairing(technician, **NEW) as task:
            await until(lambda: "cuff-2" in shop.made and shop.made["cuff-2"].sessions == 1)
            assert (shop.window, shop.again) == (NEW["port"], False)
            cuff = shop.made["cuff-2"]
            shop.keys.add(NEW["port"])
            cuff.identity = Identity("A&D", "UA-651BLE", "7")
            cuff.ready = True
        met = task.result()
        assert (met["kind"], met["port"], met["paired"]) == ("sig-bp", NEW["port"], True)
        assert met["identity"]["serial"] == "7"
        assert shop.window is None
        keys = [device["key"] for device in (await technician.ask("status"))["devices"]]
        assert keys == ["cuff-1", "cuff-2"]


async def test_what_a_new_device_measures_is_kept(workbench: World, shop: Shop) -> None:
    async with workbench.nurse() as supervisor:
        async with pairing(supervisor, **NEW):
            await until(lambda: "cuff-2" in shop.made)
            shop.made["cuff-2"].say(pressure(121, 80))
        await until(lambda: len(workbench.store().tray()) == 2)


async def test_a_device_that_hangs_up_once_it_is_paired_has_been_met(workbench: World, shop: Shop) -> None:
    async with workbench.nurse(*TECHNICIAN) as technician, pairing(technician, **NEW) as task:
        await until(lambda: "cuff-2" in shop.made)
        shop.keys.add(NEW["port"])
        shop.made["cuff-2"].say(DeviceUnavailable("It has gone.", next_step="Wait.", code="ble-gone"))
        assert (await task)["paired"] is True


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DeviceUnavailable("No.", next_step="Do.", code="ble-pairing-failed"), "ble-pairing-failed"),
        (DeviceUnavailable("No.", next_step="Do.", code="ble-unreachable"), "ble-unreachable"),
        (None, "not-heard"),
    ],
)
async def test_a_device_that_is_not_met_leaves_nothing_behind(
    workbench: World, shop: Shop, error: DeviceError | None, code: str
) -> None:
    async with workbench.nurse(*TECHNICIAN) as technician:
        told: list[str] = []

        async def pair() -> None:
            told.append(await refused(technician, "device.pair", **NEW, seconds=1))

        async with asyncio.TaskGroup() as group:
            group.create_task(pair())
            await until(lambda: "cuff-2" in shop.made)
            shop.keys.add("ble:others")
            if error is not None:
                shop.made["cuff-2"].say(error)
        assert told == [code]
        assert [device["key"] for device in (await technician.ask("status"))["devices"]] == ["cuff-1"]
        assert await refused(technician, "device.test", device="cuff-2") == "no-device"


async def test_keys_ports_and_kinds_are_checked_first(workbench: World, shop: Shop) -> None:
    async with workbench.nurse(*TECHNICIAN) as technician:
        taken = {"kind": "sig-bp", "port": NEW["port"], "device": "cuff-1"}
        assert await refused(technician, "device.pair", **taken) == "device-taken"
        assert await refused(technician, "device.pair", **(NEW | {"port": AIR})) == "device-taken"
        assert await refused(technician, "device.pair", **(NEW | {"kind": "x"})) == "unknown-kind"
        assert await refused(technician, "device.pair", device="cuff-2") == "no-device"
        assert shop.window is None


async def test_production_pairs_nothing_simulated(tmp_path: Path, shop: Shop) -> None:
    world = World(tmp_path, Centre("production"), [], realm="production", workshop=shop)
    world.make()
    async with world.nurse(*TECHNICIAN) as technician:
        assert await refused(technician, "device.pair", **NEW, simulated=True) == "simulated-refused"


async def test_one_device_is_paired_at_a_time(workbench: World, shop: Shop) -> None:
    async with (
        workbench.nurse(*TECHNICIAN) as technician,
        somebody(workbench) as other,
        pairing(technician, **NEW),
    ):
        await until(lambda: "cuff-2" in shop.made)
        more = NEW | {"device": "cuff-3", "port": "ble:C0:FF:EE:00:00:03"}
        assert await refused(other, "device.pair", **more) == "device-busy"
        shop.made["cuff-2"].ready = True


async def test_a_device_that_lost_its_pairing_is_paired_again_by_its_key(
    workbench: World, shop: Shop
) -> None:
    async with workbench.nurse(*TECHNICIAN) as technician:
        cuff = shop.made["cuff-1"]
        await until(lambda: cuff.sessions == 1)
        async with pairing(technician, device="cuff-1") as task:
            await until(lambda: cuff.sessions == 2)
            assert (shop.window, shop.again) == (AIR, True)
            assert not task.done()
            cuff.ready = True
        assert task.result()["port"] == AIR
    assert "cuff-1" in shop.made


async def test_a_passkey_goes_to_the_device_that_shows_it(workbench: World, shop: Shop) -> None:
    async with (
        workbench.nurse(*TECHNICIAN) as technician,
        somebody(workbench, *TECHNICIAN) as second,
        pairing(technician, **NEW),
    ):
        await until(lambda: shop.ask is not None and "cuff-2" in shop.made)
        typed: list[int | None] = []
        assert shop.ask is not None
        shop.ask(typed.append)
        assert (await technician.event("passkey-asked"))["device"] == "cuff-2"
        assert await refused(second, "device.passkey", device="cuff-1", passkey=1) == "no-passkey-asked"
        await second.ask("device.passkey", device="cuff-2", passkey=42)
        assert typed == [42]
        assert await refused(second, "device.passkey", device="cuff-2", passkey=1) == "no-passkey-asked"
        late: Reply = typed.append
        shop.ask(late)
        shop.made["cuff-2"].ready = True
        await until(lambda: typed == [42, None])  # pairing is over: the device waits no longer


async def test_a_technician_who_leaves_leaves_no_device_that_nobody_wrote_down(
    workbench: World, shop: Shop
) -> None:
    async with workbench.nurse() as supervisor:
        async with somebody(workbench, *TECHNICIAN) as technician:
            await technician.ask("subscribe", topics=["devices"])  # so that its absence is noticed
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await technician.ask("device.pair", **NEW)
        await until(lambda: "cuff-2" in shop.made)
        await asyncio.sleep(0.3)  # some heartbeats that nobody takes
        shop.made["cuff-2"].ready = True

        async def gone() -> bool:
            devices = (await supervisor.ask("status"))["devices"]
            return [device["key"] for device in devices] == ["cuff-1"]

        async with asyncio.timeout(5):
            while not await gone():
                await asyncio.sleep(0.05)


# ── forgetting ───────────────────────────────────────────────────────────────────────────────────


async def test_a_forgotten_device_is_heard_no_more(workbench: World, shop: Shop) -> None:
    async with workbench.nurse(*TECHNICIAN) as technician:
        shop.keys.add(AIR)
        assert await technician.ask("device.forget", device="cuff-1") == {
            "device": "cuff-1",
            "port": AIR,
            "had_keys": True,
        }
        assert (await technician.ask("status"))["devices"] == []
        assert await refused(technician, "device.forget", device="cuff-1") == "no-device"
        again = await technician.ask("device.forget", device="cuff-1", port=AIR)
        assert again["had_keys"] is False


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
