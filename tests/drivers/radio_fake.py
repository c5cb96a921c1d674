"""A radio in memory, for the tests of drivers: the test plays the device."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

from drivers.transport.link import Wanted
from edge.ports.driver import DeviceMisbehaved, DeviceUnavailable


class FakeLink:
    """One connection.

    Args:
        values: what reading each characteristic gives; these and `notifying` are all it offers.
        notifying: UUIDs that can be subscribed to.
    """

    def __init__(
        self,
        values: Mapping[str, bytes] | None = None,
        notifying: tuple[str, ...] = (),
        *,
        mtu: int = 247,
        address: str = "F0:F1:F2:F3:F4:F5",
    ) -> None:
        self.values = dict(values or {})
        self.notifying = notifying
        self.mtu = mtu
        self.address = address
        self.written: list[tuple[str, bytes, bool]] = []
        self.subscribed: list[str] = []
        self._arrived: asyncio.Queue[tuple[str, bytes] | None] = asyncio.Queue()
        self._gone = False

    def push(self, uuid: str, data: bytes) -> None:
        """The device notifies; like the real thing, only what was subscribed to arrives."""
        if uuid in self.subscribed:
            self._arrived.put_nowait((uuid, data))

    def hang_up(self) -> None:
        self._gone = True
        self._arrived.put_nowait(None)

    def has(self, uuid: str) -> bool:
        return uuid in self.values or uuid in self.notifying

    async def read(self, uuid: str) -> bytes:
        self._check(uuid)
        return self.values[uuid]

    async def write(self, uuid: str, data: bytes, *, response: bool) -> None:
        self._check(uuid)
        self.written.append((uuid, data, response))

    async def subscribe(self, uuid: str) -> None:
        self._check(uuid)
        self.subscribed.append(uuid)

    async def events(self) -> AsyncIterator[tuple[str, bytes]]:
        while (event := await self._arrived.get()) is not None:
            yield event

    def _check(self, uuid: str) -> None:
        if self._gone:
            raise DeviceUnavailable("The device has gone.", code="ble-gone")
        if not self.has(uuid):
            raise DeviceMisbehaved("The device lacks a characteristic.", code="ble-characteristic-missing")


class FakeRadio:
    """Gives its links one after the other, or raises where an error stands in their place."""

    def __init__(self, *links: FakeLink | Exception) -> None:
        self.wanted: list[Wanted] = []
        self._links = list(links)

    @contextlib.asynccontextmanager
    async def session(self, wanted: Wanted) -> AsyncGenerator[FakeLink]:
        self.wanted.append(wanted)
        if not self._links:
            await asyncio.Event().wait()  # nobody advertises
        link = self._links.pop(0)
        if isinstance(link, Exception):
            raise link
        try:
            yield link
        finally:
            link.hang_up()
