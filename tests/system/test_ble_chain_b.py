"""The cuff through chain B: bleak unmodified, with every fault that the field has shown."""

import asyncio
import gc
from pathlib import Path

import pytest
from bleak.backends.bluezdbus import version

from drivers.radio import fake_device
from drivers.transport import attempt, ble
from drivers.transport.errors import BondLost, RadioDown
from drivers.transport.link import Wanted
from drivers.transport.peer import State
from edge.ports.driver import DeviceMisbehaved, DeviceUnavailable
from tests.drivers.radio_cuff import ADDRESS, FEATURE, MEASUREMENT, STREAM, Cuff
from tests.drivers.radio_stage import CUFF, chain_b, open_window, take_reading, until

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def as_if_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bleak looks for bluetoothctl once, and misses it where BlueZ is not installed."""
    monkeypatch.setattr(version.BlueZFeatures, "checked_bluez_version", True)


async def test_a_cuff_pairs_hangs_up_and_comes_back_on_its_bond(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuff = Cuff(b"first", b"second", b"third")
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": cuff}) as chain:
        assert await take_reading(chain.owner) == [b"first"]
        chain.window.close()  # what is bonded needs no window
        assert await take_reading(chain.owner) == [b"second"]
        assert await take_reading(chain.owner) == [b"third"]
        assert cuff.connections == 3
        assert chain.owner.state(CUFF) is State.ABSENT
        assert chain.bluez.scanned_while_connecting == 0


async def test_a_device_can_be_read_and_written_and_says_how_much_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        asyncio.timeout(150),
        chain_b(tmp_path, monkeypatch, {"cuff": Cuff(b"x")}) as chain,
        chain.owner.session(CUFF) as link,
    ):
        assert await link.read(FEATURE) == b"\x07\x00"
        assert link.mtu == 247
        assert link.has(MEASUREMENT)
        assert not link.has("0000ffff-0000-1000-8000-00805f9b34fb")
        with pytest.raises(DeviceMisbehaved) as missing:
            await link.read("0000ffff-0000-1000-8000-00805f9b34fb")
        assert missing.value.stable_code == "ble-characteristic-missing"
        with pytest.raises(DeviceMisbehaved) as refused:
            await link.write(FEATURE, b"\x00", response=True)
        assert refused.value.stable_code == "ble-refused"


@pytest.mark.parametrize("acquire", [frozenset[str](), frozenset({STREAM})], ids=["start-notify", "acquire"])
async def test_a_stream_arrives_whole_and_in_order_either_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, acquire: frozenset[str]
) -> None:
    cuff = Cuff(stays=True)
    sent = [number.to_bytes(4, "big") for number in range(300)]
    async with (
        asyncio.timeout(150),
        chain_b(tmp_path, monkeypatch, {"cuff": cuff}) as chain,
        chain.owner.session(Wanted(address=ADDRESS, bond=True, acquire=acquire)) as link,
    ):
        await link.subscribe(STREAM)
        for value in sent:
            await cuff.stream(value)
            await asyncio.sleep(0.002)  # the socket of a characteristic holds about 200
        cuff.hang_up()
        got = [value async for _, value in link.events()]
    assert got == sent


async def test_nothing_is_paired_without_an_open_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuff = Cuff(b"never")
    window = open_window(is_open=False)
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": cuff}, window=window) as chain:
        with pytest.raises(DeviceUnavailable) as refused:
            await take_reading(chain.owner)
        assert refused.value.stable_code == "ble-not-paired"
        assert cuff.connections == 0
        window.open(ADDRESS, 60)
        assert await take_reading(chain.owner) == [b"never"]


async def test_the_agent_refuses_whom_the_window_does_not_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unbonded device that asks for encryption makes the daemon pair by itself: the agent is the guard."""
    cuff = Cuff(b"stolen")
    window = open_window(is_open=False)
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": cuff}, window=window) as chain:
        with pytest.raises(DeviceUnavailable) as refused:
            await take_reading(chain.owner, Wanted(address=ADDRESS, bond=False))
        assert refused.value.stable_code == "ble-keys-refused"
        assert chain.central.bonded == set()


async def test_connecting_while_the_daemon_is_busy_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": Cuff(b"1", b"2")}) as chain:
        assert await take_reading(chain.owner) == [b"1"]
        chain.bluez.faults.connect_in_progress = 2
        assert await take_reading(chain.owner) == [b"2"]
        assert chain.bluez.faults.connect_in_progress == 0


async def test_interference_is_retried_by_bleak_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": Cuff(b"1", b"2")}) as chain:
        assert await take_reading(chain.owner) == [b"1"]
        chain.bluez.faults.abort_by_local = 2
        assert await take_reading(chain.owner) == [b"2"]


async def test_an_abort_that_says_nothing_more_costs_one_bounded_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the flip of ``Connected`` bleak waits for it until its own timeout."""
    monkeypatch.setattr(attempt, "CONNECT_WITHIN_S", 1.0)
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": Cuff(b"1", b"2")}) as chain:
        assert await take_reading(chain.owner) == [b"1"]
        chain.bluez.faults.abort_by_local = 1
        chain.bluez.faults.abort_flips = False
        with pytest.raises(DeviceUnavailable) as failed:
            await take_reading(chain.owner)
        assert failed.value.stable_code == "ble-unreachable"
        assert await take_reading(chain.owner) == [b"2"]


async def test_a_scan_that_is_refused_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": Cuff(b"1")}) as chain:
        chain.bluez.faults.start_discovery_in_progress = 2
        assert await take_reading(chain.owner) == [b"1"]


async def test_a_scan_that_stays_refused_power_cycles_the_adapter_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.transport.bluez.OFF_FOR_S", 0.01)
    monkeypatch.setattr("drivers.transport.ladder.LONGEST_PAUSE_S", 0.3)
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": Cuff(b"1")}) as chain:
        chain.bluez.faults.start_discovery_in_progress = 7
        with pytest.raises(RadioDown):
            await take_reading(chain.owner)
        readings = None
        while readings is None:
            try:
                readings = await take_reading(chain.owner)
            except RadioDown:
                continue
        assert readings == [b"1"]
        assert chain.bluez.faults.power_cycles == 1


async def test_a_cuff_that_lost_its_bond_needs_a_technician_and_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuff = Cuff(b"1", b"2")
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": cuff}) as chain:
        assert await take_reading(chain.owner) == [b"1"]
        assert await chain.world.obey("cuff forget")
        for _ in range(2):  # it looks like interference
            with pytest.raises(DeviceUnavailable) as refused:
                await take_reading(chain.owner)
            assert refused.value.stable_code == "ble-unreachable"
        with pytest.raises(BondLost):
            await take_reading(chain.owner)
        tried = cuff.connections
        with pytest.raises(BondLost):
            await take_reading(chain.owner)
        chain.owner.try_again(ADDRESS)  # a nurse's button must not pair silently
        with pytest.raises(BondLost):
            await take_reading(chain.owner)
        assert cuff.connections == tried
        await chain.owner.pair_again(ADDRESS, 60)
        assert await take_reading(chain.owner) == [b"2"]


async def test_hanging_up_before_the_services_are_known_costs_no_blind_retries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its next advertisement is waited for, however long it sleeps."""
    cuff = Cuff(b"1", b"2")
    cuff.asleep_after_hanging_up_s = 2.0
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": cuff}) as chain:
        assert await take_reading(chain.owner) == [b"1"]
        cuff.hang_up_encrypted = 1
        with pytest.raises(DeviceUnavailable) as failed:
            await take_reading(chain.owner)
        assert failed.value.stable_code == "ble-unreachable"
        assert await take_reading(chain.owner) == [b"2"]
        assert cuff.connections == 3


async def test_a_device_that_advertises_through_its_rest_is_found_when_the_rest_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon reports it once in a scan, and that was too early."""
    monkeypatch.setattr(attempt, "CONNECT_WITHIN_S", 1.0)
    monkeypatch.setattr(fake_device, "SEEN_AGAIN_S", 3600.0)
    cuff = Cuff(b"1", b"2")
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": cuff}) as chain:
        assert await take_reading(chain.owner) == [b"1"]
        chain.bluez.faults.never_resolves = 3
        for _ in range(3):
            with pytest.raises(DeviceUnavailable):
                await take_reading(chain.owner)
        assert await take_reading(chain.owner) == [b"2"]


async def test_hanging_up_before_the_link_is_encrypted_is_no_lost_bond(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuff = Cuff(b"1", b"2")
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": cuff}) as chain:
        assert await take_reading(chain.owner) == [b"1"]
        cuff.hang_up_at_once = 1
        try:
            readings = await take_reading(chain.owner)  # bleak may try again by itself
        except DeviceUnavailable:
            readings = await take_reading(chain.owner)
        assert readings == [b"2"]
        assert cuff.connections == 3


async def test_services_that_never_resolve_cost_one_bounded_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "CONNECT_WITHIN_S", 1.0)
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": Cuff(b"1", b"2")}) as chain:
        assert await take_reading(chain.owner) == [b"1"]
        chain.bluez.faults.never_resolves = 1
        with pytest.raises(DeviceUnavailable) as failed:
            await take_reading(chain.owner)
        assert failed.value.stable_code == "ble-unreachable"
        assert await take_reading(chain.owner) == [b"2"]


async def test_the_death_of_the_bus_is_survived_in_the_same_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.transport.ladder.LONGEST_PAUSE_S", 0.3)
    cuff = Cuff(stays=True)
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": cuff}) as chain:
        async with chain.owner.session(CUFF) as link:
            await link.subscribe(STREAM)
            await cuff.stream(b"before")
            events = link.events()
            assert await anext(events) == (STREAM, b"before")
            await chain.bus.kill()
            assert [event async for event in events] == []
        with pytest.raises(RadioDown):
            await take_reading(chain.owner)
        cuff.hang_up()
        cuff.stays = False
        await chain.bus.start()
        await chain.start_daemon()
        cuff.measure(b"after")
        readings = None
        while readings is None:
            try:
                readings = await take_reading(chain.owner)
            except RadioDown:
                continue
        assert readings == [b"after"]
        gc.collect()


@pytest.mark.parametrize("what", ["bus", "daemon", "adapter"])
async def test_a_scan_that_nobody_serves_any_more_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A scan says nothing when what it stands on dies under it; the next reading must come all the same."""
    monkeypatch.setattr(ble, "LOOK_EVERY_S", 0.1)
    cuff = Cuff()
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": cuff}) as chain:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(take_reading(chain.owner))
            await until(lambda: chain.bluez.scanning)
            if what == "adapter":
                await chain.bluez.power(on=False)
                await chain.bluez.power(on=True)
            if what == "bus":
                await chain.bus.kill()
                await chain.bus.start()
            if what != "adapter":
                await chain.start_daemon()
            cuff.measure(b"all the same")
        assert reading.result() == [b"all the same"]


async def test_a_restarted_daemon_gets_its_agent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.transport.ladder.LONGEST_PAUSE_S", 0.3)
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": Cuff(b"1")}) as chain:
        await chain.start_daemon()
        assert await take_reading(chain.owner) == [b"1"]


async def test_silence_climbs_the_ladder_once_and_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing advertises at all: the adapter is suspected, restarted once, and then left in peace."""
    monkeypatch.setattr(ble, "SILENT_S", 0.2)
    monkeypatch.setattr(ble, "LOOK_EVERY_S", 0.1)
    monkeypatch.setattr("drivers.transport.bluez.OFF_FOR_S", 0.01)
    cuff = Cuff()
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": cuff}) as chain:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(take_reading(chain.owner))
            await until(lambda: chain.bluez.faults.power_cycles)
            await asyncio.sleep(1.0)  # five silences
            assert chain.bluez.faults.power_cycles == 1
            cuff.measure(b"at last")
        assert reading.result() == [b"at last"]


async def test_a_live_connection_proves_the_adapter_however_silent_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuff = Cuff(stays=True)
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": cuff}) as chain:
        async with chain.owner.session(CUFF) as link:
            monkeypatch.setattr(ble, "SILENT_S", 0.2)  # before, a busy machine would be silent for so long
            monkeypatch.setattr(ble, "LOOK_EVERY_S", 0.1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(2):
                    await take_reading(chain.owner, Wanted(address="C0:FF:EE:00:00:09"))
            assert await link.read(FEATURE) == b"\x07\x00"
        assert chain.bluez.faults.power_cycles == 0


async def test_news_of_a_known_device_is_no_advertisement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BlueZ tells a scanner all of a device, its hanging up too: nobody is there to be connected then."""
    cuff = Cuff(b"1", b"2", stays=True)
    cuff.rest_s = 3600.0
    async with (
        asyncio.timeout(150),
        chain_b(tmp_path, monkeypatch, {"cuff": cuff}) as chain,
        asyncio.TaskGroup() as group,
    ):
        async with chain.owner.session(CUFF) as link:
            await link.subscribe(MEASUREMENT)
            again = group.create_task(
                take_reading(chain.owner, Wanted(address=ADDRESS, bond=True, service="x"))
            )
            await until(lambda: chain.bluez.scanning)
            attempts = chain.bluez.attempts
            cuff.stays = False
            cuff.hang_up()
            assert [value async for _, value in link.events()] == [b"1"]
        await asyncio.sleep(0.5)
        assert chain.bluez.attempts == attempts
        cuff.wake()
        assert await again == [b"2"]
