"""The real adapter: bleak on BlueZ, and the four things that bleak leaves to others.

Those are the pairing agent, removing a bond, power-cycling the adapter and restarting the daemon; they go
over a bus connection of our own, which is opened again whenever it has died.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakDBusError
from dbus_fast import AuthError, BusType, DBusError, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from drivers.transport.adapter_watch import AdapterWatch
from drivers.transport.backend import Heard, Trouble
from drivers.transport.link_watch import RULES, LinkWatch
from drivers.transport.pairing import PairingWindow
from drivers.transport.pairing_agent import BLUEZ, PairingAgent

OFF_FOR_S: Final = 1.0
"""How long the adapter stays off in a power cycle; some controllers need a moment to forget."""
_GONE: Final = frozenset({"org.bluez.Error.DoesNotExist", "org.freedesktop.DBus.Error.UnknownObject"})
_UNKNOWN: Final = _GONE | {
    "org.freedesktop.DBus.Error.UnknownMethod",
    "org.freedesktop.DBus.Error.UnknownInterface",
    "org.freedesktop.DBus.Error.InvalidArgs",
}
"""How a daemon says that there is no such device, or none with such a property."""


class BlueZ:
    """One adapter of the machine's Bluetooth daemon.

    Args:
        window: what the pairing agent may accept.
        adapter: its name, such as ``hci1``.
        restart: has the daemon restarted, where the system offers that.
    """

    def __init__(
        self,
        window: PairingWindow,
        *,
        adapter: str = "hci0",
        restart: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._agent = PairingAgent(window)
        self._link_watch = LinkWatch()
        self._adapter_watch = AdapterWatch(f"/org/bluez/{adapter}")
        self._adapter = adapter
        self._restart = restart
        self._bus: MessageBus | None = None

    async def prepare(self) -> None:
        """Have the pairing agent stand, also after bus or daemon were restarted."""
        bus = await self._connected()
        self._adapter_watch.begin()
        refused = await self._agent.register(bus)
        if refused is not None:
            raise BleakDBusError(refused, ["the pairing agent"])

    @property
    def trouble(self) -> Trouble | None:
        if self._bus is None or not self._bus.connected:
            return Trouble.DAEMON
        return self._adapter_watch.trouble

    def scanner(self, heard: Heard) -> BleakScanner:
        return BleakScanner(heard, bluez={"adapter": self._adapter})

    def client(
        self, device: BLEDevice, gone: Callable[[BleakClient], None], *, pair: bool, timeout_s: float
    ) -> BleakClient:
        self._link_watch.begin(device.details["path"])
        return BleakClient(device, gone, pair=pair, timeout=timeout_s, bluez={"adapter": self._adapter})

    def bonded(self, device: BLEDevice, advertisement: AdvertisementData) -> bool:
        # the device's own details are those of the first sighting; the advertisement's are of now
        properties: dict[str, Any] = advertisement.platform_data[1] or device.details["props"]
        return bool(properties.get("Paired"))

    def when_link_keeps_falling(self, tell: Callable[[], None]) -> None:
        self._link_watch.when_enough(tell)

    def link_kept_falling(self) -> bool:
        return self._link_watch.kept_falling

    async def forget(self, address: str) -> None:
        device = f"{self._path}/dev_{address.upper().replace(':', '_')}"
        try:
            await self._call(self._path, "org.bluez.Adapter1", "RemoveDevice", "o", [device])
        except BleakDBusError as error:
            if error.dbus_error not in _GONE:
                raise

    async def paired(self, address: str) -> bool:
        try:
            body = await self._call(
                f"{self._path}/dev_{address.upper().replace(':', '_')}",
                "org.freedesktop.DBus.Properties",
                "Get",
                "ss",
                ["org.bluez.Device1", "Paired"],
            )
        except BleakDBusError as error:
            if error.dbus_error not in _UNKNOWN:
                raise
            return False
        return bool(body[0].value)

    async def power_cycle(self) -> None:
        for powered in (False, True):
            await self._call(
                self._path,
                "org.freedesktop.DBus.Properties",
                "Set",
                "ssv",
                ["org.bluez.Adapter1", "Powered", Variant("b", powered)],
            )
            await asyncio.sleep(OFF_FOR_S)

    async def restart_daemon(self) -> None:
        if self._restart is not None:
            await self._restart()

    async def close(self) -> None:
        if self._bus is not None:
            self._bus.disconnect()
            self._bus = None

    @property
    def _path(self) -> str:
        return f"/org/bluez/{self._adapter}"

    async def _connected(self) -> MessageBus:
        if self._bus is None or not self._bus.connected:
            await self.close()
            bus = MessageBus(bus_type=BusType.SYSTEM)
            try:
                await bus.connect()
                for watch in (self._adapter_watch, self._link_watch):
                    bus.add_message_handler(watch.hear)
                for rule in {*self._adapter_watch.rules, *RULES}:
                    await bus.call(_match(rule))
            except (AuthError, DBusError) as error:
                bus.disconnect()
                raise ConnectionRefusedError(str(error)) from error
            except BaseException:
                bus.disconnect()
                raise
            self._bus = bus
        return self._bus

    async def _call(
        self, path: str, interface: str, member: str, signature: str, body: list[Any]
    ) -> list[Any]:
        reply = await (await self._connected()).call(
            Message(
                destination=BLUEZ,
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=body,
            )
        )
        if reply.message_type is MessageType.ERROR:
            raise BleakDBusError(reply.error_name or "no-name", list(reply.body))
        return list(reply.body)


def _match(rule: str) -> Message:
    """Asks the bus for some signals."""
    return Message(
        destination="org.freedesktop.DBus",
        path="/org/freedesktop/DBus",
        interface="org.freedesktop.DBus",
        member="AddMatch",
        signature="s",
        body=[rule],
    )
