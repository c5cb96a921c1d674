"""One attempt at a connection with a device that was just heard, and what a failure means.

What is known of a device's keys decides twice: whether it is paired first, and whose fault it was.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from bleak.exc import BleakError

from drivers.transport import refusals
from drivers.transport.adapter import Adapter, AdapterTrouble
from drivers.transport.backend import FAILURES, Backend, Trouble, may_refuse_keys, trouble_of
from drivers.transport.connection import Connection
from drivers.transport.link import Wanted
from drivers.transport.pairing import PairingWindow
from drivers.transport.peer import Event, State
from drivers.transport.waiting import Found, Request
from edge.ports.driver import DeviceError

CONNECT_WITHIN_S: Final = 20.0
"""Connecting and finding out the services; an H10 was seen to need 15."""
PAIR_WITHIN_S: Final = 30.0
"""The limit of the pairing protocol itself (Core, vol. 3, part H, 3.4)."""
GRACE_S: Final = 5.0
"""Beyond bleak's own limit, for it to clean up."""

_LOG: Final = logging.getLogger(__name__)


class Attempts:
    """Makes them, one at a time; the scan has been stopped before.

    Args:
        window: which devices may be paired now.
        now_s: the monotonic clock.
    """

    def __init__(
        self, backend: Backend, adapter: Adapter, window: PairingWindow, now_s: Callable[[], float]
    ) -> None:
        self._backend = backend
        self._adapter = adapter
        self._window = window
        self._now_s = now_s

    async def connect(self, found: Found) -> Connection | None:
        """The connection; None when its driver has been told why there is none.

        Raises:
            AdapterTrouble: it was no fault of the device, and the driver may wait on.
        """
        request, wanted, peer = found.request, found.request.wanted, found.request.peer
        bonded = wanted.bond and self._backend.bonded(found.device, found.advertisement)
        pair = wanted.bond and not bonded
        if pair and not self._window.is_open(found.device.address):
            peer.failed(self._now_s())
            request.refuse(refusals.not_paired(wanted))
            return None
        peer.on(Event.PAIRING_BEGUN if pair else Event.CONNECT_BEGUN)
        connection = Connection(found.device.address, wanted.acquire)
        within_s = CONNECT_WITHIN_S + (PAIR_WITHIN_S if pair else 0)
        client = self._backend.client(found.device, connection.gone, pair=pair, timeout_s=within_s)
        try:
            async with self._adapter.lock, asyncio.timeout(within_s + GRACE_S) as limit:
                if bonded:
                    loop_s = asyncio.get_running_loop().time
                    self._backend.when_link_keeps_falling(lambda: limit.reschedule(loop_s()))
                await client.connect()
        except (BleakError, AssertionError, *FAILURES) as error:
            self._failed(found, self._trouble(error, bonded=bonded), error)
            return None
        connection.opened(client)
        self._adapter.proved()
        peer.on(Event.CONNECTED)
        return connection

    def _trouble(self, error: BaseException, *, bonded: bool) -> Trouble:
        trouble = trouble_of(error)
        fell = may_refuse_keys(error) or self._backend.link_kept_falling()
        return Trouble.SUSPECT_KEYS if trouble is Trouble.DEVICE and bonded and fell else trouble

    def _failed(self, found: Found, trouble: Trouble, error: BaseException) -> None:
        request, peer = found.request, found.request.peer
        pairing = peer.state is State.PAIRING
        _LOG.info("not connected", extra={"device": found.device.address, "trouble": trouble.value})
        match trouble:
            case Trouble.ADAPTER | Trouble.DAEMON:
                raise AdapterTrouble(trouble, "connect") from error
            case Trouble.KEYS if pairing:
                peer.failed(self._now_s())
                request.refuse(refusals.pairing_failed(request.wanted))
            case Trouble.KEYS:
                peer.keys_refused(self._now_s())
                request.refuse(_lost_or(refusals.keys_refused, request))
            case Trouble.SUSPECT_KEYS:
                peer.keys_suspected(self._now_s())
                request.refuse(_lost_or(refusals.unreachable, request))
            case Trouble.DEVICE:
                peer.failed(self._now_s())
                request.refuse(refusals.unreachable(request.wanted))


def _lost_or(other: Callable[[Wanted], DeviceError], request: Request) -> DeviceError:
    """What to tell when keys may be the reason: from some point on that the bond is lost."""
    lost = request.peer.state is State.BOND_LOST
    return refusals.bond_lost(request.wanted) if lost else other(request.wanted)
