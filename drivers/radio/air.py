"""The simulated air: controllers that hear one another, and bodies for the devices that live in it.

bumble brings controllers and a link between them; where it differs from a radio in a way that a host
notices, it is put right here, each with what goes wrong without it.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Final, cast

from bumble import core, hci, ll
from bumble.controller import Connection as LinkEnd
from bumble.controller import Controller
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.host import Host
from bumble.keys import JsonKeyStore, KeyStore, MemoryKeyStore
from bumble.link import LocalLink
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport.common import AsyncPipeSink, StreamPacketSink, StreamPacketSource

LOST: Final = hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
"""How a link ends whose other end has left."""
BY_US: Final = hci.HCI_ErrorCode.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR
_LOG: Final = logging.getLogger(__name__)
_KEYS: Final = PairingDelegate.KeyDistribution.DISTRIBUTE_ENCRYPTION_KEY
_MISSING_FEATURES: Final = (
    hci.LeFeatureMask.LL_PRIVACY
    | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
    | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
)
"""bumble's controller claims these and does not do them well enough for a Linux host (google/bumble #841)."""


class Link(LocalLink):
    """bumble's link, with data coming from the address that the connection was made from.

    bumble sends it from the sender's random address. A Linux host connects from its public one and sets
    a random one merely to scan, so its peer would drop every packet ("no connection for ...").
    """

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: core.PhysicalTransport,
        data: bytes,
    ) -> None:
        connection = sender_controller.le_connections.get(destination_address)
        receiver = self.find_le_controller(destination_address)
        if connection is None or receiver is None:
            return
        source = connection.self_address
        asyncio.get_running_loop().call_soon(lambda: receiver.on_link_acl_data(source, transport, data))

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        """As bumble's, but what nobody hears is lost and no error."""
        with contextlib.suppress(core.InvalidArgumentError):
            super().send_ll_control_pdu(sender_address, receiver_address, packet)


class VirtualController(Controller):
    """bumble's controller, with a connection attempt that can be given up.

    bumble answers the cancellation and goes on waiting: the next advertisement would connect a host that
    has long turned away, and every further attempt would be refused.
    """

    le_features = Controller.le_features & ~_MISSING_FEATURES

    def on_hci_le_create_connection_cancel_command(self, _command: object) -> hci.HCI_StatusReturnParameters:
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        asyncio.get_running_loop().call_soon(self._say_cancelled, pending.peer_address)
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def on_hci_disconnect_command(self, command: hci.HCI_Disconnect_Command) -> None:
        """As bumble's, but whoever hangs up hears that it did so itself (Core, vol. 4, part E, 7.1.6).

        bumble gives it the reason that is meant for the other end, and the kernel makes an error of that.
        """
        connection = self.find_le_connection_by_handle(command.connection_handle)
        if connection is None:
            super().on_hci_disconnect_command(command)
            return
        self.send_hci_packet(
            hci.HCI_Command_Status_Event(
                status=hci.HCI_COMMAND_STATUS_PENDING,
                num_hci_command_packets=1,
                command_opcode=command.op_code,
            )
        )
        connection.send_ll_control_pdu(ll.TerminateInd(command.reason))
        self.on_le_disconnected(connection, BY_US)

    def on_le_disconnected(self, connection: LinkEnd, reason: int) -> None:
        """As bumble's; news that both ends send at once is news only the first time."""
        if connection.peer_address in self.le_connections:
            super().on_le_disconnected(connection, reason)

    def _say_cancelled(self, peer: hci.Address) -> None:
        self.send_hci_packet(
            hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=hci.Role.CENTRAL,
                peer_address_type=peer.address_type,
                peer_address=peer,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
        )


class Air:
    """Where controllers hear one another."""

    def __init__(self) -> None:
        self._link = Link()  # type: ignore[no-untyped-call]  # bumble's
        self._hosts = 0
        self._leaving: dict[Controller, asyncio.Handle] = {}

    def controller(self, name: str, address: str) -> VirtualController:
        """A new controller in the air."""
        return VirtualController(name, link=self._link, public_address=address)

    def leave(self, controller: Controller) -> None:
        """Take it out of range: its links are lost at both ends."""
        for connection in list(controller.le_connections.values()):
            connection.send_ll_control_pdu(ll.TerminateInd(LOST))
            controller.on_le_disconnected(connection, LOST)
        # what the link was still to deliver is found by the address of a controller that is there
        discard = asyncio.get_running_loop().call_soon(self._link.controllers.discard, controller)
        self._leaving[controller] = discard

    def enter(self, controller: Controller) -> None:
        """Bring it back, though it may only be about to leave."""
        leaving = self._leaving.pop(controller, None)
        if leaving is not None:
            leaving.cancel()
        self._link.add_controller(controller)

    def body(self, name: str, address: str, bonds: Path | None = None) -> tuple[Device, VirtualController]:
        """A switched-off device in the air, reachable at ``address`` by either kind of address."""
        controller = self.controller(name, f"{address}/P")
        host = Host(controller, AsyncPipeSink(controller))
        device = make_device(name, address, host, key_store(address, bonds))
        return device, controller

    @contextlib.asynccontextmanager
    async def serve(self, listen: str) -> AsyncGenerator[str]:
        """Give a controller to each host that connects; gives back where, with the port that was chosen.

        Args:
            listen: ``unix:PATH``, or ``tcp:HOST:PORT`` with 0 for any free port.
        """
        loop = asyncio.get_running_loop()
        kind, _, where = listen.partition(":")
        if kind == "unix":
            _remove(where)
            server = await loop.create_unix_server(lambda: _HostConnection(self), where)
        else:
            name, _, port = where.rpartition(":")
            server = await loop.create_server(lambda: _HostConnection(self), name, int(port))
            where = f"{name}:{server.sockets[0].getsockname()[1]}"
        try:
            yield f"{kind}:{where}"
        finally:
            server.close()
            if kind == "unix":
                _remove(where)

    def next_host(self) -> VirtualController:
        """A controller for a host that has just come.

        A host that wants to be known again brings a random static address of its own.
        """
        self._hosts += 1
        last = (self._hosts & 0xFFFF).to_bytes(2, "big").hex(":")
        return self.controller(f"host-{self._hosts}", f"00:16:3E:00:{last}/P")


class _HostConnection(StreamPacketSource):
    """One host, over HCI; when it goes, however it goes, its controller leaves the air."""

    def __init__(self, air: Air) -> None:
        super().__init__()
        self._air = air
        self._controller: VirtualController | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        controller = self._air.next_host()
        controller.host = StreamPacketSink(cast("asyncio.WriteTransport", transport))
        self.set_packet_sink(controller)
        self._controller = controller

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's
        if self._controller is not None:
            self._controller.host = None
            self._air.leave(self._controller)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108  called from the loop


def key_store(address: str, bonds: Path | None) -> KeyStore:
    """Where a device keeps its bonds: a file under its own address, or memory."""
    return MemoryKeyStore() if bonds is None else JsonKeyStore(address, str(bonds))


def make_device(name: str, address: str, host: Host, keys: KeyStore) -> Device:
    """A bumble device that pairs Just Works, with Secure Connections, and hands out no identity key.

    Without an identity key it is known by its address alone, which never changes here.
    """
    config = DeviceConfiguration()
    config.name = name
    config.address = hci.Address(address)
    device = Device(config=config, host=host)
    device.keystore = keys
    device.pairing_config_factory = _just_works
    return device


class Keypad(PairingDelegate):
    """Keys and no display: whoever has a display shows a passkey, which somebody types here.

    Args:
        number: what was typed, or None when nobody did.
    """

    def __init__(self, number: Callable[[], Awaitable[int | None]]) -> None:
        super().__init__(PairingDelegate.KEYBOARD_INPUT_ONLY, _KEYS, _KEYS)
        self._number = number

    async def get_number(self) -> int | None:
        return await self._number()


def with_keypad(number: Callable[[], Awaitable[int | None]]) -> Callable[[Connection], PairingConfig]:
    """For `Device.pairing_config_factory`: pair as a host whose user can type."""
    return lambda _connection: PairingConfig(sc=True, mitm=True, bonding=True, delegate=Keypad(number))


def _just_works(_connection: Connection) -> PairingConfig:
    delegate = PairingDelegate(local_initiator_key_distribution=_KEYS, local_responder_key_distribution=_KEYS)
    return PairingConfig(sc=True, mitm=False, bonding=True, delegate=delegate)
