"""What `qafila doctor` sees of Bluetooth on a real bus: no daemon, another adapter, ours."""

import asyncio
from pathlib import Path

import pytest

from cli.doctor import bluetooth
from cli.doctor.bluetooth import Radio
from drivers.radio.private_bus import ADDRESS_VARIABLE, private_bus
from edge.config import UnitConfig
from tests.drivers.radio_cuff import Cuff
from tests.drivers.radio_stage import chain_b, needs_dbus

pytestmark = pytest.mark.system


def unit(adapter: str = "hci0", *, backend: str = "bluez") -> UnitConfig:
    device = {"key": "cuff", "kind": "sig-bp", "port": "ble:AA:BB:CC:DD:EE:FF", "simulated": True}
    radio = {"backend": backend, "adapter": adapter, "virtual": "unix:radio/air"}
    return UnitConfig.model_validate(
        {"unit": {"id": "van-07", "realm": "training"}, "device": [device], "radio": radio}
    )


async def look(config: UnitConfig) -> tuple[bool, bool, bool, bool]:
    """From a thread, as the doctor does, while this loop plays the daemon."""
    seen = await asyncio.to_thread(bluetooth.look, config)
    assert isinstance(seen, Radio)
    return seen.bus, seen.daemon, seen.adapter, seen.powered


async def test_a_bus_without_a_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_dbus()
    async with asyncio.timeout(60), private_bus(tmp_path) as bus:
        monkeypatch.setenv(ADDRESS_VARIABLE, bus.address)
        assert await look(unit()) == (True, False, False, False)
    assert await look(unit()) == (False, False, False, False)
    assert bluetooth.look(unit(backend="virtual")) is None


async def test_the_adapter_of_unit_toml_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with asyncio.timeout(60), chain_b(tmp_path, monkeypatch, {"cuff": Cuff(b"reading")}):
        assert await look(unit()) == (True, True, True, True)
        assert await look(unit("hci1")) == (True, True, False, False)
