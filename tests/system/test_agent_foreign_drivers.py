"""A real agent beside drivers of other packages that do not do what they should."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.drivers.foreign_packages import KIND, offer

ROOT: Final = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

FAILING: Final = """
from contextlib import asynccontextmanager

class Failing:
    kind = "acme-failing"
    def __init__(self, context):
        self.key = context.key
    @asynccontextmanager
    async def session(self):
        yield self.events()
    async def events(self):
        raise ValueError("what a device sent")
        yield

def make(context):
    return Failing(context)
"""
GOOD: Final = """
import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal
from edge.vitals.codes import Code
from edge.vitals.quantity import Quantity, Unit
from edge.vitals.reading import Mode, Reading

HEIGHT = Reading(((Code.HEIGHT, Quantity(Decimal(170), Unit.CENTIMETRE)),), mode=Mode.CONTINUOUS)

class Good:
    kind = "acme-good"
    def __init__(self, context):
        self.key = context.key
    @asynccontextmanager
    async def session(self):
        yield self.events()
    async def events(self):
        while True:
            yield HEIGHT
            await asyncio.sleep(0.2)

def make(context):
    return Good(context)
"""


def _kind(kind: str, make: str) -> str:
    before, found, after = KIND.format(kind=kind).partition(
        "def make(context):\n    raise NotImplementedError\n"
    )
    assert found
    return f"{before}{make}{after}"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A unit with a device of each sort."""
    home = tmp_path / "h"
    subprocess.run(
        [
            sys.executable, "-m", "cli.main", "unit", "init", "--realm", "training", "--id", "van-07",
            "--user", "fatima", "--pin-stdin", "--home", str(home),
        ],
        cwd=ROOT, input="482913\n", text=True, check=True, capture_output=True,
    )  # fmt: skip
    with (home / "unit.toml").open("a") as config:
        for key in ("good", "failing", "unmade", "unloaded"):
            config.write(
                f'\n[[device]]\nkey = "{key}"\nkind = "acme-{key}"\nport = "/nowhere"\nsimulated = true\n'
            )
    return home


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    site = tmp_path / "site"
    offer(site, "acme-good", "acme-good", _kind("acme-good", GOOD))
    offer(site, "acme-failing", "acme-failing", _kind("acme-failing", FAILING))
    offer(site, "acme-unmade", "acme-unmade")
    offer(site, "acme-unloaded", "acme-unloaded", "raise SystemExit('at import')")
    return {**os.environ, "PYTHONPATH": str(site)}


@pytest.fixture
def agent(home: Path, environment: dict[str, str], tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "agent", "--home", str(home)],
            cwd=ROOT, env=environment, stderr=log,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def test_the_agent_goes_on_beside_drivers_that_do_not(
    home: Path, environment: dict[str, str], agent: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    expected = {
        "good": ("present", None),
        "failing": ("gone", "driver-failed"),
        "unmade": ("gone", "driver-refused"),
        "unloaded": ("gone", "driver-refused"),
    }
    give_up = time.monotonic() + 60
    while True:
        listed = subprocess.run(
            [sys.executable, "-m", "cli.main", "devices", "list", "--home", str(home), "--json"],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        states = {each["key"]: (each["state"], each["code"]) for each in json.loads(listed.stdout)["devices"]}
        if states == expected:
            break
        assert agent.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < give_up, states
    log = (tmp_path / "log").read_text()
    assert log.count("driver refused") == 2
    assert "kind=acme-unloaded code=driver-refused why=The driver acme-unloaded of acme-unloaded 1.0" in log
    assert "NotImplementedError at acme_unmade.py:6" in log
    assert "driver=failing code=driver-failed why=The driver of acme-failing 1.0 failed: ValueError" in log
    assert "what a device sent" not in log
