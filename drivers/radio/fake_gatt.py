"""GattService1, GattCharacteristic1 and GattDescriptor1 of one device, over bumble's own client."""

import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

from bumble.core import UUID
from bumble.device import Peer
from bumble.gatt import (
    GATT_BATTERY_LEVEL_CHARACTERISTIC,
    GATT_BATTERY_SERVICE,
    GATT_GENERIC_ATTRIBUTE_SERVICE,
    GATT_SERVICE_CHANGED_CHARACTERISTIC,
)
from bumble.gatt_client import CharacteristicProxy, DescriptorProxy
from dbus_fast import Message, Variant

from drivers.radio.bus_objects import NO, YES, BusError, ObjectTree, Result
from drivers.radio.central import AttRefused, LinkFailed, link_errors
from drivers.radio.gatt_names import flags_of, uuid_text

SERVICE: Final = "org.bluez.GattService1"
CHARACTERISTIC: Final = "org.bluez.GattCharacteristic1"
DESCRIPTOR: Final = "org.bluez.GattDescriptor1"
_SECURITY: Final = frozenset({0x05, 0x0C, 0x0F})
_FAILED: Final = "org.bluez.Error.Failed"
_NAMED: Final = {
    0x02: ("org.bluez.Error.NotPermitted", "Read not permitted"),
    0x03: ("org.bluez.Error.NotPermitted", "Write not permitted"),
    0x05: ("org.bluez.Error.NotPermitted", "Not paired"),
    0x06: ("org.bluez.Error.NotSupported", "Operation is not supported"),
    0x07: ("org.bluez.Error.InvalidOffset", "Invalid offset"),
    0x08: ("org.bluez.Error.NotAuthorized", "Operation Not Authorized"),
    0x0C: ("org.bluez.Error.NotPermitted", "Not paired"),
    0x0D: ("org.bluez.Error.InvalidValueLength", "Invalid Length"),
    0x0F: ("org.bluez.Error.NotPermitted", "Not paired"),
}
"""Errors of the attribute protocol that BlueZ has names for (its src/gatt-client.c)."""

Work = Callable[[], Awaitable[Any]]


class GattObjects:
    """The attributes of one device as objects under its path.

    Args:
        secure: pairs the device when an attribute asks for encryption.
        copies: how often the next value arrives that the device says by itself.
    """

    def __init__(
        self,
        tree: ObjectTree,
        device: str,
        secure: Callable[[], Awaitable[None]],
        copies: Callable[[], int] = lambda: 1,
    ) -> None:
        self._tree = tree
        self._device = device
        self._secure = secure
        self._copies = copies
        self._sockets: dict[str, socket.socket] = {}
        self._notifying: set[str] = set()
        self._characteristics: dict[str, CharacteristicProxy[bytes]] = {}
        self._descriptors: dict[str, DescriptorProxy] = {}

    def offer(self, peer: Peer) -> None:
        """Put what was found on the bus; paths that stand from an earlier connection stay."""
        self._notifying.clear()  # a device that speaks and hangs up at once is faster than the answer
        for found in peer.services:
            service = f"{self._device}/service{found.handle:04x}"
            self._tree.add(
                service,
                {
                    SERVICE: {
                        "UUID": Variant("s", uuid_text(found.uuid)),
                        "Primary": YES,
                        "Device": Variant("o", self._device),
                    }
                },
            )
            for one in found.characteristics:
                # BlueZ names the declaration, which comes just before the value
                path = f"{service}/char{one.handle - 1:04x}"
                self._characteristics[path] = one
                self._offer_characteristic(path, service, one, peer.connection.att_mtu)
                for descriptor in one.descriptors:
                    self._offer_descriptor(f"{path}/desc{descriptor.handle:04x}", path, descriptor)

    async def hear_changes(self, peer: Peer) -> None:
        """Subscribe to Service Changed, as the daemon does before it calls the services known."""
        for one in _of(peer, GATT_GENERIC_ATTRIBUTE_SERVICE, GATT_SERVICE_CHANGED_CHARACTERISTIC):
            await self._for_itself(lambda one=one: one.subscribe(_ignore))  # type: ignore[misc]  # bound now

    async def hear_battery(self, peer: Peer) -> None:
        """Read the battery's level and subscribe to it, as the daemon does once the services are known."""
        for one in _of(peer, GATT_BATTERY_SERVICE, GATT_BATTERY_LEVEL_CHARACTERISTIC):
            await self._for_itself(one.read_value)
            if {"notify", "indicate"} & set(flags_of(one)):
                await self._for_itself(lambda one=one: one.subscribe(_ignore))  # type: ignore[misc]  # the same

    async def _for_itself(self, work: Work) -> None:
        """What the daemon wants to know is nobody's loss when the device refuses it or is gone."""
        with contextlib.suppress(BusError):
            await self._do(work)

    def ended(self, *, keep: bool) -> None:
        """The connection is over; a bonded device's objects stay, as in BlueZ's cache."""
        for near in self._sockets.values():
            near.close()
        self._sockets.clear()
        self._notifying.clear()
        if not keep:
            for path in [path for path in self._tree.below(self._device) if path.count("/") == 5]:
                self._tree.remove(path)

    def _offer_characteristic(
        self, path: str, service: str, one: CharacteristicProxy[bytes], mtu: int
    ) -> None:
        flags = flags_of(one)
        properties = {
            "UUID": Variant("s", uuid_text(one.uuid)),
            "Service": Variant("o", service),
            "Flags": Variant("as", flags),
            "MTU": Variant("q", mtu),
            "Value": Variant("ay", b""),
        }
        if "notify" in flags or "indicate" in flags:
            properties["NotifyAcquired"] = NO
            properties["Notifying"] = NO
        self._tree.add(
            path,
            {CHARACTERISTIC: properties},
            {
                (CHARACTERISTIC, "ReadValue"): self._read,
                (CHARACTERISTIC, "WriteValue"): self._write,
                (CHARACTERISTIC, "StartNotify"): self._start_notify,
                (CHARACTERISTIC, "StopNotify"): self._stop_notify,
                (CHARACTERISTIC, "AcquireNotify"): self._acquire_notify,
            },
        )
        self._tree.change(path, CHARACTERISTIC, {"MTU": Variant("q", mtu)})

    def _offer_descriptor(self, path: str, characteristic: str, descriptor: DescriptorProxy) -> None:
        self._descriptors[path] = descriptor
        self._tree.add(
            path,
            {
                DESCRIPTOR: {
                    "UUID": Variant("s", uuid_text(descriptor.type)),
                    "Characteristic": Variant("o", characteristic),
                }
            },
            {
                (DESCRIPTOR, "ReadValue"): self._read_descriptor,
                (DESCRIPTOR, "WriteValue"): self._write_descriptor,
            },
        )

    async def _read(self, message: Message) -> Result:
        return Result("ay", (await self._do(self._characteristic(message).read_value),))

    async def _write(self, message: Message) -> Result:
        one = self._characteristic(message)
        value, options = message.body
        request = "type" not in options or options["type"].value == "request"
        if ("write" if request else "write-without-response") not in flags_of(one):
            raise _unsupported()
        await self._do(lambda: one.write_value(bytes(value), with_response=request))
        return Result()

    async def _read_descriptor(self, message: Message) -> Result:
        return Result("ay", (await self._do(self._descriptors[str(message.path)].read_value),))

    async def _write_descriptor(self, message: Message) -> Result:
        descriptor = self._descriptors[str(message.path)]
        await self._do(lambda: descriptor.write_value(bytes(message.body[0]), with_response=True))
        return Result()

    async def _start_notify(self, message: Message) -> Result:
        path = str(message.path)
        if path not in self._notifying:
            one = self._characteristic(message)
            if not {"notify", "indicate"} & set(flags_of(one)):
                raise _unsupported()
            await self._do(lambda: one.subscribe(_ToBus(self._tree, path, self._copies)))
            self._notifying.add(path)
            self._tree.change(path, CHARACTERISTIC, {"Notifying": YES})
        return Result()

    async def _stop_notify(self, message: Message) -> Result:
        path = str(message.path)
        one = self._characteristic(message)
        await self._do(lambda: one.unsubscribe(force=True))
        self._notifying.discard(path)
        self._tree.change(path, CHARACTERISTIC, {"Notifying": NO})
        return Result()

    async def _acquire_notify(self, message: Message) -> Result:
        path = str(message.path)
        if path in self._notifying or path in self._sockets:
            raise BusError("org.bluez.Error.NotPermitted", "Notify acquired")
        one = self._characteristic(message)
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        near.setblocking(False)  # noqa: FBT003  the socket module's
        try:
            await self._do(lambda: one.subscribe(_ToSocket(near, self._copies)))
        except BaseException:
            near.close()
            far.close()
            raise
        self._sockets[path] = near
        self._tree.change(path, CHARACTERISTIC, {"NotifyAcquired": YES})
        return Result("hq", (0, one.client.mtu), (far.detach(),))

    def _characteristic(self, message: Message) -> CharacteristicProxy[bytes]:
        if not self._tree.get(self._device, "org.bluez.Device1", "Connected"):
            raise BusError(_FAILED, "Not connected")
        return self._characteristics[str(message.path)]

    async def _do(self, work: Work) -> Any:  # noqa: ANN401  whatever the work gives
        """Ask the device, pair once if it wants encryption, and answer errors as BlueZ does."""
        for again in (True, False):
            try:
                with link_errors():
                    return await work()
            except AttRefused as error:
                if again and error.code in _SECURITY:
                    await self._secure()
                    continue
                name, text = _NAMED.get(
                    error.code, (_FAILED, f"Operation failed with ATT error: 0x{error.code:02x}")
                )
                raise BusError(name, text) from error
            except LinkFailed as error:
                raise BusError(_FAILED, "Not connected") from error
        raise AssertionError


def _of(peer: Peer, service: UUID, characteristic: UUID) -> list[CharacteristicProxy[bytes]]:
    return [
        one
        for found in peer.services
        if found.uuid == service
        for one in found.characteristics
        if one.uuid == characteristic
    ]


def _ignore(_value: bytes) -> None:
    """Nobody asked for it."""


def _unsupported() -> BusError:
    return BusError("org.bluez.Error.NotSupported", "Operation is not supported")


class _ToBus:
    """Hands values on as changes of a property."""

    def __init__(self, tree: ObjectTree, path: str, copies: Callable[[], int]) -> None:
        self._tree = tree
        self._path = path
        self._copies = copies

    def __call__(self, value: bytes) -> None:
        for _ in range(self._copies()):
            self._tree.change(self._path, CHARACTERISTIC, {"Value": Variant("ay", bytes(value))})


class _ToSocket:
    """Hands values on as packets; who does not read them loses them, as with the daemon."""

    def __init__(self, near: socket.socket, copies: Callable[[], int]) -> None:
        self._near = near
        self._copies = copies

    def __call__(self, value: bytes) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            for _ in range(self._copies()):
                self._near.send(bytes(value))
