"""A unit and a centre that never meet: everything goes by a stick, and ends up received.

The agent is the real process, all else the shipped commands; there is no broker, and nobody who could be
mistaken for one.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli.commands import central, store
from edge.localapi.client import Api
from edge.spool.stick import FOLDER
from torture import unit
from torture.unit import Agent

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


class World:
    """A unit, a centre, and a stick between them."""

    def __init__(self, base: Path) -> None:
        self.van, self.centre, self.stick = unit.make_unit(base), base / "centre", base / "stick"
        self.stick.mkdir()
        self.up = self.stick / FOLDER / "van-07" / "up"
        self.back = self.stick / FOLDER / "van-07" / "receipts"

    def out(self) -> Any:  # noqa: ANN401  as wide as JSON
        return _run(store.app, "courier-out", str(self.stick), "--home", str(self.van))

    def at_the_centre(self, *words: str, status: int = 0) -> Any:  # noqa: ANN401  as wide as JSON
        return _run(central.app, *words, "--home", str(self.centre), status=status)

    def back_in(self) -> Any:  # noqa: ANN401  as wide as JSON
        return _run(store.app, "courier-in", str(self.stick), "--home", str(self.van))


def _run(app: typer.Typer, *words: str, status: int = 0) -> Any:  # noqa: ANN401  as wide as JSON
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == status, (words, done.output)
    return json.loads(done.stdout)


async def visit(api: Api, family: str) -> str:
    patient = (await api.call("patient.register", family=family, given="Zahra", sex="female"))["patient"]
    opened = (await api.call("encounter.open", patient=patient))["encounter"]
    await api.call("observe", encounter=opened, values=[{"code": "temp", "value": "36.9"}])
    await api.call("alert.raise", patient=patient, code="collapse")
    await api.call("encounter.close", encounter=opened)
    return str(patient)


async def states(api: Api) -> dict[str, str]:
    found = (await api.call("patient.list"))["patients"]
    return {each["patient"]: each["state"] for each in found}


async def received(api: Api, *patients: str) -> None:
    try:
        async with asyncio.timeout(60):
            while dict.fromkeys(patients, "received").items() - (await states(api)).items():
                await asyncio.sleep(0.1)
    except TimeoutError:
        said = await api.call("status")
        told = {key: said[key] for key in ("streams", "refusals", "problem", "forked")}
        raise AssertionError(f"not received: {await states(api)}, {told}") from None


async def test_by_stick_alone_everything_is_received(tmp_path: Path) -> None:
    world = World(tmp_path)
    agent = Agent(world.van)
    try:
        async with agent.signed_in() as api:
            first = await visit(api, "Benali")
            copied = world.out()["copied"]
            assert copied > 0
            assert await states(api) == {first: "saved"}, "copying changed what is said of a record"
            _get_at(world.up)
            landed = world.at_the_centre("import", str(world.stick), status=1)
            assert (landed["new"], landed["refused"]) == (copied, {"form": 1, "no-file": 2})
            assert world.at_the_centre("explode", "--once")["receipts"] > 0
            written = world.at_the_centre("export-receipts", str(world.stick))["written"]
            assert written == {"van-07": 2}
            assert world.back_in()["taken"] == 2
            await received(api, first)
            second = await visit(api, "Alaoui")
            assert await states(api) == {first: "received", second: "saved"}
            await api.call("lock")
        # The second time only what is new, the last hour's audit with it; it is all done while locked.
        again = world.out()
        assert (again["there"], again["removed"]) == (0, copied), "more is carried than has to be"
        assert any("-audit-" in path.name for path in world.up.iterdir())
        assert world.at_the_centre("import", str(world.stick), status=1)["new"] == again["copied"]
        world.at_the_centre("explode", "--once")
        drawer = {path.name: path.read_bytes() for path in world.back.iterdir()}
        world.at_the_centre("export-receipts", str(world.stick))
        for name, raw in drawer.items():
            (world.back / name).write_bytes(raw)
        taken = world.back_in()
        assert (taken["taken"], taken["older"], taken["refused"]) == (2, 2, {})
        async with agent.signed_in() as api:
            await received(api, first, second)
            status = await api.call("status")
            assert (status["refusals"], status["forked"]) == ({}, None)
            assert (await api.call("store.verify"))["valid"] is True
        names = sorted(each["family"] for each in world.at_the_centre("patients"))
        assert names == ["Alaoui", "Benali"]
    finally:
        agent.kill()


def _get_at(up: Path) -> None:
    """What somebody does who has the stick in hand on the way."""
    (up / "2-vitals-1-1-0000000000000000").symlink_to("/etc/passwd")
    os.mkfifo(up / "2-vitals-1-1-0000000000000001")
    good = next(path for path in sorted(up.iterdir()) if "-alert-" in path.name)
    (up / "1-alert-1-1-0000000000000002").write_bytes(good.read_bytes()[:-1])
