"""Nonin, SunTech and satellite receivers on real pseudo-terminals, each simulated by a process of its own."""

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import pytest

from drivers.devices.nmea_gps import driver as gps
from drivers.devices.nmea_gps.codec import sentence
from drivers.devices.nonin import driver as nonin
from drivers.devices.nonin.codec import Format
from drivers.devices.nonin.unit import Picture, encode_packet, encode_slow
from drivers.devices.suntech_nibp import driver as suntech
from drivers.devices.suntech_nibp.codec import ABORT, REQUESTS, State, encode_state
from drivers.kinds import DriverContext
from drivers.registry import KINDS
from drivers.setup.session import Family
from drivers.setup.steps import Ask, FirstThatWorks, Recognise, Step, Way
from edge.ports.driver import (
    CuffMode,
    DeviceError,
    DeviceEvent,
    DeviceMisbehaved,
    DeviceUnavailable,
    Driver,
    Measures,
)
from edge.vitals.codes import Code
from edge.vitals.place import NoPosition, Place, Position
from edge.vitals.quantity import Missing, MissingReason, Quantity
from edge.vitals.reading import Mode, Reading, Wave
from tests.drivers.terminals import Terminal, simulator

GIVE_UP_S: Final = 30.0
MODULES: Final = {"nonin": nonin, "suntech-nibp": suntech, "nmea-gps": gps}
FOLDERS: Final = {"nonin": "nonin", "suntech-nibp": "suntech_nibp", "nmea-gps": "nmea_gps"}
BABBLE: Final = {
    "nonin": sentence("GPRMC,093001.00,V,,,,,,,140326,,,N") * 8,
    "suntech-nibp": sentence("GPRMC,093001.00,V,,,,,,,140326,,,N") * 8,
    "nmea-gps": encode_packet(Format.TWO, Picture(), [100] * 25) * 4,
}
"""What another device says on the port."""

Event = TypeVar("Event", bound=DeviceEvent)


def quick(step: Step, within_s: float) -> Step:
    match step:
        case FirstThatWorks(ways):
            hurried = (Way(way.name, tuple(quick(each, within_s) for each in way.steps)) for way in ways)
            return FirstThatWorks(tuple(hurried))
        case Recognise() | Ask():
            return dataclasses.replace(step, within_s=within_s)
        case _:
            return step


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not answer is given up sooner than on a real line."""
    for module in MODULES.values():
        family: Family = module.FAMILY
        steps = tuple(quick(step, 0.4) for step in family.steps)
        manner = dataclasses.replace(family.manner, patience_s=1.5)
        monkeypatch.setattr(module, "FAMILY", dataclasses.replace(family, steps=steps, manner=manner))


def driver_of(kind: str, port: Path | str) -> Driver:
    return KINDS[kind].make_driver(DriverContext("device-1", str(port)))


async def first(
    events: AsyncIterator[DeviceEvent], sort: type[Event], wanted: Callable[[Event], bool] = lambda _: True
) -> Event:
    async with asyncio.timeout(GIVE_UP_S):
        async for event in events:
            if isinstance(event, sort) and wanted(event):
                return event
    raise AssertionError("the events ended")


def value(reading: Reading, code: Code) -> int | MissingReason | None:
    said = dict(reading.values).get(code)
    if said is None:
        return None
    return said.why if isinstance(said, Missing) else int(said.value)


def has_number(reading: Reading) -> bool:
    return isinstance(reading.values[0][1], Quantity)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(GIVE_UP_S):
        while not true():
            await asyncio.sleep(0.01)


# ── Any of them ──────────────────────────────────────────────────────────────────────────────────

OPTIONS: Final = {"nonin": ("--finger", "on"), "suntech-nibp": (), "nmea-gps": ()}


@pytest.mark.parametrize("kind", FOLDERS)
async def test_unplugged_and_plugged_in_again(tmp_path: Path, kind: str) -> None:
    driver = driver_of(kind, tmp_path / "port")
    with simulator(tmp_path / "port", *OPTIONS[kind], folder=FOLDERS[kind]) as unit:
        async with driver.session() as events:
            await first(events, object)  # type: ignore[type-var]  # anything that it says
            unit.say("unplug")
            with pytest.raises(DeviceUnavailable) as gone:
                await first(events, Reading, lambda _: False)
        assert gone.value.stable_code == "device-unplugged"
        with pytest.raises(DeviceUnavailable) as missing:
            async with driver.session() as events:
                await anext(events)
        assert missing.value.stable_code == "port-missing"
        unit.say("replug")
        await until(unit.link.exists)
        async with driver.session() as events:
            await first(events, object)  # type: ignore[type-var]  # anything that it says


@pytest.mark.parametrize("kind", FOLDERS)
async def test_a_unit_that_is_switched_off_falls_silent_and_comes_back(tmp_path: Path, kind: str) -> None:
    driver = driver_of(kind, tmp_path / "port")
    with simulator(tmp_path / "port", *OPTIONS[kind], folder=FOLDERS[kind]) as unit:
        async with driver.session() as events:
            await first(events, object)  # type: ignore[type-var]  # anything that it says
            unit.say("power off")
            with pytest.raises(DeviceUnavailable) as gone:
                await first(events, Reading, lambda _: False)
        assert gone.value.stable_code == "device-silent"
        assert gone.value.next_step
        unit.say("power on")
        async with driver.session() as events:
            await first(events, object)  # type: ignore[type-var]  # anything that it says


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("kind", FOLDERS)
async def test_a_port_on_which_nobody_speaks_is_told_within_a_bound(kind: str) -> None:
    terminal = Terminal()
    try:
        async with asyncio.timeout(GIVE_UP_S):
            with pytest.raises(DeviceUnavailable) as refused:
                async with driver_of(kind, terminal.path).session() as events:
                    await anext(events)
        assert refused.value.stable_code == "device-silent"
        assert refused.value.next_step
    finally:
        terminal.pull()


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("kind", FOLDERS)
async def test_another_device_on_the_port_is_told_from_silence(kind: str) -> None:
    terminal = Terminal()
    os.set_blocking(terminal.near, False)

    async def babble() -> None:
        while True:
            with contextlib.suppress(BlockingIOError):
                os.write(terminal.near, BABBLE[kind])
            await asyncio.sleep(0.1)

    try:
        async with asyncio.timeout(GIVE_UP_S), asyncio.TaskGroup() as group:
            task = group.create_task(babble())
            with pytest.raises(DeviceMisbehaved) as refused:
                async with driver_of(kind, terminal.path).session() as events:
                    await anext(events)
            task.cancel()
        assert refused.value.stable_code == "device-not-understood"
        assert refused.value.raw
        assert "GPRMC" not in str(refused.value)
    finally:
        terminal.pull()


# ── Nonin ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", [1, 2, 7, 8])
async def test_readings_and_pleth_arrive_in_every_format(tmp_path: Path, number: int) -> None:
    options = ("--format", str(number), "--finger", "on", "--spo2", "93", "--pulse", "180", "--speed", "5")
    driver = driver_of("nonin", tmp_path / "port")
    assert (driver.key, driver.kind) == ("device-1", "nonin")
    with simulator(tmp_path / "port", *options, folder="nonin"):
        async with driver.session() as events:
            reading = await first(events, Reading, has_number)
            wave = await first(events, Wave) if number in {2, 7} else None
    assert (value(reading, Code.OXYGEN_SATURATION), value(reading, Code.PULSE_OXIMETER)) == (93, 180)
    assert reading.mode is Mode.CONTINUOUS
    assert len(reading.raw) == {1: 3, 2: 125, 7: 125, 8: 4}[number]
    if wave is not None:
        assert len(wave.samples) == 25
        assert max(wave.samples) > (255 if number == 7 else 20)


@pytest.mark.parametrize("number", [1, 2, 7, 8])
async def test_noise_makes_no_false_number(tmp_path: Path, number: int) -> None:
    options = ("--format", str(number), "--finger", "on", "--spo2", "93", "--pulse", "180", "--speed", "20")
    told: list[Reading] = []
    with simulator(tmp_path / "port", *options, folder="nonin") as unit:
        unit.say("noise on")
        async with driver_of("nonin", tmp_path / "port").session() as events:
            while len(told) < (4 if number in {2, 7} else 15):
                told.append(await first(events, Reading, has_number))
    said = {(value(each, Code.OXYGEN_SATURATION), value(each, Code.PULSE_OXIMETER)) for each in told}
    if number in {2, 7}:
        assert said == {(93, 180)}
    else:
        # Without a checksum a byte that was replaced by another is a number like any other.
        assert [each for each in said if each == (93, 180)]
        assert (
            sum(
                (value(each, Code.OXYGEN_SATURATION), value(each, Code.PULSE_OXIMETER)) != (93, 180)
                for each in told
            )
            <= 3
        )


async def test_a_finger_that_leaves_and_comes_back_is_seen(tmp_path: Path) -> None:
    with simulator(tmp_path / "port", "--finger", "on", "--speed", "5", folder="nonin") as unit:
        async with driver_of("nonin", tmp_path / "port").session() as events:
            await first(events, Reading, has_number)
            unit.say("sensor off")
            reading = await first(events, Reading, lambda reading: not has_number(reading))
            assert {said for _, said in reading.values} == {Missing(MissingReason.SENSOR_OFF)}
            unit.say("sensor on")
            await first(
                events, Reading, lambda each: value(each, Code.OXYGEN_SATURATION) is MissingReason.SEARCHING
            )
            await first(events, Reading, has_number)
            unit.say("plug out")
            await first(events, Reading, lambda each: "sensor-disconnected" in each.flags)


async def test_half_a_frame_is_dropped_and_the_next_is_whole() -> None:
    terminal = Terminal()
    frame = encode_slow(Format.ONE, Picture(188, 91))
    other = encode_slow(Format.ONE, Picture(72, 98))
    loop = asyncio.get_running_loop()
    loop.call_later(0.05, os.write, terminal.near, frame * 6 + frame[:2] + other * 3)
    try:
        async with driver_of("nonin", terminal.path).session() as events:
            reading = await first(events, Reading, lambda each: each.raw != frame)
        assert reading.raw == other
    finally:
        terminal.pull()


# ── SunTech ──────────────────────────────────────────────────────────────────────────────────────


async def side_by_side(
    driver: Driver, wanted: Callable[[Reading], bool], do: Callable[[Measures], Awaitable[None]]
) -> list[Reading]:
    """Listen until a reading is the one wanted, and do something as soon as the cuff is there."""
    told: list[Reading] = []
    assert isinstance(driver, Measures)
    async with asyncio.timeout(GIVE_UP_S), driver.session() as events, asyncio.TaskGroup() as group:
        told.append(await first(events, Reading))
        group.create_task(_awaited(do(driver)))
        while not wanted(told[-1]):
            told.append(await first(events, Reading))
    return told


async def _awaited(doing: Awaitable[None]) -> None:
    await doing


def is_result(reading: Reading) -> bool:
    return reading.mode is Mode.SPOT


@pytest.mark.parametrize("mode", list(CuffMode))
async def test_a_cuff_measures_when_it_is_told_to(tmp_path: Path, mode: CuffMode) -> None:
    driver = driver_of("suntech-nibp", tmp_path / "port")
    with simulator(tmp_path / "port", "--speed", "15", folder="suntech_nibp"):
        told = await side_by_side(driver, is_result, lambda cuff: cuff.measure(mode))
    result = told[-1]
    assert value(result, Code.SYSTOLIC) in range(122, 127)
    assert value(result, Code.DIASTOLIC) in range(77, 82)
    assert value(result, Code.PULSE_CUFF) == 72
    assert result.flags == ()
    assert result.identity is not None
    assert result.identity.firmware == "LX 3.21 simulated"
    shown = [value(each, Code.CUFF_PRESSURE) for each in told[:-1]]
    assert max(each for each in shown if isinstance(each, int)) > 60
    assert all(each.mode is Mode.CONTINUOUS for each in told[:-1])


@pytest.mark.parametrize(
    ("order", "flag"),
    [("sensor off", "cuff-too-loose"), ("motion on", "artifact"), ("error 97", "device-fault")],
)
async def test_a_failed_measurement_says_why(tmp_path: Path, order: str, flag: str) -> None:
    driver = driver_of("suntech-nibp", tmp_path / "port")
    with simulator(tmp_path / "port", "--speed", "15", folder="suntech_nibp") as unit:
        unit.say(order)
        told = await side_by_side(driver, is_result, lambda cuff: cuff.measure(CuffMode.ADULT))
    assert told[-1].flags == ("measurement-failed", flag)
    assert not any(isinstance(said, Quantity) for _, said in told[-1].values)


async def test_stop_lets_the_air_out_and_says_that_nothing_was_measured(tmp_path: Path) -> None:
    driver = driver_of("suntech-nibp", tmp_path / "port")

    async def start_and_stop(cuff: Measures) -> None:
        await cuff.measure(CuffMode.ADULT)
        with pytest.raises(DeviceUnavailable) as second:
            await cuff.measure(CuffMode.ADULT)
        assert second.value.stable_code == "measurement-running"
        await cuff.stop()

    with simulator(tmp_path / "port", folder="suntech_nibp"):
        told = await side_by_side(driver, is_result, start_and_stop)
    assert told[-1].flags == ("measurement-failed", "measurement-stopped")


async def test_a_cuff_that_is_not_there_can_neither_start_nor_stop(tmp_path: Path) -> None:
    driver = driver_of("suntech-nibp", tmp_path / "port")
    assert isinstance(driver, Measures)
    for doing in (driver.measure(CuffMode.ADULT), driver.stop()):
        with pytest.raises(DeviceUnavailable) as refused:
            await doing
        assert refused.value.stable_code == "device-not-there"


class Cuff(Terminal):
    """A module played by hand: starts when told to, then is busy; keeps what it heard."""

    def __init__(self, port: Path) -> None:
        super().__init__()
        port.unlink(missing_ok=True)
        port.symlink_to(self.path)
        self.heard = bytearray()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.near, self._hear)

    def pull(self) -> None:
        if self.near >= 0:
            self._loop.remove_reader(self.near)
        super().pull()

    def _hear(self) -> None:
        with contextlib.suppress(OSError):
            data = os.read(self.near, 4096)
            self.heard += data
            if data in {ABORT, *REQUESTS.values()}:
                os.write(self.near, encode_state(State.ABORTED if data == ABORT else State.RECEIVED))
            elif data:
                os.write(self.near, encode_state(State.BUSY))


async def test_after_a_cut_in_the_middle_of_a_measurement_the_first_word_is_abort(tmp_path: Path) -> None:
    driver = driver_of("suntech-nibp", tmp_path / "port")
    assert isinstance(driver, Measures)
    cuff = Cuff(tmp_path / "port")

    async def listen() -> None:
        with pytest.raises(DeviceError):
            async with driver.session() as events:
                await first(events, Reading, lambda _: False)

    async with asyncio.timeout(GIVE_UP_S), asyncio.TaskGroup() as group:
        group.create_task(listen())
        while True:
            with contextlib.suppress(DeviceUnavailable):
                await driver.measure(CuffMode.ADULT)
                break
            await asyncio.sleep(0.01)
        cuff.pull()
    again = Cuff(tmp_path / "port")
    async with asyncio.timeout(GIVE_UP_S), asyncio.TaskGroup() as group:
        task = group.create_task(_swallow(driver))
        await until(lambda: len(again.heard) >= len(ABORT))
        task.cancel()
    assert bytes(again.heard[: len(ABORT)]) == ABORT
    again.pull()


async def test_a_session_that_is_given_up_while_it_measures_says_abort_last(tmp_path: Path) -> None:
    driver = driver_of("suntech-nibp", tmp_path / "port")
    assert isinstance(driver, Measures)
    cuff = Cuff(tmp_path / "port")
    async with asyncio.timeout(GIVE_UP_S), asyncio.TaskGroup() as group:
        task = group.create_task(_swallow(driver))
        while True:
            with contextlib.suppress(DeviceUnavailable):
                await driver.measure(CuffMode.ADULT)
                break
            await asyncio.sleep(0.01)
        task.cancel()
    await until(lambda: cuff.heard.endswith(ABORT))
    started = cuff.heard.index(REQUESTS[CuffMode.ADULT])
    assert bytes(cuff.heard[:started]).count(ABORT) == 1
    assert bytes(cuff.heard[started:]).count(ABORT) == 1
    cuff.pull()


async def _swallow(driver: Driver) -> None:
    async with driver.session() as events:
        async for _ in events:
            pass


# ── Satellites ───────────────────────────────────────────────────────────────────────────────────


async def test_a_receiver_tells_place_and_time_and_is_believed_after_three_seconds(tmp_path: Path) -> None:
    options = ("--latitude", "33.58402", "--longitude", "-7.587168", "--utc", "2026-03-14T09:30:00+00:00")
    with simulator(tmp_path / "port", *options, folder="nmea_gps") as unit:
        async with driver_of("nmea-gps", tmp_path / "port").session() as events:
            looking = await first(events, Place)
            assert looking.position is NoPosition.NO_FIX
            assert looking.utc is None
            fixed = await first(events, Place, lambda place: place.utc is not None)
            assert isinstance(fixed.position, Position)
            assert fixed.position.e7 == (335840200, -75871680)
            assert (fixed.valid_s, fixed.steady_utc) == (1, None)
            steady = await first(events, Place, lambda place: place.steady_utc is not None)
            assert steady.valid_s == 3
            assert steady.utc is not None
            assert fixed.utc is not None
            assert (steady.utc - fixed.utc).total_seconds() == 2
            unit.say("sensor off")
            lost = await first(events, Place, lambda place: place.position is NoPosition.NO_FIX)
            assert lost.utc is None


async def test_seconds_that_waited_in_a_buffer_are_not_counted() -> None:
    terminal = Terminal()
    lines = b"".join(
        sentence(f"GPRMC,0930{second:02d},A,3335.0412,N,00735.2301,W,0.4,1.0,140326,,,A")
        for second in range(20)
    )
    asyncio.get_running_loop().call_later(0.05, os.write, terminal.near, lines)
    try:
        async with driver_of("nmea-gps", terminal.path).session() as events:
            places = [await first(events, Place) for _ in range(19)]  # the first told which device it is
        assert {place.valid_s for place in places} == {1}
    finally:
        terminal.pull()
