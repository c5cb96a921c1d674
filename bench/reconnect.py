"""From a cuff that wakes up to a reading that is stored: a real agent with its store, on chain B.

Bleak's own BlueZ backend, a real D-Bus, a simulated daemon and the simulated cuff, which has a bond and
advertises when it has something to tell. The clock runs from the order to measure until the agent tells a
connection of its socket that the reading is committed. No radio is in it: what a real adapter adds comes
on top. The agent, the daemon with bus and cuff, and this process are three.
"""

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any, Final

READINGS: Final = 20
ASLEEP_S: Final = 1.5
"""Between two readings: long enough that the agent scans again and the cuff does not advertise."""
STORED_WITHIN_S: Final = 60.0
READY_WITHIN_S: Final = 30.0
ADDRESS: Final = "C0:FF:EE:00:00:13"
PIN: Final = "482913"
USER: Final = "bench"
_CONFIG: Final = f"""
[radio]
pairing_window_s = 3600

[[device]]
key = "cuff-1"
kind = "sig-bp"
port = "ble:{ADDRESS}"
simulated = true
"""


# ── the other side: `python -m bench.reconnect DIRECTORY` ────────────────────────────────────────────


async def _simulate(directory: Path) -> None:
    from drivers.radio.air import Air
    from drivers.radio.central import Central
    from drivers.radio.fake_bluez import serving
    from drivers.radio.private_bus import private_bus
    from drivers.radio.world import living, make_peripheral

    air = Air()
    async with (
        living(air, dict([make_peripheral(f"sig-bp={ADDRESS},key=cuff")])) as world,
        air.serve(f"unix:{directory}/air") as where,
        private_bus(directory) as bus,
        serving(bus.address, Central(where, "C0:00:00:00:00:77")),
    ):
        print(json.dumps({"bus": bus.address}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            await world.obey(line)


# ── this side ────────────────────────────────────────────────────────────────────────────────────────


@contextlib.asynccontextmanager
async def _process(*words: str, **environment: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()


@contextlib.asynccontextmanager
async def _signed_in(home: Path) -> AsyncGenerator[AsyncIterator[tuple[str, dict[str, Any]]]]:
    """A nurse with an open visit; the events of what is saved."""
    from edge.config import Places
    from edge.localapi.client import AgentUnreachable, connect

    socket = Places.at(home).socket
    async with asyncio.timeout(READY_WITHIN_S):
        while not socket.exists():  # noqa: ASYNC110  another process makes it
            await asyncio.sleep(0.05)
    try:
        async with connect(socket) as api:
            await api.call("sign-in", user=USER, pin=PIN)
            patient = await api.call("patient.register", family="Bench", given="Zahra", sex="female")
            await api.call("encounter.open", patient=patient["patient"])
            await api.call("subscribe", topics=["saved"])
            yield api.events()
    except AgentUnreachable as gone:
        raise RuntimeError("the agent ended") from gone


async def _stored(events: AsyncIterator[tuple[str, dict[str, Any]]]) -> None:
    async with asyncio.timeout(STORED_WITHIN_S):
        async for name, data in events:
            if name == "saved" and data["what"] == "reading":
                return


async def _measure(directory: Path) -> list[dict[str, Any]]:
    from drivers.radio.private_bus import ADDRESS_VARIABLE

    home = directory / "unit"
    words = ("unit", "init", "--realm", "training", "--id", "bench-1", "--user", USER, "--pin-stdin")
    await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "cli.main", *words, "--home", str(home)],
        input=f"{PIN}\n", text=True, check=True, capture_output=True,
    )  # fmt: skip
    with (home / "unit.toml").open("a") as config:
        config.write(_CONFIG)
    took_ms: list[float] = []
    async with _process("bench.reconnect", str(directory)) as simulation:
        assert simulation.stdin is not None
        assert simulation.stdout is not None
        async with asyncio.timeout(READY_WITHIN_S):
            bus = json.loads(await simulation.stdout.readline())["bus"]
        async with (
            _process("cli.main", "agent", "--home", str(home), **{ADDRESS_VARIABLE: bus}),
            _signed_in(home) as events,
        ):
            for number in range(1 + READINGS):
                began = time.perf_counter()
                simulation.stdin.write(f"cuff measure {120 + number} 80 70\n".encode())
                await simulation.stdin.drain()
                await _stored(events)
                took_ms.append((time.perf_counter() - began) * 1000)
                await asyncio.sleep(ASLEEP_S)
    paired_ms = took_ms.pop(0)
    return [
        _row("a bonded cuff wakes up → reading stored, median of 20", statistics.median(took_ms), "≤ 1000"),
        _row("a bonded cuff wakes up → reading stored, slowest of 20", max(took_ms), ""),
        _row("a new cuff wakes up → paired, reading stored", paired_ms, ""),
    ]


def _row(name: str, value_ms: float, goal: str) -> dict[str, Any]:
    return {"name": name, "value": round(value_ms, 1), "unit": "ms", "goal": goal}


def run() -> list[dict[str, Any]]:
    """Rows for the table of ``make bench``."""
    with tempfile.TemporaryDirectory(prefix="qafila-bench-") as directory:
        return asyncio.run(_measure(Path(directory)))


if __name__ == "__main__":
    asyncio.run(_simulate(Path(sys.argv[1])))
