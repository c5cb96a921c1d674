"""Chain B: org.bluez as bleak's own BlueZ backend needs it, on a private bus, over the simulated air.

Only what a central uses. What a real bluetoothd was seen to do in the virtual machine (chain A) becomes a
rule here; the faults are those that were seen in the field. Tests and training only.
"""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from bumble.device import Advertisement, Device
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from drivers.radio.bus_objects import NO, PROPERTIES, YES, BusError, Method, ObjectTree, Result
from drivers.radio.central import Central, plain
from drivers.radio.fake_device import DEVICE, FakeDevice, Faults

BLUEZ: Final = "org.bluez"
ADAPTER: Final = "org.bluez.Adapter1"
AGENT: Final = "org.bluez.Agent1"
AGENTS: Final = "org.bluez.AgentManager1"
KEYS_ONLY: Final = "KeyboardOnly"
HCI0: Final = "/org/bluez/hci0"


class FakeBlueZ:
    """The daemon; made by `serving`."""

    def __init__(self, bus: MessageBus, central: Central) -> None:
        self.faults: Final = Faults()
        self.tree: Final = ObjectTree(bus)
        self._bus = bus
        self._central = central
        self._discoverers: set[str] = set()
        self._agents: dict[str, str] = {}
        self._capabilities: dict[str, str] = {}
        self._default_agent: str | None = None
        self.attempts = 0
        """How often a connection was asked for."""
        self.scanned_while_connecting = 0
        """And how often during a scan; a small controller does one or the other."""
        self._devices: dict[str, FakeDevice] = {}

    @property
    def central(self) -> Central:
        return self._central

    @property
    def scanning(self) -> bool:
        return bool(self._discoverers)

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

    def note_attempt(self) -> None:
        """A connection is asked for."""
        self.attempts += 1
        self.scanned_while_connecting += bool(self._discoverers)

    async def ask_agent(self, device: str) -> None:
        """Have the agent decide whether a device may be paired.

        Seen with bluetoothd 5.66: without an agent every pairing fails.
        """
        if self._default_agent is None:
            raise BusError("org.bluez.Error.AuthenticationFailed", "Authentication Failed")
        reply = await self._ask("RequestAuthorization", device)
        if reply.message_type is MessageType.ERROR:
            raise BusError("org.bluez.Error.AuthenticationRejected", "Authentication Rejected")

    def passkey_of(self, device: str) -> Callable[[], Awaitable[int | None]] | None:
        """Asks the agent for the passkey that a device shows; None when the agent has no keys."""
        if self._default_agent is None or self._capabilities.get(self._default_agent) != KEYS_ONLY:
            return None

        async def ask() -> int | None:
            reply = await self._ask("RequestPasskey", device)
            return None if reply.message_type is MessageType.ERROR else int(reply.body[0])

        return ask

    async def _ask(self, member: str, device: str) -> Message:
        agent = self._default_agent or ""
        return await self._bus.call(
            Message(
                destination=agent,
                path=self._agents[agent],
                interface=AGENT,
                member=member,
                signature="o",
                body=[device],
            )
        )

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
            device = self._devices[path] = FakeDevice(self, path, advertisement.address)
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
            await self.power(on=bool(value.value))
        return Result()

    async def power(self, *, on: bool) -> None:
        """Switch the adapter; off, it forgets who scanned, and nobody scans when it is back.

        Seen with bluetoothd 5.66.
        """
        if on:
            self.faults.power_cycles += 1
        else:
            self._discoverers.clear()
            await self._quiet()
            for device in list(self._devices.values()):
                await device.drop()
        self.tree.change(HCI0, ADAPTER, {"Powered": YES if on else NO})

    # ── AgentManager1 ────────────────────────────────────────────────────────────────────────────

    async def _register_agent(self, message: Message) -> Result:
        if str(message.sender) in self._agents:
            raise BusError("org.bluez.Error.AlreadyExists", "Already Exists")
        self._agents[str(message.sender)] = str(message.body[0])
        self._capabilities[str(message.sender)] = str(message.body[1])
        return Result()

    async def _request_default_agent(self, message: Message) -> Result:
        if str(message.sender) not in self._agents:
            raise BusError("org.bluez.Error.DoesNotExist", "Does Not Exist")
        self._default_agent = str(message.sender)
        return Result()

    async def _unregister_agent(self, message: Message) -> Result:
        self.left(str(message.sender))
        return Result()


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
