"""What the daemon asks a device by itself, as the real BlueZ was seen to do; see ``tests/bluez``."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bleak.backends.bluezdbus import version
from bumble.att import ATT_READ_NOT_PERMITTED_ERROR, ATT_Error
from bumble.device import Connection
from bumble.gatt import Characteristic
from bumble.gatt_server import Server

from drivers.codec import uuids
from drivers.kinds import DriverContext
from drivers.radio.world import make_peripheral
from drivers.registry import KINDS
from edge.vitals.reading import Reading
from tests.drivers.radio_cuff import ADDRESS, MEASUREMENT, Cuff
from tests.drivers.radio_stage import CUFF, chain_b, take_reading, until

pytestmark = pytest.mark.system
SERVICE_CHANGED, BATTERY = "2A05", "2A19"


@pytest.fixture(autouse=True)
def as_if_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bleak looks for bluetoothctl once, and misses it where BlueZ is not installed."""
    monkeypatch.setattr(version.BlueZFeatures, "checked_bluez_version", True)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which characteristics a simulated device has spoken by."""
    spoken: list[str] = []

    def listened(method: Callable[..., Any]) -> Callable[..., Any]:
        def heard(server: Server, connection: object, attribute: Characteristic[bytes], *more: Any) -> Any:  # noqa: ANN401  bumble's
            spoken.append(attribute.uuid.to_hex_str("-").lower())
            return method(server, connection, attribute, *more)

        return heard

    for name in ("notify_subscriber", "indicate_subscriber"):
        monkeypatch.setattr(Server, name, listened(getattr(Server, name)))
    return spoken


async def test_it_hears_changes_and_the_battery_by_itself_on_every_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuff = Cuff(b"first", b"second", stays=True)
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": cuff}) as chain:
        for times, reading in ((1, b"first"), (2, b"second")):
            async with chain.owner.session(CUFF) as link:
                await until(lambda: cuff.subscriptions() == {SERVICE_CHANGED, BATTERY})
                assert cuff.battery_reads == times
                assert len(cuff.readings) == 3 - times, "none of that was for its reading"
                await link.subscribe(MEASUREMENT)
                events = link.events()
                assert await anext(events) == (MEASUREMENT, reading)
                cuff.hang_up()
                assert [event async for event in events] == []


class Secretive(Cuff):
    """It lets nobody read its battery."""

    def _read_battery(self, _connection: Connection) -> bytes:
        raise ATT_Error(ATT_READ_NOT_PERMITTED_ERROR)


async def test_a_device_that_refuses_it_is_as_good_as_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuff = Secretive(b"reading")
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": cuff}) as chain:
        assert await take_reading(chain.owner) == [b"reading"]


async def test_the_simulated_cuff_does_not_take_that_for_somebody_who_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    """What it tells before its own characteristic is subscribed to, nobody hears."""
    peripherals = dict([make_peripheral(f"sig-bp={ADDRESS},key=cuff")])
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, peripherals) as chain:
        assert await chain.world.obey("cuff measure 128 82 70")
        async with chain.owner.session(CUFF) as link:
            assert link.has(uuids.BATTERY_LEVEL)
            await asyncio.sleep(1.0)
            assert said == []
        driver = KINDS["sig-bp"].make_driver(DriverContext("cuff", f"ble:{ADDRESS}", chain.owner))
        async with driver.session() as events:
            await anext(event async for event in events if isinstance(event, Reading))
        assert said == [uuids.BLOOD_PRESSURE_MEASUREMENT]
