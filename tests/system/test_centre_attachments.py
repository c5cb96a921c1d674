"""A photo from a stick in the van to a file at the centre: over a broker, whatever is killed.

What people type goes through the shipped commands.
"""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cli.commands import requests
from cli.rehearsal.processes import Keeper
from tests.edge.attachments.attachment_files import SECRET, photo
from tests.system import test_centre_requests
from tests.system.test_centre_requests import World
from tests.system.test_link_reseal import rows, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(200)]
keeper, world = test_centre_requests.keeper, test_centre_requests.world
"""Their fixtures: a unit, a broker and a centre, in processes of their own."""


async def asked_with(world: World, *files: Path, urgency: str = "routine") -> dict[str, Any]:
    """What `requests ask --attach` answers."""
    patient, visit = await world.patient()
    words = ("ask", patient, "--visit", visit, "--specialty", "dermatology", "--urgency", urgency)
    given = [word for file in files for word in ("--attach", str(file))]
    answer = await world.in_the_van(
        requests.app, *words, *given, "--question-file", "-", stdin="Plaie qui ne guérit pas ?"
    )
    return dict(answer)


def size_of(file: Path) -> tuple[int, int]:
    with Image.open(file) as picture:
        return picture.size


async def complete(world: World, request: str) -> list[dict[str, Any]]:
    """What the centre shows of a request's files, once all of them are there."""
    found: list[dict[str, Any]] = []
    for _ in range(1200):
        if rows(world.places, "SELECT 1 FROM requests"):
            found = (await world.at_the_centre("requests", request))["attachments"]
            if found and all(each["complete"] for each in found):
                return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def test_a_photo_arrives_whole_whatever_is_killed_on_the_way(
    world: World, keeper: Keeper, tmp_path: Path
) -> None:
    wound, letter = tmp_path / "wound.jpg", tmp_path / "letter.jpg"
    wound.write_bytes(photo((1600, 1200)))
    letter.write_bytes(photo((300, 200), turned=True))
    asked = await asked_with(world, wound, letter, urgency="stat")
    request = asked["request"]
    large, small = asked["attachments"]
    assert large["parts"] > 10
    for name in ("uplink", "explode", "agent", "collect"):
        keeper.kill(name)
        if name == "agent":
            world.places.socket.unlink(missing_ok=True)
        keeper.restart(name)
    await until(world.places.socket.exists, "the agent")
    # Nobody is signed in: what lies sealed leaves; what does not is sealed when somebody is.
    await world.in_the_van(requests.app, "show", request)
    found = await complete(world, request)
    assert [each["hash"] for each in found] == [large["hash"], small["hash"]]
    here, there = tmp_path / "here.jpg", tmp_path / "there.jpg"
    await world.in_the_van(requests.app, "attachment", large["attachment"], "--out", str(here))
    await world.at_the_centre("attachment", found[0]["attachment"], "--out", str(there))
    assert here.read_bytes() == there.read_bytes()
    assert hashlib.sha256(there.read_bytes()).hexdigest() == large["hash"]
    assert SECRET not in there.read_bytes()
    assert size_of(there) == (1600, 1200)
    assert (here.stat().st_mode & 0o777, there.stat().st_mode & 0o777) == (0o600, 0o600)
    shown: list[dict[str, Any]] = [{"state": ""}]
    while any(each["state"] != "received" for each in shown):  # the test's own time bounds it
        shown = (await world.in_the_van(requests.app, "show", request))["request"]["attachments"]
    assert [each["received"] for each in shown] == [large["parts"], small["parts"]]
