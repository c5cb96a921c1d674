"""Our side of the simulated air: a bumble host whose controller lives in the world process.

Chain C puts bleak's interface on it, chain B the bus objects of BlueZ. What a Bluetooth daemon does for
both is here: keep bonds, connect within bounds, encrypt a bonded link before anybody uses it, find out
the services.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from pathlib import Path
from typing import Final

from bumble import att, core, hci
from bumble.device import Connection, Device, Peer
from bumble.host import Host
from bumble.transport.common import Transport, TransportLostError
from bumble.transport.tcp_client import open_tcp_client_transport
from bumble.transport.unix import open_unix_client_transport

from drivers.radio.air import key_store, make_device, with_keypad

MTU: Final = 247
PAIR_WITHIN_S: Final = 30.0
ANSWER_WITHIN_S: Final = 10.0
DISCOVER_WITHIN_S: Final = 20.0
GIVES_UP_EVERY_S: Final = 0.05
GIVES_UP_TRIES: Final = 40
_MIC_FAILURE: Final = hci.HCI_ErrorCode.CONNECTION_TERMINATED_DUE_TO_MIC_FAILURE_ERROR
"""How a link ends whose two sides have different keys."""
_REFUSALS: Final = frozenset(
    {hci.HCI_ErrorCode.PIN_OR_KEY_MISSING_ERROR, hci.HCI_ErrorCode.AUTHENTICATION_FAILURE_ERROR}
)


class LinkFailed(Exception):
    """There is no connection, or there is none any more; ``reason`` is why it ended, as HCI counts."""

    def __init__(self, text: str, reason: int | None = None) -> None:
        super().__init__(text)
        self.reason = reason


class KeysRefused(Exception):
    """Pairing failed, or the other side does not accept the keys of the bond."""


class AttRefused(Exception):
    """The other side answered with an error of the attribute protocol."""

    def __init__(self, code: int) -> None:
        super().__init__(f"0x{code:02x}")
        self.code = code


class Central:
    """A host in the air, opened when it is first needed and again after the world was lost.

    Args:
        where: what the world listens on, ``unix:PATH`` or ``tcp:HOST:PORT``.
        address: our own, a random static one, by which devices remember us.
        bonds: file for our half of the bonds; memory without.
    """

    def __init__(self, where: str, address: str, bonds: Path | None = None) -> None:
        self._where = where
        self._address = address
        self._keys = key_store(address, bonds)
        self._transport: Transport | None = None
        self._device: Device | None = None
        self._opening = asyncio.Lock()
        self.bonded: set[str] = set()
        """Addresses that we hold keys for."""

    @property
    def joined(self) -> bool:
        """Whether we are in the air."""
        return self._device is not None

    async def device(self) -> Device:
        """The host, powered on.

        Raises:
            OSError: the world is not there.
        """
        async with self._opening:
            if self._device is None:
                transport = await open_transport(self._where)
                device = make_device(
                    "qafila", self._address, Host(transport.source, transport.sink), self._keys
                )
                try:
                    await device.power_on()
                except TransportLostError as error:
                    await transport.close()
                    raise ConnectionResetError("the simulated air has gone") from error
                device.on(Device.EVENT_FLUSH, self._lost)
                self._transport, self._device = transport, device
                self.bonded = {plain(name) for name, _ in await self._keys.get_all()}
            return self._device

    async def close(self) -> None:
        """Leave the air."""
        transport, self._transport, self._device = self._transport, None, None
        if transport is not None:
            await transport.close()

    async def connect(self, address: hci.Address, timeout_s: float) -> Connection:
        """Connect to a device that advertises, and encrypt the link when there is a bond.

        Raises:
            LinkFailed: it did not answer in time.
            KeysRefused: it does not know us any more.
        """
        device = await self.device()
        with link_errors():
            connection = await _reach(device, address, timeout_s)
        if plain(address) in self.bonded:
            try:
                await _encrypt(connection)
            except BaseException:
                await hang_up(connection)
                raise
        return connection

    async def pair(
        self, connection: Connection, number: Callable[[], Awaitable[int | None]] | None = None
    ) -> None:
        """Pair and keep the keys; Just Works unless somebody is there to type a number.

        Raises:
            KeysRefused: the device would not, or went away meanwhile.
        """
        device = connection.device
        usual = device.pairing_config_factory
        if number is not None:
            device.pairing_config_factory = with_keypad(number)
        try:
            async with _while_connected(connection, PAIR_WITHIN_S):
                await connection.pair()
        except LinkFailed as error:
            raise KeysRefused("pairing failed") from error
        finally:
            device.pairing_config_factory = usual
        self.bonded.add(plain(connection.peer_address))

    async def forget(self, address: str) -> None:
        """Remove our half of a bond."""
        self.bonded.discard(address.upper())
        for name, _ in await self._keys.get_all():
            if plain(name) == address.upper():
                await self._keys.delete(name)

    def _lost(self) -> None:
        self._transport = self._device = None


async def open_transport(where: str) -> Transport:
    """Connect to the world."""
    kind, _, place = where.partition(":")
    opener = open_unix_client_transport if kind == "unix" else open_tcp_client_transport
    return await opener(place)


async def discover(connection: Connection) -> Peer:
    """Exchange the MTU and find out all services.

    Raises:
        LinkFailed: the device hung up before that was done.
    """
    peer = Peer(connection)
    async with _while_connected(connection, DISCOVER_WITHIN_S):
        await peer.request_mtu(MTU)
        await peer.discover_all()  # type: ignore[no-untyped-call]  # bumble's
    return peer


async def _reach(device: Device, address: hci.Address, timeout_s: float) -> Connection:
    """Connect; who is cancelled leaves a controller that is not connecting any more.

    A command must not be cut short: bumble takes its late answer for the answer to the next command.
    """
    attempt = asyncio.get_running_loop().create_task(device.connect_le(address, timeout=timeout_s))
    try:
        return await asyncio.shield(attempt)
    except asyncio.CancelledError:
        for _ in range(GIVES_UP_TRIES):
            if attempt.done():
                break
            with contextlib.suppress(hci.HCI_Error, core.BaseBumbleError):  # nothing may have begun yet
                await device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
            await asyncio.wait((attempt,), timeout=GIVES_UP_EVERY_S)
        if attempt.done() and not attempt.cancelled() and attempt.exception() is None:
            await hang_up(attempt.result())
        raise
    finally:
        attempt.cancel()


async def _encrypt(connection: Connection) -> None:
    """Encrypt with the keys of the bond."""
    try:
        async with _while_connected(connection, ANSWER_WITHIN_S):
            await connection.encrypt()
    except LinkFailed as error:
        cause = error.__cause__
        refused = isinstance(cause, hci.HCI_Error) and cause.error_code in _REFUSALS
        if refused or error.reason == _MIC_FAILURE:
            raise KeysRefused("the bond is not accepted") from error
        raise


@contextlib.asynccontextmanager
async def _while_connected(connection: Connection, within_s: float) -> AsyncGenerator[None]:
    """Do something that ends at once when the connection does; bumble's own waits begin too late for that."""
    loop = asyncio.get_running_loop()
    ended: list[int] = []
    scope = asyncio.timeout(within_s)

    def end(reason: int) -> None:
        ended.append(reason)
        scope.reschedule(loop.time())

    if connection.device.lookup_connection(connection.handle) is not connection:
        raise LinkFailed("the connection has ended", hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR)
    connection.once(Connection.EVENT_DISCONNECTION, end)
    try:
        with link_errors():
            async with scope:
                yield
    except TimeoutError as error:
        raise LinkFailed("the connection ended" if ended else "no answer", *ended) from error
    except LinkFailed as error:
        error.reason = ended[0] if ended else None
        raise
    finally:
        if not ended:
            connection.remove_listener(Connection.EVENT_DISCONNECTION, end)


async def hang_up(connection: Connection) -> None:
    """End a connection; harmless when it has ended."""
    with contextlib.suppress(LinkFailed):
        async with _while_connected(connection, ANSWER_WITHIN_S):
            await connection.disconnect()


@contextlib.contextmanager
def link_errors() -> Generator[None]:
    """Turn bumble's ways of failing into three.

    bumble cancels what waits for a connection that ends; such a cancellation is not one of ours.
    """
    try:
        yield
    except att.ATT_Error as error:
        raise AttRefused(int(error.error_code)) from error
    except (core.BaseBumbleError, hci.HCI_Error) as error:
        raise LinkFailed(str(error)) from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise LinkFailed("the connection ended") from error


def plain(address: hci.Address | str) -> str:
    """An address without the suffix by which bumble marks a public one."""
    return str(address).partition("/")[0].upper()
