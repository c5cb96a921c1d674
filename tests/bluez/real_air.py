"""The simulated air with the guest's own kernel in it: a virtual controller behind /dev/vhci."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from bumble.transport.vhci import open_vhci_transport
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from drivers.radio.air import Air
from drivers.transport.ble import AdapterOwner
from drivers.transport.bluez import BlueZ
from drivers.transport.pairing import PairingWindow
from edge.clock import SystemClock

ADAPTER: Final = "00:16:3E:0A:0A:0A"
READY_WITHIN_S: Final = 40.0
_ADAPTER: Final = "/org/bluez/hci0"
_ADAPTER_INTERFACE: Final = "org.bluez.Adapter1"


@contextlib.asynccontextmanager
async def air_over_bluez() -> AsyncGenerator[Air]:
    """An air that the guest's bluetoothd hears, powered and ready; no adapter afterwards."""
    air = Air()
    controller = air.controller("hci", f"{ADAPTER}/P")
    transport = await open_vhci_transport(None)
    controller.host = transport.sink
    transport.source.set_packet_sink(controller)
    try:
        await adapter_ready()
        yield air
    finally:
        air.leave(controller)
        await asyncio.sleep(0.2)  # the kernel hears that its links are lost before it loses the controller
        await transport.close()
        await adapter_says("Powered", None)


@contextlib.asynccontextmanager
async def radio(*enrolled: str, pairing: bool) -> AsyncGenerator[AdapterOwner]:
    """Our adapter owner on the real backend.

    Args:
        enrolled: addresses of the configured devices.
        pairing: whether the enrolled devices may be paired now.
    """
    clock = SystemClock()
    window = PairingWindow(enrolled, clock.monotonic_s)
    if pairing:
        window.open_all(600.0)
    owner = AdapterOwner(BlueZ(window), window, clock)
    async with owner.running():
        yield owner


async def adapter_ready() -> None:
    """Wait until bluetoothd has an adapter and has switched it on."""
    await adapter_says("Powered", wanted=True)


async def adapter_says(name: str, wanted: object) -> None:
    """Wait until a property of the adapter is so; None when there is no adapter."""
    await _until(lambda: adapter(name), wanted)


async def adapter(name: str) -> object:
    """A property of the adapter."""
    return await _get(_ADAPTER, _ADAPTER_INTERFACE, name)


async def power(*, on: bool) -> None:
    """Switch the adapter, as somebody else on the machine may."""
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    try:
        reply = await bus.call(
            Message(
                destination="org.bluez",
                path=_ADAPTER,
                interface="org.freedesktop.DBus.Properties",
                member="Set",
                signature="ssv",
                body=[_ADAPTER_INTERFACE, "Powered", Variant("b", on)],
            )
        )
    finally:
        bus.disconnect()
    assert reply.message_type is not MessageType.ERROR, reply.error_name


async def device_property(address: str, name: str) -> object:
    """What bluetoothd says of a device; None when it knows no such thing."""
    return await _get(_path(address), "org.bluez.Device1", name)


async def connect(address: str) -> tuple[str | None, str, bool]:
    """Ask bluetoothd for a connection, as bleak does; gives error, its text, and whether the link came up."""
    came_up = False

    def hear(message: Message) -> None:
        nonlocal came_up
        if message.path == path and message.member == "PropertiesChanged" and "Connected" in message.body[1]:
            came_up |= message.body[1]["Connected"].value

    path = _path(address)
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    bus.add_message_handler(hear)
    try:
        await bus.call(
            Message(
                destination="org.freedesktop.DBus",
                path="/org/freedesktop/DBus",
                interface="org.freedesktop.DBus",
                member="AddMatch",
                signature="s",
                body=["type='signal',sender='org.bluez'"],
            )
        )
        reply = await bus.call(
            Message(destination="org.bluez", path=path, interface="org.bluez.Device1", member="Connect")
        )
        await asyncio.sleep(1)
    finally:
        bus.disconnect()
    return reply.error_name, str(reply.body[0]) if reply.body else "", came_up


def _path(address: str) -> str:
    return f"{_ADAPTER}/dev_{address.replace(':', '_')}"


async def _until(ask: Callable[[], Awaitable[object]], wanted: object) -> None:
    end = time.monotonic() + READY_WITHIN_S
    while (said := await ask()) != wanted:
        assert time.monotonic() < end, f"bluetoothd says {said!r} and not {wanted!r}"
        await asyncio.sleep(0.1)


async def _get(path: str, interface: str, name: str) -> object:
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    try:
        reply = await bus.call(
            Message(
                destination="org.bluez",
                path=path,
                interface="org.freedesktop.DBus.Properties",
                member="Get",
                signature="ss",
                body=[interface, name],
            )
        )
    finally:
        bus.disconnect()
    if reply.message_type is MessageType.ERROR:
        return None
    said: object = reply.body[0].value
    return said
