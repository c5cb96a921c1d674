"""A unit, made anew for every test; PINs are stretched little here, the stretching has its own tests."""

from pathlib import Path

import pytest

from edge.agent.parts import Device
from edge.security import slots
from tests.edge.agent.agent_world import Centre, ScriptedDriver, World
from tests.edge.agent.workshop_stage import AIR, Recorded, Shop


@pytest.fixture(autouse=True)
def quick_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "ARGON2", (1, 1, 64))


@pytest.fixture
def oximeter() -> ScriptedDriver:
    return ScriptedDriver("oximeter-1")


@pytest.fixture
def world(tmp_path: Path, oximeter: ScriptedDriver) -> World:
    made = World(tmp_path, Centre(), [Device(oximeter)])
    made.make()
    return made


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def workbench(tmp_path: Path, shop: Shop) -> World:
    """A unit with one cuff, whose devices are looked after."""
    cuff = Recorded(shop, "cuff-1")
    shop.made["cuff-1"] = cuff
    made = World(tmp_path, Centre(), [Device(cuff, port=AIR)], workshop=shop)
    made.make()
    return made
