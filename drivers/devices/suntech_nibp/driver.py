"""A SunTech module on a serial port: a cuff that measures when it is told to, and lets go when in doubt.

The first thing a module hears in every session is that it shall let the air out: whoever told it to pump may
have been killed, and a cuff that is not watched must not stay full. The same is the last thing it hears when
a session ends while it measures.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from drivers.codec.framing import Frame
from drivers.devices.suntech_nibp.codec import (
    ABORT,
    LETTERS,
    CuffPressure,
    Length,
    Result,
    Suntech,
    Version,
    decode,
)
from drivers.devices.suntech_nibp.machine import Ended, Machine, Told
from drivers.devices.suntech_nibp.readings import cuff_pressure, identity_of, no_result, result
from drivers.kinds import DriverContext
from drivers.setup.ear import Ear, Heard, Manner, Said, Send, Words
from drivers.setup.known import Known
from drivers.setup.line import SerialOpening
from drivers.setup.session import Family, SetUpDriver
from drivers.setup.steps import Ask, Frames
from drivers.transport.serial_port import LineSettings
from edge.ports.driver import CuffMode, DeviceError, DeviceUnavailable, Driver

TICK_S: Final = 0.05
SILENCE_S: Final = 5.0
TOLD_WITHIN_S: Final = 12.0
"""Longer than the machine tries to begin, or to be heard; it always says something before."""


class CuffEar(Ear):
    """Keeps the conversation going and hands on what comes of it."""

    def __init__(self, known: Known) -> None:
        self.machine: Final = Machine(known.port, known.now_s())
        self._known = known

    def hear(self, heard: Heard) -> Iterable[Said]:
        """See `drivers.setup.ear.Ear`."""
        if heard.garbage is not None:
            return
        match self.machine.hear(decode(Frame(heard.raw)), heard.at_s):
            case CuffPressure() as said:
                yield cuff_pressure(said, heard.raw)
            case Result() as said:
                yield result(said, heard.raw)
            case Version() as said:
                self._known.identity = identity_of(said)
            case Ended(reason):
                yield no_result(reason, heard.raw)
            case None:
                pass

    def tick(self, now_s: float) -> Iterable[Said]:
        """See `drivers.setup.ear.Ear`."""
        due = self.machine.due(now_s)
        if isinstance(due, bytes):
            yield Send(due)
        elif due is not None:
            yield due

    def goodbye(self) -> Sequence[Send]:
        """See `drivers.setup.ear.Ear`."""
        last = self.machine.lose()
        return () if last is None else (Send(last),)


def _is_state(raw: bytes) -> bool:
    return len(raw) == Length.STATUS and raw[2] in LETTERS


FAMILY: Final = Family(
    kind="suntech-nibp",
    words=Words(
        "cuff module",
        silent="see that it has power and that its cable sits firmly.",
        wrong="see that the right device is on this port, and try another cable.",
    ),
    opening=SerialOpening(LineSettings(9600)),
    steps=(
        Frames(Suntech),
        Ask("abort", ABORT, answers=_is_state, tries=3),
    ),
    ear=CuffEar,
    manner=Manner(patience_s=SILENCE_S, tick_s=TICK_S),
)


class SuntechCuff(SetUpDriver):
    """One configured module; also an `edge.ports.driver.Measures`."""

    def __init__(self, context: DriverContext) -> None:
        super().__init__(context, FAMILY)

    async def measure(self, mode: CuffMode) -> None:
        """See `edge.ports.driver.Measures`."""
        ear = self._present()
        now_s = asyncio.get_running_loop().time()
        await self._told(lambda told: ear.machine.start(mode, told, now_s))

    async def stop(self) -> None:
        """See `edge.ports.driver.Measures`."""
        await self._told(self._present().machine.stop)

    def _present(self) -> CuffEar:
        if not isinstance(self.ear, CuffEar):
            raise _not_there(self.key)
        return self.ear

    async def _told(self, ask: Callable[[Told], None]) -> None:
        """Ask for something, and wait until the machine says what became of it."""
        answer: asyncio.Future[DeviceError | None] = asyncio.get_running_loop().create_future()

        def told(error: DeviceError | None) -> None:
            if not answer.done():
                answer.set_result(error)

        ask(told)
        try:
            async with asyncio.timeout(TOLD_WITHIN_S):
                error = await answer
        except TimeoutError:
            raise _not_there(self.key) from None
        if error is not None:
            raise error


def _not_there(key: str) -> DeviceUnavailable:
    return DeviceUnavailable(
        f"The cuff {key} is not there.",
        next_step="see that it has power and that its cable sits firmly; it is found again by itself.",
        code="device-not-there",
    )


def make(context: DriverContext) -> Driver:
    """The driver of one configured module."""
    return SuntechCuff(context)
