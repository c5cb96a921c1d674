"""Chain B: org.bluez as bleak's own BlueZ backend needs it, on a private bus, over the simulated air.

Only what a central uses. What a real bluetoothd was seen to do in the virtual machine (chain A) becomes a
rule here; the faults are those that were seen in the field. Tests and training only.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator
from typing import Any, Final

from bumble import hci
from bumble.device import Advertisement, Connection, Device
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from drivers.radio.advertised import local_name, service_uuids
from drivers.radio.bus_objects import NO, PROPERTIES, YES, BusError, Method, ObjectTree, Result
from drivers.radio.central import AttRefused, Central, KeysRefused, LinkFailed, discover, hang_up, plain
from drivers.radio.fake_gatt import GattObjects

BLUEZ: Final = "org.bluez"
ADAPTER: Final = "org.bluez.Adapter1"
DEVICE: Final = "org.bluez.Device1"
AGENT: Final = "org.bluez.Agent1"
AGENTS: Final = "org.bluez.AgentManager1"
HCI0: Final = "/org/bluez/hci0"
CONNECT_WITHIN_S: Final = 20.0
SEEN_AGAIN_S: Final = 10.0
"""A device is reported once in a scan, and again when the kernel restarts it."""
FORGOTTEN_S: Final = 30.0
"""How long a device that is not paired outlives the scan that found it."""


@dataclasses.dataclass(slots=True)
class Faults:
    """What goes wrong; each number counts down as it happens."""

    connect_in_progress: int = 0
    abort_by_local: int = 0
    abort_flips: bool = True
    """Whether ``Connected`` goes on and off with the abort, as with BlueZ since 5.62."""
    refused_keys: str = "le-connection-abort-by-local"
    """What a connection ends with whose keys are refused; ``br-connection-key-missing`` since 5.83."""
    start_discovery_in_progress: int = 0
    never_resolves: int = 0
    power_cycles: int = 0
    """Counted up: how often the adapter was switched on again."""


class FakeBlueZ:
    """The daemon; made by `serving`."""

    def __init__(self, bus: MessageBus, central: Central) -> None:
        self.faults: Final = Faults()
        self.tree: Final = ObjectTree(bus)
        self._bus = bus
        self._central = central
        self._discoverers: set[str] = set()
        self._agents: dict[str, str] = {}
        self._default_agent: str | None = None
        self._devices: dict[str, _FakeDevice] = {}

    @property
    def central(self) -> Central:
        return self._central

    @property
    def connecting(self) -> bool:
        """Whether a connection is being made; a controller makes one at a time."""
        return any(device.connecting for device in self._devices.values())

    def offer(self) -> None:
        """Put the adapter on the bus."""
        self.tree.add(
            HCI0,
            {
                ADAPTER: {
                    "Address": Variant("s", "00:00:00:00:00:00"),
                    "Powered": YES,
                    "Discovering": NO,
                    "Roles": Variant("as", ["central"]),
                }
            },
            {
                (ADAPTER, "SetDiscoveryFilter"): self._set_filter,
                (ADAPTER, "StartDiscovery"): self._start_discovery,
                (ADAPTER, "StopDiscovery"): self._stop_discovery,
                (ADAPTER, "RemoveDevice"): self._remove_device,
                (PROPERTIES, "Set"): self._set_adapter,
            },
        )
        manager: dict[tuple[str, str], Method] = {
            (AGENTS, "RegisterAgent"): self._register_agent,
            (AGENTS, "RequestDefaultAgent"): self._request_default_agent,
            (AGENTS, "UnregisterAgent"): self._unregister_agent,
        }
        self.tree.add("/org/bluez", {AGENTS: {}}, manager)

    async def ask_agent(self, device: str) -> None:
        """Have the agent decide whether a device may be paired.

        Seen with bluetoothd 5.66: without an agent every pairing fails.
        """
        if self._default_agent is None:
            raise BusError("org.bluez.Error.AuthenticationFailed", "Authentication Failed")
        reply = await self._bus.call(
            Message(
                destination=self._default_agent,
                path=self._agents[self._default_agent],
                interface=AGENT,
                member="RequestAuthorization",
                signature="o",
                body=[device],
            )
        )
        if reply.message_type is MessageType.ERROR:
            raise BusError("org.bluez.Error.AuthenticationRejected", "Authentication Rejected")

    def left(self, sender: str) -> None:
        """A client of the bus has gone: its scan and its agent go with it."""
        self._discoverers.discard(sender)
        self._agents.pop(sender, None)
        if self._default_agent == sender:
            self._default_agent = None

    def forget(self, path: str) -> None:
        self._devices.pop(path, None)
        self.tree.remove(path)

    def heard(self, advertisement: Advertisement) -> None:
        """A device advertises while somebody scans."""
        path = f"{HCI0}/dev_{plain(advertisement.address).replace(':', '_')}"
        device = self._devices.get(path)
        if device is None:
            device = self._devices[path] = _FakeDevice(self, path, advertisement.address)
        device.heard(advertisement)

    # ── Adapter1 ─────────────────────────────────────────────────────────────────────────────────

    async def _set_filter(self, _message: Message) -> Result:
        return Result()

    async def _start_discovery(self, message: Message) -> Result:
        if self.faults.start_discovery_in_progress > 0:
            self.faults.start_discovery_in_progress -= 1
            raise BusError("org.bluez.Error.InProgress", "Operation already in progress")
        if not self.tree.get(HCI0, ADAPTER, "Powered"):
            raise BusError("org.bluez.Error.NotReady", "Resource Not Ready")
        if not self._discoverers:
            for known in self._devices.values():
                known.new_scan()
            device = await self._central.device()
            await device.start_scanning(legacy=True)
            self.tree.change(HCI0, ADAPTER, {"Discovering": YES})
        self._discoverers.add(str(message.sender))
        return Result()

    async def _stop_discovery(self, message: Message) -> Result:
        if str(message.sender) not in self._discoverers:
            raise BusError("org.bluez.Error.Failed", "No discovery started")
        self._discoverers.discard(str(message.sender))
        await self._quiet()
        return Result()

    async def _quiet(self) -> None:
        if self._discoverers:
            return
        device = await self._central.device()
        await device.stop_scanning(legacy=True)
        self.tree.change(HCI0, ADAPTER, {"Discovering": NO})
        for path in self._devices:
            self.tree.change(path, DEVICE, {}, ["RSSI"])

    async def _remove_device(self, message: Message) -> Result:
        device = self._devices.get(str(message.body[0]))
        if device is None:
            raise BusError("org.bluez.Error.DoesNotExist", "Does Not Exist")
        await device.drop()
        await self._central.forget(device.address)
        self.forget(device.path)
        return Result()

    async def _set_adapter(self, message: Message) -> Result:
        _, name, value = message.body
        if name == "Powered":
            if value.value:
                self.faults.power_cycles += 1
            else:
                self._discoverers.clear()
                await self._quiet()
                for device in list(self._devices.values()):
                    await device.drop()
            self.tree.change(HCI0, ADAPTER, {"Powered": value})
        return Result()

    # ── AgentManager1 ────────────────────────────────────────────────────────────────────────────

    async def _register_agent(self, message: Message) -> Result:
        if str(message.sender) in self._agents:
            raise BusError("org.bluez.Error.AlreadyExists", "Already Exists")
        self._agents[str(message.sender)] = str(message.body[0])
        return Result()

    async def _request_default_agent(self, message: Message) -> Result:
        if str(message.sender) not in self._agents:
            raise BusError("org.bluez.Error.DoesNotExist", "Does Not Exist")
        self._default_agent = str(message.sender)
        return Result()

    async def _unregister_agent(self, message: Message) -> Result:
        self.left(str(message.sender))
        return Result()


class _FakeDevice:
    """One Device1."""

    def __init__(self, bluez: FakeBlueZ, path: str, address: hci.Address) -> None:
        self.path: Final = path
        self.address: Final = plain(address)
        self._bluez = bluez
        self._target = address
        self._connection: Connection | None = None
        self._attempt: asyncio.Task[Any] | None = None
        self._reported_s = 0.0
        self._gatt = GattObjects(bluez.tree, path, self._secure)

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
                    "Adapter": Variant("o", HCI0),
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

    async def _resolve(self) -> None:
        """Find out the services; the answer to Connect does not wait for it."""
        if self._connection is None:
            return
        if self._bluez.faults.never_resolves > 0:
            self._bluez.faults.never_resolves -= 1
            return
        try:
            peer = await discover(self._connection)
        except (LinkFailed, AttRefused):
            return
        if self.connected:  # it may have hung up meanwhile
            self._gatt.offer(peer)
            self._change(ServicesResolved=True)

    async def _disconnect(self, _message: Message) -> Result:
        await self.drop()
        return Result()

    async def _pair(self, _message: Message) -> Result:
        if self._paired:
            raise BusError("org.bluez.Error.AlreadyExists", "Already Exists")
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
            await self._bluez.central.pair(self._connection)
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


@contextlib.asynccontextmanager
async def serving(bus_address: str, central: Central) -> AsyncGenerator[FakeBlueZ]:
    """Be org.bluez on a bus while the context lasts; ends quietly when the bus dies."""
    bus = await MessageBus(bus_address=bus_address, negotiate_unix_fd=True).connect()
    bluez = FakeBlueZ(bus, central)
    device = await central.device()
    device.on(Device.EVENT_ADVERTISEMENT, bluez.heard)
    bus.add_message_handler(_Departures(bluez))
    try:
        async with bluez.tree.answering():
            await bus.call(
                Message(
                    destination="org.freedesktop.DBus",
                    path="/org/freedesktop/DBus",
                    interface="org.freedesktop.DBus",
                    member="AddMatch",
                    signature="s",
                    body=["type='signal',member='NameOwnerChanged'"],
                )
            )
            bluez.offer()
            await bus.request_name(BLUEZ)
            yield bluez
    finally:
        device.remove_listener(Device.EVENT_ADVERTISEMENT, bluez.heard)
        if device.is_scanning and central.joined:
            await device.stop_scanning(legacy=True)
        bus.disconnect()
        with contextlib.suppress(Exception):  # the error that killed the bus, if any
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast's


class _Departures:
    """Notices clients that leave the bus."""

    def __init__(self, bluez: FakeBlueZ) -> None:
        self._bluez = bluez

    def __call__(self, message: Message) -> None:
        if message.member == "NameOwnerChanged" and not message.body[2]:
            self._bluez.left(str(message.body[0]))
