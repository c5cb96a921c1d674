"""One live Bluetooth connection: bleak's client, as drivers see it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Generator
from typing import Final

from bleak import BleakClient
from bleak.args.bluez import BlueZNotifyArgs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakError

from drivers.transport.backend import FAILURES, Trouble, trouble_of
from drivers.transport.errors import RadioDown
from edge.ports.driver import DeviceMisbehaved, DeviceUnavailable

ANSWER_WITHIN_S: Final = 10.0
"""For a read, a write or a subscription. ATT itself allows 30 s; no device worth waiting for needs them."""
HANG_UP_WITHIN_S: Final = 12.0
"""bleak waits 10 s for the daemon's word that the link is down."""
EVENTS_AT_MOST: Final = 4096
"""Half a minute of the fastest device; a driver that is later than that has stopped."""
DRAIN_S: Final = 0.1
"""Values on a socket of their own can come after the news that the device has hung up."""
DEFAULT_MTU: Final = 23
_ATT_HEADER: Final = 3


class KeysRefused(DeviceUnavailable):
    """The device asks for keys that it accepts; the adapter's owner decides what that means."""

    code = "ble-keys-refused"


class Connection:
    """What `drivers.transport.link.BleLink` promises, on bleak.

    Args:
        acquire: UUIDs whose notifications are worth a socket of their own.
    """

    def __init__(self, address: str, acquire: frozenset[str]) -> None:
        self.address: Final = address
        self.spoke = False
        """Whether any value has come."""
        self.hung_up = False
        """Whether the other side ended it."""
        self._acquire = acquire
        self._client: BleakClient | None = None
        self._arrived: asyncio.Queue[tuple[str, bytes] | None] = asyncio.Queue()
        self._end: asyncio.TimerHandle | None = None
        self._overrun = False
        self._closing = False

    def opened(self, client: BleakClient) -> None:
        """The connection stands; unless it has ended since bleak said so."""
        self._client = client
        if not client.is_connected:
            self.gone(client)

    def gone(self, _client: BleakClient) -> None:
        """Told by bleak that the link has ended; also of attempts that it made again by itself."""
        if self._client is None:
            return
        self.hung_up = not self._closing
        self._end_when_quiet()

    @property
    def mtu(self) -> int:
        # bleak's own mtu_size is a constant on BlueZ; what a characteristic takes is not
        if self._client is None or not self._client.is_connected:
            return DEFAULT_MTU
        found = self._client.services.characteristics.values()
        return max((one.max_write_without_response_size + _ATT_HEADER for one in found), default=DEFAULT_MTU)

    def has(self, uuid: str) -> bool:
        return self._find(uuid) is not None

    async def read(self, uuid: str) -> bytes:
        characteristic = self._get(uuid)
        async with self._answering() as client:
            return bytes(await client.read_gatt_char(characteristic))

    async def write(self, uuid: str, data: bytes, *, response: bool) -> None:
        characteristic = self._get(uuid)
        async with self._answering() as client:
            await client.write_gatt_char(characteristic, data, response=response)

    async def subscribe(self, uuid: str) -> None:
        characteristic = self._get(uuid)
        args: BlueZNotifyArgs = {"use_start_notify": uuid not in self._acquire}
        async with self._answering() as client:
            await client.start_notify(characteristic, self._value, bluez=args)

    async def events(self) -> AsyncGenerator[tuple[str, bytes]]:
        while (event := await self._arrived.get()) is not None:
            yield event
        if self._overrun:
            raise DeviceUnavailable(
                f"The device {self.address} spoke faster than it was listened to.",
                next_step="see what else keeps this box busy; the device is connected again by itself.",
                code="ble-overrun",
            )

    async def close(self) -> None:
        """Hang up, within bounds; harmless when the device has done so already."""
        self._closing = True
        if self._client is None:
            return
        with contextlib.suppress(BleakError, *FAILURES):
            async with asyncio.timeout(HANG_UP_WITHIN_S):
                await self._client.disconnect()

    def _value(self, characteristic: BleakGATTCharacteristic, data: bytearray) -> None:
        if self._overrun:
            return
        self.spoke = True
        self._arrived.put_nowait((characteristic.uuid, bytes(data)))
        if self._end is not None:
            self._end_when_quiet()
        if self._arrived.qsize() >= EVENTS_AT_MOST:
            self._overrun = True
            self._arrived.put_nowait(None)

    def _end_when_quiet(self) -> None:
        if self._end is not None:
            self._end.cancel()
        loop = asyncio.get_running_loop()
        self._end = loop.call_later(DRAIN_S if self._acquire else 0, self._arrived.put_nowait, None)

    def _find(self, uuid: str) -> BleakGATTCharacteristic | None:
        if self._client is None or not self._client.is_connected:
            raise self._has_gone()
        return next((one for one in self._client.services.characteristics.values() if one.uuid == uuid), None)

    def _get(self, uuid: str) -> BleakGATTCharacteristic:
        found = self._find(uuid)
        if found is None:
            raise DeviceMisbehaved(
                f"The device {self.address} lacks the characteristic {uuid}.",
                next_step="see that it is of the kind that unit.toml says.",
                code="ble-characteristic-missing",
            )
        return found

    @contextlib.asynccontextmanager
    async def _answering(self) -> AsyncGenerator[BleakClient]:
        if self._client is None:
            raise self._has_gone()
        with self._translating():
            async with asyncio.timeout(ANSWER_WITHIN_S):
                yield self._client

    @contextlib.contextmanager
    def _translating(self) -> Generator[None]:
        """Turn what bleak raises into what a driver can act on."""
        try:
            yield
        except (BleakError, *FAILURES) as error:
            if self._client is None or not self._client.is_connected:
                raise self._has_gone() from error
            match trouble_of(error):
                case Trouble.KEYS:
                    raise KeysRefused(
                        f"The device {self.address} does not accept our keys.",
                        next_step="ask a technician to pair it again if this stays.",
                    ) from error
                case Trouble.ADAPTER | Trouble.DAEMON:
                    raise RadioDown(
                        "The Bluetooth adapter does not work.", next_step="it is being restarted; wait."
                    ) from error
                case Trouble.DEVICE if isinstance(error, TimeoutError):
                    raise DeviceUnavailable(
                        f"The device {self.address} does not answer.",
                        next_step="bring it closer to the box, and see that its batteries are good.",
                        code="ble-silent",
                    ) from error
                case _:
                    raise DeviceMisbehaved(
                        f"The device {self.address} refused what its kind must allow.",
                        next_step="see that it is of the kind that unit.toml says.",
                        code="ble-refused",
                    ) from error

    def _has_gone(self) -> DeviceUnavailable:
        return DeviceUnavailable(
            f"The device {self.address} has gone.",
            next_step="switch it on again near the box; it is found again by itself.",
            code="ble-gone",
        )
