"""Device1 of the fake org.bluez: one device, as a central sees it, and what may go wrong with it."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from bumble import hci
from bumble.device import Advertisement, Connection
from dbus_fast import Message, Variant

from drivers.radio.advertised import local_name, service_uuids
from drivers.radio.bus_objects import NO, PROPERTIES, BusError, ObjectTree, Result
from drivers.radio.central import AttRefused, Central, KeysRefused, LinkFailed, discover, hang_up, plain
from drivers.radio.fake_gatt import GattObjects

DEVICE: Final = "org.bluez.Device1"
CONNECT_WITHIN_S: Final = 20.0
FALLS_AFTER_S: Final = 0.05
"""A link whose keys are refused, measured from the answer to Connect."""
SEEN_AGAIN_S: Final = 10.0
"""A device is reported once in a scan, and again when the kernel restarts it."""


@dataclasses.dataclass(slots=True)
class Faults:
    """What goes wrong; each number counts down as it happens."""

    connect_in_progress: int = 0
    abort_by_local: int = 0
    abort_flips: bool = True
    """Whether ``Connected`` goes on and off with the abort, as with BlueZ since 5.62."""
    refused_keys: str = ""
    """What Connect ends with when keys are refused; it ends well if empty, as with a real radio and 5.66."""
    start_discovery_in_progress: int = 0
    never_resolves: int = 0
    slow_to_resolve_s: float = 0.0
    """How long the services take to be known, as with a full cache and a distant device."""
    lose_values: int = 0
    double_values: int = 0
    """Of what devices say by themselves: so many come not at all, or twice, as seen with BlueZ."""
    power_cycles: int = 0
    """Counted up: how often the adapter was switched on again."""

    def copies(self) -> int:
        """How often the next value arrives."""
        if self.lose_values > 0:
            self.lose_values -= 1
            return 0
        if self.double_values > 0:
            self.double_values -= 1
            return 2
        return 1


class Daemon(Protocol):
    """What a device needs of the daemon it belongs to."""

    @property
    def tree(self) -> ObjectTree: ...

    @property
    def faults(self) -> Faults: ...

    @property
    def central(self) -> Central: ...

    @property
    def connecting(self) -> bool:
        """Whether a connection is being made; a controller makes one at a time."""
        ...

    def note_attempt(self) -> None:
        """A connection is asked for."""
        ...

    def passkey_of(self, device: str) -> Callable[[], Awaitable[int | None]] | None:
        """Asks the agent for the passkey that a device shows; None when the agent has no keys."""
        ...

    async def ask_agent(self, device: str) -> None:
        """Raises `BusError` unless the agent lets the device be paired."""
        ...


class FakeDevice:
    """One Device1."""

    def __init__(self, bluez: Daemon, path: str, address: hci.Address) -> None:
        self.path: Final = path
        self.address: Final = plain(address)
        self._bluez = bluez
        self._target = address
        self._connection: Connection | None = None
        self._attempt: asyncio.Task[Any] | None = None
        self._reported_s = 0.0
        self._gatt = GattObjects(bluez.tree, path, self._secure, bluez.faults.copies)

    @property
    def connecting(self) -> bool:
        return self._attempt is not None

    @property
    def _paired(self) -> bool:
        return self.address in self._bluez.central.bonded

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def new_scan(self) -> None:
        self._reported_s = 0.0

    def heard(self, advertisement: Advertisement) -> None:
        now_s = asyncio.get_running_loop().time()
        name = local_name(advertisement.data) or self.address.replace(":", "-")
        seen = {
            "RSSI": Variant("n", advertisement.rssi),
            "UUIDs": Variant("as", service_uuids(advertisement.data)),
            "Name": Variant("s", name),
            "Alias": Variant("s", name),
        }
        if not self._bluez.tree.has(self.path):
            self._offer(seen)
        elif self._reported_s and now_s - self._reported_s < SEEN_AGAIN_S:
            return
        else:
            self._bluez.tree.change(self.path, DEVICE, seen)
        self._reported_s = now_s

    async def drop(self) -> None:
        """End the connection, or the attempt at one."""
        if self._attempt is not None:
            self._attempt.cancel()
        if self._connection is not None:
            await hang_up(self._connection)

    def _offer(self, seen: dict[str, Variant]) -> None:
        self._bluez.tree.add(
            self.path,
            {
                DEVICE: {
                    "Address": Variant("s", self.address),
                    "AddressType": Variant("s", "public" if self._target.is_public else "random"),
                    "Adapter": Variant("o", path_of_adapter(self.path)),
                    "Paired": Variant("b", self._paired),
                    "Bonded": Variant("b", self._paired),
                    "Trusted": NO,
                    "Connected": NO,
                    "ServicesResolved": NO,
                    **seen,
                }
            },
            {
                (DEVICE, "Connect"): self._connect,
                (DEVICE, "Disconnect"): self._disconnect,
                (DEVICE, "Pair"): self._pair,
                (PROPERTIES, "Set"): self._set,
            },
        )

    def _change(self, **properties: bool) -> None:
        self._bluez.tree.change(
            self.path, DEVICE, {name: Variant("b", value) for name, value in properties.items()}
        )

    async def _set(self, message: Message) -> Result:
        _, name, value = message.body
        self._bluez.tree.change(self.path, DEVICE, {name: value})
        return Result()

    async def _connect(self, _message: Message) -> Result:
        faults = self._bluez.faults
        self._bluez.note_attempt()
        if faults.connect_in_progress > 0 or self._bluez.connecting:
            faults.connect_in_progress = max(0, faults.connect_in_progress - 1)
            raise BusError("org.bluez.Error.InProgress", "Operation already in progress")
        if faults.abort_by_local > 0:
            faults.abort_by_local -= 1
            if faults.abort_flips:
                self._change(Connected=True)
                self._change(Connected=False)
            raise BusError("org.bluez.Error.Failed", "le-connection-abort-by-local")
        if self._connection is None:
            await self._reach()
        self._bluez.tree.spawn(self._resolve())
        return Result()

    async def _reach(self) -> None:
        self._attempt = asyncio.current_task()
        try:
            self._connection = await self._bluez.central.connect(self._target, CONNECT_WITHIN_S)
        except KeysRefused:
            # as the real one: the link is up before it is encrypted, and nothing names the keys
            self._change(Connected=True)
            if not self._bluez.faults.refused_keys:
                self._bluez.tree.spawn(self._fall())
                return
            self._change(Connected=False)
            raise BusError("org.bluez.Error.Failed", self._bluez.faults.refused_keys) from None
        except (LinkFailed, OSError) as error:
            if isinstance(error, LinkFailed) and error.reason is not None:  # it was up
                self._change(Connected=True)
                self._change(Connected=False)
            raise BusError("org.bluez.Error.Failed", "le-connection-abort-by-local") from None
        except asyncio.CancelledError:
            raise BusError("org.bluez.Error.Failed", "Operation was cancelled") from None
        finally:
            self._attempt = None
        self._connection.once(Connection.EVENT_DISCONNECTION, self._ended)
        self._change(Connected=True)

    async def _fall(self) -> None:
        """The answer to Connect goes out first."""
        await asyncio.sleep(FALLS_AFTER_S)
        self._change(Connected=False)

    async def _resolve(self) -> None:
        """Find out the services; the answer to Connect does not wait for it."""
        if self._bluez.faults.never_resolves > 0:
            self._bluez.faults.never_resolves -= 1
            return
        await asyncio.sleep(self._bluez.faults.slow_to_resolve_s)
        if self._connection is None:
            return
        try:
            peer = await discover(self._connection)
        except (LinkFailed, AttRefused):
            return
        await self._gatt.hear_changes(peer)
        if self.connected:  # it may have hung up meanwhile
            self._gatt.offer(peer)
            self._change(ServicesResolved=True)
            await self._gatt.hear_battery(peer)

    async def _disconnect(self, _message: Message) -> Result:
        await self.drop()
        return Result()

    async def _pair(self, _message: Message) -> Result:
        if self._paired:
            raise BusError("org.bluez.Error.AlreadyExists", "Already Exists")
        self._bluez.note_attempt()
        if self._connection is None:
            await self._reach()
        try:
            await self._bond()
        except BusError:
            await self.drop()
            raise
        self._bluez.tree.spawn(self._resolve())
        return Result()

    async def _bond(self) -> None:
        if self._connection is None:
            raise BusError("org.bluez.Error.AuthenticationCanceled", "Authentication Canceled")
        await self._bluez.ask_agent(self.path)
        try:
            await self._bluez.central.pair(self._connection, self._bluez.passkey_of(self.path))
        except KeysRefused:
            raise BusError("org.bluez.Error.AuthenticationFailed", "Authentication Failed") from None
        self._change(Paired=True, Bonded=True)

    async def _secure(self) -> None:
        """The device wants encryption for what was asked: pair, as the daemon does by itself."""
        if not self._paired:
            await self._bond()

    def _ended(self, _reason: int) -> None:
        self._connection = None
        self._gatt.ended(keep=self._paired)
        self._change(ServicesResolved=False, Connected=False)


def path_of_adapter(device: str) -> str:
    """The adapter that a device's path begins with."""
    return device.rpartition("/")[0]
