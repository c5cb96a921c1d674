"""SIGKILL at every named point: nothing acknowledged is lost, nothing is done twice, the spool is whole.

Kills at random moments are the torture's part (``python -m torture --part kills``).
"""

import asyncio
import signal
from pathlib import Path

import pytest

from edge.config import Places
from edge.ports.caller import CallRefused
from edge.spool import Outbox
from torture import crash, unit
from torture.nurse import Identity, Nurse
from torture.unit import Agent, everything

pytestmark = [pytest.mark.system, pytest.mark.timeout(240), pytest.mark.xdist_group("agent-kill")]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unit.make_unit(tmp_path_factory.mktemp("kill"))


def covered(home: Path, word: str) -> set[int]:
    names = [name for name in Outbox(Places.at(home).spool_out).list() if name.word == word]
    return {seq for name in names for seq in range(name.first, name.first + name.n)}


@pytest.mark.parametrize("point", crash.POINTS)
async def test_nothing_is_lost_or_done_twice_at_any_named_point(home: Path, point: str) -> None:
    nurse = Nurse()
    before: set[Identity] = set()
    agent = Agent(home, *crash.command(home, point, 9))
    try:
        async with agent.signed_in() as api:
            before = await everything(api)
            await nurse.ask_until_it_dies(api)
        assert agent.process.wait(30) == -signal.SIGKILL
        assert nurse.pending is not None
        agent.kill()
        agent = Agent(home)
        async with agent.signed_in() as api:
            assert nurse.acknowledged <= await everything(api)
            await nurse.ask_what_is_open(api)
            assert await everything(api) - before == nurse.acknowledged
            visit = (await api.call("snapshot"))["encounter"]
            await api.call("encounter.close", encounter=visit)
            verified = await api.call("store.verify")
            assert verified["valid"] is True
            # What was committed and not sealed when it died is found at the next unlock.
            for word in ("alert", "vitals"):
                async with asyncio.timeout(60):
                    while covered(home, word) < set(range(1, verified["entries"][word] + 1)):
                        await asyncio.sleep(0.05)
        assert agent.terminate() == 0
        assert not agent.socket.exists()
    finally:
        agent.kill()


async def test_a_killed_agent_is_locked_until_somebody_signs_in(home: Path) -> None:
    agent = Agent(home)
    try:
        async with agent.signed_in() as api:
            assert (await api.call("status"))["locked"] is False
        agent.kill()
        agent = Agent(home)
        async with agent.connected() as api:
            assert (await api.call("status"))["locked"] is True
            with pytest.raises(CallRefused) as error:
                await api.call("patient.list")
            assert error.value.stable_code == "store-locked"
    finally:
        agent.kill()
