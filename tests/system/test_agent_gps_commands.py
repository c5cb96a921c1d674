"""A satellite receiver as a technician meets it: a real agent, a receiver behind a pseudo-terminal."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.drivers.terminals import simulator
from tests.system.test_ble_commands import TECHNICIANS_PIN, Technician, unit

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
DEVICE: Final = """
[[device]]
key = "gps-1"
kind = "nmea-gps"
port = "{port}"
simulated = true
"""


async def listens(technician: Technician, *words: str) -> str:
    """The first line that says where it is and what time."""
    process = await technician._start(
        "devices", "listen", "gps-1", *words, "--user", "tariq", "--pin-stdin", "--seconds", "120"
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{TECHNICIANS_PIN}\n".encode())
    try:
        while line := (await process.stdout.readline()).decode():
            if "-7.58" in line and "+00:00" in line:
                return line
        raise AssertionError(line)
    finally:
        process.terminate()
        await process.communicate()


async def test_listening_shows_places_and_the_time_and_a_test_passes(tmp_path: Path) -> None:
    port = tmp_path / "gps"
    with simulator(port, "--latitude", "33.58402", "--longitude", "-7.587168", folder="nmea_gps"):
        async with unit(tmp_path / "van", DEVICE.format(port=port)) as technician, asyncio.timeout(120):
            said: dict[str, Any] = json.loads(await listens(technician, "--json"))
            assert (said["event"], said["device"]) == ("place", "gps-1")
            assert (said["latitude"][:7], said["longitude"][:7]) == ("33.5840", "-7.5871")
            assert said["at"].endswith("+00:00")
            assert "33.584" in await listens(technician)
            tested = await technician.does("test", "gps-1", "--seconds", "60")
            assert tested["passed"] is True
            assert tested["steps"][-1]["result"] == "passed"
