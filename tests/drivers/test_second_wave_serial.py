"""The second wave on a cable: real pseudo-terminals, the simulators as processes of their own."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from drivers.codec.framing import Frame
from drivers.devices.creative_pc300.codec import encode_oximetry
from drivers.devices.healthypi import codec as healthypi
from drivers.devices.healthypi import driver as healthypi_driver
from drivers.devices.healthypi.codec import Kind
from drivers.devices.healthypi.readings import Session
from drivers.kinds import DriverContext
from drivers.registry import KINDS
from drivers.simulation.serial_device import SimulatedUnit
from drivers.simulation.vitals import Snapshot, Steady
from edge.ports.driver import DeviceEvent, DeviceMisbehaved, DeviceUnavailable, Driver
from edge.vitals.codes import Code
from edge.vitals.quantity import Missing, MissingReason, Quantity, Unit
from edge.vitals.reading import Flaw, Reading, Wave
from tests.drivers.terminals import Terminal, simulator

BOARDS: Final = ("v4", "v5", "v5-fw1", "ads1292r")
RATES: Final = {"v4": 125, "v5": 125, "v5-fw1": 125, "ads1292r": 125}
V4: Final = healthypi.encode(Kind.V4, -312, 45, 182340, 160221, 3652, 16, 97, 74, 0xC0)
V5: Final = healthypi.encode(Kind.V5, -15234, 8812, 0, 421337, 398112, 3658, 98, 68, 15)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.pull()


def driver(kind: str, path: Path | str) -> Driver:
    return KINDS[kind].make_driver(DriverContext("device-1", str(path)))


async def first(
    events: AsyncIterator[DeviceEvent], wanted: Callable[[DeviceEvent], bool] = lambda _: True
) -> DeviceEvent:
    async with asyncio.timeout(30):
        async for event in events:
            if wanted(event):
                return event
    pytest.fail("it ended")


def reads(*codes: Code) -> Callable[[DeviceEvent], bool]:
    """A reading with numbers for all of these."""
    return lambda event: (
        isinstance(event, Reading)
        and all(isinstance(dict(event.values).get(code), Quantity) for code in codes)
    )


def lacks(code: Code, why: MissingReason) -> Callable[[DeviceEvent], bool]:
    return lambda event: isinstance(event, Reading) and dict(event.values).get(code) == Missing(why)


def wave(code: Code, *, flawed: bool = False) -> Callable[[DeviceEvent], bool]:
    return lambda event: isinstance(event, Wave) and event.code is code and bool(event.flaws) is flawed


def numbers(event: DeviceEvent) -> dict[str, str]:
    assert isinstance(event, Reading)
    return {code.value: str(each.value) for code, each in event.values if isinstance(each, Quantity)}


@pytest.mark.parametrize("board", BOARDS)
async def test_a_board_says_what_the_person_has_and_never_a_pressure(tmp_path: Path, board: str) -> None:
    found: dict[str, str] = {}
    codes: set[Code] = set()
    with simulator(tmp_path / "port", "--board", board, folder="healthypi"):
        async with driver("healthypi", tmp_path / "port").session() as events:
            wanted = {"hr", "rr"} if board == "ads1292r" else {"hr", "rr", "spo2", "temp"}
            while not wanted <= found.keys():
                event = await first(events, lambda event: isinstance(event, Reading))
                assert isinstance(event, Reading)
                codes |= {code for code, _ in event.values}
                found |= numbers(event)
            ecg = await first(events, wave(Code.ECG))
            breath = await first(events, wave(Code.RESPIRATION))
    assert found.keys() == wanted
    assert codes <= {Code.HEART_RATE, Code.RESPIRATORY_RATE, Code.OXYGEN_SATURATION, Code.TEMPERATURE}
    assert (found["hr"], found["rr"]) == ("72", "15")
    assert found.get("spo2", "97") == "97"
    assert found.get("temp", "36.80") == "36.80"
    assert isinstance(ecg, Wave)
    assert (ecg.unit, ecg.rate) == (Unit.NONE, Decimal(RATES[board]))
    assert isinstance(breath, Wave)


async def test_a_lead_that_comes_off_is_no_asystole(tmp_path: Path) -> None:
    with simulator(tmp_path / "port", folder="healthypi") as unit:
        async with driver("healthypi", tmp_path / "port").session() as events:
            await first(events, reads(Code.HEART_RATE, Code.OXYGEN_SATURATION))
            unit.say("lead off")
            off = await first(events, lacks(Code.HEART_RATE, MissingReason.SENSOR_OFF))
            assert isinstance(off, Reading)
            assert "lead-off" in off.flags
            assert isinstance(dict(off.values)[Code.OXYGEN_SATURATION], Quantity)
            marked = await first(
                events,
                lambda event: (
                    isinstance(event, Wave)
                    and event.code is Code.ECG
                    and sum(each.count for each in event.flaws) == len(event.samples)
                ),
            )
            assert isinstance(marked, Wave)
            assert {each.flaw for each in marked.flaws} == {Flaw.LEAD_OFF}
            unit.say("lead on")
            await first(events, reads(Code.HEART_RATE))
            await first(events, wave(Code.ECG))


@pytest.mark.parametrize("board", ["v4", "v5"])
@pytest.mark.parametrize("end", [(), ("--short-end",)], ids=["with 00", "without 00"])
async def test_noise_makes_no_false_number(tmp_path: Path, board: str, end: tuple[str, ...]) -> None:
    told: list[dict[str, str]] = []
    options = ("--board", board, "--speed", "10", *end)
    with simulator(tmp_path / "port", *options, folder="healthypi") as unit:
        async with driver("healthypi", tmp_path / "port").session() as events:
            await first(events, reads(Code.HEART_RATE))
            unit.say("noise on")
            while len(told) < 25:
                told.append(numbers(await first(events, reads(Code.HEART_RATE))))
    assert {each["hr"] for each in told} == {"72"}
    assert {each["spo2"] for each in told} == {"97"}
    assert {each["temp"] for each in told} == {"36.80"}


@pytest.mark.parametrize("kind", ["healthypi", "berry_bci", "creative_pc300"])
async def test_unplugged_and_plugged_in_again(tmp_path: Path, kind: str) -> None:
    made = driver(kind.replace("_", "-"), tmp_path / "port")
    code = Code.OXYGEN_SATURATION
    with simulator(tmp_path / "port", folder=kind) as unit:
        async with made.session() as events:
            await first(events, reads(code))
            unit.say("unplug")
            with pytest.raises(DeviceUnavailable) as gone:
                await first(events, lambda _: False)
        assert gone.value.stable_code == "device-unplugged"
        with pytest.raises(DeviceUnavailable) as missing:
            async with made.session() as events:
                await anext(events)
        assert missing.value.stable_code == "port-missing"
        unit.say("replug")
        async with asyncio.timeout(30):
            while not unit.link.exists():
                await asyncio.sleep(0.01)
        async with made.session() as events:
            await first(events, reads(code))


async def test_a_bci_oximeter_on_a_cable_believes_no_noise(tmp_path: Path) -> None:
    told: list[dict[str, str]] = []
    with simulator(tmp_path / "port", "--speed", "10", folder="berry_bci") as unit:
        async with driver("berry-bci", tmp_path / "port").session() as events:
            await first(events, reads(Code.OXYGEN_SATURATION))
            unit.say("noise on")
            while len(told) < 25:
                told.append(numbers(await first(events, reads(Code.OXYGEN_SATURATION))))
            unit.say("noise off", "finger out")
            await first(events, lacks(Code.OXYGEN_SATURATION, MissingReason.SENSOR_OFF))
    assert {(each["spo2"], each["pulse.spo2"]) for each in told} == {("97", "72")}


async def test_a_monitor_on_a_cable_is_read_too(tmp_path: Path) -> None:
    with simulator(tmp_path / "port", folder="creative_pc300") as unit:
        async with driver("creative-pc300", tmp_path / "port").session() as events:
            await first(events, reads(Code.OXYGEN_SATURATION))
            unit.say("measure 131 83 77")
            result = await first(events, reads(Code.SYSTOLIC))
    assert numbers(result) == {"bp.sys": "131", "bp.dia": "83", "bp.map": "99", "pulse.nibp": "77"}
    assert isinstance(result, Reading)
    assert result.identity is not None
    assert result.identity.model == "PC_300SNT"


# ── Byte by byte ─────────────────────────────────────────────────────────────────────────────────


def keep_sending(terminal: Terminal, data: bytes, every_s: float = 0.02) -> None:
    """Say it again and again, until the terminal is pulled."""
    loop = asyncio.get_running_loop()
    os.set_blocking(terminal.near, False)

    def send() -> None:
        if terminal.near < 0:
            return
        with contextlib.suppress(BlockingIOError):
            os.write(terminal.near, data)
        loop.call_later(every_s, send)

    send()


@pytest.mark.parametrize("kind", ["healthypi", "berry-bci"])
async def test_a_line_on_which_nobody_speaks_is_told(terminal: Terminal, kind: str) -> None:
    with pytest.raises(DeviceUnavailable) as silent:
        async with asyncio.timeout(30), driver(kind, terminal.path).session() as events:
            await anext(events)
    assert silent.value.stable_code == "device-silent"


@pytest.mark.parametrize("kind", ["healthypi", "berry-bci"])
async def test_somebody_else_on_the_line_is_no_board_and_no_oximeter(terminal: Terminal, kind: str) -> None:
    keep_sending(terminal, b"$GPRMC,093000.00,A,3335.0412,N,00735.2301,W*79\r\n")
    with pytest.raises(DeviceMisbehaved) as refused:
        async with asyncio.timeout(30), driver(kind, terminal.path).session() as events:
            await anext(events)
    assert refused.value.stable_code == "device-not-understood"
    assert "GPRMC" not in str(refused.value)


async def test_half_a_frame_that_is_continued_late_is_no_frame(terminal: Terminal) -> None:
    """A board that starts anew in the middle of a frame: its two halves are not joined."""
    assert healthypi_driver.WITHIN_S == 0.5
    loop = asyncio.get_running_loop()
    other = healthypi.encode(Kind.V4, 9999, 45, 182340, 160221, 3652, 16, 97, 74, 0xC0)
    async with driver("healthypi", terminal.path).session() as events:
        loop.call_later(0.05, os.write, terminal.near, V4 * 100)
        await first(events, reads(Code.HEART_RATE))
        os.write(terminal.near, V4 * 30 + V4[:5])
        loop.call_later(0.9, os.write, terminal.near, other[5:] + V4 * 60)
        samples: list[int] = []
        async with asyncio.timeout(30):
            async for event in events:
                if isinstance(event, Wave) and event.code is Code.ECG:
                    samples += event.samples
                    if event.gap:
                        break
    assert 9999 not in samples


def test_a_board_is_the_one_that_spoke_first() -> None:
    session = Session()
    session.take(Frame(V5))
    for _ in range(10):
        assert session.take(Frame(V4)) == []
    events = [event for _ in range(40) for event in session.take(Frame(V5))]
    assert {event.lead for event in events if isinstance(event, Wave) and event.code is Code.ECG} == {
        "HealthyPi 5"
    }
    told = [event for event in events if isinstance(event, Reading)]
    assert {numbers(event)["spo2"] for event in told} == {"98"}


def test_a_session_hands_on_one_pleth_alone() -> None:
    """A screen has room for one; the other light is the same pulse."""
    session = Session()
    events = [event for _ in range(60) for event in session.take(Frame(V4))]
    assert {event.lead for event in events if isinstance(event, Wave) and event.code is Code.PLETH} == {
        "infrared"
    }


def test_a_breath_left_out_of_every_second_frame_halves_its_rate() -> None:
    session = Session()
    waves: list[Wave] = []
    for number in range(120):
        skip = number % 2
        raw = healthypi.encode(Kind.V5, 1, number, skip, 2, 3, 3658, 98, 68, 15)
        waves += [
            event
            for event in session.take(Frame(raw))
            if isinstance(event, Wave) and event.code is Code.RESPIRATION
        ]
    assert [wave.rate for wave in waves[1:]] == [Decimal("62.5")] * len(waves[1:])
    assert [sample for wave in waves for sample in wave.samples] == list(range(0, 2 * 51, 2))


@pytest.mark.parametrize("folder", ["healthypi", "berry_bci", "creative_pc300"])
def test_a_unit_gives_the_same_however_often_it_is_asked(folder: str) -> None:
    """What a device says depends on the time alone, not on how often somebody looks."""

    def unit() -> SimulatedUnit:
        vitals = Steady(Snapshot())
        match folder:
            case "healthypi":
                from drivers.devices.healthypi.unit import Unit as Board

                return Board(Kind.V5, vitals, 10.0)
            case "berry_bci":
                from drivers.devices.berry_bci.unit import Unit as Oximeter

                return Oximeter(vitals, 10.0)
            case _:
                from drivers.devices.creative_pc300.unit import Unit as Monitor

                return Monitor(vitals, 10.0)

    often, seldom = unit(), unit()
    said = b"".join(often.stream(10 + step / 20) for step in range(41))
    assert said == seldom.stream(11.0) + seldom.stream(12.0)
    assert len(said) > 100


def test_every_frame_of_a_monitor_has_a_pulse_above_255_if_the_person_has() -> None:
    raw = encode_oximetry((90, 286, 12))
    assert raw == bytes.fromhex("AA 55 53 07 01 5A 1E 01 0C 00") + raw[-1:]
