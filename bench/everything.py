"""What the agent costs with everything on at once: CPU and memory of the real process, nothing left out.

On four serial ports a 12-lead ECG at 500 a second, a finger oximeter, a multi-parameter board with ECG,
respiration and pleth, and a satellite receiver; over three Bluetooth links (chain B: bleak's own BlueZ
backend, a real D-Bus, a simulated daemon) a chest strap with its ECG, an oximeter with pleth at 100 a second
and another oximeter. All waves are recorded into the open visit, and a connection follows every event as a
screen does. No 12-lead device is among the kinds yet: its driver here reads a simple frame from a real
pseudo-terminal. All simulators are processes of their own, and not counted.
"""

import array
import asyncio
import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any, Final

from bench.reconnect import PIN, READY_WITHIN_S, USER, _process

KIND: Final = "bench-12-leads"
RATE: Final = 500
LEADS: Final = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
SAMPLES: Final = 25
"""Of each lead in a frame: twenty frames a second."""
SYNC: Final = b"\x55\xaa"
FRAME_BYTES: Final = len(SYNC) + 2 * SAMPLES * len(LEADS)
SETTLE_S: Final = 15.0
MEASURED_S: Final = 30.0
PRESENT_WITHIN_S: Final = 90.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_TOPICS: Final = ("readings", "waves", "saved", "streams", "devices", "link")
_SCENARIO: Final = """
scenario = 1
title = "Everything at once"
story = "A bench."
sources = ["made up"]

[patient]
age_years = 34
sex = "f"
weight_kg = 64.2
height_cm = 165

[[moment]]
at_min = 0
systolic = 118
diastolic = 76
pulse = 71
breaths = 15
temperature = 36.7
spo2_on_air = 98
perfusion = 4.1
glucose = 91

[[device]]
key = "oximeter-1"
kind = "contec-cms50"
options = { finger = "on" }

[[device]]
key = "board-1"
kind = "healthypi"

[[device]]
key = "gps-1"
kind = "nmea-gps"

[[device]]
key = "strap-1"
kind = "polar-h10"

[[device]]
key = "oximeter-2"
kind = "berry-bci"

[[device]]
key = "oximeter-3"
kind = "viatom-pc60fw"
"""


# ── the other sides ──────────────────────────────────────────────────────────────────────────────────


async def _daemon(directory: Path, air: str) -> None:
    """``python -m bench.everything daemon DIRECTORY AIR``: a bus and a daemon on it that hears that air."""
    from drivers.radio.central import Central
    from drivers.radio.fake_bluez import serving
    from drivers.radio.private_bus import private_bus

    async with private_bus(directory) as bus, serving(bus.address, Central(air, "C0:00:00:00:00:77")):
        print(json.dumps({"bus": bus.address}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


def _cart(link: Path) -> None:
    """``python -m bench.everything cart LINK``: twelve leads on a pseudo-terminal, until it is ended."""
    from drivers.simulation.cable import Cable
    from drivers.simulation.ecg import Heart

    beat = Heart(RATE).microvolts
    leads = [[round(sample / (1 + lead / 3)) for sample in beat] for lead in range(len(LEADS))]
    cable = Cable(link)
    cable.plug()
    print("ready", flush=True)
    at, due_s = 0, time.monotonic()
    while True:
        frame = array.array("h")
        for number in range(at, at + SAMPLES):
            frame.extend(lead[number % len(lead)] for lead in leads)
        cable.send(SYNC + frame.tobytes())
        at += SAMPLES
        due_s += SAMPLES / RATE
        time.sleep(max(0.0, due_s - time.monotonic()))


def _agent(home: Path) -> None:
    """``python -m bench.everything agent HOME``: the real agent, which knows one kind more."""
    from decimal import Decimal

    from cli.wiring import run_agent
    from drivers import registry
    from drivers.decoding import Decoded
    from drivers.kinds import DeviceKind, DriverContext, Evidence, Medium
    from drivers.transport.serial_port import LineSettings, open_port
    from edge.config import Places
    from edge.ports.driver import DeviceEvent
    from edge.vitals.codes import Code
    from edge.vitals.quantity import Unit
    from edge.vitals.reading import Wave

    class Cart:
        """Twelve leads: a wave for each in every frame."""

        def __init__(self, context: DriverContext) -> None:
            self.key = context.key
            self.kind = KIND
            self._port = context.port

        @contextlib.asynccontextmanager
        async def session(self) -> AsyncIterator[AsyncIterator[DeviceEvent]]:
            with open_port(self._port, LineSettings(921_600)) as port:
                yield self._waves(port)

        async def _waves(self, port: Any) -> AsyncGenerator[DeviceEvent]:  # noqa: ANN401  a SerialPort
            held = b""
            while data := await port.read():
                held += data
                while (begin := held.find(SYNC)) >= 0 and len(held) - begin >= FRAME_BYTES:
                    numbers = array.array("h", held[begin + len(SYNC) : begin + FRAME_BYTES])
                    held = held[begin + FRAME_BYTES :]
                    for lead, name in enumerate(LEADS):
                        samples = tuple(numbers[lead :: len(LEADS)])
                        yield Wave(Code.ECG, name, Unit.MICROVOLT, Decimal(RATE), samples)

    registry.BUILT_IN[KIND] = DeviceKind(
        KIND, KIND, Medium.SERIAL, Evidence.SPECIFICATION, (), lambda _: Decoded((), (), ()), Cart
    )
    run_agent(Places.at(home))


# ── this side ────────────────────────────────────────────────────────────────────────────────────────


class _Seat:
    """A nurse's connection; counts what it hears when it follows everything."""

    def __init__(self, api: Any) -> None:  # noqa: ANN401  an Api
        self._api = api
        self.heard = 0

    async def begin(self) -> None:
        """Open a visit, and give it what every device shows."""
        await self._api.call("sign-in", user=USER, pin=PIN)
        patient = await self._api.call("patient.register", family="Bench", given="Zahra", sex="female")
        await self._api.call("encounter.open", patient=patient["patient"])

    async def until_recorded(self, devices: int) -> None:
        """Wait until every device is there and all that send waves are recorded."""
        from edge.ports.caller import CallRefused

        recorded = {"oximeter-1", "board-1", "strap-1", "oximeter-2", "oximeter-3", "cart-1"}
        status: dict[str, Any] = {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PRESENT_WITHIN_S):
                while True:
                    status = await self._api.call("status")
                    present = sum(device["state"] == "present" for device in status["devices"])
                    waiting = recorded - set(status["waves"]["recording"])
                    if present == devices and not waiting:
                        return
                    for key in sorted(waiting):
                        with contextlib.suppress(CallRefused):
                            await self._api.call("take", device=key)
                    await asyncio.sleep(1.0)
        raise RuntimeError(f"not everything came: {status['devices']} {status['waves']}")

    async def follow(self) -> None:
        """Hear everything, as a screen does."""
        await self._api.call("subscribe", topics=list(_TOPICS))
        async for _ in self._api.events():
            self.heard += 1


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _pss_mib(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024


async def _percent(pid: int) -> float:
    """Of one core, over half a minute."""
    await asyncio.sleep(SETTLE_S)
    began_s, cpu_s = time.monotonic(), _cpu_s(pid)
    await asyncio.sleep(MEASURED_S)
    return 100 * (_cpu_s(pid) - cpu_s) / (time.monotonic() - began_s)


async def _measure(directory: Path) -> list[dict[str, Any]]:
    from cli.rehearsal import simulators
    from cli.unit_file import add_devices
    from drivers.radio.private_bus import ADDRESS_VARIABLE
    from drivers.simulation.scenario_file import load
    from edge.config import DeviceSection, Places
    from edge.localapi.client import connect

    home, scenario = directory / "unit", directory / "everything.toml"
    words = ("unit", "init", "--realm", "training", "--id", "bench-1", "--user", USER, "--pin-stdin")
    await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "cli.main", *words, "--home", str(home)],
        input=f"{PIN}\n", text=True, check=True, capture_output=True,
    )  # fmt: skip
    scenario.write_text(_SCENARIO)
    places, cart = Places.at(home), directory / "cart"
    with places.config.open("a") as config:
        config.write("\n[radio]\npairing_window_s = 3600\n")
    async with contextlib.AsyncExitStack() as stack:
        began_s = time.monotonic()
        running = await stack.enter_async_context(
            simulators.started(load(str(scenario)), scenario, directory / "sim", began_s=began_s, pace=1.0)
        )
        sections = [each.section for each in running.devices]
        sections.append(DeviceSection(key="cart-1", kind=KIND, port=str(cart), simulated=True))
        add_devices(places, sections)
        daemon = await stack.enter_async_context(
            _process("bench.everything", "daemon", str(directory), str(running.air))
        )
        assert daemon.stdout is not None
        async with asyncio.timeout(READY_WITHIN_S):
            bus = json.loads(await daemon.stdout.readline())["bus"]
        agent = await stack.enter_async_context(
            _process("bench.everything", "agent", str(home), **{ADDRESS_VARIABLE: bus})
        )
        async with asyncio.timeout(READY_WITHIN_S):
            while not places.socket.exists():  # noqa: ASYNC110  another process makes it
                await asyncio.sleep(0.05)
        seat = _Seat(await stack.enter_async_context(connect(places.socket)))
        await seat.begin()
        # It says no number, so it counts for the visit in which its first wave comes.
        await stack.enter_async_context(_process("bench.everything", "cart", str(cart)))
        await seat.until_recorded(len(sections))
        alone = await _percent(agent.pid)
        async with asyncio.TaskGroup() as group:
            following = group.create_task(seat.follow())
            followed = await _percent(agent.pid)
            following.cancel()
        assert seat.heard > MEASURED_S, "the connection heard nothing"
        pss = _pss_mib(agent.pid)
    return [
        _row("everything at once, recorded, a screen following", followed, "% of a core", "≤ 15"),
        _row("everything at once, recorded, no screen", alone, "% of a core", ""),
        _row("events a screen is sent then", seat.heard / (SETTLE_S + MEASURED_S), "/s", ""),
        _row("memory then, PSS", pss, "MiB", "≤ 60"),
    ]


def _row(name: str, value: float, unit: str, goal: str) -> dict[str, Any]:
    assert math.isfinite(value)
    return {"name": name, "value": round(value, 2), "unit": unit, "goal": goal}


def run() -> list[dict[str, Any]]:
    """Rows for the table of ``make bench``."""
    with tempfile.TemporaryDirectory(prefix="qafila-bench-") as directory:
        return asyncio.run(_measure(Path(directory)))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["daemon", folder, air]:
            asyncio.run(_daemon(Path(folder), air))
        case ["cart", link]:
            _cart(Path(link))
        case ["agent", folder]:
            _agent(Path(folder))
        case _:
            sys.exit("daemon DIRECTORY AIR | cart LINK | agent HOME")
