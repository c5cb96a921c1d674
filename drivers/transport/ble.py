"""The Bluetooth adapter and its one owner.

One task scans, connects and pairs; nobody else does. Two scanners, or a scan during a connection, are
the commonest way in which Bluetooth fails on a small computer. Drivers ask for a session and wait; the
task hears their device advertise, stops the scan, connects at once with what was just heard, and scans on.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from drivers.transport import refusals
from drivers.transport.adapter import Adapter, AdapterTrouble
from drivers.transport.alongside import alongside
from drivers.transport.attempt import Attempts
from drivers.transport.backend import NO_SIGNAL_DBM, Backend
from drivers.transport.connection import Connection, KeysRefused
from drivers.transport.link import Wanted
from drivers.transport.nearby import Lookout, Sighting
from drivers.transport.pairing import PairingWindow
from drivers.transport.peer import Event, Peer, State
from drivers.transport.waiting import Found, Request, WaitingRoom
from edge.clock import Clock
from edge.ports.driver import DeviceError, DeviceMisbehaved

LOOK_EVERY_S: Final = 2.0
"""How often a scan in which nothing happens is looked after."""
SILENT_S: Final = 120.0
"""No advertisement from anything for so long is the adapter's fault more often than the neighbourhood's."""
REFUSED_WITHIN_S: Final = 0.5
"""While the adapter is known to be down nobody is left waiting for a device as if it could be heard."""


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
        self._waiting = WaitingRoom()
        self._lookouts: list[Lookout] = []
        self._connected = 0
        self._wake = asyncio.Event()
        self._scan_again = False
        self._heard_s = 0.0
        self._adapter = Adapter(backend, self._now_s, self._jitter)
        self._attempts = Attempts(backend, self._adapter, window, self._now_s)

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
        resting = self._waiting.resting(self._now_s())
        if await self._adapter.start_scan(self._heard):  # which can take longer than a rest
            self._scan_began()
        try:
            async with asyncio.timeout(self._waiting.longest_look_s(LOOK_EVERY_S, self._now_s())):
                await self._wake.wait()
        except TimeoutError:
            if (trouble := self._backend.trouble) is not None:
                raise AdapterTrouble(trouble, "scan") from None
            if self._silent_too_long():
                self._heard_s = self._now_s()
                await self._adapter.suspect()
            # a device whose rest is over may have been heard, and filtered as a duplicate, before
            now_s = self._now_s()
            self._scan_again = any(request.peer.rests_for_s(now_s) is None for request in resting)
            return
        found = self._waiting.take()
        if found is not None:
            await self._serve(found)

    @property
    def _wanted(self) -> bool:
        """Whether anybody waits for what a scan would hear, or for a scan that works again."""
        return bool(self._waiting.requests or self._lookouts) or self._adapter.down

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
        if self._waiting.hear(device, advertisement, now_s):
            self._wake.set()

    async def _serve(self, found: Found) -> None:
        """Connect with a device that was heard, for the driver that waits for it."""
        try:
            await self._adapter.stop_scan()
            connection = await self._attempts.connect(found)
        except AdapterTrouble:
            self._waiting.put_back(found)
            raise
        if connection is None:
            return
        self._connected += 1
        if not found.request.give(connection):
            self._connected -= 1
            found.request.peer.on(Event.RELEASED)
            async with self._adapter.lock:
                await connection.close()

    async def _repair(self, trouble: AdapterTrouble) -> None:
        """Have the adapter mended, and tell who waits if that goes on."""
        step = await self._adapter.failed(trouble)
        if self._adapter.down:
            self._waiting.dismiss(refusals.radio_down())
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
        request = Request(wanted, peer, asyncio.get_running_loop().create_future())
        self._waiting.requests.append(request)
        self._look_again()
        try:
            async with asyncio.timeout(REFUSED_WITHIN_S if self._adapter.down else None):
                return await request.answer
        except TimeoutError:
            await self._give_back(request)
            raise refusals.radio_down() from None
        except asyncio.CancelledError:
            await self._give_back(request)
            raise
        finally:
            if request in self._waiting.requests:
                self._waiting.requests.remove(request)
                self._wake.set()

    async def _give_back(self, request: Request) -> None:
        """Hang up a connection that came at the very moment at which its driver stopped waiting."""
        answer = request.answer
        if not answer.done() or answer.cancelled() or answer.exception() is not None:
            return
        self._connected -= 1
        request.peer.on(Event.RELEASED)
        async with self._adapter.lock:
            await answer.result().close()

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
