"""What a driver talks through: a Bluetooth link, a serial port or a recording, all alike."""

import dataclasses
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from drivers.transport.serial_port import LineSettings  # pyserial is for those who open a port

STREAM: Final = ""
"""The one channel of a serial line."""


class Line(Protocol):
    """Bytes to and from one device.

    A channel is the 128-bit text of a characteristic's UUID in lower case, or `STREAM`. Every method
    raises `DeviceUnavailable` when the device has gone, and `DeviceMisbehaved` when it lacks the channel
    or refuses what was asked.
    """

    @property
    def address(self) -> str:
        """Of the device that was found: a Bluetooth address, or the path of the port."""
        ...

    @property
    def mtu(self) -> int:
        """Bytes of an attribute packet; a notification carries three fewer. Of no meaning to a stream."""
        ...

    def has(self, channel: str) -> bool:
        """Whether the device offers this channel."""
        ...

    async def read(self, channel: str) -> bytes:
        """Ask for the value of a characteristic. A stream cannot be asked: write and listen."""
        ...

    async def write(self, channel: str, data: bytes, *, response: bool) -> None: ...

    async def subscribe(self, channel: str) -> None:
        """Ask for notifications or indications, whichever it has. A stream comes unasked."""
        ...

    async def hear(self) -> tuple[str, bytes] | None:
        """Wait for what comes next, and give its channel with it; None when the device has hung up.

        A value of a characteristic comes whole; a stream comes in pieces of any size. Cancelling the
        wait loses nothing.
        """
        ...

    def tune(self, settings: "LineSettings") -> None:
        """Change speed and parity, and forget what came at the old ones; nothing where there are none."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class BleOpening:
    """What to ask the radio for.

    Attributes:
        service: 128-bit UUID text that the device advertises; only ``ble:any`` needs it.
        acquire: UUIDs of characteristics fast enough to be worth a socket of their own.
    """

    service: str | None = None
    acquire: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class SerialOpening:
    """How to open the port; a step may change the speed later."""

    settings: "LineSettings"


Opening: TypeAlias = BleOpening | SerialOpening


class Lines(Protocol):
    """Who opens lines: the devices' own (`drivers.setup.opening`), a recorder in between, a replay."""

    def open(self, port: str, opening: Opening, *, bond: bool) -> AbstractAsyncContextManager[Line]:
        """Wait for the device, however long it takes to show itself, and hang up in the end.

        Args:
            port: as in unit.toml.
            opening: what the device needs of its line.
            bond: whether to pair with it before anything is said.

        Raises:
            DeviceUnavailable: there is no such port, or no way to it.
        """
        ...
