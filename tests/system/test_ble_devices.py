"""The cuff and the chest strap as they come: their own drivers, simulators and radio, on two chains."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from bleak.backends.bluezdbus import version

from drivers.devices.polar_h10.readings import LEAD
from drivers.kinds import DriverContext
from drivers.radio.world import World, make_peripheral
from drivers.registry import KINDS
from drivers.simulation.ecg import Heart
from drivers.transport.ble import AdapterOwner
from drivers.transport.errors import BondLost
from edge.clock import SystemClock
from edge.ports.driver import DeviceError, DeviceEvent, DeviceUnavailable, Driver
from edge.vitals.codes import Code
from edge.vitals.quantity import Missing, Quantity
from edge.vitals.reading import Mode, Reading, Wave
from tests.drivers.radio_cuff import ADDRESS
from tests.drivers.radio_stage import chain_b, chain_c, open_window

pytestmark = pytest.mark.system
STRAP = "C0:FF:EE:00:00:02"


@pytest.fixture(autouse=True)
def as_if_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bleak looks for bluetoothctl once, and misses it where BlueZ is not installed."""
    monkeypatch.setattr(version.BlueZFeatures, "checked_bluez_version", True)


class Stage:
    """Simulated devices, and our drivers on a radio that reaches them."""

    def __init__(self, owner: AdapterOwner, world: World) -> None:
        self.owner = owner
        self.world = world

    def driver(self, kind: str, address: str) -> Driver:
        return KINDS[kind].make_driver(DriverContext("device-1", f"ble:{address}", self.owner))

    @property
    def cuff(self) -> Driver:
        return self.driver("sig-bp", ADDRESS)

    @property
    def strap(self) -> Driver:
        return self.driver("polar-h10", STRAP)

    async def order(self, line: str) -> None:
        assert await self.world.obey(line)


@pytest.fixture(params=["bluez", "bumble"])
def chain(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextlib.asynccontextmanager
async def stage(
    chain: str, directory: Path, monkeypatch: pytest.MonkeyPatch, *devices: str
) -> AsyncGenerator[Stage]:
    peripherals = dict(make_peripheral(device) for device in devices)
    async with asyncio.timeout(150):
        if chain == "bluez":
            async with chain_b(directory, monkeypatch, peripherals) as b:
                yield Stage(b.owner, b.world)
        else:
            async with chain_c(directory, open_window(), peripherals) as (owner, world):
                yield Stage(owner, world)


async def everything(driver: Driver) -> list[Reading]:
    """What a cuff says until it hangs up."""
    async with driver.session() as events:
        return [event async for event in events if isinstance(event, Reading)]


async def some(driver: Driver, count: int) -> list[DeviceEvent]:
    events: list[DeviceEvent] = []
    async with driver.session() as source:
        async for event in source:
            events.append(event)
            if len(events) == count:
                break
    return events


def systolics(readings: list[Reading]) -> list[str]:
    values = [dict(reading.values).get(Code.SYSTOLIC) for reading in readings]
    return [str(value.value) for value in values if isinstance(value, Quantity)]


CUFF = f"sig-bp={ADDRESS},key=cuff"


async def test_a_cuff_is_paired_hangs_up_and_comes_back_on_its_bond(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(chain, tmp_path, monkeypatch, CUFF) as at:
        cuff = at.cuff
        await at.order("cuff measure 128 82 70")
        (first,) = await everything(cuff)
        at.owner.window.close()  # what is bonded needs no window
        await at.order("cuff measure 129 83 71")
        (second,) = await everything(cuff)
        assert [str(value.value) for _, value in second.values if isinstance(value, Quantity)] == [
            "129",
            "83",
            "98",
            "71",
        ]
        assert systolics([first]) == ["128"]
        assert (first.just_taken, first.mode, first.flags) == (True, Mode.SPOT, ())
        assert first.at is not None
        assert second.identity is not None
        assert (second.identity.serial, second.identity.battery_percent) == ("C0FFEE000001", 90)


async def test_what_the_cuff_could_not_tell_comes_with_the_next_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage("bluez", tmp_path, monkeypatch, CUFF) as at:
        await at.order("cuff store 117 76 66")
        await at.order("cuff store 118 77 67")
        await at.order("cuff measure 121 80 70")
        readings = await everything(at.cuff)
        assert systolics(readings) == ["117", "118", "121"]
        assert len({reading.record for reading in readings}) == 3


async def test_a_failed_measurement_arrives_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage("bumble", tmp_path, monkeypatch, CUFF) as at:
        await at.order("cuff fail loose")
        (reading,) = await everything(at.cuff)
        assert all(isinstance(value, Missing) for _, value in reading.values)
        assert reading.flags == ("measurement-failed", "cuff-too-loose")


async def test_the_pressure_is_watched_while_the_cuff_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage("bluez", tmp_path, monkeypatch, CUFF) as at:
        await at.order("cuff watch 121 80 70")
        *during, result = await everything(at.cuff)
        assert systolics([result]) == ["121"]
        assert len(during) == 11
        assert {code for reading in during for code, _ in reading.values} == {Code.CUFF_PRESSURE}


@pytest.mark.parametrize(
    ("options", "flags", "taken", "has_time"),
    [
        ("clock=unset", {"from-memory", "device-time-implausible"}, False, False),
        ("clock=none", set[str](), True, False),
        ("unit=kPa,map=no", set[str](), True, True),
        ("battery=4", {"low-battery"}, True, True),
    ],
)
async def test_cuffs_differ(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: str,
    flags: set[str],
    taken: bool,
    has_time: bool,
) -> None:
    async with stage("bumble", tmp_path, monkeypatch, f"{CUFF},{options}") as at:
        await at.order("cuff measure 120 80 70")
        (reading,) = await everything(at.cuff)
        assert set(reading.flags) == flags
        assert (reading.just_taken, reading.at is not None) == (taken, has_time)
        systolic = dict(reading.values)[Code.SYSTOLIC]
        assert isinstance(systolic, Quantity)
        assert round(systolic.value) == 120


@pytest.mark.parametrize(("chain", "style"), [("bumble", "and"), ("bluez", "omron")])
async def test_a_clock_nobody_has_set_is_set_and_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chain: str, style: str
) -> None:
    from drivers.devices.sig_bp.simulator import wall_clock

    async with stage(chain, tmp_path, monkeypatch, f"{CUFF},style={style},clock=unset") as at:
        wall = wall_clock()
        now_s = SystemClock().monotonic_s
        context = DriverContext("cuff-1", f"ble:{ADDRESS}", at.owner, lambda: wall.now(now_s()))
        cuff = KINDS["sig-bp"].make_driver(context)
        await at.order("cuff measure 120 80 70")
        (before,) = await everything(cuff)
        assert before.at is None
        await at.order("cuff measure 121 80 70")
        (after,) = await everything(cuff)
        assert after.at is not None
        assert (after.just_taken, after.flags) == (True, ())


async def test_a_cuff_that_lost_its_bond_is_for_the_technician(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(chain, tmp_path, monkeypatch, CUFF) as at:
        cuff = at.cuff
        await at.order("cuff measure 128 82 70")
        assert systolics(await everything(cuff)) == ["128"]
        await at.order("cuff forget")
        await at.order("cuff measure 129 83 71")
        codes = [await code_of(cuff) for _ in range(3)]
        assert codes[-1] == BondLost.code
        await at.owner.pair_again(ADDRESS, 60)
        assert systolics(await everything(cuff)) == ["129"]  # kept by the cuff, and not lost


async def code_of(driver: Driver) -> str:
    """How a session ends."""
    try:
        await everything(driver)
    except DeviceError as error:
        return error.stable_code
    return "well"


# ── The strap ────────────────────────────────────────────────────────────────────────────────────

WORN = f"polar-h10={STRAP},key=strap"


async def test_the_ecg_streams_as_it_was_recorded(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(chain, tmp_path, monkeypatch, WORN) as at:
        events = await some(at.strap, 8)
        waves = [event for event in events if isinstance(event, Wave)]
        rates = [event for event in events if isinstance(event, Reading)]
        assert len(waves) >= 4
        assert {(wave.code, wave.lead) for wave in waves} == {(Code.ECG, LEAD)}
        assert str(waves[-1].rate) == "130.17"
        assert not any(wave.gap for wave in waves[1:])
        ecg = tuple(sample for wave in waves for sample in wave.samples)
        recorded = Heart(130).microvolts
        assert any(recorded[start : start + len(ecg)] == ecg for start in range(len(recorded)))
        hr = dict(rates[0].values)[Code.HEART_RATE]
        assert isinstance(hr, Quantity)
        assert 65 <= hr.value <= 85


async def test_off_the_skin_nothing_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage("bumble", tmp_path, monkeypatch, f"{WORN},contact=off") as at:
        events = await some(at.strap, 2)
        assert not any(isinstance(event, Wave) for event in events)


@pytest.mark.parametrize(
    ("answer", "code"), [("0A", "mtu-too-small"), ("0D", "device-busy"), ("08", "ecg-refused")]
)
async def test_a_strap_that_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: str
) -> None:
    async with stage("bumble", tmp_path, monkeypatch, f"{WORN},answer={answer}") as at:
        with pytest.raises(DeviceError) as refused:
            await some(at.strap, 30)
        assert refused.value.stable_code == code


async def test_a_strap_that_streams_already_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage("bumble", tmp_path, monkeypatch, f"{WORN},answer=06") as at:
        assert any(isinstance(event, Wave) for event in await some(at.strap, 3))


async def test_lost_frames_are_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage("bumble", tmp_path, monkeypatch, WORN) as at, at.strap.session() as events:
        waves: list[Wave] = []
        async for event in events:
            if not isinstance(event, Wave):
                continue
            waves.append(event)
            if len(waves) == 2:
                await at.order("strap lose 1")
            if len(waves) == 4:
                break
        assert [wave.gap for wave in waves[1:]] == [False, True, False]


async def test_a_strap_that_is_taken_off_and_put_on_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage("bumble", tmp_path, monkeypatch, WORN) as at:
        strap = at.strap
        async with strap.session() as events:
            await anext(events)
            await at.order("strap hang-up")
            rest = [event async for event in events]
        assert len(rest) <= 3
        assert any(isinstance(event, Wave) for event in await some(strap, 3))


async def test_out_of_range_the_strap_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage("bumble", tmp_path, monkeypatch, WORN) as at:
        strap = at.strap
        with contextlib.suppress(DeviceUnavailable):
            async with strap.session() as events:
                await anext(events)
                await at.order("strap leave")
                async for _ in events:
                    pass
        await at.order("strap return")
        assert await some(strap, 2)


async def test_both_devices_are_heard_through_one_adapter(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(chain, tmp_path, monkeypatch, CUFF, WORN) as at, at.strap.session() as events:
        assert isinstance(await anext(events), Reading)
        await at.order("cuff measure 128 82 70")
        assert systolics(await everything(at.cuff)) == ["128"]
        waves = [event for event in [await anext(events) for _ in range(4)] if isinstance(event, Wave)]
        assert waves
