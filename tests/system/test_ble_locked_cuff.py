"""A cuff that opens its memory to whoever has its key, from its box to the tray, by commands alone."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from drivers.devices.omron_hem.simulator import SimulatedOmron
from drivers.radio.world import World, make_peripheral
from edge.config import Places, load
from edge.localapi.client import connect
from tests.drivers.radio_stage import chain_b
from tests.system.test_ble_commands import PIN, Technician, unit

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
ADDRESS: Final = "C0:FF:EE:00:00:0A"
PORT: Final = f"ble:{ADDRESS}"
T = TypeVar("T")


async def tray(technician: Technician, count: int) -> list[str]:
    """Systolic pressures that wait for whom they belong to, once there are so many."""
    async with asyncio.timeout(90), connect(Places.at(technician.home).socket) as api:
        await api.call("sign-in", user="fatima", pin=PIN)
        while True:
            found: list[dict[str, Any]] = (await api.call("tray.list"))["observations"]
            systolic = [each["value"] for each in found if each["code"] == "bp.sys"]
            if len(systolic) >= count:
                return systolic
            await asyncio.sleep(0.1)


def holding(home: Path, secret: bytes) -> list[str]:
    """Files under a unit's folder in which a secret stands, as bytes or as text."""
    forms = (secret, secret.hex().encode(), secret.hex().upper().encode())
    files = [path for path in home.rglob("*") if path.is_file()]
    assert any(path.name == "qafila.db" for path in files)
    return [path.name for path in files if any(form in path.read_bytes() for form in forms)]


class Shelf:
    """The cuff, and whoever presses its button."""

    def __init__(self, cuff: SimulatedOmron, world: World) -> None:
        self.cuff = cuff
        self._world = world

    async def order(self, line: str) -> None:
        assert await self._world.obey(f"device {line}")

    async def pressed_until(self, done: Awaitable[T]) -> T:
        """Press the button every few seconds for as long as somebody waits for something."""

        async def press() -> None:
            while True:
                await asyncio.sleep(2)
                await self.order("wake")

        async with asyncio.TaskGroup() as group:
            pressing = group.create_task(press())
            found = await done
            pressing.cancel()
        return found


async def test_an_omron_cuff_is_paired_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, cuff = make_peripheral(f"omron-hem={ADDRESS},key=device,model=HEM-7155T,kept=1")
    assert isinstance(cuff, SimulatedOmron)
    home = tmp_path / "van"
    async with chain_b(tmp_path, monkeypatch, {name: cuff}) as chain:
        shelf = Shelf(cuff, chain.world)
        async with unit(home) as technician:
            await pairs(technician, shelf)
            key = cuff.unit.key
            assert key is not None
            await shelf.order("measure 151 93 77")
            assert await shelf.pressed_until(tray(technician, 2)) == ["111", "151"]
        assert holding(home, key) == []


async def pairs(technician: Technician, shelf: Shelf) -> None:
    """Pair the cuff, after what a person may do wrongly."""
    words = ("pair", "cuff-3", "omron-hem", PORT, "--simulated", "--seconds", "30")
    wrong = await technician.devices(*words, "--option", "model=HEM-1")
    assert (wrong.status, "option-unknown" in wrong.err) == (1, True)
    await shelf.order("wake")
    early = await technician.devices(*words)
    assert (early.status, "not-in-pairing-mode" in early.err) == (1, True)
    assert load(technician.home / "unit.toml").device == ()
    await shelf.order("pairing on")
    assert (await technician.does(*words, "--option", "model=HEM-7155T"))["paired"] is True
    [section] = load(technician.home / "unit.toml").device
    assert section.options == {"model": "HEM-7155T"}
