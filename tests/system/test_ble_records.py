"""Meters and oximeters that keep records, and heart rate sensors, through the radio on two chains.

Whatever a meter does in the middle of its records, each comes, and none is stored twice.
"""

import asyncio
import contextlib
import datetime
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from bleak.backends.bluezdbus import version

from drivers.codec.racp import REPORT_ALL, Opcode, report_from
from drivers.devices.sig_glucose.simulator import SimulatedMeter
from drivers.devices.sig_oximeter.simulator import SimulatedOximeter
from drivers.kinds import DriverContext
from drivers.radio.peripheral import Peripheral
from drivers.radio.world import World, make_peripheral
from drivers.registry import KINDS
from drivers.setup import records as records_module
from drivers.transport.alongside import alongside
from drivers.transport.ble import AdapterOwner
from edge.clock import SystemClock
from edge.ports.driver import ClearsMemory, DeviceError, DeviceEvent, Driver
from edge.vitals.codes import Code
from edge.vitals.quantity import Missing, MissingReason, Quantity
from edge.vitals.reading import Mode, Reading
from tests.drivers.radio_cuff import ADDRESS
from tests.drivers.radio_stage import chain_b, chain_c, open_window

pytestmark = pytest.mark.system

METER: Final = f"sig-glucose={ADDRESS},key=meter,lingers=50"
OXIMETER: Final = f"sig-oximeter={ADDRESS},key=oximeter,speed=20"
SENSOR: Final = f"sig-heart-rate={ADDRESS},key=sensor,speed=10"


@pytest.fixture(autouse=True)
def as_if_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bleak looks for bluetoothctl once, and misses it where BlueZ is not installed."""
    monkeypatch.setattr(version.BlueZFeatures, "checked_bluez_version", True)


@pytest.fixture(params=["bluez", "bumble"])
def chain(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Stage:
    """One simulated device, and our driver on a radio that reaches it."""

    def __init__(self, owner: AdapterOwner, world: World, kind: str, peripheral: Peripheral) -> None:
        self.world = world
        self.peripheral = peripheral
        self.driver: Driver = KINDS[kind].make_driver(
            DriverContext("device-1", f"ble:{ADDRESS}", owner, wall=local_wall)
        )
        self.stored: list[Reading] = []

    async def order(self, line: str) -> None:
        assert await self.world.obey(line)

    async def meet(self, *, commits: bool = True, requests: int = 1) -> list[Reading]:
        """What a meter tells until it hangs up, each stored before the next is asked for.

        Args:
            commits: whether it is stored.
            requests: how many it is to answer before it hangs up.
        """
        told: list[Reading] = []
        async with alongside({"hang-up": self._hang_up_after(requests)}), self.driver.session() as events:
            async for event in events:
                assert isinstance(event, Reading)
                told.append(event)
                if commits:
                    await self.commit(event)
        return told

    async def _hang_up_after(self, requests: int) -> None:
        wanted = len(self.meter.meter.kept.requests) + requests
        while len(self.meter.meter.kept.requests) < wanted or not self.meter.access.answered.is_set():
            await asyncio.sleep(0.01)
        await self.order("meter hang-up")

    async def commit(self, reading: Reading) -> None:
        """As the agent does: what is there already is not stored again."""
        assert reading.record is not None
        if reading.record not in {one.record for one in self.stored}:
            self.stored.append(reading)
        if isinstance(self.driver, ClearsMemory):
            await self.driver.committed([reading.record])

    @property
    def meter(self) -> SimulatedMeter:
        assert isinstance(self.peripheral, SimulatedMeter)
        return self.peripheral

    @property
    def oximeter(self) -> SimulatedOximeter:
        assert isinstance(self.peripheral, SimulatedOximeter)
        return self.peripheral

    @property
    def requests(self) -> list[bytes]:
        """What the meter was asked. Nobody may ever have told it to delete."""
        asked = self.meter.meter.kept.requests
        assert all(request[0] != Opcode.DELETE for request in asked)
        return asked


def local_wall() -> datetime.datetime:
    return datetime.datetime.fromtimestamp(SystemClock().now().wall_ms / 1000)  # noqa: DTZ006  devices have no zone


@contextlib.asynccontextmanager
async def stage(
    chain: str, directory: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> AsyncGenerator[Stage]:
    key, peripheral = make_peripheral(device)
    kind = device.partition("=")[0]
    async with asyncio.timeout(60):
        if chain == "bluez":
            async with chain_b(directory, monkeypatch, {key: peripheral}) as b:
                yield Stage(b.owner, b.world, kind, peripheral)
        else:
            async with chain_c(directory, open_window(), {key: peripheral}) as (owner, world):
                yield Stage(owner, world, kind, peripheral)


def numbers(readings: list[Reading], code: Code = Code.GLUCOSE) -> list[int | None]:
    values = [dict(reading.values)[code] for reading in readings]
    return [round(value.value) if isinstance(value, Quantity) else None for value in values]


def sequences(readings: list[Reading]) -> list[int]:
    return [int.from_bytes((reading.record or b"")[1:3], "little") for reading in readings]


# ── Meters ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_meter_tells_all_it_keeps_oldest_first_and_then_only_what_is_new(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(chain, tmp_path, monkeypatch, f"{METER},stored=6") as at:
        await at.order("meter measure 142 after")
        told = await at.meet()
        assert sequences(told) == list(range(7))
        assert numbers(told) == [96, 95, 94, 93, 92, 91, 142]
        assert [reading.stored for reading in told] == [True] * 6 + [False]
        assert [reading.just_taken for reading in told] == [False] * 6 + [True]
        times = [reading.at for reading in told if reading.at is not None]
        assert len(times) == 7
        assert times == sorted(times)
        meals = [[flag for flag in reading.flags if flag in {"fasting", "after-meal"}] for reading in told]
        assert meals == [[], ["after-meal"], ["fasting"]] * 2 + [["after-meal"]]
        assert all("context-missing" not in reading.flags for reading in told)
        assert {reading.mode for reading in told} == {Mode.SPOT}
        assert {reading.identity and reading.identity.serial for reading in told} == {"C0FFEE000001"}
        assert [reading.clock_off_s is not None and abs(reading.clock_off_s) < 60 for reading in told] == (
            [True] * 7
        )

        await at.order("meter measure 98")
        assert numbers(await at.meet()) == [98]
        assert at.requests == [REPORT_ALL, report_from(6)]

        await at.order("meter wake")
        assert await at.meet() == []
        assert at.requests[-1] == report_from(7)


@pytest.mark.parametrize("values", [1, 5, 8])
async def test_a_meter_that_hangs_up_in_the_middle_loses_and_doubles_nothing(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: int
) -> None:
    async with stage(chain, tmp_path, monkeypatch, f"{METER},stored=7") as at:
        await at.order(f"meter records hang-up-after {values}")
        await at.order("meter measure 142 after")
        first = await at.meet()
        assert 0 < len(first) < 8
        second = await at.meet()
        assert sequences(first) + sequences(second) == list(range(8))
        assert at.requests == [REPORT_ALL, report_from(sequences(first)[-1])]
        assert len(at.stored) == 8


async def test_what_was_told_and_not_stored_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage("bluez", tmp_path, monkeypatch, f"{METER},stored=5") as at:
        await at.order("meter wake")
        assert sequences(await at.meet(commits=False)) == [0, 1, 2, 3, 4]
        await at.order("meter wake")
        assert sequences(await at.meet()) == [0, 1, 2, 3, 4]
        assert at.requests == [REPORT_ALL, REPORT_ALL]
        assert sequences(at.stored) == [0, 1, 2, 3, 4]


async def test_a_meter_with_nothing_has_nothing(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(chain, tmp_path, monkeypatch, METER) as at:
        await at.order("meter wake")
        assert await at.meet() == []


async def test_a_meter_that_is_busy_is_told_to_abort_and_asked_again(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(chain, tmp_path, monkeypatch, f"{METER},stored=3") as at:
        await at.order("meter records busy")
        await at.order("meter wake")
        assert sequences(await at.meet()) == [0, 1, 2]
        assert at.requests == [REPORT_ALL]


async def test_a_meter_that_cannot_complete_is_asked_three_times_and_what_came_is_kept(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(chain, tmp_path, monkeypatch, f"{METER},stored=6") as at:
        await at.order("meter records not-completed")
        await at.order("meter wake")
        with pytest.raises(DeviceError) as failed:
            await at.meet(requests=3)
        assert failed.value.stable_code == "records-incomplete"
        assert sequences(at.stored) == [0, 1, 2]
        assert at.requests == [REPORT_ALL] * 3
        await at.order("meter records well")
        await at.order("meter wake")
        await at.meet()
        assert sequences(at.stored) == list(range(6))


async def test_a_meter_that_falls_silent_is_told_to_abort(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_module, "SILENT_FOR_S", 1.0)
    async with stage(chain, tmp_path, monkeypatch, f"{METER},stored=6") as at:
        await at.order("meter records silent")
        await at.order("meter wake")
        with pytest.raises(DeviceError) as failed:
            await at.meet()
        assert failed.value.stable_code == "records-timeout"
        assert sequences(at.stored) == [0, 1, 2]
        await at.order("meter records well")
        await at.meet()  # nobody has answered it yet: it is still awake
        assert sequences(at.stored) == list(range(6))
        assert at.requests == [REPORT_ALL, report_from(2)]


async def test_a_meter_that_counts_anew_is_asked_for_all(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(chain, tmp_path, monkeypatch, f"{METER},stored=3") as at:
        await at.order("meter wake")
        assert sequences(await at.meet()) == [0, 1, 2]
        await at.order("meter new-battery")
        await at.order("meter measure 88")
        told = await at.meet(requests=2)
        assert (sequences(told), numbers(told)) == ([0], [88])
        assert at.requests == [REPORT_ALL, report_from(2), REPORT_ALL]
        assert told[0].at is None  # its clock stands where batteries put it
        assert "device-time-implausible" in told[0].flags


async def test_a_meter_that_has_overtaken_what_we_knew_is_asked_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage("bluez", tmp_path, monkeypatch, f"{METER},stored=2") as at:
        await at.order("meter wake")
        await at.meet()
        await at.order("meter new-battery")
        for number in (81, 82, 83, 84):
            await at.order(f"meter store {number}")
        await at.order("meter wake")
        told = await at.meet(requests=2)
        assert sorted(sequences(told)) == [0, 1, 2, 3]  # number 1 is another than the one we knew
        assert sorted(str(number) for number in numbers(told)) == ["81", "82", "83", "84"]
        assert at.requests == [REPORT_ALL, report_from(1), REPORT_ALL]


async def test_a_meter_that_knows_no_parts_is_asked_for_all_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage("bluez", tmp_path, monkeypatch, f"{METER},stored=2,parts=off") as at:
        await at.order("meter wake")
        await at.meet()
        for number, asked in ((99, [report_from(1), REPORT_ALL]), (98, [REPORT_ALL])):
            before = len(at.requests)
            await at.order(f"meter measure {number}")
            await at.meet(requests=len(asked))
            assert at.requests[before:] == asked
            assert numbers(at.stored)[-1] == number


async def test_no_test_and_no_limit_becomes_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage("bumble", tmp_path, monkeypatch, METER) as at:
        for what in ("control", "high", "low", "fail"):
            await at.order(f"meter {what}")
        told = await at.meet()
        assert [value for reading in told for _, value in reading.values] == [
            Missing(MissingReason.TEST),
            Missing(MissingReason.ABOVE_RANGE),
            Missing(MissingReason.BELOW_RANGE),
            Missing(MissingReason.INVALID),
        ]
        assert [reading.just_taken for reading in told] == [False, True, True, True]


async def test_a_wrong_clock_is_told_and_set_right(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(chain, tmp_path, monkeypatch, f"{METER},unit=mol") as at:
        await at.order("meter clock -7200")
        await at.order("meter measure 110")
        (before,) = await at.meet()
        assert before.clock_off_s is not None
        assert -7260 < before.clock_off_s < -7140
        assert before.just_taken  # by its own clock it was measured just now
        await at.order("meter measure 111")
        (after,) = await at.meet()
        assert after.clock_off_s is not None
        assert abs(after.clock_off_s) < 60
        assert at.meter.clock.times_set == 1
        assert [unit.value for _, _, unit in after.converted] == ["mol/L"]


# ── Oximeters ────────────────────────────────────────────────────────────────────────────────────


async def some(driver: Driver, count: int, mode: Mode) -> list[Reading]:
    """The first readings of a mode."""
    found: list[Reading] = []
    async with driver.session() as events:
        async for event in events:
            if isinstance(event, Reading) and event.mode is mode:
                found.append(event)
            if len(found) == count:
                break
    return found


async def test_the_display_of_an_oximeter(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(chain, tmp_path, monkeypatch, f"{OXIMETER},spo2=94,pulse=81") as at:
        shown = (await some(at.driver, 3, Mode.CONTINUOUS))[-1]
        assert (numbers([shown], Code.OXYGEN_SATURATION), numbers([shown], Code.PULSE_OXIMETER)) == (
            [94],
            [81],
        )
        assert shown.record is None
        await at.order("oximeter sensor off")
        (off,) = await some(at.driver, 1, Mode.CONTINUOUS)
        assert {value for _, value in off.values} == {Missing(MissingReason.SENSOR_OFF)}
        await at.order("oximeter sensor on")
        await at.order("oximeter demonstration on")
        (shop,) = await some(at.driver, 1, Mode.CONTINUOUS)
        assert {value for _, value in shop.values} == {Missing(MissingReason.TEST)}
        await at.order("oximeter demonstration off")
        await at.order("oximeter motion on")
        (moved,) = await some(at.driver, 1, Mode.CONTINUOUS)
        assert {"questionable", "erratic-signal"} <= set(moved.flags)
        assert numbers([moved], Code.OXYGEN_SATURATION) == [94]


async def test_spot_checks_come_when_they_are_made_and_out_of_the_memory_and_are_known_again(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(chain, tmp_path, monkeypatch, f"{OXIMETER},spo2=93") as at:
        await at.order("oximeter clock -3600")
        await at.order("oximeter store")
        await at.order("oximeter clock -1800")
        await at.order("oximeter store")
        await at.order("oximeter clock 0")
        kept = await some(at.driver, 2, Mode.SPOT)
        assert [(reading.stored, reading.just_taken) for reading in kept] == [(True, False)] * 2
        assert [reading.at for reading in kept] == sorted(reading.at for reading in kept if reading.at)
        async with at.driver.session() as events:
            again = [await anext_spot(events) for _ in range(2)]
            await at.order("oximeter measure")
            live = await anext_spot(events)
        assert [reading.record for reading in again] == [reading.record for reading in kept]
        assert (live.stored, live.just_taken, live.flags) == (False, True, ("fully-qualified",))
        third = (await some(at.driver, 3, Mode.SPOT))[-1]
        assert third.record == live.record  # although it says now that it comes from the memory
        assert third.raw != live.raw


async def anext_spot(events: AsyncIterator[DeviceEvent]) -> Reading:
    async for event in events:
        if isinstance(event, Reading) and event.mode is Mode.SPOT:
            return event
    raise AssertionError


async def test_an_oximeter_that_will_not_tell_its_records_still_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage("bluez", tmp_path, monkeypatch, OXIMETER) as at:
        await at.order("oximeter store")
        await at.order("oximeter records refused")
        shown: list[Reading] = []

        async def watch() -> None:
            async with at.driver.session() as events:
                async for event in events:
                    assert isinstance(event, Reading)
                    shown.append(event)
                    if len(shown) == 10:
                        await at.order("oximeter hang-up")

        with pytest.raises(DeviceError) as failed:
            await watch()
        assert failed.value.stable_code == "records-refused"
        assert len(shown) >= 10
        assert {reading.mode for reading in shown} == {Mode.CONTINUOUS}


async def test_an_oximeter_of_spot_checks_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        stage("bumble", tmp_path, monkeypatch, f"{OXIMETER},continuous=off,memory=off,clock=unset") as at,
        at.driver.session() as events,
    ):
        await at.order("oximeter measure")
        live = await anext_spot(events)
        assert (live.at, live.just_taken, live.stored) == (None, True, False)
        assert "device-clock-not-set" in live.flags


# ── Heart rate sensors ───────────────────────────────────────────────────────────────────────────


async def test_a_heart_rate_sensor(chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(chain, tmp_path, monkeypatch, f"{SENSOR},pulse=75") as at:
        between: list[int] = []
        async with at.driver.session() as events:
            async for event in events:
                assert isinstance(event, Reading)
                assert numbers([event], Code.HEART_RATE) == [75]
                between += [round(each) for each in event.intervals_ms]
                if len(between) >= 2:
                    break
        assert between == [800] * len(between)  # 60 s by 75
        await at.order("sensor sensor off")
        (off,) = await some(at.driver, 1, Mode.CONTINUOUS)
        assert dict(off.values)[Code.HEART_RATE] == Missing(MissingReason.SENSOR_OFF)
        assert off.intervals_ms == ()
