"""The session of every device: open the line, carry out the steps, listen, and say of each reading whose.

A device folder gives a `Family`; nothing here knows any device.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from typing import Final

from drivers.codec.device_information import LOW_BATTERY_PERCENT
from drivers.kinds import DriverContext
from drivers.setup.conversation import Conversation
from drivers.setup.ear import Done, Ear, Heard, Manner, Said, Send, Words
from drivers.setup.interpreter import SILENT, Interpreter
from drivers.setup.known import Known
from drivers.setup.line import Line, Opening
from drivers.setup.opening import DeviceLines
from drivers.setup.steps import OPTIONAL_WITHIN_S, Step, bonds
from edge.ports.driver import DeviceError, DeviceEvent, DeviceMisbehaved, DeviceUnavailable
from edge.vitals.identity import Identity
from edge.vitals.reading import Reading

GOODBYE_WITHIN_S: Final = 1.0
DRAIN_S: Final = 0.2
"""Of a device that is lost, what came before is waited for so long."""
LOW_BATTERY: Final = "low-battery"


@dataclasses.dataclass(frozen=True, slots=True)
class Family:
    """All that is particular about meeting one family of devices.

    Attributes:
        kind: as in the registry.
        words: how errors speak of it.
        opening: how its line is opened.
        steps: what to do before it tells its readings, in order.
        ear: makes what listens, once the steps are done.
        manner: how it speaks.
    """

    kind: str
    words: Words
    opening: Opening
    steps: tuple[Step, ...]
    ear: Callable[[Known], Ear]
    manner: Manner


class SetUpDriver:
    """One configured device of any family; an `edge.ports.driver.Driver`.

    Attributes:
        known: of the present meeting, else of the last; None before the first.
        ear: of the present meeting, else None.
    """

    def __init__(self, context: DriverContext, family: Family) -> None:
        self.key: Final = context.key
        self.kind: Final = family.kind
        self.known: Known | None = None
        self.ear: Ear | None = None
        self._context = context
        self._family = family
        self._lines = context.lines or DeviceLines(context.radio)
        self._met: dict[str, Identity] = {}
        self._way = ""
        self._line: Line | None = None

    @property
    def identity(self) -> Identity:
        """What the device said of itself, once it has been met."""
        return Identity() if self.known is None else self.known.identity

    @property
    def ready(self) -> bool:
        """Whether a device is met, and all steps are done."""
        return self.ear is not None

    @property
    def battery_percent(self) -> int | None:
        """At the last meeting, or None."""
        return self.identity.battery_percent

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncGenerator[AsyncIterator[DeviceEvent]]:
        """Wait for the device, set it up, and give what it says until it goes away.

        Raises:
            DeviceUnavailable: no way to it, it has gone, or it fell silent.
            DeviceMisbehaved: it is another device, or a value meant nothing.
        """
        family = self._family
        async with self._lines.open(self._context.port, family.opening, bond=bonds(family.steps)) as line:
            self._line = line
            try:
                async with contextlib.aclosing(self._listen(line)) as events:
                    yield events
            finally:
                ear, self.ear, self._line = self.ear, None, None
                if ear is not None:
                    await _say_goodbye(line, ear)

    async def _listen(self, line: Line) -> AsyncGenerator[DeviceEvent]:
        now_s = asyncio.get_running_loop().time
        talk = Conversation(line, now_s)
        known = Known(self._context.port, self._context.wall, now_s, line.address, line.mtu, way=self._way)
        self.known = known
        looks_like = self._context.looks_like
        interpreter = Interpreter(talk, known, self._family.words, self._met, looks_like)
        lost: DeviceUnavailable | None = None
        try:
            await interpreter.run(self._family.steps)
        except DeviceUnavailable as error:
            if error.stable_code == SILENT:
                raise
            lost = error  # one that pours and goes while we still ask has told what it had to tell
        self._way = known.way
        self.ear = ear = self._family.ear(known)
        meeting = _Meeting(talk, interpreter, ear, self._family.manner, now_s, lost)
        async with contextlib.aclosing(meeting.events()) as events:
            async for event in events:
                yield _of(known, event) if isinstance(event, Reading) else event

    async def _pass_on(self, records: Sequence[bytes]) -> None:
        line, ear = self._line, self.ear
        if line is None or ear is None:
            return  # it sends them again at the next meeting
        with contextlib.suppress(DeviceError, TimeoutError):
            async with asyncio.timeout(OPTIONAL_WITHIN_S):
                for send in ear.committed(records):
                    await line.write(send.channel, send.data, response=send.response)


class ClearingDriver(SetUpDriver):
    """One whose device may forget what is safe with us; also an `edge.ports.driver.ClearsMemory`."""

    async def committed(self, records: Sequence[bytes]) -> None:
        """See `edge.ports.driver.ClearsMemory`; the ear says what to write."""
        await self._pass_on(records)


class _Meeting:
    """From the last step to the end of the session."""

    def __init__(
        self,
        talk: Conversation,
        interpreter: Interpreter,
        ear: Ear,
        manner: Manner,
        now_s: Callable[[], float],
        lost: DeviceUnavailable | None,
    ) -> None:
        self._talk = talk
        self._interpreter = interpreter
        self._ear = ear
        self._manner = manner
        self._now_s = now_s
        self._patience_s = manner.patience_s
        self._quiet_since_s = now_s()
        self._repeats = [(repeat, now_s() + repeat.every_s) for repeat in manner.repeats]
        self._tick_due_s = None if manner.tick_s is None else now_s() + manner.tick_s
        self._refused: DeviceMisbehaved | None = None
        self._in_a_row = 0
        self._over = False
        self._lost = lost
        self._goes_unfinished = False
        self._told = False

    async def events(self) -> AsyncGenerator[DeviceEvent]:
        if self._lost is None:
            async for event in self._hand_on(self._ear.begin(self._now_s())):
                yield event
        while not self._over:
            said = await self._turn()
            if said is None:
                break
            async for event in self._hand_on(said):
                yield event
        async for event in self._hand_on(self._ear.end()):
            yield event
        if self._refused is not None and self._manner.refusals_in_a_row is None:
            raise self._refused
        if self._lost is not None and (self._goes_unfinished or not self._told):
            raise self._lost

    async def _turn(self) -> Iterable[Said] | None:
        """Wait for the next thing to happen, and let the ear have it; None when all is over."""
        said = await self._by_the_clock()
        if said:
            return said
        due_s = self._next_due_s() if self._lost is None else self._now_s() + DRAIN_S
        try:
            async with asyncio.timeout_at(due_s):
                heard = await self._talk.hear()
        except TimeoutError:
            if self._lost is None:
                return self._judge_silence()
            self._goes_unfinished = True  # it has not even hung up
            return None
        if heard is None:
            return None
        if heard.garbage is None:
            self._quiet_since_s = self._now_s()
            self._talk.begin_again()
        elif self._now_s() - self._quiet_since_s > self._patience_s:
            raise self._interpreter.not_understood()
        self._patience_s = self._manner.after.get(heard.channel, self._patience_s)
        if await self._interpreter.overheard(heard):
            self._quiet_since_s = self._now_s()  # to answer it took some time of ours
            return ()
        return self._listen_to(heard)

    def _listen_to(self, heard: Heard) -> Iterable[Said]:
        said: list[Said] = []
        try:
            for one in self._ear.hear(heard):
                said.append(one)  # noqa: PERF402  what was given before a refusal is handed on
        except DeviceMisbehaved as error:
            self._refused = error  # those that follow were measured all the same, and come only once
            self._in_a_row += 1
            if self._in_a_row == self._manner.refusals_in_a_row:
                raise
        else:
            if heard.garbage is None:
                self._in_a_row = 0
        return said

    def _next_due_s(self) -> float:
        due_s = [self._quiet_since_s + self._patience_s, *(due_s for _, due_s in self._repeats)]
        return min(due_s) if self._tick_due_s is None else min(*due_s, self._tick_due_s)

    async def _by_the_clock(self) -> Iterable[Said]:
        """What is due by now, whether or not the device speaks."""
        for place, (repeat, due_s) in enumerate(self._repeats):
            if self._now_s() >= due_s:
                self._repeats[place] = (repeat, self._now_s() + repeat.every_s)
                await self._send(repeat.send)
        if self._tick_due_s is None or self._now_s() < self._tick_due_s:
            return ()
        self._tick_due_s = self._now_s() + (self._manner.tick_s or 0.0)
        return list(self._ear.tick(self._now_s()))

    def _judge_silence(self) -> Iterable[Said] | None:
        if self._now_s() - self._quiet_since_s < self._patience_s:
            return ()
        if self._manner.quiet_ends:
            return None
        raise self._interpreter.nobody()

    async def _hand_on(self, said: Iterable[Said]) -> AsyncGenerator[DeviceEvent]:
        for one in said:
            match one:
                case Send():
                    await self._send(one)
                case Done():
                    self._over = True
                case DeviceError():
                    raise one
                case _:
                    handed_s = self._now_s()
                    self._told = True
                    yield one
                    # how long the listener took is not the device's silence
                    self._quiet_since_s += self._now_s() - handed_s

    async def _send(self, send: Send) -> None:
        if self._lost is not None:
            return
        try:
            async with asyncio.timeout(OPTIONAL_WITHIN_S if send.optional else None):
                await self._talk.send(send)
        except (DeviceMisbehaved, TimeoutError):
            if not send.optional:
                raise
        except DeviceUnavailable as error:
            # What it said before it went is heard to the end; then this is told.
            self._lost, self._goes_unfinished = error, not send.optional


async def _say_goodbye(line: Line, ear: Ear) -> None:
    with contextlib.suppress(DeviceError, TimeoutError):
        async with asyncio.timeout(GOODBYE_WITHIN_S):
            for send in ear.goodbye():
                await line.write(send.channel, send.data, response=send.response)


def _of(known: Known, reading: Reading) -> Reading:
    """The reading, with which device it was and how its clock stood."""
    identity = reading.identity
    if identity is None and known.identity != Identity():
        identity = known.identity
    off_s = reading.clock_off_s
    if off_s is None and reading.at is not None and known.clock is not None:
        off_s = known.clock.off_s
    percent = None if identity is None else identity.battery_percent
    low = percent is not None and percent <= LOW_BATTERY_PERCENT and LOW_BATTERY not in reading.flags
    return dataclasses.replace(
        reading,
        flags=(*reading.flags, LOW_BATTERY) if low else reading.flags,
        identity=identity,
        clock_off_s=off_s,
    )
