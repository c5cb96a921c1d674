"""SIGKILL while waves are recorded: every chunk that was announced is there, whole, and verified."""

import asyncio
import contextlib
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from edge.config import Places
from edge.localapi.client import AgentUnreachable, Api
from edge.ports.caller import CallRefused
from edge.records.fields import Kind, Stream
from edge.store.store import Store
from tests.system.agent_waves_runner import KIND, RATE
from torture.unit import Agent, make_unit, store_key

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

ROUNDS = max(5, int(os.environ.get("QAFILA_KILL_ROUNDS", "30")) // 5)
SEED = 20261122
RUNNER = str(Path(__file__).with_name("agent_waves_runner.py"))
CHUNK = 10 * RATE
DEVICE = f"""
[[device]]
key = "strap-1"
kind = "{KIND}"
port = "/dev/null"
simulated = true
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An enrolled training unit with a strap."""
    home = make_unit(tmp_path)
    config = Places.at(home).config
    config.write_text(config.read_text() + DEVICE)
    return home


def start(home: Path, *point: str) -> Agent:
    return Agent(home, sys.executable, RUNNER, str(home), *point)


async def visit(api: Api) -> str:
    """The visit that is open, or a new one, for which what the strap says is taken."""
    found = (await api.call("snapshot"))["encounter"]
    if found is None:
        registered = await api.call("patient.register", family="Benali", given="Zahra", sex="female")
        found = (await api.call("encounter.open", patient=registered["patient"]))["encounter"]
    async with asyncio.timeout(30):
        while True:
            try:
                await api.call("take", device="strap-1")  # it was put on before the visit was opened
            except CallRefused:
                await asyncio.sleep(0.01)  # it has said nothing yet
            else:
                return str(found)


async def hear(api: Api, announced: set[int]) -> None:
    """Note which entries of waves are called saved, until the agent dies."""
    with contextlib.suppress(AgentUnreachable):
        async with asyncio.timeout(60):
            async for name, data in api.events():
                if name == "saved" and data["what"] == "wave":
                    announced.update(seq for _, _, stream, seq in data["saved"] if stream == "wave")


async def check(api: Api, encounter: str) -> int:
    """Read every recording of a visit; how many chunks there are."""
    assert (await api.call("store.verify"))["valid"] is True
    count = 0
    for shown in (await api.call("encounter.show", encounter=encounter))["recordings"]:
        chunks: list[dict[str, Any]] = []
        more = True
        while more:
            read = await api.call("waveform.read", waveform=shown["waveform"], first=len(chunks) + 1)
            chunks += read["chunks"]
            more = read["more"]
        assert [chunk["number"] for chunk in chunks] == list(range(1, len(chunks) + 1))
        assert len(chunks) >= shown["chunks"]  # what is still recorded grows while it is read
        assert shown["recording"] or len(chunks) == shown["chunks"]
        next_one: int | None = None
        for chunk in chunks:
            [samples] = chunk["samples"]
            assert samples == list(range(samples[0], samples[0] + len(samples)))
            follows = next_one in {None, samples[0]}
            assert follows or chunk["gaps"][:1] == [[0, chunk["gaps"][0][1]]]
            next_one = samples[-1] + 1
        count += len(chunks)
    return count


async def test_no_announced_chunk_is_lost_whenever_the_agent_is_killed(home: Path) -> None:
    dice = random.Random(SEED)  # noqa: S311  a seed, so that a round can be played again
    announced: set[int] = set()
    for number in range(ROUNDS):
        agent = start(home)
        try:
            async with agent.signed_in() as api:
                encounter = await visit(api)
                chunks = await check(api, encounter)
                assert number == 0 or chunks > 0
                await api.call("subscribe", topics=["saved"])
                asyncio.get_running_loop().call_later(dice.uniform(0.2, 0.7), agent.process.kill)
                await hear(api, announced)
        finally:
            agent.kill()
    assert len(announced) > 2 * ROUNDS
    await the_end(home, announced)


@pytest.mark.parametrize("point", ["before COMMIT", "after COMMIT"])
async def test_at_a_named_point_of_a_commit_a_chunk_is_whole_or_not_there(home: Path, point: str) -> None:
    announced: set[int] = set()
    agent = start(home, point, "12")
    try:
        async with agent.signed_in() as api:
            await visit(api)
            await api.call("subscribe", topics=["saved"])
            await hear(api, announced)
        assert agent.process.wait(30) == -signal.SIGKILL
    finally:
        agent.kill()
    assert announced
    await the_end(home, announced)


async def the_end(home: Path, announced: set[int]) -> None:
    """Start once more, close the visit, stop; then look at the store itself."""
    agent = start(home)
    try:
        async with agent.signed_in() as api:
            encounter = await visit(api)
            await api.call("encounter.close", encounter=encounter)
            assert await check(api, encounter) > 0
            recordings = (await api.call("encounter.show", encounter=encounter))["recordings"]
            assert not any(each["recording"] for each in recordings)
            assert any(each["interrupted"] for each in recordings)
        assert agent.terminate() == 0
    finally:
        agent.kill()
    store = Store.open(Places.at(home).database, store_key(home))
    try:
        tip = store.watermark(Stream.WAVE).tip
        kinds = {entry.seq: entry.kind for entry in store.entries(Stream.WAVE, 1, tip)}
        assert announced <= set(kinds)
        chunks = {
            chunk.entry.seq: chunk
            for waveform in store._rows("SELECT waveform FROM waveforms")
            for chunk in store.waveform_chunks(waveform[0], 1, 100_000)
        }
        of_chunks = {seq for seq in announced if kinds[seq] is Kind.WAVE_CHUNK}
        assert of_chunks
        assert of_chunks <= set(chunks)
        for seq in of_chunks:
            [samples] = chunks[seq].decoded()
            assert len(samples) <= CHUNK
            assert samples[-1] - samples[0] == len(samples) - 1
    finally:
        store.close()
