"""Whether the agent's memory stays where it is over a day: sixty visits at a real agent, one after the other.

Each registers a patient, opens a visit, takes what an oximeter shows, types six values, records the pleth
and closes. The oximeter is a simulator behind a pseudo-terminal that lives ten times as fast, so a second
here is ten of its waves; what a day has of quiet between the visits is left out. A connection follows every
event as a screen does. Memory is the agent's proportional set size, the first ten visits left to warm it up.
"""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from bench.everything import _pss_mib
from bench.reconnect import PIN, READY_WITHIN_S, USER, _process

VISITS: Final = 60
WARM: Final = 10
MEASURED_S: Final = 1.0
SPEED: Final = 10
_TYPED: Final = (
    ("temp", "36.9"), ("rr", "16"), ("weight", "71.5"), ("height", "168"), ("glucose", "104"), ("pain", "2"),
)  # fmt: skip
_CONFIG: Final = """
[[device]]
key = "oximeter-1"
kind = "contec-cms50"
port = "{port}"
simulated = true
"""


async def _visit(api: Any, number: int) -> None:  # noqa: ANN401  an Api
    from edge.ports.caller import CallRefused

    family = f"Bench{number // 26}{chr(97 + number % 26)}"
    patient = await api.call("patient.register", family=family, given="Zahra", sex="female")
    visit = await api.call("encounter.open", patient=patient["patient"])
    async with asyncio.timeout(READY_WITHIN_S):
        while True:
            try:
                await api.call("take", device="oximeter-1")
                break
            except CallRefused:  # it shows no number yet
                await asyncio.sleep(0.05)
    values = [{"code": code, "value": value} for code, value in _TYPED]
    await api.call("observe", encounter=visit["encounter"], values=values)
    await asyncio.sleep(MEASURED_S)
    await api.call("encounter.close", encounter=visit["encounter"])


async def _day(home: Path, agent: int) -> tuple[list[float], int]:
    """The agent's memory after each visit, and how many recordings it holds in the end."""
    from edge.config import Places
    from edge.localapi.client import connect

    socket = Places.at(home).socket
    async with asyncio.timeout(READY_WITHIN_S):
        while not socket.exists():  # noqa: ASYNC110  another process makes it
            await asyncio.sleep(0.05)
    pss: list[float] = []

    async def follow() -> None:
        async for _ in screen.events():
            pass

    async with connect(socket) as api, connect(socket) as screen, asyncio.TaskGroup() as group:
        for each in (api, screen):
            await each.call("sign-in", user=USER, pin=PIN)
        await screen.call("subscribe", topics=["readings", "waves", "saved", "streams", "devices", "link"])
        following = group.create_task(follow())
        for number in range(VISITS):
            await _visit(api, number)
            await screen.call("present")
            pss.append(_pss_mib(agent))
        saved = int((await api.call("status"))["waves"]["saved"])
        following.cancel()
    return pss, saved


async def _measure(directory: Path) -> list[dict[str, Any]]:
    home, port = directory / "unit", directory / "oximeter"
    words = ("unit", "init", "--realm", "training", "--id", "bench-1", "--user", USER, "--pin-stdin")
    await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "cli.main", *words, "--home", str(home)],
        input=f"{PIN}\n", text=True, check=True, capture_output=True,
    )  # fmt: skip
    with (home / "unit.toml").open("a") as config:
        config.write(_CONFIG.format(port=port))
    simulator = "drivers.devices.contec_cms50.simulator"
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(
            _process(simulator, "--link", str(port), "--speed", str(SPEED), "--finger", "on")
        )
        agent = await stack.enter_async_context(_process("cli.main", "agent", "--home", str(home)))
        pss, saved = await _day(home, agent.pid)
    assert saved >= VISITS // 2, "the waves were not recorded"
    early, late = pss[WARM - 1], sum(pss[-WARM:]) / WARM
    return [
        _row(f"agent's memory after {WARM} visits, PSS", early, ""),
        _row(f"agent's memory after {VISITS} visits, PSS", late, "≤ 60"),
        _row("what the day has added", late - early, "≤ 2"),
        _row("highest after any visit", max(pss), ""),
    ]


def _row(name: str, value_mib: float, goal: str) -> dict[str, Any]:
    return {"name": name, "value": round(value_mib, 2), "unit": "MiB", "goal": goal}


def run() -> list[dict[str, Any]]:
    """Rows for the table of ``make bench``."""
    with tempfile.TemporaryDirectory(prefix="qafila-bench-") as directory:
        return asyncio.run(_measure(Path(directory)))
