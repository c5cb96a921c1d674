"""SIGKILL while a device's memory is read out: nothing it kept is lost, and nothing is kept twice."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Final

import pytest

from edge.config import Places
from edge.localapi.client import Api
from tests.system.agent_memory_runner import CLEARING, KIND
from torture.crash import POINTS
from torture.unit import Agent, make_unit

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
RUNNER: Final = str(Path(__file__).with_name("agent_memory_runner.py"))
RECORDS: Final = [str(number) for number in range(80, 110)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = make_unit(tmp_path_factory.mktemp("memory"))
    config = Places.at(home).config
    device = f'\n[[device]]\nkey = "meter-1"\nkind = "{KIND}"\nport = "{home}/memory"\nsimulated = true\n'
    config.write_text(config.read_text() + device)
    (home / "memory").write_text("")
    return home


async def in_the_tray(api: Api) -> list[str]:
    tray = (await api.call("tray.list"))["observations"]
    assert all(each["old"] for each in tray)
    return [each["value"] for each in tray]


@pytest.mark.parametrize(
    "point", [point for point in POINTS if point != "before the answer"] + list(CLEARING)
)
async def test_every_record_is_kept_once_wherever_the_agent_dies(made: Path, point: str) -> None:
    memory = made / "memory"
    number = made / "round"
    first = int(number.read_text()) if number.exists() else 0
    number.write_text(str(first + 1))
    records = [str(int(each) + 100 * first) for each in RECORDS]
    memory.write_text("".join(f"{each}\n" for each in records))
    agent = Agent(made, sys.executable, RUNNER, str(made), point, "9")
    try:
        async with agent.signed_in():
            assert await asyncio.to_thread(agent.process.wait, 60) == -signal.SIGKILL
        left = memory.read_text().split()
        assert set(left) <= set(records)
        agent.kill()
        agent = Agent(made, sys.executable, RUNNER, str(made))
        async with agent.signed_in() as api:
            async with asyncio.timeout(60):
                while memory.read_text():
                    await asyncio.sleep(0.05)
            kept = await in_the_tray(api)
            assert [each for each in kept if each in records] == records  # once each, oldest first
            assert (await api.call("store.verify"))["valid"] is True
        assert agent.terminate() == 0
    finally:
        agent.kill()
