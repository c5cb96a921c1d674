"""What a radio does to every kind of Bluetooth device, on chain B, with the agent's own capture and store.

Each fault strikes between two measurements. Whatever it is: no false value is stored, nothing is stored
twice, and the device is used again afterwards.
"""

import asyncio
import contextlib
import dataclasses
import datetime
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from bleak.backends.bluezdbus import version

from drivers.kinds import DriverContext, Medium
from drivers.radio.world import make_peripheral
from drivers.registry import BUILT_IN
from edge.agent.audience import Audience
from edge.agent.parts import Device
from edge.agent.supervisor import Supervisor
from edge.clock import SystemClock
from edge.ports.driver import DeviceEvent, Driver
from edge.store.rows import Observation
from edge.store.store import Store
from edge.vitals.codes import Code
from edge.vitals.quantity import Quantity
from edge.vitals.reading import Reading
from tests.drivers.radio_cuff import ADDRESS
from tests.drivers.radio_stage import ChainB, chain_b
from tests.edge.agent.agent_world import KEY, UNIT
from tests.edge.agent.test_agent_capture import Bench
from tests.system.kept_stage import Kept

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

PATIENCE_S: Final = 90.0
MEASURED_AGAIN_AFTER_S: Final = 20.0
APART_S: Final = 2.5
"""Two alike in one second of the device's clock are one record to us, and setting it takes back a second."""
OMRON_KEY: Final = bytes(range(16))
OTHER: Final = "C0:FF:EE:00:00:09"
"""Where the device is that carries a false name."""


@dataclasses.dataclass(frozen=True)
class Case:
    """How one kind is made to measure.

    Attributes:
        options: of its simulator.
        measures: the orders that make it tell a measurement, for the first, the second and so on, or one for
            all; none for one that tells all the time.
        code: what is looked at.
        values: what it may say of that, in order; of one that tells all the time, its only one.
        within: by how much a true value may differ.
        clock, battery: the orders that make these wrong, where it has them.
    """

    code: Code
    values: tuple[str, ...]
    options: str = ""
    measures: tuple[str, ...] = ()
    within: Decimal = Decimal(0)
    clock: str = ""
    battery: str = ""

    @property
    def continuous(self) -> bool:
        return not self.measures


MOST: Final = 60
"""Measurements that can be told apart; far more than all faults take."""
PRESSURES: Final = tuple(f"measure {101 + n} {71 + n} {61 + n}" for n in range(MOST))
SYSTOLICS: Final = tuple(str(101 + n) for n in range(MOST))
CASES: Final[Mapping[str, Case]] = {
    "sig-bp": Case(Code.SYSTOLIC, SYSTOLICS, "", PRESSURES, clock="clock -7200", battery="battery 4"),
    "sig-glucose": Case(
        Code.GLUCOSE,
        tuple(str(91 + n) for n in range(MOST)),
        "lingers=1",
        tuple(f"measure {91 + n}" for n in range(MOST)),
        clock="clock -7200",
        battery="battery 4",
    ),
    "sig-thermometer": Case(
        Code.TEMPERATURE,
        ("38.4",),
        "temperature_c=38.4",
        ("measure",),
        within=Decimal("0.2"),
        clock="clock -7200",
        battery="battery 4",
    ),
    "sig-scale": Case(
        Code.WEIGHT,
        ("81.2",),
        "weight_kg=81.2",
        ("measure",),
        within=Decimal("0.5"),
        clock="clock -7200",
        battery="battery 4",
    ),
    "sig-oximeter": Case(
        Code.OXYGEN_SATURATION, ("94",), "spo2=94,pulse=81,speed=5", clock="clock -7200", battery="battery 4"
    ),
    "sig-heart-rate": Case(Code.HEART_RATE, ("75",), "pulse=75,speed=5", battery="battery 4"),
    "polar-h10": Case(
        Code.HEART_RATE, ("75",), "", within=Decimal(12), clock="clock -7200", battery="battery 4"
    ),
    "berry-bci": Case(Code.OXYGEN_SATURATION, ("94",), "spo2=94,pulse=81"),
    "wellue-o2ring": Case(Code.OXYGEN_SATURATION, ("94",), "spo2=94,pulse=81", battery="battery 4"),
    "viatom-pc60fw": Case(Code.OXYGEN_SATURATION, ("94",), "spo2=94,pulse=81", battery="battery 0"),
    "creative-pc300": Case(Code.OXYGEN_SATURATION, ("94",), "spo2=94,pulse=81", battery="battery 0"),
    "omron-hem": Case(Code.SYSTOLIC, SYSTOLICS, f"unlock={OMRON_KEY.hex()}", PRESSURES, clock="clock -7200"),
}


def test_every_bluetooth_kind_is_here() -> None:
    assert set(CASES) == {kind.kind for kind in BUILT_IN.values() if kind.transport is Medium.BLE}


class Box:
    """Radio, driver, capture and store, with a visit open; and what a fault may strike."""

    def __init__(self, chain: ChainB, case: Case, bench: Bench, it: Driver, other: Driver) -> None:
        self.chain = chain
        self.case = case
        self.bench = bench
        self.other = other
        self.measured = 0
        self.next_s = 0.0
        self.heard: list[tuple[str, Reading]] = []
        capture = bench.capture
        self.supervisor = Supervisor([Device(it)], Audience(), self.hear, capture.gone, retry_s=0.05)
        capture.ask_again = self.supervisor.again

    async def hear(self, key: str, event: DeviceEvent) -> Sequence[bytes]:
        if isinstance(event, Reading):
            self.heard.append((key, event))
        return await self.bench.capture.hear(key, event)

    def calm(self) -> None:
        """End what a fault has begun."""
        self.chain.bluez.faults.slow_to_resolve_s = 0.0
        self.chain.bluez.faults.lose_values = self.chain.bluez.faults.double_values = 0

    async def order(self, order: str) -> None:
        assert await self.chain.world.obey(f"it {order}"), order

    async def measure(self) -> None:
        now_s = asyncio.get_running_loop().time
        await self.until(lambda: now_s() >= self.next_s)
        self.next_s = now_s() + (APART_S if len(self.case.values) == 1 else 0.0)
        await self.order(self.case.measures[min(self.measured, len(self.case.measures) - 1)])
        self.measured += 1

    async def use(self) -> None:
        """Measure once more, and wait until it is there: stored, or of a stream on the screen."""
        if self.case.continuous:
            before = len(self.heard)
            await self.until(lambda: any(self.true(reading) for _, reading in self.heard[before:]))
            return
        before = len(await self.stored())
        async with asyncio.timeout(PATIENCE_S):
            while len(await self.stored()) == before:
                await self.measure()  # who sees nothing come measures once more
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(MEASURED_AGAIN_AFTER_S):
                        while len(await self.stored()) == before:
                            await asyncio.sleep(0.02)

    async def until(self, true: Callable[[], object], within_s: float = PATIENCE_S) -> None:
        async with asyncio.timeout(within_s):
            while not true():
                await asyncio.sleep(0.02)

    def true(self, reading: Reading) -> bool:
        value = dict(reading.values).get(self.case.code)
        return isinstance(value, Quantity) and self.is_true(value.value)

    def is_true(self, value: Decimal) -> bool:
        told = self.case.values if len(self.case.values) == 1 else self.case.values[: self.measured]
        return any(abs(value - Decimal(expected)) <= self.case.within for expected in told)

    async def stored(self) -> list[Observation]:
        """What is stored of what is looked at, for the visit and in the tray."""
        return [each for each in await self.bench.observations() if each.code == self.case.code]

    @property
    def code(self) -> str | None:
        """Why it is not there, or None."""
        return self.code_of("it")

    def code_of(self, key: str) -> str | None:
        for each in self.supervisor.shown():
            assert isinstance(each, Mapping)
            if each["key"] == key:
                return None if each["code"] is None else str(each["code"])
        raise KeyError(key)


@contextlib.asynccontextmanager
async def box(directory: Path, kind: str) -> AsyncGenerator[Box]:
    """A device of the kind that has measured once; and one that only says it is of that kind, elsewhere."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        # bleak looks for bluetoothctl once, and misses it where BlueZ is not installed
        monkeypatch.setattr(version.BlueZFeatures, "checked_bluez_version", True)
        async with _box(directory, monkeypatch, kind) as made:
            yield made


@contextlib.asynccontextmanager
async def _box(directory: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> AsyncGenerator[Box]:
    monkeypatch.setattr("drivers.transport.ladder.LONGEST_PAUSE_S", 0.3)
    case = CASES[kind]
    false_kind = "sig-scale" if kind == "sig-thermometer" else "sig-thermometer"
    peripherals = dict(
        [
            make_peripheral(f"{kind}={ADDRESS},key=it{case.options and ','}{case.options}"),
            make_peripheral(f"{false_kind}={OTHER},key=other"),
        ]
    )
    peripherals["other"].name = peripherals["it"].name  # type: ignore[misc]  # a liar
    Store.create(
        directory / "qafila.db", KEY, unit=UNIT, realm="production", moment=SystemClock().now()
    ).close()
    bench = Bench(directory)
    await bench.open()
    await bench.open_visit()
    async with chain_b(directory, monkeypatch, peripherals) as chain:
        it, other = (_driver(chain, kind, key, where) for key, where in (("it", ADDRESS), ("other", OTHER)))
        made = Box(chain, case, bench, it, other)
        for driver in (it, other):
            bench.capture.add(Device(driver))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(made.supervisor.run())
            await made.use()
            yield made
            task.cancel()
    bench.room.end()


def _driver(chain: ChainB, kind: str, key: str, address: str) -> Driver:
    context = DriverContext(key, f"ble:{address}", chain.owner, _wall, secret=lambda: OMRON_KEY)
    return BUILT_IN[kind].make_driver(context)


def _wall() -> datetime.datetime:
    wall_s = SystemClock().now().wall_ms / 1000
    return datetime.datetime.fromtimestamp(wall_s)  # noqa: DTZ006  devices have no zone


# ── The faults: each strikes a device that has been used, and leaves it so that it can be used again ────


async def hang_up_in_the_middle(box: Box) -> None:
    await box.order("hang-up")


async def bond_lost(box: Box) -> None:
    """It is for a technician then; whoever does not bond notices nothing."""
    bonded = set(box.chain.central.bonded)
    await box.order("forget")
    if bonded:
        if box.case.continuous:
            await box.order("hang-up")
        else:
            async with asyncio.timeout(PATIENCE_S):
                while box.code != "bond-lost":  # some go to sleep before it is certain
                    await box.measure()
                    with contextlib.suppress(TimeoutError):
                        await box.until(lambda: box.code == "bond-lost", within_s=8.0)
        await box.until(lambda: box.code == "bond-lost")
        await box.chain.owner.pair_again(ADDRESS, 60)


async def values_lost(box: Box) -> None:
    box.chain.bluez.faults.lose_values = 1
    if not box.case.continuous:
        await box.measure()
    await box.until(lambda: box.chain.bluez.faults.lose_values == 0)


async def values_doubled(box: Box) -> None:
    box.chain.bluez.faults.double_values = 40


async def slow_connect(box: Box) -> None:
    box.chain.bluez.faults.slow_to_resolve_s = 1.0
    if box.case.continuous:
        await box.order("hang-up")


async def another_device_under_its_name(box: Box) -> None:
    """It measures what its kind measures; nothing of that may pass for what we asked for."""
    box.supervisor.add(box.other)
    assert await box.chain.world.obey("other measure")
    with contextlib.suppress(TimeoutError):  # some are known by their service, and it is never called
        async with asyncio.timeout(2.0):
            while box.code_of("other") is None:
                await asyncio.sleep(0.02)
    assert [reading for key, reading in box.heard if key == "other"] == []
    await box.supervisor.remove("other")


async def battery_low(box: Box) -> None:
    if box.case.battery:
        await box.order(box.case.battery)


async def clock_wrong(box: Box) -> None:
    if box.case.clock:
        await box.order(box.case.clock)


async def out_of_range_and_back(box: Box) -> None:
    await box.order("leave")
    if box.case.continuous:
        await box.until(lambda: box.code is not None)
    await box.order("return")


async def adapter_reset(box: Box) -> None:
    """Of devices that sleep it takes the scan away, and nothing says so."""
    if not box.case.continuous:
        await box.until(lambda: box.chain.bluez.scanning)
    for on in (False, True):
        await box.chain.bluez.power(on=on)


FAULTS: Final[tuple[Callable[[Box], Awaitable[None]], ...]] = (
    hang_up_in_the_middle, bond_lost, values_lost, values_doubled, slow_connect,
    another_device_under_its_name, battery_low, clock_wrong, out_of_range_and_back, adapter_reset,
)  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Kept[Box]]:
    """One box for all faults of a kind; after a test that failed on it, another."""
    kind = str(request.param)
    stage = Kept(lambda: box(tmp_path_factory.mktemp(kind), kind))
    yield stage
    await stage.end()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("kept", CASES, indirect=True, scope="module")
async def test_no_false_value_nothing_twice_and_used_again(
    kept: Kept[Box], fault: Callable[[Box], Awaitable[None]]
) -> None:
    async with asyncio.timeout(120), kept.use() as made:
        before = len(made.heard)
        await fault(made)
        await made.use()
        made.calm()
        stored = await made.stored()
        said = [
            value
            for _, reading in made.heard[before:]
            for code, value in reading.values
            if code == made.case.code
        ]
        assert all(made.is_true(value.value) for value in said if isinstance(value, Quantity))
        assert all(each.value is None or made.is_true(each.value) for each in stored)
        if not made.case.continuous:
            assert len(stored) <= made.measured
            if len(made.case.values) > 1:
                assert len({each.value for each in stored}) == len(stored)
