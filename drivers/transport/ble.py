"""The Bluetooth adapter and its one owner.

One task scans, connects and pairs; nobody else does. Two scanners, or a scan during a connection, are
the commonest way in which Bluetooth fails on a small computer. Drivers ask for a session and wait; the
task hears their device advertise, stops the scan, connects at once with what was just heard, and scans on.
"""

import asyncio
import contextlib
import dataclasses
import logging
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from drivers.transport import refusals
from drivers.transport.adapter import Adapter, AdapterTrouble
from drivers.transport.alongside import alongside
from drivers.transport.backend import (
    FAILURES,
    NO_SIGNAL_DBM,
    Backend,
    Trouble,
    may_refuse_keys,
    trouble_of,
)
from drivers.transport.connection import Connection, KeysRefused
from drivers.transport.link import Wanted
from drivers.transport.nearby import Lookout, Sighting
from drivers.transport.pairing import PairingWindow
from drivers.transport.peer import Event, Peer, State
from edge.clock import Clock
from edge.ports.driver import DeviceError, DeviceMisbehaved

CONNECT_WITHIN_S: Final = 20.0
"""Connecting and finding out the services; an H10 was seen to need 15."""
PAIR_WITHIN_S: Final = 30.0
"""The limit of the pairing protocol itself (Core, vol. 3, part H, 3.4)."""
GRACE_S: Final = 5.0
"""Beyond bleak's own limit, for it to clean up."""
LOOK_EVERY_S: Final = 2.0
"""How often a scan in which nothing happens is looked after."""
SILENT_S: Final = 120.0
"""No advertisement from anything for so long is the adapter's fault more often than the neighbourhood's."""

_LOG: Final = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True, eq=False)
class _Request:
    """A driver that waits for its device."""

    wanted: Wanted
    peer: Peer
    answer: asyncio.Future[Connection]


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    request: _Request
    device: BLEDevice
    advertisement: AdvertisementData


class AdapterOwner:
    """The adapter as drivers share it: a `drivers.transport.link.Radio`.

    Args:
        window: which devices may be paired now.
        jitter: spreads rests and pauses.
    """

    def __init__(
        self, backend: Backend, window: PairingWindow, clock: Clock, jitter: random.Random | None = None
    ) -> None:
        self.window: Final = window
        self._backend = backend
        self._now_s = clock.monotonic_s
        self._jitter = jitter or random.Random()  # noqa: S311  spreads waits, hides nothing
        self._peers: dict[Wanted, Peer] = {}
        self._requests: list[_Request] = []
        self._lookouts: list[Lookout] = []
        self._connected = 0
        self._wake = asyncio.Event()
        self._found: _Found | None = None
        self._scan_again = False
        self._heard_s = 0.0
        self._adapter = Adapter(backend, self._now_s, self._jitter)

    # ── what drivers and technicians ask ─────────────────────────────────────────────────────────

    @contextlib.asynccontextmanager
    async def session(self, wanted: Wanted) -> AsyncGenerator[Connection]:
        """See `drivers.transport.link.Radio.session`."""
        peer = self._peers.setdefault(wanted, Peer(self._jitter))
        connection = await self._wait_for(wanted, peer)
        try:
            yield connection
        except KeysRefused as error:
            peer.keys_refused(self._now_s())
            if peer.state is State.BOND_LOST:
                raise refusals.bond_lost(wanted) from error
            raise
        except DeviceMisbehaved:
            peer.failed(self._now_s())
            raise
        except DeviceError:
            self._judge(peer, connection)
            raise
        except BaseException:
            peer.on(Event.RELEASED)  # the agent stops, or has a bug: nothing against the device
            raise
        else:
            self._judge(peer, connection)
        finally:
            self._connected -= 1
            async with self._adapter.lock:
                await connection.close()

    def state(self, wanted: Wanted) -> State:
        """How a device stands."""
        peer = self._peers.get(wanted)
        return State.ABSENT if peer is None else peer.state

    def try_again(self, address: str) -> None:
        """Somebody at the box asks for another try with a device that was put aside."""
        for wanted, peer in self._peers.items():
            if wanted.address == address and peer.state is not State.BOND_LOST:
                peer.forgive()
        self._look_again()

    async def nearby(self, for_s: float) -> Sequence[Sighting]:
        """Every device that advertises during so many seconds, the strongest first.

        Raises:
            RadioDown: there is no adapter that scans.
        """
        lookout = Lookout(self._backend.bonded)
        self._lookouts.append(lookout)
        self._look_again()
        try:
            async with asyncio.timeout(for_s):
                await lookout.given_up.wait()
        except TimeoutError:
            pass
        finally:
            self._lookouts.remove(lookout)
            self._wake.set()
        if not lookout.looked:
            raise refusals.radio_down()
        return lookout.sightings()

    async def paired(self, address: str) -> bool:
        """Whether our side holds keys for a device.

        Raises:
            RadioDown: nobody can say.
        """
        async with self._adapter.asking():
            return await self._backend.paired(address)

    async def forget(self, address: str) -> None:
        """Remove our side's keys, and let nothing pair it any more.

        Raises:
            RadioDown: the keys could not be removed.
        """
        self.window.withdraw(address)
        async with self._adapter.asking():
            await self._backend.forget(address)
        for wanted, peer in self._peers.items():
            if wanted.address == address.upper():
                peer.forgive()

    async def pair_again(self, address: str, for_s: float) -> None:
        """The technician's answer to a lost bond: forget our keys, and let the device be paired for a while.

        Raises:
            RadioDown: the keys could not be removed.
        """
        async with self._adapter.asking():
            await self._backend.forget(address)
        self.window.open(address, for_s)
        for wanted, peer in self._peers.items():
            if wanted.address == address:
                peer.forgive()
        self._look_again()

    # ── the one task ─────────────────────────────────────────────────────────────────────────────

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Own the adapter while the context lasts; a bug in here ends what the context holds."""
        async with alongside({"bluetooth-adapter": self._own()}):
            yield

    async def _own(self) -> None:
        try:
            while True:
                try:
                    await self._turn()
                except AdapterTrouble as trouble:
                    await self._repair(trouble)
        finally:
            await self._adapter.close()

    async def _turn(self) -> None:
        """Scan until something is worth doing, and do it."""
        self._wake.clear()
        if self._scan_again or not self._wanted:
            self._scan_again = False
            await self._adapter.stop_scan()
        if not self._wanted:
            await self._wake.wait()
            return
        now_s = self._now_s()
        resting = [request for request in self._requests if request.peer.rests_for_s(now_s) is not None]
        if await self._adapter.start_scan(self._heard):  # which can take longer than a rest
            self._scan_began()
        try:
            async with asyncio.timeout(self._look_in_s(self._now_s())):
                await self._wake.wait()
        except TimeoutError:
            if not self._backend.well:
                raise AdapterTrouble(Trouble.DAEMON, "scan") from None
            if self._silent_too_long():
                self._heard_s = self._now_s()
                await self._adapter.suspect()
            # a device whose rest is over may have been heard, and filtered as a duplicate, before
            now_s = self._now_s()
            self._scan_again = any(request.peer.rests_for_s(now_s) is None for request in resting)
            return
        found, self._found = self._found, None
        if found is not None and found.request in self._requests:
            self._requests.remove(found.request)
            await self._adapter.stop_scan()
            await self._connect(found)

    @property
    def _wanted(self) -> bool:
        """Whether anybody waits for what a scan would hear."""
        return bool(self._requests or self._lookouts)

    def _look_in_s(self, now_s: float) -> float:
        """When to look again even if nothing is heard."""
        rests = (request.peer.rests_for_s(now_s) for request in self._requests)
        return min([LOOK_EVERY_S, *(rest_s for rest_s in rests if rest_s is not None)])

    def _silent_too_long(self) -> bool:
        # a live connection proves the adapter, and power-cycling it would end the connection
        return self._connected == 0 and self._now_s() - self._heard_s >= SILENT_S

    def _scan_began(self) -> None:
        for lookout in self._lookouts:
            lookout.looked = True
        self._heard_s = self._now_s()

    def _heard(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        if advertisement.rssi <= NO_SIGNAL_DBM:
            return
        now_s = self._heard_s = self._now_s()
        for lookout in self._lookouts:
            lookout.see(device, advertisement)
        if self._found is not None:
            return
        for request in self._requests:
            if _matches(request.wanted, device, advertisement) and request.peer.may_connect(now_s):
                request.peer.on(Event.ADVERTISED)
                self._found = _Found(request, device, advertisement)
                self._wake.set()
                return

    async def _connect(self, found: _Found) -> None:
        request, wanted, peer = found.request, found.request.wanted, found.request.peer
        bonded = wanted.bond and self._backend.bonded(found.device, found.advertisement)
        pair = wanted.bond and not bonded
        if pair and not self.window.is_open(found.device.address):
            peer.failed(self._now_s())
            _answer(request, error=refusals.not_paired(wanted))
            return
        peer.on(Event.PAIRING_BEGUN if pair else Event.CONNECT_BEGUN)
        connection = Connection(found.device.address, wanted.acquire)
        within_s = CONNECT_WITHIN_S + (PAIR_WITHIN_S if pair else 0)
        client = self._backend.client(found.device, connection.gone, pair=pair, timeout_s=within_s)
        try:
            async with self._adapter.lock, asyncio.timeout(within_s + GRACE_S) as limit:
                if bonded:
                    now_s = asyncio.get_running_loop().time
                    self._backend.when_link_keeps_falling(lambda: limit.reschedule(now_s()))
                await client.connect()
        except (BleakError, AssertionError, *FAILURES) as error:
            trouble = trouble_of(error)
            fell = may_refuse_keys(error) or self._backend.link_kept_falling()
            if trouble is Trouble.DEVICE and bonded and fell:
                trouble = Trouble.SUSPECT_KEYS
            self._not_connected(found, trouble, error)
            return
        connection.opened(client)
        self._adapter.proved()
        self._connected += 1
        peer.on(Event.CONNECTED)
        if not _answer(request, connection=connection):
            self._connected -= 1
            peer.on(Event.RELEASED)
            async with self._adapter.lock:
                await connection.close()

    def _not_connected(self, found: _Found, trouble: Trouble, error: BaseException) -> None:
        request, peer = found.request, found.request.peer
        pairing = peer.state is State.PAIRING
        _LOG.info("not connected", extra={"device": found.device.address, "trouble": trouble.value})
        match trouble:
            case Trouble.ADAPTER | Trouble.DAEMON:
                peer.on(Event.ADAPTER_FAILED)
                if not request.answer.done():
                    self._requests.append(request)
                raise AdapterTrouble(trouble, "connect") from error
            case Trouble.KEYS if pairing:
                peer.failed(self._now_s())
                _answer(request, error=refusals.pairing_failed(request.wanted))
            case Trouble.KEYS:
                peer.keys_refused(self._now_s())
                _answer(request, error=_lost_or(refusals.keys_refused, request))
            case Trouble.SUSPECT_KEYS:
                peer.keys_suspected(self._now_s())
                _answer(request, error=_lost_or(refusals.unreachable, request))
            case Trouble.DEVICE:
                peer.failed(self._now_s())
                _answer(request, error=refusals.unreachable(request.wanted))

    async def _repair(self, trouble: AdapterTrouble) -> None:
        """Have the adapter mended, and tell who waits if that goes on."""
        step = await self._adapter.failed(trouble)
        if self._adapter.down:
            for request in self._requests:
                request.peer.on(Event.ADAPTER_FAILED)
                _answer(request, error=refusals.radio_down())
            self._requests.clear()
            for lookout in self._lookouts:
                lookout.given_up.set()
        await self._adapter.mend(step, trouble.trouble)

    # ── sessions ─────────────────────────────────────────────────────────────────────────────────

    async def _wait_for(self, wanted: Wanted, peer: Peer) -> Connection:
        peer.wake(self._now_s())
        if peer.state is State.BOND_LOST:
            raise refusals.bond_lost(wanted)
        if peer.state is State.QUARANTINED:
            raise refusals.quarantined(wanted)
        request = _Request(wanted, peer, asyncio.get_running_loop().create_future())
        self._requests.append(request)
        self._look_again()
        try:
            return await request.answer
        finally:
            if request in self._requests:
                self._requests.remove(request)
                self._wake.set()

    def _look_again(self) -> None:
        """Scan anew: what is wanted now may have been heard, and filtered as a duplicate, before."""
        self._scan_again = True
        self._wake.set()

    def _judge(self, peer: Peer, connection: Connection) -> None:
        """After a session: who speaks and hangs up has done well; who hangs up without a word has not."""
        if connection.hung_up:
            peer.on(Event.HUNG_UP)
        if connection.spoke or not connection.hung_up:
            peer.released(spoke=connection.spoke)
        else:
            peer.failed(self._now_s())


def _matches(wanted: Wanted, device: BLEDevice, advertisement: AdvertisementData) -> bool:
    if wanted.address is not None:
        return device.address.upper() == wanted.address
    if wanted.service is not None and wanted.service not in advertisement.service_uuids:
        return False
    name = advertisement.local_name or device.name or ""
    return name.startswith(wanted.name_prefix or "")


def _lost_or(other: Callable[[Wanted], DeviceError], request: _Request) -> DeviceError:
    """What to tell when keys may be the reason: from some point on that the bond is lost."""
    lost = request.peer.state is State.BOND_LOST
    return refusals.bond_lost(request.wanted) if lost else other(request.wanted)


def _answer(
    request: _Request, *, connection: Connection | None = None, error: DeviceError | None = None
) -> bool:
    """Give a waiting driver its connection or its error; False when it has stopped waiting."""
    if request.answer.done():
        return False
    if error is not None:
        request.answer.set_exception(error)
    elif connection is not None:
        request.answer.set_result(connection)
    return True
