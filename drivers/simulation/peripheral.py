"""What simulated Bluetooth devices have in common: advertising, being met, telling, hanging up.

The one place beside `drivers.radio` and the simulators that knows bumble; training and tests only.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from bumble import hci
from bumble.core import UUID, AdvertisingData, BaseBumbleError
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue, Service

from drivers.codec import uuids

Bytes = Characteristic[bytes]
_T = TypeVar("_T")

INTERVAL_MS: Final = 30
GOES_WITHIN_S: Final = 5.0
LINK_ERRORS: Final = (BaseBumbleError, TimeoutError, asyncio.InvalidStateError)
"""What a link that ends under one's hands raises in bumble."""
_CCCD: Final = UUID("2902")


class Gone(Exception):
    """The host has hung up, or is out of reach."""


def readable(uuid: str, value: bytes | Callable[[], bytes]) -> Bytes:
    """A characteristic to be read."""
    if isinstance(value, bytes):
        return Characteristic(UUID(uuid), Characteristic.Properties.READ, Characteristic.READABLE, value)
    ask = value

    def read(_connection: Connection) -> bytes:
        return ask()

    said: CharacteristicValue[bytes] = CharacteristicValue(read=read)
    return Characteristic(UUID(uuid), Characteristic.Properties.READ, Characteristic.READABLE, said)


def _told_by_itself(uuid: str, value: Callable[[], bytes]) -> Bytes:
    """A characteristic to be read that also tells its changes; the daemon subscribes to it unasked."""
    one = readable(uuid, value)
    one.properties |= Characteristic.Properties.NOTIFY
    return one


def notifying(uuid: str) -> Bytes:
    """A characteristic that speaks by itself."""
    return Characteristic(UUID(uuid), Characteristic.Properties.NOTIFY, Characteristic.Permissions(0), b"")


def indicating(uuid: str) -> Bytes:
    """A characteristic that speaks by itself and waits for the host's confirmation."""
    return Characteristic(UUID(uuid), Characteristic.Properties.INDICATE, Characteristic.Permissions(0), b"")


def told(
    uuid: str,
    properties: Characteristic.Properties,
    *,
    read: Callable[[Connection], bytes],
    write: Callable[[Connection, bytes], None],
) -> Bytes:
    """A characteristic that is read and written, with other properties beside."""
    return Characteristic(
        UUID(uuid),
        Characteristic.Properties.READ | Characteristic.Properties.WRITE | properties,
        Characteristic.READABLE | Characteristic.WRITEABLE,
        CharacteristicValue(read=read, write=write),
    )


def about(*, manufacturer: str, model: str, serial: str, battery: Callable[[], int]) -> list[Service]:
    """Device Information and Battery, which every device has."""
    texts = (
        (uuids.MANUFACTURER_NAME, manufacturer),
        (uuids.MODEL_NUMBER, model),
        (uuids.SERIAL_NUMBER, serial),
        (uuids.FIRMWARE_REVISION, "simulated"),
    )
    return [
        Service(
            UUID(uuids.DEVICE_INFORMATION_SERVICE), [readable(uuid, text.encode()) for uuid, text in texts]
        ),
        Service(
            UUID(uuids.BATTERY_SERVICE), [_told_by_itself(uuids.BATTERY_LEVEL, lambda: bytes([battery()]))]
        ),
    ]


def encrypt_subscription(device: Device, characteristic: Bytes) -> None:
    """Refuse subscribers whose link is not encrypted, as medical devices do."""
    for attribute in device.gatt_server.attributes:
        if attribute.type == _CCCD and attribute.handle == characteristic.handle + 1:
            attribute.permissions |= Characteristic.WRITE_REQUIRES_ENCRYPTION


class Meeting:
    """One connection, from its beginning to its end."""

    def __init__(self, device: Device, connection: Connection) -> None:
        self.connection: Final = connection
        self._device = device
        self.gone: Final = asyncio.Event()
        connection.once(Connection.EVENT_DISCONNECTION, self._ended)

    def _ended(self, _reason: int) -> None:
        self.gone.set()

    def subscribed(self, characteristic: Bytes) -> bool:
        """Whether the host listens to it."""
        subscribers = self._device.gatt_server.subscribers.get(self.connection, {})
        return any(subscribers.get(characteristic.handle, b""))

    async def until_subscribed(self, characteristic: Bytes) -> None:
        """Wait for the host to listen.

        Raises:
            Gone: it hung up instead.
        """
        listens = asyncio.Event()

        def look(*_news: object) -> None:
            if self.subscribed(characteristic):
                listens.set()

        characteristic.on(characteristic.EVENT_SUBSCRIPTION, look)
        try:
            look()
            await self.unless_gone(listens.wait())
        finally:
            characteristic.remove_listener(characteristic.EVENT_SUBSCRIPTION, look)

    async def notify(self, characteristic: Bytes, value: bytes) -> None:
        """Tell the host, if it listens."""
        await self.unless_gone(self._device.notify_subscriber(self.connection, characteristic, value))

    async def indicate(self, characteristic: Bytes, value: bytes) -> None:
        """Tell the host, if it listens, and wait until it has confirmed.

        Raises:
            Gone: it hung up before it did.
        """
        await self.unless_gone(self._device.indicate_subscriber(self.connection, characteristic, value))

    async def unless_gone(self, what: Awaitable[_T]) -> _T:
        """Await something that the host's going makes pointless.

        Raises:
            Gone: the host went first.
        """
        outcome: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            tasks = (
                group.create_task(_settle(what, outcome)),
                group.create_task(_settle(self.gone.wait(), None)),
            )
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
        if not outcome.done():
            raise Gone
        return outcome.result()

    async def hang_up(self) -> None:
        """End the connection, as a device does that has said all it had to say."""
        if self.gone.is_set():
            return
        with contextlib.suppress(*LINK_ERRORS):
            async with asyncio.timeout(GOES_WITHIN_S):
                await self.connection.disconnect(hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR)


def introduce(device: Device, name: str, service: str) -> None:
    """Set what is advertised: the name, and one service by its short UUID."""
    device.advertising_data = bytes(
        AdvertisingData(
            [
                (AdvertisingData.FLAGS, b"\x06"),
                (
                    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
                    bytes.fromhex(service[4:8])[::-1],
                ),
                (AdvertisingData.COMPLETE_LOCAL_NAME, name.encode()),
            ]
        )
    )


async def met(device: Device, *, within_s: float | None = None) -> Meeting | None:
    """Advertise until a host connects, or for so long."""
    came: asyncio.Future[Meeting] = asyncio.get_running_loop().create_future()

    def take(connection: Connection) -> None:
        if not came.done():
            came.set_result(Meeting(device, connection))  # at once: it may be over before anybody wakes up

    device.once(Device.EVENT_CONNECTION, take)
    try:
        await device.start_advertising(
            advertising_interval_min=INTERVAL_MS, advertising_interval_max=INTERVAL_MS
        )
        async with asyncio.timeout(within_s):
            return await came
    except TimeoutError:
        with contextlib.suppress(*LINK_ERRORS):
            await device.stop_advertising()
        return None
    finally:
        if not came.done():
            device.remove_listener(Device.EVENT_CONNECTION, take)


async def _settle(what: Awaitable[_T], outcome: "asyncio.Future[_T] | None") -> None:
    """Await, and leave what came of it where an error is no error of the group."""
    try:
        result = await what
    except LINK_ERRORS as error:
        if outcome is not None:
            outcome.set_exception(error)
    else:
        if outcome is not None:
            outcome.set_result(result)
