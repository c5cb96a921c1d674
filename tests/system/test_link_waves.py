"""Waves over a real broker while everything is killed: whole at the centre, and received only then."""

import asyncio
import contextlib
import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.commands import central
from cli.rehearsal.processes import Keeper, qafila
from edge.config import Places
from edge.localapi.client import AgentUnreachable, Api, connect
from edge.ports.caller import CallRefused
from tests.system.brokers import Mosquitto
from tests.system.test_agent_waves_kill import DEVICE
from tests.system.test_link_reseal import enrolled_unit

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
RUNNER = str(Path(__file__).with_name("agent_waves_runner.py"))
PIN = "482913"
CHUNKS_A_LIFE = 6
LIVES = max(1, int(os.environ.get("QAFILA_WAVE_LIVES", "1")))


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    with Keeper(tmp_path / "log", lambda _pid: None) as kept:
        yield kept


async def until(condition: Callable[[], Any], what: str) -> Any:  # noqa: ANN401  what the condition gives
    async with asyncio.timeout(90):
        while not (found := condition()):
            await asyncio.sleep(0.05)
    assert found, what
    return found


@contextlib.asynccontextmanager
async def signed_in(places: Places) -> Any:  # noqa: ANN401  a context manager
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(AgentUnreachable, OSError):
                async with connect(places.socket):
                    break
            await asyncio.sleep(0.02)
    async with connect(places.socket) as api:
        await api.call("sign-in", user="fatima", pin=PIN)
        yield api


async def strap_is_taken(api: Api) -> None:
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(CallRefused):
                await api.call("take", device="strap-1")
                return
            await asyncio.sleep(0.01)  # it has said nothing yet


async def saved_chunks(api: Api, count: int) -> None:
    await api.call("subscribe", topics=["saved"])
    async with asyncio.timeout(60):
        async for name, data in api.events():
            count -= name == "saved" and data["what"] == "wave"
            if count <= 0:
                return


async def on_the_box(api: Api, visit: str) -> dict[str, tuple[dict[str, Any], list[int]]]:
    """Each recording of a visit, and its samples."""
    found: dict[str, tuple[dict[str, Any], list[int]]] = {}
    for shown in (await api.call("encounter.show", encounter=visit))["recordings"]:
        samples: list[int] = []
        number, more = 1, True
        while more:
            read = await api.call("waveform.read", waveform=shown["waveform"], first=number)
            for chunk in read["chunks"]:
                samples += chunk["samples"][0]
                number = chunk["number"] + 1
            more = read["more"]
        found[shown["waveform"].replace("-", "")] = shown, samples
    return found


def at_the_centre(home: Path) -> dict[str, dict[str, Any]]:
    done = CliRunner().invoke(central.app, ["waves", "--home", str(home), "--json"])
    assert done.exit_code == 0, done.output
    return {each["waveform"]: each for each in json.loads(done.stdout)}


def exported(home: Path, waveform: str) -> list[int]:
    out = home / f"{waveform}.json"
    done = CliRunner().invoke(
        central.app, ["wave", waveform, "--out", str(out), "--home", str(home), "--json"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["complete"] is True
    return [sample for each in json.loads(out.read_text())["data"] for sample in each["samples"][0]]


async def test_waves_arrive_whole_whatever_is_killed_on_the_way(
    tmp_path: Path, keeper: Keeper, mosquitto: Mosquitto
) -> None:
    dice = random.Random(20261122)  # noqa: S311  a seed, so that it can be played again
    home, places = tmp_path, Places.at(tmp_path)
    await enrolled_unit(keeper, home, mosquitto.port)
    places.config.write_text(places.config.read_text() + DEVICE)
    centre_side = {name: qafila(home, "central", name) for name in ("collect", "explode")}
    everything = {
        "agent": (sys.executable, RUNNER, str(home)),
        "uplink": qafila(home, "uplink", "--backoff-max", "0.3"),
        **centre_side,
    }
    visit = ""
    for _ in range(LIVES):
        for name, command in everything.items():
            keeper.start(name, command)
        async with signed_in(places) as api:
            if not visit:
                patient = await api.call("patient.register", family="Benali", given="Zoé", sex="female")
                visit = (await api.call("encounter.open", patient=patient["patient"]))["encounter"]
            await strap_is_taken(api)
            await saved_chunks(api, CHUNKS_A_LIFE)
            for name in dice.sample(sorted(everything), len(everything)):
                keeper.kill(name)
        mosquitto.kill()
        mosquitto.start()
        places.socket.unlink(missing_ok=True)
        left = sorted(places.spool_out.glob("4-wave-*"))
        for file in dice.sample(left, len(left) // 2):
            file.unlink()  # the spool is a cache: a power cut may take any of it

    for name, command in everything.items():
        keeper.start(name, command)
    async with signed_in(places) as api:
        await api.call("encounter.close", encounter=visit)
        box = await on_the_box(api, visit)
        assert len(box) == LIVES, (
            "one for each life; nothing is recorded before somebody takes the strap again"
        )
        assert all(shown["chunks"] >= CHUNKS_A_LIFE for shown, _ in box.values())
        await until(
            lambda: (
                len(found := at_the_centre(home)) == LIVES
                and all(each["complete"] for each in found.values())
            ),
            "every recording at the centre",
        )
        centre = at_the_centre(home)
        assert {key: (each["chunks"], each["samples"]) for key, each in centre.items()} == {
            key: (shown["chunks"], shown["samples"]) for key, (shown, _) in box.items()
        }
        assert {key: exported(home, key) for key in centre} == {key: said for key, (_, said) in box.items()}
        async with asyncio.timeout(60):
            while {each["state"] for each, _ in (await on_the_box(api, visit)).values()} != {"received"}:
                await asyncio.sleep(0.1)
        assert (await api.call("store.verify"))["valid"] is True
