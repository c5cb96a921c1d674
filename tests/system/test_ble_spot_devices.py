"""Thermometers and scales as they come: their own drivers, simulators and radio, on two chains."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from bleak.backends.bluezdbus import version

from drivers.kinds import DriverContext
from drivers.radio.world import World, make_peripheral
from drivers.registry import KINDS
from drivers.simulation.device_clock import right
from drivers.transport.ble import AdapterOwner
from drivers.transport.errors import BondLost
from edge.clock import SystemClock
from edge.ports.driver import DeviceError, Driver
from edge.vitals.codes import Code
from edge.vitals.quantity import Missing, Quantity
from edge.vitals.reading import Reading
from tests.drivers.radio_cuff import ADDRESS
from tests.drivers.radio_stage import chain_b, chain_c, open_window

pytestmark = pytest.mark.system

TEMPERATURE = f"sig-thermometer={ADDRESS},key=it"
SCALE = f"sig-scale={ADDRESS},key=it"
KINDS_AND_CODES = [
    pytest.param(f"{TEMPERATURE},temperature_c=38.4", Code.TEMPERATURE, "38.4", id="thermometer"),
    pytest.param(f"{SCALE},weight_kg=81.2", Code.WEIGHT, "81.200", id="scale"),
]


@pytest.fixture(autouse=True)
def as_if_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bleak looks for bluetoothctl once, and misses it where BlueZ is not installed."""
    monkeypatch.setattr(version.BlueZFeatures, "checked_bluez_version", True)


class Stage:
    """One simulated device, and its driver on a radio that reaches it."""

    def __init__(self, owner: AdapterOwner, world: World, driver: Driver) -> None:
        self.owner = owner
        self.world = world
        self.driver = driver

    async def order(self, *orders: str) -> None:
        for order in orders:
            assert await self.world.obey(f"it {order}")

    async def hear(self) -> list[Reading]:
        """What it says until it hangs up."""
        async with self.driver.session() as events:
            return [event async for event in events if isinstance(event, Reading)]

    async def after(self, *orders: str) -> list[Reading]:
        await self.order(*orders)
        return await self.hear()


@contextlib.asynccontextmanager
async def stage(
    chain: str, directory: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> AsyncGenerator[Stage]:
    peripherals = dict([make_peripheral(device)])
    wall, now_s = right(), SystemClock().monotonic_s
    kind = KINDS[device.partition("=")[0]]

    def at(owner: AdapterOwner, world: World) -> Stage:
        context = DriverContext("it", f"ble:{ADDRESS}", owner, lambda: wall.now(now_s()))
        return Stage(owner, world, kind.make_driver(context))

    async with asyncio.timeout(50):
        if chain == "bluez":
            async with chain_b(directory, monkeypatch, peripherals) as b:
                yield at(b.owner, b.world)
        else:
            async with chain_c(directory, open_window(), peripherals) as (owner, world):
                yield at(owner, world)


@pytest.fixture(params=["bluez", "bumble"])
def chain(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def numbers(found: list[Reading], code: Code) -> list[str]:
    values = [dict(reading.values).get(code) for reading in found]
    return [str(value.value) for value in values if isinstance(value, Quantity)]


@pytest.mark.parametrize(("device", "code", "number"), KINDS_AND_CODES)
async def test_it_is_paired_hangs_up_and_comes_back_on_its_bond(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, code: Code, number: str
) -> None:
    async with stage(chain, tmp_path, monkeypatch, device) as at:
        (first,) = await at.after("measure")
        at.owner.window.close()  # what is bonded needs no window
        (second,) = await at.after("measure")
        for reading in (first, second):
            assert numbers([reading], code) == [number]
            assert (reading.just_taken, reading.stored) == (True, False)
            assert reading.identity is not None
            assert (reading.identity.serial, reading.identity.battery_percent) == ("C0FFEE000001", 90)
            assert reading.clock_off_s is not None
            assert abs(reading.clock_off_s) <= 5


@pytest.mark.parametrize(("device", "code", "number"), KINDS_AND_CODES)
async def test_what_it_kept_comes_first_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, code: Code, number: str
) -> None:
    async with stage("bluez", tmp_path, monkeypatch, device) as at:
        found = await at.after("clock -7200", "store", "clock -3600", "store", "clock set", "measure")
        assert numbers(found, code) == [number] * 3
        assert [reading.stored for reading in found] == [True, True, False]
        times = [reading.at for reading in found if reading.at is not None]
        assert times == sorted(times)


@pytest.mark.parametrize(("device", "code", "number"), KINDS_AND_CODES)
async def test_a_clock_nobody_has_set_is_set_and_holds(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, code: Code, number: str
) -> None:
    async with stage(chain, tmp_path, monkeypatch, f"{device},clock=unset") as at:
        (before,) = await at.after("measure")
        assert (before.at, before.just_taken) == (None, False)
        (after,) = await at.after("measure")
        assert (after.at is not None, after.just_taken) == (True, True)
        assert numbers([before, after], code) == [number] * 2


@pytest.mark.parametrize(("device", "code", "number"), KINDS_AND_CODES)
async def test_a_wrong_clock_is_told_by_how_much_it_was_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, code: Code, number: str
) -> None:
    async with stage("bumble", tmp_path, monkeypatch, device) as at:
        (reading,) = await at.after("clock -7200", "measure")
        assert reading.clock_off_s is not None
        assert -7210 <= reading.clock_off_s <= -7190
        assert (reading.just_taken, numbers([reading], code)) == (True, [number])


@pytest.mark.parametrize(("device", "code", "number"), KINDS_AND_CODES)
async def test_what_the_link_cut_short_comes_the_next_time(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, code: Code, number: str
) -> None:
    """It hangs up in the middle of what it has to tell: nothing is lost, nothing told twice."""
    async with stage(chain, tmp_path, monkeypatch, device) as at:
        await at.order(
            "clock -7200", "store", "clock -3600", "store", "hang-up after 1", "clock set", "measure"
        )
        first = await at.hear()
        rest = await at.hear()
        assert (len(first), len(rest)) == (1, 2)
        assert numbers([*first, *rest], code) == [number] * 3
        assert len({reading.record for reading in (*first, *rest)}) == 3


@pytest.mark.parametrize(("device", "code", "number"), KINDS_AND_CODES)
async def test_a_lost_bond_is_for_the_technician(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, code: Code, number: str
) -> None:
    async with stage(chain, tmp_path, monkeypatch, device) as at:
        assert numbers(await at.after("measure"), code) == [number]
        await at.order("forget", "measure")
        codes = [await how_it_ends(at) for _ in range(3)]
        assert codes[-1] == BondLost.code
        await at.owner.pair_again(ADDRESS, 60)
        assert numbers(await at.hear(), code) == [number]  # kept by the device, and not lost


async def how_it_ends(at: Stage) -> str:
    try:
        await at.hear()
    except DeviceError as error:
        return error.stable_code
    return "well"


@pytest.mark.parametrize(("device", "code", "number"), KINDS_AND_CODES)
async def test_what_came_to_nothing_arrives_as_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, code: Code, number: str
) -> None:
    async with stage("bumble", tmp_path, monkeypatch, device) as at:
        failed, measured = await at.after("fail", "measure")
        assert isinstance(dict(failed.values)[code], Missing)
        assert numbers([failed, measured], code) == [number]


async def test_the_temperature_is_watched_while_it_rises(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(chain, tmp_path, monkeypatch, f"{TEMPERATURE},temperature_c=38.4,unit=F,site=ear") as at:
        *rising, measured = await at.after("watch")
        assert len(rising) == 6
        assert all(reading.passing for reading in rising)
        assert not measured.passing
        assert numbers([measured], Code.TEMPERATURE) == ["38.39"]  # 101.1 °F
        assert measured.flags == ("site-ear",)


@pytest.mark.parametrize("halves", ["no", "yes"])
async def test_a_body_composition_is_one_reading_however_it_is_sent(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, halves: str
) -> None:
    device = f"{SCALE},weight_kg=81.2,body_fat=31.4,tells=both,halves={halves},user=2"
    async with stage(chain, tmp_path, monkeypatch, device) as at:
        weight, body = await at.after("measure")
        assert numbers([weight, body], Code.WEIGHT) == ["81.200"]
        assert numbers([weight, body], Code.BODY_FAT) == ["31.4"]
        codes = {code for reading in (weight, body) for code, _ in reading.values}
        assert codes == {Code.WEIGHT, Code.BODY_FAT}
