"""What a technician does with devices through the agent: roles, patients, one thing at a time."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from edge.localapi.client import connect
from edge.ports.driver import DeviceError, DeviceUnavailable
from edge.ports.workshop import Reply
from edge.vitals.identity import Identity
from tests.edge.agent.agent_world import Centre, Nurse, World, pressure, until
from tests.edge.agent.workshop_stage import AIR, NEW, TECHNICIAN, Shop, pairing, refused, somebody

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
