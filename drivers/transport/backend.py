"""What the adapter's owner asks of an adapter: BlueZ on a real unit, bumble in training.

Both hand out bleak's own scanner and client; beyond those, the few things that bleak does not do.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final, Protocol

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakDBusError,
    BleakError,
    BleakGATTProtocolError,
)

Heard = Callable[[BLEDevice, AdvertisementData], None]
NO_SIGNAL_DBM: Final = -127
"""What bleak says where BlueZ gives no strength: news of a known device, not an advertisement."""


class Backend(Protocol):
    """One Bluetooth adapter."""

    async def prepare(self) -> None:
        """Whatever must stand before a scan, such as the pairing agent; harmless to repeat."""
        ...

    @property
    def trouble(self) -> "Trouble | None":
        """What has ended all that was begun since it was prepared; a scan that is dead says nothing of it."""
        ...

    def scanner(self, heard: Heard) -> BleakScanner: ...

    def client(
        self, device: BLEDevice, gone: Callable[[BleakClient], None], *, pair: bool, timeout_s: float
    ) -> BleakClient: ...

    def bonded(self, device: BLEDevice, advertisement: AdvertisementData) -> bool:
        """Whether our side holds keys for it."""
        ...

    def when_link_keeps_falling(self, tell: Callable[[], None]) -> None:
        """Have it told when the attempt of the latest client is hopeless."""
        ...

    def link_kept_falling(self) -> bool:
        """Whether, in the latest attempt, the link came up and fell again and again."""
        ...

    async def forget(self, address: str) -> None:
        """Remove our side's keys; harmless when there are none."""
        ...

    async def paired(self, address: str) -> bool:
        """Whether our side holds keys for it, heard or not."""
        ...

    async def power_cycle(self) -> None:
        """Switch the adapter off and on again."""
        ...

    async def restart_daemon(self) -> None:
        """Have the Bluetooth daemon restarted, where somebody offers that."""
        ...

    async def close(self) -> None: ...


class Trouble(StrEnum):
    """Whose trouble an error is."""

    DEVICE = "device"
    KEYS = "keys"
    SUSPECT_KEYS = "suspect-keys"
    """Either the device or its keys; BlueZ does not say which."""
    ADAPTER = "adapter"
    DAEMON = "daemon"
    """Bus or daemon are gone: nothing to power-cycle."""


FAILURES: Final = (TimeoutError, OSError, EOFError)
"""Beside `BleakError`, what bleak and dbus-fast let through when a connection or the bus breaks."""

_BY_NAME: Final = {
    "InProgress": Trouble.ADAPTER,
    "NotReady": Trouble.ADAPTER,
    "Busy": Trouble.ADAPTER,
    "ServiceUnknown": Trouble.DAEMON,
    "NameHasNoOwner": Trouble.DAEMON,
    "NoReply": Trouble.DAEMON,
    "Disconnected": Trouble.DAEMON,
    "AuthenticationFailed": Trouble.KEYS,
    "AuthenticationRejected": Trouble.KEYS,
    "AuthenticationCanceled": Trouble.KEYS,
    "AuthenticationTimeout": Trouble.KEYS,
}
"""By the last part of a D-Bus error's name; all others are the device's."""
NOT_PAIRED: Final = "Not paired"
"""BlueZ's word for an attribute that wants encryption; its error's name says only NotPermitted."""
_CANCELLED: Final = "br-connection-canceled"
_KEY_MISSING: Final = "br-connection-key-missing"
"""From BlueZ 5.83."""
_NO_SERVICES: Final = "failed to discover services, device disconnected"
"""Bleak's words."""
_KEY_ERRORS: Final = frozenset({0x05, 0x08, 0x0C, 0x0F})
"""ATT: insufficient authentication, authorisation, key size, encryption (Core, vol. 3, part F, 3.4.1.1)."""


def may_refuse_keys(error: BaseException) -> bool:
    """Whether the link came up and fell while it was being made.

    BlueZ encrypts the link with a bonded device before anything else, and up to 5.82 it does not say
    that this failed: it calls the connection cancelled, or made, which it then is no more.
    """
    if isinstance(error, BleakDBusError):
        return error.dbus_error_details == _CANCELLED
    return isinstance(error, BleakError) and _NO_SERVICES in str(error)


def trouble_of(error: BaseException) -> Trouble:
    """Whose trouble it is; what cannot be told is the device's."""
    found = Trouble.DEVICE
    match error:
        case BleakGATTProtocolError() if int(error.code) in _KEY_ERRORS:
            found = Trouble.KEYS
        case BleakDBusError() if error.dbus_error_details in {NOT_PAIRED, _KEY_MISSING}:
            found = Trouble.KEYS
        case BleakDBusError():
            found = _BY_NAME.get(error.dbus_error.rpartition(".")[2], Trouble.DEVICE)
        case BleakBluetoothNotAvailableError():
            found = Trouble.ADAPTER
        case TimeoutError():
            pass  # an OSError by birth
        case OSError() | EOFError():
            found = Trouble.DAEMON
        case _:
            pass
    return found
