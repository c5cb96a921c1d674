"""Bluetooth through chain B: bleak's own BlueZ backend, a real D-Bus, a simulated daemon and device.

The client is this process; bus, daemon and devices are others. No radio is in it, so these are the costs
of software on this machine: what a real adapter adds comes on top. A real H10 sends 1.8 packets a second.
"""

import asyncio
import contextlib
import json
import os
import resource
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

NOTIFICATIONS_A_SECOND: Final = 130
SECONDS: Final = 10
READINGS: Final = 20
STREAMER: Final = "C0:FF:EE:00:00:11"
CUFF: Final = "C0:FF:EE:00:00:12"
VALUE: Final = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
_STAMP: Final = struct.Struct("<q12x")  # 20 bytes, as much as fits without a larger MTU
READY_WITHIN_S: Final = 20.0


# ── the other side: `python -m bench.radio DIRECTORY` ────────────────────────────────────────────────


async def _simulate(directory: Path) -> None:
    from bumble.core import UUID
    from bumble.device import Connection, Device
    from bumble.gatt import Characteristic, Service

    from drivers.radio.air import Air
    from drivers.radio.central import Central
    from drivers.radio.fake_bluez import serving
    from drivers.radio.private_bus import private_bus
    from drivers.radio.world import living

    class Sender:
        """Advertises, waits for a subscriber, and sends when it did each thing."""

        def __init__(self, name: str, address: str, *, readings: bool) -> None:
            self.name = name
            self.address = address
            self._readings = readings
            self._value: Characteristic[bytes] = Characteristic(
                UUID(VALUE), Characteristic.Properties.NOTIFY, Characteristic.Permissions(0), b""
            )

        def obey(self, _order: str) -> bool:
            return False

        async def live(self, device: Device) -> None:
            device.add_services([Service(UUID("1810"), [self._value])])
            while True:
                came: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
                device.once(Device.EVENT_CONNECTION, came.set_result)
                woke_ns = time.monotonic_ns()
                await device.start_advertising(advertising_interval_min=20, advertising_interval_max=20)
                connection = await came
                gone = asyncio.Event()
                connection.once(Connection.EVENT_DISCONNECTION, lambda _reason, gone=gone: gone.set())
                while not self._listens(device, connection):  # noqa: ASYNC110  nobody tells
                    await asyncio.sleep(0.001)
                if self._readings:
                    await device.notify_subscriber(connection, self._value, _STAMP.pack(woke_ns))
                    await connection.disconnect()
                    await asyncio.sleep(0.3)
                else:
                    await self._stream(device, connection, gone)

        def _listens(self, device: Device, connection: Connection) -> bool:
            """To the value, that is: the daemon itself subscribes to Service Changed."""
            return any(device.gatt_server.subscribers.get(connection, {}).get(self._value.handle, b""))

        async def _stream(self, device: Device, connection: Connection, gone: asyncio.Event) -> None:
            due_s = asyncio.get_running_loop().time()
            while not gone.is_set():
                await device.notify_subscriber(connection, self._value, _STAMP.pack(time.monotonic_ns()))
                due_s += 1 / NOTIFICATIONS_A_SECOND
                await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))

    senders = {
        "streamer": Sender("Streamer", STREAMER, readings=False),
        "cuff": Sender("Cuff", CUFF, readings=True),
    }
    air = Air()
    async with (
        living(air, senders),
        air.serve(f"unix:{directory}/air") as where,
        private_bus(directory) as bus,
        serving(bus.address, Central(where, "C0:00:00:00:00:77")),
    ):
        print(json.dumps({"bus": bus.address}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


# ── this side ────────────────────────────────────────────────────────────────────────────────────────


@contextlib.asynccontextmanager
async def _simulation(directory: Path) -> AsyncGenerator[None]:
    from drivers.radio.private_bus import ADDRESS_VARIABLE

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.radio",
        str(directory),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            ready = json.loads(await process.stdout.readline())
        os.environ[ADDRESS_VARIABLE] = ready["bus"]
        yield
    finally:
        os.environ.pop(ADDRESS_VARIABLE, None)
        process.stdin.close()
        await process.wait()


def _used_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def _measure(directory: Path) -> list[dict[str, Any]]:
    from drivers.transport.ble import AdapterOwner
    from drivers.transport.bluez import BlueZ
    from drivers.transport.link import Wanted
    from drivers.transport.pairing import PairingWindow
    from edge.clock import SystemClock

    clock = SystemClock()
    window = PairingWindow([], clock.monotonic_s)
    owner = AdapterOwner(BlueZ(window), window, clock)
    rows: list[dict[str, Any]] = []
    async with _simulation(directory), owner.running():
        for way, acquire in (("StartNotify", frozenset[str]()), ("AcquireNotify", frozenset({VALUE}))):
            late_ms: list[float] = []
            async with owner.session(Wanted(address=STREAMER, acquire=acquire)) as link:
                await link.subscribe(VALUE)
                events = link.events()
                for _ in range(NOTIFICATIONS_A_SECOND):  # the first second is for everything to settle
                    await anext(events)
                began_s, used_s = time.monotonic(), _used_s()
                for _ in range(NOTIFICATIONS_A_SECOND * SECONDS):
                    _, value = await anext(events)
                    late_ms.append((time.monotonic_ns() - _STAMP.unpack(value)[0]) / 1e6)
                cpu = (_used_s() - used_s) / (time.monotonic() - began_s) * 100
            cuts = statistics.quantiles(late_ms, n=100)
            rows += [
                _row(f"notification to driver at 130/s, {way}, p{at}", cuts[at - 1], "ms")
                for at in (50, 95, 99)
            ]
            rows.append(_row(f"client's CPU at 130/s, {way}", cpu, "% of a core"))
        took_ms: list[float] = []
        for _ in range(1 + READINGS):
            async with owner.session(Wanted(address=CUFF)) as link:
                await link.subscribe(VALUE)
                async for _, value in link.events():
                    took_ms.append((time.monotonic_ns() - _STAMP.unpack(value)[0]) / 1e6)
        del took_ms[0]  # it woke up while the streams were measured
        rows.append(_row("device wakes up → value in the driver, median", statistics.median(took_ms), "ms"))
        rows.append(_row("device wakes up → value in the driver, slowest of 20", max(took_ms), "ms"))
    return rows


def _row(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 3), "unit": unit, "goal": ""}


def run() -> list[dict[str, Any]]:
    """Rows for the table of ``make bench``."""
    with tempfile.TemporaryDirectory(prefix="qafila-bench-") as directory:
        return asyncio.run(_measure(Path(directory)))


if __name__ == "__main__":
    asyncio.run(_simulate(Path(sys.argv[1])))
