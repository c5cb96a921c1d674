"""A scenario as a technician plays it: real commands, real processes, an agent that dies beside it."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from edge.config import Places, load
from edge.localapi.client import AgentUnreachable, Api, connect

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

PIN: Final = "482913"
PATIENCE_S: Final = 120


def command(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "cli.main", *words, "--home", str(home)]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "van"
    words = ("unit", "init", "--realm", "training", "--id", "van-07", "--user", "amina", "--pin-stdin")
    subprocess.run(command(made, *words), input=f"{PIN}\n", text=True, check=True, capture_output=True)
    return made


class Process:
    """One of our commands, ended with the test."""

    def __init__(self, home: Path, *words: str) -> None:
        self.popen = subprocess.Popen(
            command(home, *words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def say(self, line: str) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(f"{line}\n")
        self.popen.stdin.flush()

    def first_line(self) -> dict[str, Any]:
        assert self.popen.stdout is not None
        line: dict[str, Any] = json.loads(self.popen.stdout.readline())
        return line

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait(60)
        for stream in (self.popen.stdin, self.popen.stdout):
            if stream is not None:
                stream.close()


@contextlib.contextmanager
def process(home: Path, *words: str) -> Iterator[Process]:
    running = Process(home, *words)
    try:
        yield running
    finally:
        running.kill()


@contextlib.asynccontextmanager
async def signed_in(home: Path) -> AsyncGenerator[Api]:
    socket = Places.at(home).socket
    while True:
        with contextlib.suppress(AgentUnreachable):
            async with connect(socket):
                break
        await asyncio.sleep(0.05)
    async with connect(socket) as api:
        await api.call("sign-in", user="amina", pin=PIN)
        yield api


async def until(found: Callable[[], Awaitable[object]]) -> None:
    while not await found():
        await asyncio.sleep(0.1)


async def kept(api: Api, encounter: str, codes: set[str]) -> bool:
    shown = await api.call("encounter.show", encounter=encounter)
    assert {each["source"] for each in shown["observations"]} <= {"simulated"}
    return codes <= {each["code"] for each in shown["observations"]}


async def present(api: Api, devices: set[str]) -> bool:
    status = await api.call("status")
    return devices <= {device["key"] for device in status["devices"] if device["state"] == "present"}


async def show_no_number(api: Api, devices: set[str]) -> None:
    """Wait until each has said that its sensor is off."""
    await api.call("subscribe", topics=["readings"])
    waiting = set(devices)
    async for _, news in api.events():
        if any(value.get("missing") == "sensor-off" for value in news.get("values", [])):
            waiting.discard(news["device"])
        if not waiting:
            return


async def visit(api: Api, family: str) -> str:
    patient = await api.call("patient.register", family=family, given="Zahra", sex="female")
    opened = await api.call("encounter.open", patient=patient["patient"])
    return str(opened["encounter"])


async def test_a_scenario_outlives_the_agent_that_listens_to_it(home: Path) -> None:
    with process(home, "sim", "run", "normal-adult", "--write", "--json") as sim:
        ready = sim.first_line()
        assert [device["key"] for device in ready["devices"]] == ready["added"]
        assert {"oximeter-1", "cuff-1", "strap-1"} <= set(ready["added"])
        assert [each.simulated for each in load(home / "unit.toml").device] == [True] * len(ready["added"])
        async with asyncio.timeout(PATIENCE_S):
            with process(home, "agent"):
                async with signed_in(home) as api:
                    first = await visit(api, "Alaoui")
                    sim.say("cuff-1 measure")
                    await until(lambda: kept(api, first, {"bp.sys", "bp.dia", "pulse.nibp"}))
                    # what was put on before a visit began belongs to nobody; it is put on now
                    sim.say("oximeter-1 sensor off")
                    await show_no_number(api, {"oximeter-1"})
                    sim.say("oximeter-1 sensor on")
                    await until(lambda: kept(api, first, {"spo2", "pulse.spo2"}))
            # the agent was killed; nobody told the simulators, and they still stand
            with process(home, "agent"):
                async with signed_in(home) as api:
                    await api.call("encounter.close", encounter=first)
                    second = await visit(api, "Berrada")
                    sim.say("cuff-1 measure")
                    await until(lambda: kept(api, second, {"bp.sys"}))
        assert sim.popen.poll() is None
        sim.say("quit")
        assert sim.popen.wait(60) == 0


async def test_a_device_that_ends_by_itself_ends_the_run_with_a_sentence(home: Path) -> None:
    with process(home, "sim", "run", "normal-adult", "--json") as sim:
        sim.first_line()
        sim.say("oximeter-1 quit")
        async with asyncio.timeout(PATIENCE_S):
            while sim.popen.poll() is None:
                await asyncio.sleep(0.05)
        assert sim.popen.returncode == 1
        assert sim.first_line()["error"]["code"] == "simulation-failed"
