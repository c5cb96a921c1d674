"""From a notification in the air to the number on a terminal: sensor, daemon, agent and screen are real.

Chain B: bleak's own BlueZ backend, a real D-Bus, a simulated daemon, and a heart rate sensor that notifies
when it is told to. The clock runs from just before the sensor notifies until the terminal has been sent the
number; both ends read the same monotonic clock. No radio is in it: a connection interval comes on top.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import Any, Final

from bench.reconnect import PIN, READY_WITHIN_S, USER, _process

NOTIFICATIONS: Final = 60
ADDRESS: Final = "C0:FF:EE:00:00:14"
SHOWN_WITHIN_S: Final = 20.0
BETWEEN_S: Final = 0.23
"""At no fixed moment of a frame."""
SIZE: Final = (80, 24)
"""Numbers stand in plain letters there."""
_ESCAPE: Final = re.compile(rb"\x1b(?:\[[0-9;?<=>]*[ -/]*(?:[@-~]|$)|[()][0-9A-Za-z]|[=>]|$)")
"""What colours and moves, also where it has come in part only."""
_CONFIG: Final = f"""
[radio]
pairing_window_s = 3600

[[device]]
key = "strap-1"
kind = "sig-heart-rate"
port = "ble:{ADDRESS}"
simulated = true
"""


# ── the other side: `python -m bench.latency DIRECTORY` ──────────────────────────────────────────────


async def _simulate(directory: Path) -> None:
    from drivers.codec.heart_rate import Flag, HeartRate, encode_heart_rate
    from drivers.devices.sig_heart_rate.simulator import SimulatedSensor
    from drivers.radio.air import Air
    from drivers.radio.central import Central
    from drivers.radio.fake_bluez import serving
    from drivers.radio.private_bus import private_bus
    from drivers.radio.world import living
    from drivers.simulation.person import take_person

    orders: asyncio.Queue[int] = asyncio.Queue()

    class Sensor(SimulatedSensor):
        """One that says what it is told to, when it is told to."""

        async def _tell(self, meeting: Any) -> None:  # noqa: ANN401  a Meeting
            await meeting.until_subscribed(self._rate)
            print(json.dumps({"subscribed": True}), flush=True)
            while True:
                rate = await orders.get()
                value = encode_heart_rate(HeartRate(Flag.CONTACT_KNOWN | Flag.CONTACT, rate))
                print(json.dumps({"rate": rate, "at_s": time.monotonic()}), flush=True)
                await meeting.notify(self._rate, value)

    air = Air()
    sensor = Sensor(ADDRESS, take_person({}, time.monotonic()))
    async with (
        living(air, {"strap": sensor}),
        air.serve(f"unix:{directory}/air") as where,
        private_bus(directory) as bus,
        serving(bus.address, Central(where, "C0:00:00:00:00:77")),
    ):
        print(json.dumps({"bus": bus.address}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            orders.put_nowait(int(line))


# ── this side ────────────────────────────────────────────────────────────────────────────────────────


class _Screen:
    """`qafila tui` on a terminal of its own; what it was sent, without what colours and moves."""

    def __init__(self, home: Path) -> None:
        self._near, far = pty.openpty()
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "TEXTUAL_ANIMATIONS": "none"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "tui", "--language", "en", "--home", str(home)],
            stdin=far, stdout=far, stderr=far, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(far)
        os.set_blocking(self._near, False)
        self._seen = b""
        asyncio.get_running_loop().add_reader(self._near, self._read)
        self._news = asyncio.Event()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            self._seen = (self._seen + os.read(self._near, 65_536))[-65_536:]
            self._news.set()

    def type(self, keys: bytes) -> None:
        os.write(self._near, keys)

    async def until(self, text: bytes, within_s: float = READY_WITHIN_S) -> float:
        """When a text has come that was not there when the last one had; in monotonic seconds."""
        try:
            async with asyncio.timeout(within_s):
                while text not in _ESCAPE.sub(b"", self._seen):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise RuntimeError(f"the screen never showed {text.decode()}") from None
        now_s = time.monotonic()
        self._seen = b""
        return now_s

    def forget(self, text: bytes) -> None:
        """What has come so far does not count; if this was in it, nothing that is measured would."""
        if text in _ESCAPE.sub(b"", self._seen):
            raise RuntimeError(f"the screen showed {text.decode()} before it was told")
        self._seen = b""

    def end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._near)
        self._process.kill()
        self._process.wait()
        os.close(self._near)


async def _to_the_visit(screen: _Screen) -> None:
    """Sign in, enter a patient, and open a visit, as a nurse does."""
    await screen.until(b"PIN")
    screen.type(USER.encode() + b"\r" + PIN.encode() + b"\r")
    await screen.until(b"F2")
    screen.type(b"\x1bOQ")
    await asyncio.sleep(1.0)
    for keys in (b"Bench\r", b"Zahra\r", b"f\r", b"1991", b"\x1b[24~"):
        screen.type(keys)
        await asyncio.sleep(0.5)


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
    async with _process("bench.latency", str(directory)) as simulation:
        assert simulation.stdin is not None
        assert simulation.stdout is not None

        async def told() -> dict[str, Any]:
            async with asyncio.timeout(READY_WITHIN_S):
                said: dict[str, Any] = json.loads(await simulation.stdout.readline())  # type: ignore[union-attr]  # asserted above
            return said

        bus = (await told())["bus"]
        async with _process("cli.main", "agent", "--home", str(home), **{ADDRESS_VARIABLE: bus}):
            while not (home / "run" / "agent.sock").exists():  # noqa: ASYNC110  another process makes it
                await asyncio.sleep(0.05)
            screen = _Screen(home)
            try:
                await told()  # that the agent has subscribed
                await _to_the_visit(screen)
                for number in range(1 + NOTIFICATIONS):
                    rate = 61 + (number * 11) % 29  # none that a clock shows, and both digits change
                    screen.forget(b"%d" % rate)
                    simulation.stdin.write(f"{rate}\n".encode())
                    await simulation.stdin.drain()
                    at_s = (await told())["at_s"]
                    took_ms.append(1000 * (await screen.until(b"%d" % rate, SHOWN_WITHIN_S) - at_s))
                    await asyncio.sleep(BETWEEN_S + 0.017 * (number % 7))
            finally:
                screen.end()
    del took_ms[0]  # the first opens the tile
    return [
        _row("notification → number on the terminal, median of 60", statistics.median(took_ms), ""),
        _row("notification → number on the terminal, 95 of 100", _percentile(took_ms, 0.95), "≤ 100"),
    ]


def _percentile(values: list[float], part: float) -> float:
    return sorted(values)[max(0, int(len(values) * part) - 1)]


def _row(name: str, value_ms: float, goal: str) -> dict[str, Any]:
    return {"name": name, "value": round(value_ms, 1), "unit": "ms", "goal": goal}


def run() -> list[dict[str, Any]]:
    """Rows for the table of ``make bench``."""
    with tempfile.TemporaryDirectory(prefix="qafila-bench-") as directory:
        return asyncio.run(_measure(Path(directory)))


if __name__ == "__main__":
    asyncio.run(_simulate(Path(sys.argv[1])))
