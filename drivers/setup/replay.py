"""A line that plays a trace: the driver meets the device again as it was, without the device.

What was heard comes in its order, and after what had to be written or subscribed to before it: a device
answers when it is asked. The driver of today need not write byte for byte what that of the recording
wrote, since it may set a clock; it is given what was answered then, and where it differs is counted.
"""

import asyncio
import collections
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Final

from drivers.setup.line import Line, Opening
from drivers.setup.trace import Event, Trace, What
from edge.ports.driver import DeviceError, DeviceMisbehaved, DeviceUnavailable

if TYPE_CHECKING:
    from drivers.transport.serial_port import LineSettings

OVER: Final = "recording-over"
LATE_S: Final = 0.5
"""A driver that waits for so long will not write what the recorded one wrote: the answer comes unasked."""
_GATES: Final = frozenset({What.WROTE, What.SUBSCRIBED})


class ReplayLines:
    """Plays the sessions of a trace, one after the other: a `drivers.setup.line.Lines`.

    Args:
        trace: what to play.
        pace: 1 plays as fast as it was recorded, 0 as fast as it is listened to.

    Attributes:
        differences: how often the driver wrote something else, or nothing, where something was written.
    """

    def __init__(self, trace: Trace, *, pace: float = 0.0) -> None:
        self._sessions = collections.deque(trace.sessions)
        self._pace = pace
        self.differences = 0

    @contextlib.asynccontextmanager
    async def open(self, port: str, opening: Opening, *, bond: bool) -> AsyncGenerator[Line]:  # noqa: ARG002  what is played was opened already
        """See `drivers.setup.line.Lines`; after the last session there is no device any more."""
        if not self._sessions:
            raise over()
        yield _ReplayLine(self._sessions.popleft(), self._pace, self._differs)

    def _differs(self) -> None:
        self.differences += 1


class _ReplayLine:
    """One session."""

    def __init__(self, session: tuple[Event, ...], pace: float, differs: Callable[[], None]) -> None:
        self._events = session
        self._pace = pace
        self._differs = differs
        self._now_s = asyncio.get_running_loop().time
        self._began_s = self._now_s()
        first = session[0]
        self.address: Final = str(first.get("address") or "")
        self.mtu: Final = int(first.get("mtu") or 0)
        self._reads = _outcomes(session, What.READ, "read")
        self._writes = _outcomes(session, What.WROTE, "write")
        self._subscriptions = _outcomes(session, What.SUBSCRIBED, "subscribe")
        self._last_written: dict[str, bytes] = {}
        self._awaited = collections.deque(_awaited(session))
        self._made: collections.Counter[tuple[What, str]] = collections.Counter()
        self._moved = asyncio.Event()
        self._late_at_s: float | None = None

    def has(self, channel: str) -> bool:
        said = [event for event in self._events if event.what is What.HAS and event.channel == channel]
        if said:
            return bool(said[-1].get("yes"))
        return any(event.channel == channel and event.what is not What.OPEN for event in self._events)

    async def read(self, channel: str) -> bytes:
        answers = self._reads.get(channel)
        if not answers:
            self._differs()
            raise DeviceMisbehaved("The recording has no such value.", code="ble-characteristic-missing")
        # what is read again was, in the recording, read once
        event = answers.popleft() if len(answers) > 1 else answers[0]
        _raise_if_refused(event)
        return event.data

    async def write(self, channel: str, data: bytes, *, response: bool) -> None:  # noqa: ARG002  a recording is not asked how
        if self._last_written.get(channel) != data:
            self._make(What.WROTE, channel, data)
        self._last_written[channel] = data
        _raise_next(self._writes, channel)

    async def subscribe(self, channel: str) -> None:
        self._make(What.SUBSCRIBED, channel, b"")
        _raise_next(self._subscriptions, channel)

    async def hear(self) -> tuple[str, bytes] | None:
        while True:
            if not self._awaited:
                raise over()
            event = self._awaited[0]
            if event.what in _GATES:
                await self._until_made(event)
                continue
            await self._until_its_time(event)
            self._awaited.popleft()
            if event.what is What.ENDED:
                return None
            _raise_if_refused(event)
            return event.channel, event.data

    def tune(self, settings: "LineSettings") -> None:
        """A recording was made at the speed at which it was made."""

    def _make(self, what: What, channel: str, data: bytes) -> None:
        self._made[what, channel] += 1
        self._moved.set()
        waits = next((one for one in self._awaited if one.what is what and one.channel == channel), None)
        if waits is None or waits.data != data:
            self._differs()

    async def _until_made(self, gate: Event) -> None:
        """Wait until the driver has done what was done here, or will not do it any more."""
        key = gate.what, gate.channel
        if self._late_at_s is None:  # a driver that gives up now and then to look at a clock waits on
            self._late_at_s = self._now_s() + LATE_S
        try:
            async with asyncio.timeout_at(self._late_at_s):
                while not self._made[key]:
                    self._moved.clear()
                    await self._moved.wait()
            self._made[key] -= 1
        except TimeoutError:
            self._differs()
        self._late_at_s = None
        self._awaited.popleft()

    async def _until_its_time(self, event: Event) -> None:
        if self._pace:
            due_s = self._began_s + (event.at_s - self._events[0].at_s) / self._pace
            await asyncio.sleep(max(0.0, due_s - self._now_s()))
        else:
            await asyncio.sleep(0)


def over() -> DeviceUnavailable:
    """The end of a recording, as a driver meets it."""
    return DeviceUnavailable("The recording is over.", next_step="Record for longer.", code=OVER)


def _awaited(session: tuple[Event, ...]) -> list[Event]:
    """What is heard, and what has to be done before; what is written again and again holds up nothing."""
    kept: list[Event] = []
    written: dict[str, bytes] = {}
    for event in session:
        if event.what is What.WROTE:
            if written.get(event.channel) == event.data:
                continue
            written[event.channel] = event.data
            kept.append(event)
        elif event.what in {What.SUBSCRIBED, What.HEARD, What.ENDED} or (
            event.what is What.REFUSED and event.get("of") == "hear"
        ):
            kept.append(event)
    return kept


def _outcomes(session: tuple[Event, ...], what: What, of: str) -> dict[str, collections.deque[Event]]:
    """What became of each call, channel by channel, in order: the event itself, or its refusal."""
    found: dict[str, collections.deque[Event]] = {}
    for event in session:
        calls = found.setdefault(event.channel, collections.deque())
        if event.what is what:
            calls.append(event)
        elif event.what is What.REFUSED and event.get("of") == of:
            if calls and what is not What.READ and calls[-1].what is what:
                calls.pop()  # a write is told before it is tried
            calls.append(event)
    return found


def _raise_next(outcomes: dict[str, collections.deque[Event]], channel: str) -> None:
    waiting = outcomes.get(channel)
    if waiting:
        _raise_if_refused(waiting.popleft())


def _raise_if_refused(event: Event) -> None:
    if event.what is not What.REFUSED:
        return
    code = str(event.get("code") or DeviceError.code)
    if event.get("gone"):
        raise DeviceUnavailable("The device had gone.", next_step="Record again.", code=code)
    raise DeviceMisbehaved("The device refused.", next_step="Record again.", code=code)
