"""Keeps every configured device listened to: a task each, a pause after each failure, one line per change."""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from enum import StrEnum
from typing import Final

from edge.agent import view
from edge.agent.audience import Audience
from edge.agent.parts import Device
from edge.ports.caller import Json
from edge.ports.driver import ClearsMemory, DeviceError, DeviceEvent, Driver, Measures, TellsWhenReady
from edge.vitals.identity import Identity
from edge.vitals.place import Place
from edge.vitals.reading import Reading

ENDED: Final = "device-ended"
"""The device closed the session by itself, without an error: it has said what it had to say."""
NO_WAY: Final = frozenset(
    {
        "radio-down",
        "ble-quarantined",
        "bond-lost",
        "port-missing",
        "port-denied",
        "port-busy",
        "key-missing",
        "secret-locked",
    }
)
"""What a driver is told at once when there is no way to its device, or no key for it."""
WAITED_FOR_S: Final = 2.0
"""Whoever is not refused within this has a way to the device, and waits for it."""
ENDED_REST: Final = 0.05
"""How much of the usual pause follows then: enough that a device that only ends costs little."""
_LOG: Final = logging.getLogger(__name__)

Hear = Callable[[str, DeviceEvent], Awaitable[Sequence[bytes]]]


class Presence(StrEnum):
    """Whether a device is there."""

    STARTING = "starting"
    """There is a way to it, or it is about to be tried, and it has not spoken yet."""
    PRESENT = "present"
    GONE = "gone"


@dataclasses.dataclass(slots=True)
class Look:
    """What has happened with a device since somebody began to look.

    Attributes:
        events: how many events came.
        reading: the last of them that was a reading.
        place: the last of them that was a place.
        ended: how many sessions have ended by themselves.
        error: how the last of those ended, if by an error.
    """

    events: int = 0
    reading: Reading | None = None
    place: Place | None = None
    ended: int = 0
    error: DeviceError | None = None


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclasses.dataclass(slots=True)
class _Watched:
    """One device, the task that listens to it, and how it does."""

    driver: Driver
    task: asyncio.Task[None] | None = None
    presence: Presence = Presence.STARTING
    code: str | None = None
    identity: Identity | None = None
    told: Identity | None = None
    """What was told of it last."""
    session: "_Session | None" = None
    look: "Look" = dataclasses.field(default_factory=Look)
    wanted: asyncio.Event = dataclasses.field(default_factory=_set)
    """Set while it is to be listened to."""


class Supervisor:
    """Listens to all devices.

    Args:
        hear: what takes each event; a full disk is its business, not the device's. It gives the records
            that are durably stored, which the device is then told.
        gone: told when a device went away.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        audience: Audience,
        hear: Hear,
        gone: Callable[[str], None],
        *,
        retry_s: float,
    ) -> None:
        self._watched = {device.driver.key: _Watched(device.driver) for device in devices}
        self._audience = audience
        self._hear = hear
        self._gone = gone
        self._retry_s = retry_s
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Listen until cancelled. Anything but a `DeviceError` is a bug and ends the agent."""
        async with asyncio.TaskGroup() as self._group:
            for watched in self._watched.values():
                self._start(self._group, watched)
            self._group.create_task(asyncio.Event().wait(), name="devices-to-come")

    def add(self, driver: Driver) -> None:
        """Listen to this device too, from now on."""
        watched = self._watched[driver.key] = _Watched(driver)
        self._tell(watched)
        if self._group is not None:
            self._start(self._group, watched)

    async def remove(self, key: str) -> None:
        """Listen to it no more; it is hung up when this returns."""
        watched = self._watched.pop(key)
        self._audience.tell("device-forgotten", {"key": key})
        if watched.task is not None:
            watched.task.cancel()
            await asyncio.wait([watched.task])

    def again(self, key: str) -> None:
        """Open a device anew: between two of its events, or at once while it is waited for."""
        session = self._watched[key].session
        if session is not None:
            session.end()

    async def reopen(self, key: str) -> Look:
        """End the session that there is, and look at what happens from then on."""
        watched = self._watched[key]
        session = watched.session
        if session is not None:
            session.end()
            await session.over.wait()
        self._now(watched, Presence.STARTING, None)
        return self.look(key)

    @contextlib.asynccontextmanager
    async def paused(self, key: str) -> AsyncGenerator[None]:
        """Leave a device alone for as long as this lasts; one that is not listened to anyway, too."""
        watched = self._watched.get(key)
        if watched is None:
            yield
            return
        watched.wanted.clear()
        try:
            session = watched.session
            if session is not None:
                session.end()
                await session.over.wait()
            yield
        finally:
            watched.wanted.set()

    def look(self, key: str) -> Look:
        """Begin to look: what happens with the device from now on."""
        watched = self._watched[key]
        watched.look = Look()
        return watched.look

    def ready(self, key: str) -> bool:
        """Whether the device is met and set up, though it may have said nothing yet."""
        watched = self._watched[key]
        if isinstance(watched.driver, TellsWhenReady) and watched.driver.ready:
            return True
        return watched.presence is Presence.PRESENT

    def identity(self, key: str) -> Identity | None:
        """What the device has said of itself, with a reading or when it was met."""
        watched = self._watched[key]
        driver = watched.driver
        if isinstance(driver, TellsWhenReady) and driver.identity != Identity():
            return driver.identity
        return watched.identity

    def driver(self, key: str) -> Driver | None:
        """The driver of a device, or None when there is no such device."""
        watched = self._watched.get(key)
        return None if watched is None else watched.driver

    def shown(self) -> list[Json]:
        """Every device and how it does."""
        return [self._shown(watched) for watched in self._watched.values()]

    def _start(self, group: asyncio.TaskGroup, watched: _Watched) -> None:
        watched.task = group.create_task(self._keep_listening(watched), name=f"device-{watched.driver.key}")

    async def _keep_listening(self, watched: _Watched) -> None:
        key = watched.driver.key
        while True:
            code, error = ENDED, None
            await watched.wanted.wait()
            session = watched.session = _Session()
            waited = asyncio.get_running_loop().call_later(WAITED_FOR_S, self._waits, watched)
            try:
                async with session.interruptible(), watched.driver.session() as events:
                    async for event in events:
                        with session.uninterrupted():
                            await self._take(watched, event)
            except DeviceError as caught:
                code, error = caught.stable_code, caught
            finally:
                waited.cancel()
                watched.session = None
                session.over.set()
            self._gone(key)
            if session.ended:
                continue  # somebody wants it open, not closed
            watched.look.ended += 1
            watched.look.error = error
            self._now(watched, Presence.GONE, code)
            # What ended without an error may speak again at once, as a cuff does that was used again.
            await asyncio.sleep(self._retry_s if code is not ENDED else self._retry_s * ENDED_REST)

    async def _take(self, watched: _Watched, event: DeviceEvent) -> None:
        self._now(watched, Presence.PRESENT, None)
        watched.look.events += 1
        if isinstance(event, Reading):
            watched.look.reading = event
            watched.identity = event.identity or watched.identity
        elif isinstance(event, Place):
            watched.look.place = event
        if watched.told != self.identity(watched.driver.key):
            self._tell(watched)
        stored = await self._hear(watched.driver.key, event)
        if stored and isinstance(watched.driver, ClearsMemory):
            await watched.driver.committed(stored)

    def _waits(self, watched: _Watched) -> None:
        """Why there was no way to it holds no more: it is listened for again."""
        if watched.presence is Presence.GONE and watched.code in NO_WAY:
            self._now(watched, Presence.STARTING, None)

    def _now(self, watched: _Watched, presence: Presence, code: str | None) -> None:
        """Note a change, once: in the log and for whoever follows the devices."""
        before = watched.presence, watched.code
        watched.presence, watched.code = presence, code
        if before == (presence, code):
            return
        self._tell(watched)
        if presence is not before[0]:
            self._log(watched, before[0])

    @staticmethod
    def _log(watched: _Watched, before: Presence) -> None:
        key, code = watched.driver.key, watched.code
        match watched.presence:
            case Presence.GONE if code is ENDED:
                _LOG.info("device ended", extra={"driver": key})
            case Presence.GONE:
                _LOG.warning("device gone", extra={"driver": key, "code": code})
            case Presence.STARTING if before is Presence.GONE:
                _LOG.info("device waited for", extra={"driver": key})
            case Presence.PRESENT if before is Presence.GONE:
                _LOG.info("device back", extra={"driver": key})
            case _:
                pass

    def _tell(self, watched: _Watched) -> None:
        watched.told = self.identity(watched.driver.key)
        self._audience.tell("device", self._shown(watched))

    def _shown(self, watched: _Watched) -> dict[str, Json]:
        said = self.identity(watched.driver.key)
        identity: dict[str, Json] = {} if said is None else {"identity": view.identity(said)}
        return {
            "key": watched.driver.key,
            "kind": watched.driver.kind,
            "on_command": isinstance(watched.driver, Measures),
            "state": watched.presence.value,
            "code": watched.code,
            **identity,
        }


class _Session:
    """One session with a device, which somebody may end; never in the midst of an event.

    What is being stored is stored, and what the device is to be told of it is told, before it ends.
    """

    def __init__(self) -> None:
        self.ended = False
        self.over = asyncio.Event()
        self._busy = False
        self._limit: asyncio.Timeout | None = None

    @contextlib.asynccontextmanager
    async def interruptible(self) -> AsyncGenerator[None]:
        """Let what this holds be ended by `end`, the waiting for the device included."""
        try:
            async with asyncio.timeout(None) as self._limit:
                yield
        except TimeoutError:
            if not self.ended:
                raise
        finally:
            self._limit = None

    def end(self) -> None:
        """End it as soon as no event is being taken."""
        self.ended = True
        if not self._busy:
            self._end_now()

    @contextlib.contextmanager
    def uninterrupted(self) -> Generator[None]:
        """While an event is taken."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
        if self.ended:
            self._end_now()

    def _end_now(self) -> None:
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time())
