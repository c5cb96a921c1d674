"""Drivers that wait for their devices, and which of them an advertisement is for. No radio, no waiting."""

import asyncio
import dataclasses
from typing import Final

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from drivers.transport.connection import Connection
from drivers.transport.link import Wanted
from drivers.transport.peer import Event, Peer
from edge.ports.driver import DeviceError


@dataclasses.dataclass(slots=True, eq=False)
class Request:
    """A driver that waits for its device."""

    wanted: Wanted
    peer: Peer
    answer: asyncio.Future[Connection]

    def give(self, connection: Connection) -> bool:
        """Hand the connection over; False when the driver has stopped waiting."""
        if self.answer.done():
            return False
        self.answer.set_result(connection)
        return True

    def refuse(self, error: DeviceError) -> None:
        """Tell the driver, if it still waits."""
        if not self.answer.done():
            self.answer.set_exception(error)

    def matches(self, device: BLEDevice, advertisement: AdvertisementData) -> bool:
        """Whether this is the device."""
        wanted = self.wanted
        if wanted.address is not None:
            return device.address.upper() == wanted.address
        if wanted.service is not None and wanted.service not in advertisement.service_uuids:
            return False
        name = advertisement.local_name or device.name or ""
        return name.startswith(wanted.name_prefix or "")


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A device that somebody waits for, as it was heard just now."""

    request: Request
    device: BLEDevice
    advertisement: AdvertisementData


class WaitingRoom:
    """All requests; the first whose device is heard is served next."""

    def __init__(self) -> None:
        self.requests: Final[list[Request]] = []
        self._found: Found | None = None

    def hear(self, device: BLEDevice, advertisement: AdvertisementData, now_s: float) -> bool:
        """Take an advertisement; whether it is one that somebody waits for and nobody was found before."""
        if self._found is not None:
            return False
        for request in self.requests:
            if request.matches(device, advertisement) and request.peer.may_connect(now_s):
                request.peer.on(Event.ADVERTISED)
                self._found = Found(request, device, advertisement)
                return True
        return False

    def take(self) -> Found | None:
        """Who was found, if its driver still waits; it waits here no more."""
        found, self._found = self._found, None
        if found is None:
            return None
        if found.request not in self.requests:
            found.request.peer.on(Event.RELEASED)  # or nobody who comes later would ever be connected with it
            return None
        self.requests.remove(found.request)
        return found

    def put_back(self, found: Found) -> None:
        """The adapter failed before there was a connection: it waits again, if its driver does."""
        found.request.peer.on(Event.ADAPTER_FAILED)
        if not found.request.answer.done():
            self.requests.append(found.request)

    def resting(self, now_s: float) -> list[Request]:
        """Those whose device rests."""
        return [request for request in self.requests if request.peer.rests_for_s(now_s) is not None]

    def longest_look_s(self, at_most_s: float, now_s: float) -> float:
        """Until when nothing changes by itself: the first rest that ends, or so many seconds."""
        rests = (request.peer.rests_for_s(now_s) for request in self.requests)
        return min([at_most_s, *(rest_s for rest_s in rests if rest_s is not None)])

    def dismiss(self, error: DeviceError) -> None:
        """The adapter is down: tell everybody."""
        for request in self.requests:
            request.peer.on(Event.ADAPTER_FAILED)
            request.refuse(error)
        self.requests.clear()
