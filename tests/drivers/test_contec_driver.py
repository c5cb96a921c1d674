"""The Contec driver on real pseudo-terminals, with a simulated unit at the other end."""

import asyncio
import contextlib
import datetime
import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from drivers.devices.contec_cms50 import driver as driver_module
from drivers.devices.contec_cms50.codec import Command, Generation, command
from drivers.devices.contec_cms50.driver import make
from drivers.devices.contec_cms50.unit import Picture, Unit, encode
from drivers.kinds import DriverContext
from drivers.registry import KINDS
from drivers.simulation.pulse import Pulse
from edge.ports.driver import DeviceEvent, DeviceMisbehaved, DeviceUnavailable, Driver
from edge.vitals.codes import Code
from edge.vitals.quantity import Missing, MissingReason, Quantity
from edge.vitals.reading import Mode, Reading, Wave
from tests.drivers.terminals import AnsweringTerminal, Simulator, Terminal, simulator

NINE: Final = encode(Generation.NINE_BYTE, Picture(97, 72, 340))
OTHER_NINE: Final = encode(Generation.NINE_BYTE, Picture(88, 140, 90))
FIVE: Final = encode(Generation.FIVE_BYTE, Picture(96, 70))
TIOCGEXCL: Final = 0x80045440

Wanted = Callable[[Reading], bool]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes a second on a real line takes a fifth of one here, where nobody is to answer anyhow."""
    monkeypatch.setattr(driver_module, "ANSWER_WITHIN_S", 0.2)


@pytest.fixture
def soon_silent(monkeypatch: pytest.MonkeyPatch) -> float:
    """How long a line may be silent: short, and longer than a busy machine is absent-minded."""
    monkeypatch.setattr(driver_module, "SILENCE_S", 0.4)
    return 0.4


@pytest.fixture
async def nine_byte() -> AsyncIterator[AnsweringTerminal]:
    terminal = AnsweringTerminal(Unit(Generation.NINE_BYTE, Pulse(1), seed=1))
    yield terminal
    terminal.pull()


@pytest.fixture
def silent() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.pull()


def oximeter(port: Path | str) -> Driver:
    return make(DriverContext("o", str(port)))


async def next_reading(events: AsyncIterator[DeviceEvent], wanted: Wanted = lambda _: True) -> Reading:
    async with asyncio.timeout(30):
        async for event in events:
            if isinstance(event, Reading) and wanted(event):
                return event
    raise AssertionError("the events ended")


def value(reading: Reading, code: Code) -> int | MissingReason | None:
    said = dict(reading.values).get(code)
    if said is None:
        return None
    return said.why if isinstance(said, Missing) else int(said.value)


def has_number(reading: Reading) -> bool:
    return isinstance(reading.values[0][1], Quantity)


# ── With the simulator's process ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("generation", ["new", "old"])
async def test_readings_and_pleth_arrive_from_both_generations(tmp_path: Path, generation: str) -> None:
    options = ("--generation", generation, "--finger", "on", "--spo2", "94", "--pulse", "150", "--speed", "5")
    driver = KINDS["contec-cms50"].make_driver(DriverContext("oximeter-1", str(tmp_path / "port")))
    assert (driver.key, driver.kind) == ("oximeter-1", "contec-cms50")
    with simulator(tmp_path / "port", *options):
        async with driver.session() as events:
            reading = await next_reading(events, has_number)
            wave = await anext(event async for event in events if isinstance(event, Wave))
    assert value(reading, Code.OXYGEN_SATURATION) in {93, 94}
    assert value(reading, Code.PULSE_OXIMETER) in range(143, 158)
    assert (value(reading, Code.PERFUSION_INDEX) is None) == (generation == "old")
    assert reading.mode is Mode.CONTINUOUS
    assert len(reading.raw) == (5 if generation == "old" else 9)
    assert len(wave.samples) == 15
    assert max(wave.samples) > min(wave.samples)


@pytest.mark.parametrize("generation", ["new", "old"])
async def test_noise_makes_no_false_number(tmp_path: Path, generation: str) -> None:
    told: list[Reading] = []
    with simulator(tmp_path / "port", "--generation", generation, "--speed", "20") as unit:
        unit.say("noise on", "finger on")
        async with asyncio.timeout(60), oximeter(tmp_path / "port").session() as events:
            while len(told) < 40:
                told.append(await next_reading(events))
    numbers = [reading for reading in told if has_number(reading)]
    assert len(numbers) >= 35
    assert {value(reading, Code.OXYGEN_SATURATION) for reading in numbers} <= {96, 97}
    assert all(value(reading, Code.PULSE_OXIMETER) in range(65, 80) for reading in numbers)


async def test_a_finger_that_leaves_and_comes_back_is_seen(tmp_path: Path) -> None:
    driver = oximeter(tmp_path / "port")
    with simulator(tmp_path / "port", "--finger", "on", "--speed", "5") as unit:
        async with driver.session() as events:
            await next_reading(events, has_number)
            unit.say("finger off")
            reading = await next_reading(events, lambda reading: not has_number(reading))
            assert {said for _, said in reading.values} == {Missing(MissingReason.SENSOR_OFF)}
            unit.say("spo2 85", "finger on")
            await next_reading(
                events, lambda reading: value(reading, Code.OXYGEN_SATURATION) is MissingReason.SEARCHING
            )
            reading = await next_reading(events, has_number)
            assert value(reading, Code.OXYGEN_SATURATION) in {84, 85}


@pytest.mark.parametrize("generation", ["new", "old"])
async def test_unplugged_and_plugged_in_again(tmp_path: Path, generation: str) -> None:
    driver = oximeter(tmp_path / "port")
    options = ("--generation", generation, "--finger", "on")
    with simulator(tmp_path / "port", *options) as unit:
        async with driver.session() as events:
            await next_reading(events)
            unit.say("unplug")
            with pytest.raises(DeviceUnavailable) as gone:
                await next_reading(events, lambda _: False)
        assert gone.value.stable_code == "device-unplugged"
        with pytest.raises(DeviceUnavailable) as missing:
            async with driver.session() as events:
                await anext(events)
        assert missing.value.stable_code == "port-missing"
        unit.say("replug")
        await appears(unit)
        async with driver.session() as events:
            reading = await next_reading(events)
        assert reading.device_s is not None
        assert reading.device_s < 1


async def test_another_agent_takes_over_from_a_killed_one(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\n"
        "from drivers.devices.contec_cms50.driver import make\n"
        "from drivers.kinds import DriverContext\n"
        "async def main():\n"
        "    async with make(DriverContext('o', sys.argv[1])).session() as events:\n"
        "        async for _ in events:\n"
        "            print('x', flush=True)\n"
        "asyncio.run(main())\n"
    )
    with simulator(tmp_path / "port", "--finger", "on") as unit:
        for _ in range(2):
            first = subprocess.Popen(  # noqa: ASYNC220  it starts at once, and its first line is waited for
                [sys.executable, "-c", script, str(unit.link)], stdout=subprocess.PIPE, text=True
            )
            assert first.stdout is not None
            assert first.stdout.readline() == "x\n"
            first.send_signal(signal.SIGKILL)
            first.wait()
            first.stdout.close()
        await until(lambda: not held_exclusively(unit))  # the simulator lets go for the dead
        async with oximeter(unit.link).session() as events:
            await next_reading(events, has_number)


async def test_an_agent_that_comes_later_meets_no_old_finger(tmp_path: Path) -> None:
    with simulator(tmp_path / "port", "--generation", "old", "--finger", "on", "--speed", "100") as unit:
        await asyncio.sleep(1)  # more than a minute of a finger that nobody reads
        unit.say("finger off")
        await asyncio.sleep(0.5)
        async with oximeter(unit.link).session() as events:
            assert not has_number(await next_reading(events))


async def test_a_unit_that_is_switched_off_says_so(tmp_path: Path) -> None:
    with simulator(tmp_path / "port", "--finger", "on") as unit:
        async with oximeter(unit.link).session() as events:
            await next_reading(events)
            unit.say("power off")
            with pytest.raises(DeviceUnavailable, match="switched off") as gone:
                await next_reading(events, lambda _: False)
    assert gone.value.stable_code == "device-disconnected"


# ── Byte by byte ─────────────────────────────────────────────────────────────────────────────────


async def test_half_a_packet_then_a_whole_one_is_one_packet(nine_byte: AnsweringTerminal) -> None:
    nine_byte.after_start = OTHER_NINE * 2 + OTHER_NINE[:5] + NINE * 3
    async with oximeter(nine_byte.path).session() as events:
        reading = await next_reading(events)
    assert reading.raw == NINE
    assert reading.device_s == 5 / 60


async def test_a_packet_that_comes_in_single_bytes_is_whole(nine_byte: AnsweringTerminal) -> None:
    async with oximeter(nine_byte.path).session() as events:
        waiting = asyncio.ensure_future(next_reading(events))  # noqa: TID251  it must wait while we write
        await until(lambda: command(Command.START) in nine_byte.heard)
        for byte in NINE * 3:
            os.write(nine_byte.near, bytes([byte]))
            await asyncio.sleep(0)
        assert (await waiting).raw == NINE


async def test_a_nine_byte_unit_is_stopped_started_kept_alive_and_stopped(
    nine_byte: AnsweringTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_module, "KEEP_ALIVE_S", 0.05)
    monkeypatch.setattr(driver_module, "TICK_S", 0.02)
    nine_byte.after_start = NINE * 60
    async with oximeter(nine_byte.path).session() as events:
        await next_reading(events)
        while nine_byte.heard.count(command(Command.KEEP_ALIVE)) < 3:
            await asyncio.sleep(0.06)
            os.write(nine_byte.near, NINE * 60)
            await next_reading(events)
    await until(lambda: nine_byte.heard.endswith(command(Command.STOP)))
    sent = [bytes(nine_byte.heard[at : at + 9]) for at in range(0, len(nine_byte.heard), 9)]
    began = sent.index(command(Command.START))
    asked = [Command.STOP, Command.DEVICE_ID, Command.MODEL]
    assert sent[:began] == [command(each) for each in asked]
    assert sent[began + 1 : -1]
    assert set(sent[began + 1 : -1]) == {command(Command.KEEP_ALIVE)}
    assert sent[-1] == command(Command.STOP)


async def test_a_unit_that_is_told_the_time_is_told_the_date_first(nine_byte: AnsweringTerminal) -> None:
    nine_byte.after_start = NINE * 60
    wall = datetime.datetime(2026, 3, 14, 9, 30, 5)  # noqa: DTZ001  a wall clock has no zone
    driver = make(DriverContext("o", nine_byte.path, wall=lambda: wall))
    async with driver.session() as events:
        await next_reading(events)
    date = bytes.fromhex("7D81B2949A838E8680")  # a Saturday
    assert date + command(Command.SET_TIME, 9, 30, 5) + command(Command.START) in nine_byte.heard


async def test_a_unit_says_which_it_is(tmp_path: Path) -> None:
    with simulator(tmp_path / "port", "--finger", "on"):
        async with oximeter(tmp_path / "port").session() as events:
            reading = await next_reading(events, lambda each: each.identity is not None)
    assert reading.identity is not None
    assert reading.identity.who == ("Contec", "CMS50F sim", "0000042", "")


async def test_a_unit_that_streams_already_needs_no_answer_to_be_recognised(silent: Terminal) -> None:
    async def stream() -> None:
        while True:
            os.write(silent.near, NINE * 6)
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as group:
        unit = group.create_task(stream())
        async with oximeter(silent.path).session() as events:
            assert (await next_reading(events)).raw == NINE
        unit.cancel()


async def test_the_generation_that_answered_is_tried_first_the_next_time(silent: Terminal) -> None:
    driver = oximeter(silent.path)
    tried: list[list[int]] = []
    for _ in range(2):
        tried.append([])
        async with asyncio.TaskGroup() as group:
            unit = group.create_task(stream_at_19200(silent, tried[-1]))
            async with driver.session() as events:
                assert (await next_reading(events)).raw == FIVE
            unit.cancel()
    assert [speeds[0] for speeds in tried] == [termios.B115200, termios.B19200]


@pytest.mark.usefixtures("quick")
async def test_a_line_on_which_nobody_answers_is_told_within_a_bound(silent: Terminal) -> None:
    async with asyncio.timeout(30):
        with pytest.raises(DeviceUnavailable) as refused:
            async with oximeter(silent.path).session() as events:
                await anext(events)
    assert refused.value.stable_code == "device-silent"
    assert refused.value.next_step


@pytest.mark.usefixtures("quick")
async def test_somebody_else_on_the_line_is_told_from_silence(silent: Terminal) -> None:
    os.set_blocking(silent.near, False)
    babble = b"$GPRMC,093000.00,A,3335.0412,N,00735.2301,W*79\r\n"
    loop = asyncio.get_running_loop()
    for after_s in (0.01, 0.1, 0.25, 0.35):
        loop.call_later(after_s, os.write, silent.near, babble)
    with pytest.raises(DeviceMisbehaved) as refused:
        async with oximeter(silent.path).session() as events:
            await anext(events)
    assert refused.value.stable_code == "device-not-understood"
    assert 16 < len(refused.value.raw) <= 64
    assert "GPRMC" not in str(refused.value)


async def test_a_unit_that_falls_silent_is_told_after_three_seconds(
    nine_byte: AnsweringTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert driver_module.SILENCE_S == 3.0
    monkeypatch.setattr(driver_module, "SILENCE_S", 0.4)
    nine_byte.after_start = NINE * 3
    async with oximeter(nine_byte.path).session() as events:
        await next_reading(events)
        with pytest.raises(DeviceUnavailable) as gone:
            await next_reading(events)
    assert gone.value.stable_code == "device-silent"


async def test_a_unit_that_only_rattles_is_told_too(nine_byte: AnsweringTerminal, soon_silent: float) -> None:
    loop = asyncio.get_running_loop()
    nine_byte.after_start = NINE * 3
    async with oximeter(nine_byte.path).session() as events:
        await next_reading(events)
        for number in range(10):
            loop.call_later(number * soon_silent / 3, os.write, nine_byte.near, b"\xff\x00" * 8)
        with pytest.raises(DeviceMisbehaved) as refused:
            await next_reading(events)
    assert refused.value.stable_code == "device-not-understood"


async def test_half_a_packet_after_a_long_session_is_no_silence(
    nine_byte: AnsweringTerminal, soon_silent: float
) -> None:
    nine_byte.after_start = NINE * 60
    async with oximeter(nine_byte.path).session() as events:
        loop = asyncio.get_running_loop()
        await next_reading(events, lambda reading: reading.device_s == 1.0)
        for _ in range(5):
            os.write(nine_byte.near, NINE * 59 + NINE[:4])
            loop.call_later(soon_silent / 8, os.write, nine_byte.near, NINE[4:6])  # a read without a packet
            loop.call_later(soon_silent / 4, os.write, nine_byte.near, NINE[6:])
            await next_reading(events)


async def test_noise_that_looks_like_the_other_generation_is_noise(nine_byte: AnsweringTerminal) -> None:
    nine_byte.after_start = NINE * 3 + b"\xff" * 50 + FIVE * 100 + NINE * 60
    async with oximeter(nine_byte.path).session() as events:
        told = [await next_reading(events) for _ in range(2)]
    assert [(reading.raw, reading.device_s) for reading in told] == [(NINE, 3 / 60), (NINE, 1.0)]


async def test_a_slow_listener_is_not_taken_for_a_silent_unit(
    nine_byte: AnsweringTerminal, soon_silent: float
) -> None:
    nine_byte.after_start = NINE * 60
    async with oximeter(nine_byte.path).session() as events:
        await next_reading(events)
        await asyncio.sleep(soon_silent * 2)
        os.write(nine_byte.near, NINE * 60)
        assert (await next_reading(events)).device_s == 1.0


async def test_a_session_that_is_cancelled_gives_the_port_back(nine_byte: AnsweringTerminal) -> None:
    driver = oximeter(nine_byte.path)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), driver.session() as events:
                await next_reading(events)
    nine_byte.after_start = NINE * 3
    async with driver.session() as events:
        await next_reading(events)


async def appears(unit: Simulator) -> None:
    await until(unit.link.exists)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


async def stream_at_19200(terminal: Terminal, speeds: list[int]) -> None:
    """An old unit, which is understood at its own speed only; notes each speed it is listened to at."""
    os.set_blocking(terminal.near, False)
    while True:
        speed = termios.tcgetattr(terminal.near)[4]
        if speed != (speeds or [termios.B38400])[-1]:  # a terminal begins at 38400
            speeds.append(speed)
        if speed == termios.B19200:
            with contextlib.suppress(BlockingIOError):
                os.write(terminal.near, FIVE * 6)
        await asyncio.sleep(0.02)


def held_exclusively(unit: Simulator) -> bool:
    descriptor = os.open(unit.link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        answer = fcntl.ioctl(descriptor, TIOCGEXCL, struct.pack("i", 0))
    finally:
        os.close(descriptor)
    return answer != bytes(4)
