"""Chain C: bleak's public interface, and under it a bumble host in the simulated air instead of BlueZ.

For training and for machines without BlueZ. A unit of the production realm is refused it where the
configuration is read.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

from bleak import BleakClient, BleakScanner
from bleak.args import SizedBuffer
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolError
from bumble.device import Advertisement, Connection, Device, Peer

from drivers.radio.advertised import local_name, manufacturer_data, service_uuids
from drivers.radio.central import (
    AttRefused,
    Central,
    KeysRefused,
    LinkFailed,
    discover,
    hang_up,
    link_errors,
    plain,
)
from drivers.radio.gatt_names import flags_of, uuid_text
from drivers.transport.backend import Heard, Trouble

PAIRING_FAILED: Final = "org.bluez.Error.AuthenticationFailed"
"""bleak has no error of its own for this; everybody knows BlueZ's."""


class VirtualRadio:
    """The simulated air as a `drivers.transport.backend.Backend`.

    Args:
        unit: names our address, so that devices know this unit again.
    """

    def __init__(self, where: str, unit: str, bonds: Path | None = None) -> None:
        self._central = Central(where, address_for(unit), bonds)

    async def prepare(self) -> None:
        await self._central.device()

    @property
    def trouble(self) -> Trouble | None:
        return None if self._central.joined else Trouble.DAEMON

    def scanner(self, heard: Heard) -> BleakScanner:
        return BleakScanner(heard, backend=BumbleScanner, central=self._central)

    def client(
        self, device: BLEDevice, gone: Callable[[BleakClient], None], *, pair: bool, timeout_s: float
    ) -> BleakClient:
        return BleakClient(
            device, gone, pair=pair, timeout=timeout_s, backend=BumbleClient, central=self._central
        )

    def bonded(self, device: BLEDevice, advertisement: AdvertisementData) -> bool:  # noqa: ARG002  the port's
        return device.address.upper() in self._central.bonded

    def when_link_keeps_falling(self, tell: Callable[[], None]) -> None:
        pass

    def link_kept_falling(self) -> bool:
        return False  # refused keys are told as such

    async def forget(self, address: str) -> None:
        await self._central.forget(address)

    async def paired(self, address: str) -> bool:
        await self._central.device()  # which reads what was kept
        return address.upper() in self._central.bonded

    async def power_cycle(self) -> None:
        await self._central.close()

    async def restart_daemon(self) -> None:
        await self._central.close()

    async def close(self) -> None:
        await self._central.close()


def address_for(unit: str) -> str:
    """A random static address of the unit's own: the same after every start."""
    digest = bytearray(hashlib.sha256(b"qafila virtual radio " + unit.encode()).digest()[:6])
    digest[0] |= 0xC0
    return digest.hex(":").upper()


class BumbleScanner(BaseBleakScanner):
    """bleak's scanner on a `Central`."""

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        *,
        central: Central,
        **_others: object,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._active = scanning_mode == "active"
        self._central = central
        self._device: Device | None = None

    async def start(self) -> None:
        self.seen_devices = {}
        device = await self._central.device()
        device.on(Device.EVENT_ADVERTISEMENT, self._advertised)
        self._device = device
        with _bleak_errors():
            await device.start_scanning(legacy=True, active=self._active)

    async def stop(self) -> None:
        device, self._device = self._device, None
        if device is None:
            return
        device.remove_listener(Device.EVENT_ADVERTISEMENT, self._advertised)
        with _bleak_errors():
            await device.stop_scanning(legacy=True)

    def _advertised(self, advertisement: Advertisement) -> None:
        services = service_uuids(advertisement.data)
        if not self.is_allowed_uuid(services):
            return
        name = local_name(advertisement.data)
        address = plain(advertisement.address)
        heard = AdvertisementData(
            local_name=name,
            manufacturer_data=manufacturer_data(advertisement.data),
            service_data={},
            service_uuids=services,
            tx_power=None,
            rssi=advertisement.rssi,
            platform_data=(advertisement,),
        )
        found = self.create_or_update_device(address, address, name, advertisement.address, heard)
        self.call_detection_callbacks(found, heard)


class BumbleClient(BaseBleakClient):
    """bleak's client on a `Central`."""

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        services: set[str] | None = None,
        *,
        central: Central,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        **_others: object,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        if not isinstance(address_or_ble_device, BLEDevice):
            raise BleakError("the simulated air connects to what was heard, not to an address")
        self._requested = services
        self._central = central
        self._target = address_or_ble_device.details
        self._name = address_or_ble_device.name
        self._connection: Connection | None = None
        self._over = False

    @property
    def name(self) -> str:
        return self._name or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        return self._connection.att_mtu if self._connection is not None else 23

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def connect(self, pair: bool, **_others: object) -> None:
        async with asyncio.timeout(self._timeout):
            with _bleak_errors():
                connection = await self._central.connect(self._target, self._timeout)
                connection.once(Connection.EVENT_DISCONNECTION, self._ended)
                try:
                    if pair and not connection.is_encrypted:
                        await self._central.pair(connection)
                    peer = await discover(connection)
                except BaseException:
                    await hang_up(connection)
                    raise
        if self._over:
            raise BleakError("failed to discover services, device disconnected")
        self._connection = connection
        self.services = self._collect(peer)

    async def disconnect(self) -> None:
        connection = self._connection
        if connection is not None:
            await hang_up(connection)

    async def pair(self, *_args: object, **_kwargs: object) -> None:
        with _bleak_errors():
            await self._central.pair(self._live())

    async def unpair(self) -> None:
        await self._central.forget(self.address)

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **_others: object
    ) -> bytearray:
        del use_cached
        self._live()
        with _bleak_errors(), link_errors():
            return bytearray(await characteristic.obj.read_value())

    async def write_gatt_char(
        self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool
    ) -> None:
        self._live()
        with _bleak_errors(), link_errors():
            await characteristic.obj.write_value(bytes(data), with_response=response)

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **_others: object
    ) -> bytearray:
        del use_cached
        self._live()
        with _bleak_errors(), link_errors():
            return bytearray(await descriptor.obj.read_value())

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        self._live()
        with _bleak_errors(), link_errors():
            await descriptor.obj.write_value(bytes(data), with_response=True)

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_others: object
    ) -> None:
        self._live()
        with _bleak_errors(), link_errors():
            await characteristic.obj.subscribe(_Listener(callback))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        self._live()
        with _bleak_errors(), link_errors():
            await characteristic.obj.unsubscribe(force=True)

    def _live(self) -> Connection:
        if self._connection is None:
            raise BleakError("Not connected")
        return self._connection

    def _ended(self, _reason: int) -> None:
        self._over = True
        was, self._connection, self.services = self._connection, None, None
        if was is not None and self._disconnected_callback is not None:
            self._disconnected_callback()

    def _collect(self, peer: Peer) -> BleakGATTServiceCollection:
        collection = BleakGATTServiceCollection()
        for found in peer.services:
            service = BleakGATTService(found, found.handle, uuid_text(found.uuid))
            if self._requested is not None and service.uuid not in self._requested:
                continue
            collection.add_service(service)
            for one in found.characteristics:
                characteristic = BleakGATTCharacteristic(
                    one,
                    one.handle,
                    uuid_text(one.uuid),
                    flags_of(one),
                    lambda: self.mtu_size - 3,
                    service,
                )
                collection.add_characteristic(characteristic)
                for descriptor in one.descriptors:
                    collection.add_descriptor(
                        BleakGATTDescriptor(
                            descriptor, descriptor.handle, uuid_text(descriptor.type), characteristic
                        )
                    )
        return collection


class _Listener:
    def __init__(self, callback: NotifyCallback) -> None:
        self._callback = callback

    def __call__(self, value: bytes) -> None:
        self._callback(bytearray(value))


@contextlib.contextmanager
def _bleak_errors() -> Generator[None]:
    """What goes wrong, as bleak's users know it."""
    try:
        with link_errors():
            yield
    except AttRefused as error:
        raise BleakGATTProtocolError(error.code) from error
    except KeysRefused as error:
        raise BleakDBusError(PAIRING_FAILED, [str(error)]) from error
    except LinkFailed as error:
        raise BleakError(str(error)) from error
