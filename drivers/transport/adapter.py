"""The Bluetooth adapter itself: one thing at a time, each within bounds, and what is tried when it fails."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncGenerator, Callable
from typing import Final

from bleak import BleakScanner
from bleak.exc import BleakError

from drivers.transport import refusals
from drivers.transport.backend import FAILURES, Backend, Heard, Trouble, trouble_of
from drivers.transport.ladder import Ladder, Step

WITHIN_S: Final = 15.0
"""Starting or stopping a scan, preparing or power-cycling the adapter."""
FAREWELL_S: Final = 2.0
"""Stopping a scan that has failed already."""

_LOG: Final = logging.getLogger(__name__)


class AdapterTrouble(Exception):
    """The adapter or its daemon failed; kept between adapter and owner."""

    def __init__(self, trouble: Trouble, during: str) -> None:
        super().__init__(during)
        self.trouble = trouble
        self.during = during


class Adapter:
    """What its owner does with it.

    Args:
        backend: how the machine speaks to it.
        now_s: the monotonic clock.
        jitter: spreads pauses.

    Attributes:
        lock: held by whoever asks it something; a controller does one thing at a time.
    """

    def __init__(self, backend: Backend, now_s: Callable[[], float], jitter: random.Random) -> None:
        self.lock: Final = asyncio.Lock()
        self._backend = backend
        self._now_s = now_s
        self._jitter = jitter
        self._scanner: BleakScanner | None = None
        self._ladder = Ladder()

    @property
    def down(self) -> bool:
        """Whether it has failed so often that drivers are told."""
        return self._ladder.down

    def proved(self) -> None:
        """It has just done what it is for."""
        self._ladder.well()

    @contextlib.asynccontextmanager
    async def asking(self) -> AsyncGenerator[None]:
        """Ask the backend something that is no connection, within bounds.

        Raises:
            RadioDown: it cannot be answered.
        """
        async with self.lock:
            try:
                async with asyncio.timeout(WITHIN_S):
                    yield
            except (BleakError, *FAILURES) as error:
                raise refusals.radio_down() from error

    async def start_scan(self, heard: Heard) -> bool:
        """Scan, unless it does; whether it has begun now.

        Raises:
            AdapterTrouble: it cannot.
        """
        if self._scanner is not None:
            return False
        async with self._working("start a scan"):
            await self._backend.prepare()
            scanner = self._backend.scanner(heard)
            await scanner.start()
        self._scanner = scanner
        if self.down:
            _LOG.info("radio back")
        self.proved()
        return True

    async def stop_scan(self) -> None:
        """Stop scanning, if it does.

        Raises:
            AdapterTrouble: it cannot.
        """
        scanner, self._scanner = self._scanner, None
        if scanner is None:
            return
        async with self._working("stop a scan"):
            await scanner.stop()

    async def failed(self, trouble: AdapterTrouble) -> Step | None:
        """Leave the scan and climb the ladder: what is to be tried now, if anything."""
        was_down = self.down
        step = self._ladder.trouble(self._now_s())
        scanner, self._scanner = self._scanner, None
        if scanner is not None and trouble.trouble is not Trouble.DAEMON:  # who is gone cannot be told
            with contextlib.suppress(BleakError, AssertionError, *FAILURES):
                async with asyncio.timeout(FAREWELL_S):
                    await scanner.stop()
        if self.down and not was_down:
            _LOG.warning("radio down", extra={"during": trouble.during, "trouble": trouble.trouble.value})
        return step

    async def mend(self, step: Step | None, trouble: Trouble) -> None:
        """Try this, then leave it alone for a while."""
        if step is not None:
            await self._take(step, trouble)
        await asyncio.sleep(self._ladder.pause_s() * self._jitter.uniform(0.8, 1.2))

    async def suspect(self) -> None:
        """Nothing was heard for too long: try what may be tried now."""
        step = self._ladder.climb(self._now_s())
        if step is not None:
            await self.stop_scan()
            await self._take(step, Trouble.ADAPTER)

    async def close(self) -> None:
        """Leave it as somebody else may want it."""
        with contextlib.suppress(BleakError, *FAILURES):
            async with asyncio.timeout(WITHIN_S):
                if self._scanner is not None:
                    await self._scanner.stop()
        await self._backend.close()

    @contextlib.asynccontextmanager
    async def _working(self, during: str) -> AsyncGenerator[None]:
        """Do something with the adapter, alone and within bounds; whatever fails is the adapter's fault."""
        async with self.lock:
            try:
                async with asyncio.timeout(WITHIN_S):
                    yield
            except (BleakError, AssertionError, *FAILURES) as error:
                # bleak asserts that it has a bus; it has none after the bus has died
                trouble = trouble_of(error)
                raise AdapterTrouble(
                    trouble if trouble is Trouble.DAEMON else Trouble.ADAPTER, during
                ) from error

    async def _take(self, step: Step, trouble: Trouble) -> None:
        _LOG.warning("repairing radio", extra={"step": step.value})
        with contextlib.suppress(BleakError, *FAILURES):
            async with self.lock, asyncio.timeout(WITHIN_S):
                match step:
                    case Step.RESTART_SCAN:
                        pass  # the next turn starts a new one
                    case Step.POWER_CYCLE if trouble is Trouble.ADAPTER:
                        await self._backend.power_cycle()
                    case Step.POWER_CYCLE:
                        pass  # there is nobody to ask
                    case Step.RESTART_DAEMON:
                        await self._backend.restart_daemon()
