"""A simulated device that measures now and then: it sleeps, wakes up when it has measured, tells, hangs up.

Thermometers and scales do so. What they could not tell they keep, and tell the next time, oldest first.
"""

import asyncio
import collections
import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from bumble.att import ATT_Error, ErrorCode
from bumble.core import UUID
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, Service

from drivers.codec import uuids
from drivers.codec.gatt_time import DateTime, decode_date_time, encode_date_time
from drivers.simulation.device_clock import DeviceClock, now_s, right, unset
from drivers.simulation.peripheral import (
    LINK_ERRORS,
    Bytes,
    Gone,
    Meeting,
    about,
    encrypt_subscription,
    introduce,
    met,
    told,
)
from drivers.simulation.wall_time import WallTime

AWAKE_S: Final = 30.0
"""How long it advertises after a measurement; then it keeps what it has for the next time."""
LISTENED_WITHIN_S: Final = 20.0
RISE_STEP_S: Final = 0.05
REST_S: Final = 0.1
KEEPS: Final = 60
"""Measurements in memory; the oldest gives way."""
_VALUE_NOT_ALLOWED: Final = 0x13

Told: TypeAlias = Sequence[tuple[Bytes, bytes]]
"""One measurement: the values that tell it, each by its characteristic, in order."""
_T = TypeVar("_T")


class Teller:
    """The life in the air of one such device; what it measures is its owner's business.

    Args:
        measures: makes one measurement now.
        clock: None for a device without one; else Date Time within the measurement service.

    Attributes:
        every_s: how often it measures by itself; 0 for never.
        hangs_up: whether it ends a meeting in which it has told everything.
    """

    def __init__(
        self, name: str, address: str, measures: Callable[[], Told], clock: DeviceClock | None
    ) -> None:
        self.name: Final = name
        self.address: Final = address
        self.clock: Final = clock
        self.battery = 90
        self.every_s = 0.0
        self.hangs_up = True
        self._measures = measures
        self._kept: collections.deque[Told] = collections.deque(maxlen=KEEPS)
        self._shown: list[tuple[Bytes, bytes]] = []
        self._tells_at_most: int | None = None
        self._awake = asyncio.Event()
        self._cut_short = asyncio.Event()

    @property
    def kept(self) -> int:
        """How many measurements nobody has taken yet."""
        return len(self._kept)

    def now(self) -> datetime.datetime | None:
        """What its clock shows."""
        return None if self.clock is None else self.clock.now()

    def keep(self, measurement: Told, *, wakes: bool = True) -> None:
        """Something was measured; it wakes up to tell it, or waits for another time."""
        self._kept.append(measurement)
        if wakes:
            self._awake.set()

    def show_first(self, shown: Sequence[tuple[Bytes, bytes]]) -> None:
        """What the host of the next meeting sees before anything is told."""
        self._shown = list(shown)

    def obey(self, words: list[str]) -> bool:
        """The orders that every such device understands."""
        match words:
            case ["measure"]:
                self.keep(self._measures())
            case ["store"]:
                self.keep(self._measures(), wakes=False)
            case ["clock", *rest] if self.clock is not None:
                return self.clock.obey(rest)
            case ["battery", percent] if percent.isdecimal() and int(percent) <= 100:
                self.battery = int(percent)
            case ["hang-up", "on" | "off" as state]:
                self.hangs_up = state == "on"
            case ["hang-up"]:
                self._cut_short.set()
            case ["hang-up", "after", number] if number.isdecimal():
                self._tells_at_most = int(number)
            case _:
                return False
        return True

    async def live(
        self, device: Device, services: Mapping[str, Sequence[Bytes]], guarded: Sequence[Bytes]
    ) -> None:
        """Be the device until cancelled.

        Args:
            device: its body.
            services: what it offers beside identity and battery; the first has the clock and is
                advertised.
            guarded: what only those may subscribe to who have bonded with it.
        """
        offered = {uuid: list(inside) for uuid, inside in services.items()}
        first = next(iter(offered))
        if self.clock is not None:
            offered[first].append(_date_time(self.clock))
        device.add_services(
            [
                *(Service(UUID(uuid), inside) for uuid, inside in offered.items()),
                *about(
                    manufacturer="A&D Medical (simulated)",
                    model=self.name,
                    serial=self.address.replace(":", ""),
                    battery=lambda: self.battery,
                ),
            ]
        )
        for characteristic in guarded:
            encrypt_subscription(device, characteristic)
        introduce(device, self.name, first)
        async with asyncio.TaskGroup() as group:
            if self.every_s:
                group.create_task(self._measure_now_and_then())
            while True:
                await self._awake.wait()
                self._awake.clear()
                await self._be_awake(device, guarded)

    async def _measure_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self.every_s)
            self.keep(self._measures())

    async def _be_awake(self, device: Device, guarded: Sequence[Bytes]) -> None:
        """Advertise, and tell all there is, until there is nothing more or nobody comes."""
        while self._kept:
            meeting = await met(device, within_s=AWAKE_S)
            if meeting is None:
                return
            self._cut_short.clear()
            try:
                await self._serve(meeting, guarded)
            except* (Gone, *LINK_ERRORS):
                pass
            finally:
                await meeting.hang_up()
                await asyncio.sleep(REST_S)

    async def _serve(self, meeting: Meeting, guarded: Sequence[Bytes]) -> None:
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(self._tell(meeting, guarded))
            cut = group.create_task(self._cut_short.wait())
            await asyncio.wait((telling, cut), return_when=asyncio.FIRST_COMPLETED)
            telling.cancel()
            cut.cancel()

    async def _tell(self, meeting: Meeting, guarded: Sequence[Bytes]) -> None:
        for characteristic in guarded:
            async with asyncio.timeout(LISTENED_WITHIN_S):
                await meeting.until_subscribed(characteristic)
        for characteristic, value in self._shown:
            await meeting.notify(characteristic, value)
            await asyncio.sleep(RISE_STEP_S)
        self._shown = []
        at_most, self._tells_at_most = self._tells_at_most, None
        told = 0
        while self._kept and told != at_most:
            told += 1
            for characteristic, value in self._kept[0]:
                await meeting.indicate(characteristic, value)
            self._kept.popleft()  # every part of it has been confirmed
        if not self.hangs_up and not self._kept:
            await meeting.gone.wait()


def _date_time(clock: DeviceClock) -> Bytes:
    """Date Time (0x2A08) as A&D devices have it: inside the measurement service, to be read and written."""

    def write(_connection: Connection, raw: bytes) -> None:
        try:
            at = decode_date_time(raw).as_wall()
        except ValueError:
            raise ATT_Error(ErrorCode.INVALID_ATTRIBUTE_LENGTH) from None
        if at is None:
            raise ATT_Error(_VALUE_NOT_ALLOWED)
        clock.time = WallTime(at, now_s())
        clock.times_set += 1

    return told(
        uuids.DATE_TIME,
        Characteristic.Properties(0),
        read=lambda _: encode_date_time(DateTime.of(clock.now())),
        write=write,
    )


def take_clock(given: dict[str, str]) -> DeviceClock | None:
    """The clock that the option ``clock`` names: set, unset or none.

    Raises:
        ValueError: it is another word.
    """
    name = one_of(given, "clock", {"set": "set", "unset": "unset", "none": "none"})
    return None if name == "none" else DeviceClock(right() if name == "set" else unset())


def one_of(given: dict[str, str], option: str, choices: Mapping[str, _T]) -> _T:
    """The choice that an option names; the first when it is not given.

    Raises:
        ValueError: it names none.
    """
    name = given.pop(option, next(iter(choices)))
    if name not in choices:
        raise ValueError(f"{option} is one of {', '.join(choices)}")
    return choices[name]
