"""What a driver sees of Bluetooth: one wanted device, one live connection, bytes by characteristic.

How the adapter is shared, when to connect and what to do about failures is the business of
`drivers.transport.ble`; a driver only says whom it wants and reads what comes.
"""

import dataclasses
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol, Self

SCHEME: Final = "ble:"
_ADDRESS: Final = re.compile(r"^(?:[0-9A-F]{2}:){5}[0-9A-F]{2}$")
_ANY: Final = "any"
_NAME: Final = "name:"


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """Which device a session is for.

    Attributes:
        address: as enrolled, upper case with colons; None only in training, where any device that
            matches the rest will do.
        service: 128-bit UUID text that the device advertises.
        name_prefix: what its advertised name begins with.
        bond: whether to pair with it, so that the link is encrypted before a driver sees it.
        acquire: UUIDs of characteristics fast enough to be worth a socket of their own (an ECG);
            everything else takes the way that works with every device.
    """

    address: str | None = None
    service: str | None = None
    name_prefix: str | None = None
    bond: bool = False
    acquire: frozenset[str] = frozenset()

    @classmethod
    def at(
        cls,
        port: str,
        *,
        service: str | None = None,
        bond: bool = False,
        acquire: frozenset[str] = frozenset(),
    ) -> Self:
        """Read the ``port`` of a configured device.

        ``ble:AA:BB:CC:DD:EE:FF`` is one device; ``ble:any`` the first that offers the service and
        ``ble:name:Polar H10`` the first whose name begins so are for training.

        Raises:
            ValueError: it is none of these.
        """
        where = port.removeprefix(SCHEME)
        if where == port:
            raise ValueError("a Bluetooth port begins with ble:")
        if where == _ANY and service:
            return cls(service=service, bond=bond, acquire=acquire)
        if where.startswith(_NAME) and (name := where.removeprefix(_NAME)):
            return cls(service=service, name_prefix=name, bond=bond, acquire=acquire)
        if not _ADDRESS.match(where.upper()):
            raise ValueError("a Bluetooth port is ble: and an address such as AA:BB:CC:DD:EE:FF")
        return cls(address=where.upper(), bond=bond, acquire=acquire)


class BleLink(Protocol):
    """One live connection. UUIDs are 128-bit texts in lower case.

    Every method raises `DeviceUnavailable` when the device has gone, and `DeviceMisbehaved` when it
    lacks the characteristic or refuses what was asked.
    """

    @property
    def address(self) -> str:
        """Of the device that was found."""
        ...

    @property
    def mtu(self) -> int:
        """Bytes of an attribute packet; a notification carries three fewer. 23 until known better."""
        ...

    def has(self, uuid: str) -> bool:
        """Whether the device offers this characteristic."""
        ...

    async def read(self, uuid: str) -> bytes: ...

    async def write(self, uuid: str, data: bytes, *, response: bool) -> None: ...

    async def subscribe(self, uuid: str) -> None:
        """Ask for notifications or indications, whichever it has; they arrive through `events`."""
        ...

    def events(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every value that came since the first `subscribe`, in order, with its UUID.

        Ends when the device hangs up, which is how a cuff says that it has finished.
        """
        ...


class Radio(Protocol):
    """The adapter, as drivers share it."""

    def session(self, wanted: Wanted) -> AbstractAsyncContextManager[BleLink]:
        """Wait until the device advertises, connect, bond if asked, and hang up in the end.

        The wait for an advertisement has no end of its own: the patient decides when a cuff speaks.

        Raises:
            BondLost: the device does not know us any more; a technician pairs it again.
            RadioDown: there is no working adapter.
            DeviceUnavailable: it was there and could not be reached (other codes: ``ble-quarantined``
                after repeated failures, ``ble-not-paired`` when no pairing window is open).
        """
        ...
