"""Carries out steps on a line, whatever that is: the one place that knows how each is done."""

import asyncio
import contextlib
import dataclasses
import datetime
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias, assert_never

from drivers.codec import uuids
from drivers.codec.device_information import IDENTITY, decode_battery, decode_identity
from drivers.codec.gatt_time import (
    CURRENT_TIME_BYTES,
    DATE_TIME_BYTES,
    Adjusted,
    CurrentTime,
    DateTime,
    decode_date_time,
    encode_current_time,
    encode_date_time,
)
from drivers.setup import steps as to_do
from drivers.setup.conversation import Conversation
from drivers.setup.ear import Heard, Send, Words
from drivers.setup.known import Clock, Known, Skipped
from edge.ports.driver import DeviceError, DeviceMisbehaved, DeviceUnavailable
from edge.vitals.identity import Identity

STRAY_BYTES: Final = 16
"""A plug being pushed in makes up to so many bytes of its own; more is somebody speaking."""
SILENT: Final = "device-silent"
NOT_UNDERSTOOD: Final = "device-not-understood"
LACKS: Final = "ble-characteristic-missing"
_CLOCKS: Final = ((uuids.DATE_TIME, DATE_TIME_BYTES), (uuids.CURRENT_TIME, CURRENT_TIME_BYTES))


LooksLike: TypeAlias = Callable[[bytes], tuple[str, ...]]


class Interpreter:
    """Carries out the steps of one meeting.

    Args:
        met: what the device at each address said of itself at earlier meetings; added to.
        looks_like: which kinds bytes of a serial port are of; see `drivers.kinds.DriverContext`.
    """

    def __init__(
        self,
        talk: Conversation,
        known: Known,
        words: Words,
        met: dict[str, Identity],
        looks_like: LooksLike = lambda _: (),
    ) -> None:
        self._looks_like = looks_like
        self._talk = talk
        self._known = known
        self._words = words
        self._met = met
        self._set_when_told: to_do.SetCurrentTimeWhenTold | None = None

    async def run(self, steps: Sequence[to_do.Step]) -> None:
        """All steps, in order.

        Raises:
            DeviceUnavailable: it has gone, or did not answer where it had to (``device-silent``).
            DeviceMisbehaved: it is another device (``device-not-understood``), or refused a step that is
                not optional.
        """
        for step in steps:
            await self._run(step)

    async def overheard(self, heard: Heard) -> bool:
        """Take what concerns a step and not the ear; whether it was that."""
        if heard.channel != uuids.CURRENT_TIME or heard.garbage is not None:
            return False
        if self._set_when_told is not None:
            # That it has gone is told by what is heard next, after all that it said before.
            with contextlib.suppress(DeviceUnavailable):
                await self._try("SetCurrentTimeWhenTold", self._told(heard, self._set_when_told))
        return True

    def nobody(self) -> DeviceError:
        """What to say when the device is not heard: it is silent, or it is another that speaks."""
        return self.not_understood() if self._talk.strays > STRAY_BYTES else self._silent()

    def _silent(self) -> DeviceUnavailable:
        return DeviceUnavailable(
            f"The {self._words.noun} at {self._known.port} says nothing.",
            next_step=self._words.silent,
            code=SILENT,
        )

    def not_understood(self) -> DeviceMisbehaved:
        kinds = (
            [kind for piece in self._talk.pieces for kind in self._looks_like(piece)]
            if self._talk.tail
            else []
        )
        if kinds:
            return DeviceMisbehaved(
                f"What speaks on {self._known.port} looks like a {kinds[0]}, not like the"
                f" {self._words.noun}.",
                raw=self._talk.tail,
                next_step="plug each device into its own port, or correct kind or port in unit.toml.",
                code=NOT_UNDERSTOOD,
            )
        return DeviceMisbehaved(
            f"What speaks on {self._known.port} is not the {self._words.noun}, or the cable is faulty.",
            raw=self._talk.tail,
            next_step=self._words.wrong,
            code=NOT_UNDERSTOOD,
        )

    async def _run(self, step: to_do.Step) -> None:  # noqa: C901, PLR0912  one case for each step
        match step:
            case to_do.Bond():
                pass  # the radio has done it: no line is handed out before
            case to_do.Require(channel, lacks, others):
                if not any(self._talk.line.has(each) for each in (channel, *others)):
                    raise self._another(lacks)
            case to_do.Refuse(channel, code, is_a):
                if self._talk.line.has(channel):
                    raise DeviceMisbehaved(
                        f"The device at {self._known.port} {is_a}.", next_step=self._words.wrong, code=code
                    )
            case to_do.Read():
                await self._read(step)
            case to_do.ReadIdentity():
                await self._read_identity()
            case to_do.ReadBattery():
                await self._read_battery()
            case to_do.LookAtClock():
                await self._look_at_clock()
            case to_do.SetDateTime():
                await self._set_clock(uuids.DATE_TIME, _as_date_time, response=True)
            case to_do.SetCurrentTimeWhenTold():
                await self._subscribe_to_clock(step)
            case to_do.SetClock(channel, encode, response):
                await self._set_clock(channel, encode, response=response)
            case to_do.Subscribe():
                await self._subscribe(step)
            case to_do.Write(channel, data, response, optional):
                await self._write(channel, data, response=response, optional=optional)
            case to_do.AskForRecords():
                await self._ask_for_records(step)
            case to_do.Ask():
                await self._ask(step)
            case to_do.Tune(settings):
                self._talk.line.tune(settings)
            case to_do.Frames(grammar, within_s):
                self._talk.frames(grammar(), within_s)
            case to_do.Recognise():
                if not await self._recognised(step):
                    raise self.nobody()
            case to_do.FirstThatWorks(ways):
                await self._first_that_works(ways)
            case _:
                assert_never(step)

    # ── What need not succeed ────────────────────────────────────────────────────────────────────

    async def _try(self, name: str, doing: Awaitable[None]) -> bool:
        """Do what need not be done; whether it was. That the device has gone is always told."""
        try:
            async with asyncio.timeout(to_do.OPTIONAL_WITHIN_S):
                await doing
        except DeviceMisbehaved as error:
            self._known.skipped.append(Skipped(name, error.stable_code))
        except TimeoutError:
            self._known.skipped.append(Skipped(name, SILENT))
        else:
            return True
        return False

    async def _value(self, name: str, channel: str) -> bytes | None:
        """The value of a characteristic that a device may lack, refuse or be slow about."""
        found: list[bytes] = []

        async def read() -> None:
            found.append(await self._talk.line.read(channel))

        if not self._talk.line.has(channel):
            return None
        await self._try(name, read())
        return found[0] if found else None

    # ── Looking ──────────────────────────────────────────────────────────────────────────────────

    async def _read(self, step: to_do.Read) -> None:
        if step.optional:
            raw = await self._value("Read", step.channel)
        else:
            raw = await self._talk.line.read(step.channel) if self._talk.line.has(step.channel) else None
        try:
            accepted = raw is not None and (step.accept is None or step.accept(raw))
        except DeviceMisbehaved as error:
            if not step.optional:
                raise
            self._known.skipped.append(Skipped("Read", error.stable_code))
            return
        if raw is not None and accepted:
            self._known.values[step.channel] = raw
        elif not step.optional:
            raise self._another(step.lacks)

    async def _read_identity(self) -> None:
        known = self._met.get(self._known.address)
        if known is None:
            values = {
                uuid: raw for uuid in IDENTITY if (raw := await self._value("ReadIdentity", uuid)) is not None
            }
            known = decode_identity(values)
            if values:
                self._met[self._known.address] = known
        self._known.identity = known

    async def _read_battery(self) -> None:
        raw = await self._value("ReadBattery", uuids.BATTERY_LEVEL)
        percent = None if raw is None else decode_battery(raw)
        self._known.identity = dataclasses.replace(self._known.identity, battery_percent=percent)

    # ── The clock ────────────────────────────────────────────────────────────────────────────────

    async def _look_at_clock(self) -> None:
        for channel, least in _CLOCKS:
            raw = await self._value("LookAtClock", channel)
            if raw is not None and len(raw) >= least:
                self._saw_clock(raw)
                return

    def _saw_clock(self, raw: bytes) -> None:
        said = decode_date_time(raw[:DATE_TIME_BYTES]).plausible(None)
        if said is not None:
            self._known.clock = Clock(said, self._known.now_s(), self._known.wall())

    async def _told(self, heard: Heard, step: to_do.SetCurrentTimeWhenTold) -> None:
        """It tells its time by itself; the first time it does, it may be set right."""
        if len(heard.raw) < CURRENT_TIME_BYTES:
            return
        if self._known.clock is None:
            self._saw_clock(heard.raw)
        wall = self._known.wall()
        if wall is None:
            return
        self._set_when_told = None
        said = decode_date_time(heard.raw[:DATE_TIME_BYTES]).as_wall()
        if said is None or abs(wall - said) > step.off_by:
            sent = encode_current_time(CurrentTime.of(wall, Adjusted.FROM_REFERENCE))
            await self._talk.line.write(uuids.CURRENT_TIME, sent, response=True)

    async def _subscribe_to_clock(self, step: to_do.SetCurrentTimeWhenTold) -> None:
        if self._talk.line.has(uuids.CURRENT_TIME):
            self._set_when_told = step
            await self._try("SetCurrentTimeWhenTold", self._talk.line.subscribe(uuids.CURRENT_TIME))

    async def _set_clock(
        self, channel: str, encode: Callable[[datetime.datetime], bytes], *, response: bool
    ) -> None:
        wall = self._known.wall()
        if wall is not None and self._talk.line.has(channel):
            await self._try("SetClock", self._talk.line.write(channel, encode(wall), response=response))

    # ── Telling and asking ───────────────────────────────────────────────────────────────────────

    def _data(self, data: to_do.Data) -> bytes | None:
        return data if isinstance(data, bytes) else data(self._known)

    async def _subscribe(self, step: to_do.Subscribe) -> None:
        may_lack = step.optional or step.if_there
        if may_lack and not self._talk.line.has(step.channel):
            self._known.skipped.append(Skipped("Subscribe", LACKS))
        elif step.optional:
            await self._try("Subscribe", self._talk.line.subscribe(step.channel))
        else:
            await self._talk.line.subscribe(step.channel)

    async def _write(self, channel: str, data: to_do.Data, *, response: bool, optional: bool) -> None:
        sent = self._data(data)
        if sent is None:
            return
        writing = self._talk.line.write(channel, sent, response=response)
        if optional:
            await self._try("Write", writing)
        else:
            await writing

    async def _ask_for_records(self, step: to_do.AskForRecords) -> None:
        try:
            async with asyncio.timeout(to_do.OPTIONAL_WITHIN_S if step.optional else None):
                await self._write_or_abort(step)
        except (DeviceMisbehaved, TimeoutError) as error:
            if not step.optional:
                raise
            code = error.stable_code if isinstance(error, DeviceMisbehaved) else SILENT
            self._known.skipped.append(Skipped("AskForRecords", code))

    async def _write_or_abort(self, step: to_do.AskForRecords) -> None:
        try:
            await self._write(step.control, step.request, response=True, optional=False)
        except DeviceMisbehaved:
            if not step.abort:
                raise
            abort = Send(step.abort, step.control)
            with contextlib.suppress(TimeoutError):  # that it has aborted, it says on the control point
                await self._talk.ask(abort, step.control, lambda _said: True, to_do.ANSWER_WITHIN_S)
            await self._write(step.control, step.request, response=True, optional=False)

    async def _ask(self, step: to_do.Ask) -> None:
        try:
            answer = await self._answer(step)
            if answer is not None and step.learn is not None:
                step.learn(self._known, answer)
        except DeviceMisbehaved as error:
            if not step.optional:
                raise
            self._known.skipped.append(Skipped(step.name, error.stable_code))
            return
        if answer is not None:
            self._known.answers[step.name] = answer
        elif step.optional:
            self._known.skipped.append(Skipped(step.name, SILENT))
        else:
            raise self.nobody()

    async def _answer(self, step: to_do.Ask) -> bytes | None:
        sent = self._data(step.data)
        if sent is None:
            return b""
        send = Send(sent, step.channel, step.response)
        for _ in range(step.tries):
            try:
                return await self._talk.ask(send, step.on or step.channel, step.answers, step.within_s)
            except TimeoutError:
                continue
        return None

    async def _recognised(self, step: to_do.Recognise) -> bool:
        frames = 0
        try:
            async with asyncio.timeout(step.within_s):
                while (heard := await self._talk.next()) is not None:
                    if heard.garbage is None and step.sure is not None and step.sure(heard.raw):
                        return True
                    frames = frames + 1 if heard.garbage is None else 0
                    if frames == step.frames:
                        return True
        except TimeoutError:
            pass
        return False

    async def _first_that_works(self, ways: Sequence[to_do.Way]) -> None:
        self._talk.begin_again()
        for way in sorted(ways, key=lambda way: way.name != self._known.way):
            try:
                await self.run(way.steps)
            except DeviceError as error:
                if error.stable_code not in {SILENT, NOT_UNDERSTOOD}:
                    raise
                continue
            self._known.way = way.name
            return
        raise self.nobody()

    def _another(self, lacks: str) -> DeviceMisbehaved:
        return DeviceMisbehaved(
            f"The device at {self._known.port} {lacks}.", next_step=self._words.wrong, code=NOT_UNDERSTOOD
        )


def _as_date_time(wall: datetime.datetime) -> bytes:
    return encode_date_time(DateTime.of(wall))
