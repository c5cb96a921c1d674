"""The radio's tests stand on this: an air with a cuff in it, and our adapter owner on one of two chains."""

import asyncio
import contextlib
import os
import random
import shutil
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from drivers.radio.air import Air
from drivers.radio.bumble_backend import VirtualRadio
from drivers.radio.central import Central
from drivers.radio.fake_bluez import FakeBlueZ, serving
from drivers.radio.peripheral import Peripheral
from drivers.radio.private_bus import ADDRESS_VARIABLE, DAEMON, PrivateBus, private_bus
from drivers.radio.world import World, living
from drivers.transport.ble import AdapterOwner
from drivers.transport.bluez import BlueZ
from drivers.transport.link import Wanted
from drivers.transport.pairing import PairingWindow
from edge.clock import SystemClock
from tests.drivers.radio_cuff import ADDRESS, MEASUREMENT

JITTER: Final = random.Random(7)  # noqa: S311  spreads waits
OURS: Final = "C0:00:00:00:00:77"
CUFF: Final = Wanted(address=ADDRESS, bond=True)


def needs_dbus() -> None:
    """Skip on a laptop without the daemon; fail where CI lacks it."""
    if shutil.which(DAEMON) is None:
        if os.environ.get("CI"):
            pytest.fail("dbus-daemon is missing on CI; see requirements/packages.sh")
        pytest.skip("dbus-daemon is not installed (Debian package dbus)")


def open_window(*, is_open: bool = True) -> PairingWindow:
    window = PairingWindow([ADDRESS], SystemClock().monotonic_s)
    if is_open:
        window.open_all(60)
    return window


@contextlib.asynccontextmanager
async def chain_c(
    directory: Path, window: PairingWindow, peripherals: Mapping[str, Peripheral]
) -> AsyncGenerator[tuple[AdapterOwner, World]]:
    """Bleak on bumble, in the air."""
    air = Air()
    listen = f"unix:{directory}/air"
    async with living(air, peripherals) as world, air.serve(listen) as where:
        radio = VirtualRadio(where, "van-07", directory / "bonds.json")
        owner = AdapterOwner(radio, window, SystemClock(), JITTER)
        async with owner.running():
            yield owner, world


class ChainB:
    """Everything of chain B that a test may want to break."""

    def __init__(
        self, world: World, bus: PrivateBus, central: Central, window: PairingWindow, owner: AdapterOwner
    ) -> None:
        self.world = world
        self.bus = bus
        self.central = central
        self.window = window
        self.owner = owner
        self._daemon = contextlib.AsyncExitStack()
        self.bluez: FakeBlueZ

    async def start_daemon(self) -> None:
        """Be org.bluez; after a restart, with the bonds of before."""
        await self.stop_daemon()
        self._daemon = contextlib.AsyncExitStack()
        self.bluez = await self._daemon.enter_async_context(serving(self.bus.address, self.central))

    async def stop_daemon(self) -> None:
        await self._daemon.aclose()


@contextlib.asynccontextmanager
async def chain_b(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    peripherals: Mapping[str, Peripheral],
    *,
    window: PairingWindow | None = None,
) -> AsyncGenerator[ChainB]:
    """Bleak's own BlueZ backend, against a fake org.bluez on a private bus."""
    needs_dbus()
    air = Air()
    window = window or open_window()
    async with (
        living(air, peripherals) as world,
        air.serve(f"unix:{directory}/air") as where,
        private_bus(directory) as bus,
    ):
        monkeypatch.setenv(ADDRESS_VARIABLE, bus.address)
        owner = AdapterOwner(BlueZ(window), window, SystemClock(), JITTER)
        chain = ChainB(world, bus, Central(where, OURS), window, owner)
        await chain.start_daemon()
        try:
            async with owner.running():
                yield chain
        finally:
            await chain.stop_daemon()
            await chain.central.close()


async def until(true: Callable[[], object]) -> None:
    """Wait until something holds; the test's own deadline ends a hopeless wait."""
    while not true():
        await asyncio.sleep(0.01)


async def take_reading(owner: AdapterOwner, wanted: Wanted = CUFF) -> list[bytes]:
    """What a cuff says until it hangs up."""
    async with owner.session(wanted) as link:
        await link.subscribe(MEASUREMENT)
        return [value async for _, value in link.events()]
