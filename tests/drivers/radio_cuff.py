"""A cuff for the tests of the radio: it indicates readings to whom it has bonded with, and hangs up.

It is as terse as a real one: no reading leaves it unencrypted, it advertises only while it has one to
give, and it sleeps between readings.
"""

import asyncio
import contextlib
from typing import Final

from bumble import hci
from bumble.core import UUID, AdvertisingData
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue, Service

ADDRESS: Final = "C0:FF:EE:00:00:01"
SERVICE: Final = "00001810-0000-1000-8000-00805f9b34fb"
MEASUREMENT: Final = "00002a35-0000-1000-8000-00805f9b34fb"
FEATURE: Final = "00002a49-0000-1000-8000-00805f9b34fb"
STREAM: Final = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
GONE_WITHIN_S: Final = 30.0


class Cuff:
    """One simulated cuff.

    Args:
        readings: what it has to tell; one a connection, oldest first.
        rest_s: how long it sleeps between two, unless it is woken.
        stays: whether it keeps the connection after it has spoken, until `hang_up`.
    """

    name: Final = "Test Cuff"

    def __init__(
        self, *readings: bytes, address: str = ADDRESS, rest_s: float = 0.1, stays: bool = False
    ) -> None:
        self.address: Final = address
        self.readings = list(readings)
        self.rest_s = rest_s
        self.stays = stays
        self.connections = 0
        self.hang_up_at_once = 0
        """So many connections it ends before anybody has found out its services."""
        self.hang_up_encrypted = 0
        """So many it ends as soon as they are encrypted."""
        self.asleep_after_hanging_up_s = 0.0
        self._hang_up = asyncio.Event()
        self._more = asyncio.Event()
        self._woken = asyncio.Event()
        self.device: Device | None = None
        self._measurement: Characteristic[bytes] = Characteristic(
            UUID("2A35"),
            Characteristic.Properties.INDICATE,
            Characteristic.Permissions(0),
            b"",
        )
        self._stream: Characteristic[bytes] = Characteristic(
            UUID(STREAM), Characteristic.Properties.NOTIFY, Characteristic.Permissions(0), b""
        )
        self.battery_reads = 0
        self._battery: Characteristic[bytes] = Characteristic(
            UUID("2A19"),
            Characteristic.Properties.READ | Characteristic.Properties.NOTIFY,
            Characteristic.READABLE,
            CharacteristicValue(read=self._read_battery),
        )
        self._feature: Characteristic[bytes] = Characteristic(
            UUID("2A49"), Characteristic.Properties.READ, Characteristic.READABLE, b"\x07\x00"
        )

    def measure(self, *readings: bytes) -> None:
        """Have something to tell, and advertise it."""
        self.readings += readings
        self._more.set()

    def hang_up(self) -> None:
        self._hang_up.set()

    def wake(self) -> None:
        """End the rest, this one or the next."""
        self._woken.set()

    def obey(self, order: str) -> bool:
        if not order.startswith("measure "):
            return False
        self.measure(bytes.fromhex(order.partition(" ")[2]))
        return True

    async def live(self, device: Device) -> None:
        self.device = device
        device.add_services(
            [
                Service(UUID("1810"), [self._measurement, self._feature]),
                Service(UUID("1234"), [self._stream]),
                Service(UUID("180F"), [self._battery]),
            ]
        )
        _encrypt_subscription(device, self._measurement)
        device.advertising_data = bytes(
            AdvertisingData(
                [
                    (AdvertisingData.FLAGS, b"\x06"),
                    (AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, bytes(UUID("1810"))),
                    (AdvertisingData.COMPLETE_LOCAL_NAME, self.name.encode()),
                ]
            )
        )
        while True:
            if not self.readings and not self.stays:
                self._more.clear()
                await self._more.wait()
            connection, gone = await self._wait_for_host(device)
            self.connections += 1
            self._hang_up.clear()
            try:
                await self._serve(device, connection, gone)
            except (asyncio.CancelledError, Exception):
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.rest_s):
                    await self._woken.wait()
            self._woken.clear()

    async def _wait_for_host(self, device: Device) -> tuple[Connection, asyncio.Event]:
        """A connection, and its end, which is listened for at once: it may be over before we wake up."""
        came: asyncio.Future[tuple[Connection, asyncio.Event]] = asyncio.get_running_loop().create_future()

        def take(connection: Connection) -> None:
            gone = asyncio.Event()
            connection.once(Connection.EVENT_DISCONNECTION, lambda _reason: gone.set())
            came.set_result((connection, gone))

        device.once(Device.EVENT_CONNECTION, take)
        await device.start_advertising(advertising_interval_min=20, advertising_interval_max=20)
        return await came

    async def _serve(self, device: Device, connection: Connection, gone: asyncio.Event) -> None:
        if self.hang_up_at_once > 0:
            self.hang_up_at_once -= 1
            await self._end(connection, gone)
            await asyncio.sleep(self.asleep_after_hanging_up_s)
            return
        if self.hang_up_encrypted > 0:
            self.hang_up_encrypted -= 1
            while not connection.is_encrypted and not gone.is_set():
                await asyncio.sleep(0.001)
            await self._end(connection, gone)
            await asyncio.sleep(self.asleep_after_hanging_up_s)
            return
        await self._subscribed(device, connection, gone)
        if gone.is_set():
            return
        if self.readings:
            await device.indicate_subscriber(connection, self._measurement, self.readings[0])
            self.readings.pop(0)
        if self.stays:
            async with asyncio.TaskGroup() as group:
                ends = [group.create_task(gone.wait()), group.create_task(self._hang_up.wait())]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for end in ends:
                    end.cancel()
        await self._end(connection, gone)

    def subscriptions(self) -> set[str]:
        """What anybody has subscribed to, by its number in four digits."""
        assert self.device is not None
        server = self.device.gatt_server
        by_handle = {each.handle: each for each in server.attributes if isinstance(each, Characteristic)}
        found: set[str] = set()
        for subscribed in server.subscribers.values():
            found |= {
                by_handle[handle].uuid.to_hex_str() for handle, value in subscribed.items() if any(value)
            }
        return found

    def _read_battery(self, _connection: Connection) -> bytes:
        self.battery_reads += 1
        return b"\x50"

    async def stream(self, value: bytes) -> None:
        """Notify whoever has subscribed to the stream."""
        assert self.device is not None
        await self.device.notify_subscribers(self._stream, value)

    async def _subscribed(self, device: Device, connection: Connection, gone: asyncio.Event) -> None:
        while not gone.is_set():
            subscribed = device.gatt_server.subscribers.get(connection, {})
            # BlueZ itself subscribes to Service Changed, which says nothing about our values
            ours = (subscribed.get(one.handle) for one in (self._measurement, self._stream))
            if any(value not in {None, b"\x00\x00"} for value in ours):
                return
            await asyncio.sleep(0.01)

    async def _end(self, connection: Connection, gone: asyncio.Event) -> None:
        if gone.is_set():
            return
        with contextlib.suppress(hci.HCI_Error):
            async with asyncio.timeout(GONE_WITHIN_S):
                await connection.disconnect(hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR)


def _encrypt_subscription(device: Device, characteristic: Characteristic[bytes]) -> None:
    """Refuse subscribers whose link is not encrypted, as medical devices do."""
    for attribute in device.gatt_server.attributes:
        if attribute.type == UUID("2902") and attribute.handle == characteristic.handle + 1:
            attribute.permissions |= Characteristic.WRITE_REQUIRES_ENCRYPTION
