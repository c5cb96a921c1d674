"""What the real BlueZ teaches. Runs inside the guest only: ``make test-bluez``.

It is the oracle for the fake one: each fact here has its twin in the tests of chain B.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakDBusError

from drivers.devices.polar_h10 import simulator as strap_simulator
from drivers.devices.sig_bp import simulator as cuff_simulator
from drivers.kinds import DriverContext
from drivers.radio.air import Air
from drivers.radio.world import World, living
from drivers.registry import KINDS
from drivers.transport.ble import AdapterOwner
from drivers.transport.errors import BondLost
from drivers.transport.link import Wanted
from edge.ports.driver import DeviceUnavailable
from edge.vitals.quantity import Quantity
from edge.vitals.reading import Reading, Wave
from tests.bluez.real_air import (
    adapter,
    adapter_ready,
    adapter_says,
    air_over_bluez,
    connect,
    device_property,
    power,
    radio,
)
from tests.bluez.stuck import tell_stuck_tasks
from tests.drivers.radio_cuff import MEASUREMENT, SERVICE, Cuff

FIRST = bytes.fromhex("00800052005d00")
"""128/82, mean 93 mmHg."""
SECOND = bytes.fromhex("00810053005e00")
NO_KEYS = {"le-connection-abort-by-local", "br-connection-canceled", "br-connection-key-missing"}
"""What BlueZ may say when a device has lost its keys; up to 5.82 it mostly says that all went well."""


TELL_STUCK_S = 90.0


@pytest.fixture
async def air() -> AsyncIterator[Air]:
    stuck = asyncio.get_running_loop().call_later(TELL_STUCK_S, tell_stuck_tasks)
    async with air_over_bluez() as air:
        yield air
    stuck.cancel()


def cuff_at(address: str, *readings: bytes) -> tuple[Cuff, Wanted]:
    return Cuff(*readings, address=address), Wanted(address=address, service=SERVICE, bond=True)


async def told(owner: AdapterOwner, wanted: Wanted) -> list[bytes]:
    """What a cuff says in one session, until it hangs up."""
    async with asyncio.timeout(60), owner.session(wanted) as link:
        await link.subscribe(MEASUREMENT)
        return [value async for _uuid, value in link.events()]


async def forget(world: World) -> None:
    assert await world.inhabitants["cuff"].obey("forget")


# ── Bonds ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_cuff_bonds_tells_hangs_up_and_comes_back_on_its_bond(air: Air) -> None:
    cuff, wanted = cuff_at("C0:FF:EE:00:01:01", FIRST, SECOND)
    async with living(air, {"cuff": cuff}):
        async with radio(cuff.address, pairing=True) as owner:
            assert await told(owner, wanted) == [FIRST]
        assert await device_property(cuff.address, "Paired") is True
        async with radio(cuff.address, pairing=False) as owner:
            assert await told(owner, wanted) == [SECOND]
    assert cuff.connections == 2


async def test_without_an_agent_nothing_can_be_paired(air: Air) -> None:
    cuff, _ = cuff_at("C0:FF:EE:00:01:02", FIRST)
    async with living(air, {"cuff": cuff}):
        device = await BleakScanner.find_device_by_address(cuff.address, timeout=30)
        assert device is not None
        with pytest.raises(BleakDBusError) as refused:
            async with BleakClient(device, pair=True, timeout=40):
                pass
        assert refused.value.dbus_error == "org.bluez.Error.AuthenticationFailed"
    assert not await device_property(cuff.address, "Paired")


async def test_with_a_closed_window_nothing_is_paired(air: Air) -> None:
    cuff, wanted = cuff_at("C0:FF:EE:00:01:03", FIRST)
    async with living(air, {"cuff": cuff}), radio(cuff.address, pairing=False) as owner:
        with pytest.raises(DeviceUnavailable) as refused:
            await told(owner, wanted)
        assert refused.value.stable_code == "ble-not-paired"
    assert cuff.connections == 0


# ── The daemon ───────────────────────────────────────────────────────────────────────────────────


async def test_the_radio_comes_back_after_the_daemon_died(air: Air) -> None:
    cuff, wanted = cuff_at("C0:FF:EE:00:01:06", FIRST, SECOND)
    async with living(air, {"cuff": cuff}), radio(cuff.address, pairing=True) as owner:
        assert await told(owner, wanted) == [FIRST]
        killed = await asyncio.create_subprocess_exec("pkill", "-KILL", "-x", "bluetoothd")
        assert await killed.wait() == 0
        await adapter_ready()
        assert await told(owner, wanted) == [SECOND]


async def test_the_radio_scans_on_after_the_adapter_was_off(air: Air) -> None:
    """BlueZ forgets who scanned; a cuff that sleeps all the while must be heard when it wakes up."""
    cuff, wanted = cuff_at("C0:FF:EE:00:01:09")
    async with living(air, {"cuff": cuff}), radio(cuff.address, pairing=True) as owner:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(told(owner, wanted))
            await adapter_says("Discovering", wanted=True)
            await power(on=False)
            assert await adapter("Discovering") is False
            await power(on=True)
            cuff.measure(FIRST)
        assert reading.result() == [FIRST]


# ── The devices themselves ───────────────────────────────────────────────────────────────────────


async def test_the_cuff_driver_reads_a_bonded_cuff_twice(air: Air) -> None:
    cuff = cuff_simulator.make_peripheral("C0:FF:EE:00:01:07", {})
    readings: list[str] = []
    async with living(air, {"cuff": cuff}) as world, radio(cuff.address, pairing=True) as owner:
        driver = KINDS["sig-bp"].make_driver(DriverContext("cuff-1", f"ble:{cuff.address}", owner))
        for order in ("measure 128 82 70", "measure 130 84 72"):
            assert await world.inhabitants["cuff"].obey(order)
            async with asyncio.timeout(60), driver.session() as events:
                readings += [numbers(event) async for event in events if isinstance(event, Reading)]
    assert [reading.split()[:2] for reading in readings] == [["128", "82"], ["130", "84"]]


async def test_the_strap_driver_streams_an_ecg_without_a_gap(air: Air) -> None:
    strap = strap_simulator.make_peripheral("C0:FF:EE:00:01:08", {})
    waves: list[Wave] = []
    rates = 0
    async with living(air, {"strap": strap}), radio(strap.address, pairing=False) as owner:
        driver = KINDS["polar-h10"].make_driver(DriverContext("strap-1", f"ble:{strap.address}", owner))
        async with asyncio.timeout(60), driver.session() as events:
            async for event in events:
                if isinstance(event, Wave):
                    waves.append(event)
                else:
                    rates += 1
                if sum(len(wave.samples) for wave in waves) >= 5 * 130:
                    break
    assert rates > 0
    assert not any(wave.gap for wave in itertools.islice(waves, 1, None))


# ── Lost bonds; last, because some kernels are wounded by them ───────────────────────────────────


async def test_a_lost_bond_looks_like_a_bad_link_to_whoever_connects(air: Air) -> None:
    cuff, wanted = cuff_at("C0:FF:EE:00:01:04", FIRST, SECOND)
    async with living(air, {"cuff": cuff}) as world:
        async with radio(cuff.address, pairing=True) as owner:
            assert await told(owner, wanted) == [FIRST]
        await forget(world)
        assert await BleakScanner.find_device_by_address(cuff.address, timeout=30)
        error, text, came_up = await connect(cuff.address)
        assert came_up
        assert error is None or (error == "org.bluez.Error.Failed" and text in NO_KEYS)
        await adapter_ready()
        assert await device_property(cuff.address, "Paired") is True  # on our side, for ever


async def test_a_cuff_that_lost_its_bond_is_told_and_paired_again_by_a_technician(air: Air) -> None:
    cuff, wanted = cuff_at("C0:FF:EE:00:01:05", FIRST, SECOND)
    async with living(air, {"cuff": cuff}) as world:
        async with radio(cuff.address, pairing=True) as owner:
            assert await told(owner, wanted) == [FIRST]
        await forget(world)
        async with radio(cuff.address, pairing=False) as owner:
            for _ in range(2):
                with pytest.raises(DeviceUnavailable):
                    await told(owner, wanted)
            with pytest.raises(BondLost):
                await told(owner, wanted)
            await adapter_ready()
            await owner.pair_again(cuff.address, 60.0)
            assert await told(owner, wanted) == [SECOND]


def numbers(reading: Reading) -> str:
    return " ".join(f"{value.value:f}" for _, value in reading.values if isinstance(value, Quantity))
