"""A made-up device for the tests of the set-up: it tells one number of one byte, by air or by cable."""

import asyncio
import datetime
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Final

from drivers.codec import uuids
from drivers.kinds import DriverContext
from drivers.setup.ear import Done, Ear, Heard, Manner, Said, Send, Words
from drivers.setup.known import Known
from drivers.setup.line import BleOpening, Opening, SerialOpening
from drivers.setup.session import Family, SetUpDriver
from drivers.setup.steps import (
    Step,
    Subscribe,
)
from drivers.transport.serial_port import LineSettings
from edge.ports.driver import (
    DeviceEvent,
    DeviceMisbehaved,
    Driver,
)
from edge.vitals.codes import Code
from edge.vitals.quantity import Quantity, Unit
from edge.vitals.reading import Reading
from tests.drivers.radio_fake import FakeLink, FakeRadio

NOW: Final = datetime.datetime(2026, 3, 14, 9, 30)  # noqa: DTZ001  a device names no zone
PORT: Final = "ble:C0:FF:EE:00:00:01"
VALUE: Final = uuids.BLOOD_PRESSURE_MEASUREMENT
"""Any characteristic would do; the device of these tests tells one number of one byte by it."""
CONTROL: Final = uuids.full("2A52")
AT: Final = NOW - datetime.timedelta(minutes=3)
WORDS: Final = Words("gauge", silent="switch it on.", wrong="see which device it is.")
SOON: Final = Manner(patience_s=0.05, quiet_ends=True)
SERIAL: Final = SerialOpening(LineSettings(9600))


def reading(raw: bytes, *, at: datetime.datetime | None = None, stored: bool = False) -> Reading:
    value = Quantity(Decimal(raw[-1]), Unit.PER_MINUTE)
    return Reading(((Code.HEART_RATE, value),), at=at, raw=raw, record=raw if stored else None, stored=stored)


class GaugeEar(Ear):
    """A byte is a number; 0xFF means nothing, 0xFE is a failure of the whole device, 0xFD the end."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.ticks = 0

    def hear(self, heard: Heard) -> Iterable[Said]:
        if heard.garbage is not None:
            return
        match heard.raw[-1]:
            case 0xFF:
                raise DeviceMisbehaved("No number.", raw=heard.raw, code="no-number")
            case 0xFE:
                yield DeviceMisbehaved("Broken.", code="gauge-broken")
            case 0xFD:
                yield Done()
            case _:
                yield reading(heard.raw, at=AT)

    def tick(self, now_s: float) -> Iterable[Said]:
        assert now_s > 0
        self.ticks += 1
        return ()

    def goodbye(self) -> Sequence[Send]:
        return (Send(b"bye", CONTROL),)


def gauge(
    *steps: Step,
    manner: Manner = SOON,
    ear: Callable[[Known], Ear] = GaugeEar,
    opening: Opening = BleOpening(service=uuids.BLOOD_PRESSURE_SERVICE),  # noqa: B008  frozen
) -> Family:
    return Family("gauge", WORDS, opening, steps, ear, manner)


class GaugeLink(FakeLink):
    """Tells what it has once somebody listens; refuses or ignores what a test names."""

    def __init__(self, *tells: bytes, values: dict[str, bytes] | None = None, hangs_up: bool = True) -> None:
        super().__init__({CONTROL: b""} | (values or {}), (VALUE, CONTROL))
        self.tells = tells
        self.hangs_up = hangs_up
        self.refuses: set[str] = set()
        self.ignores: set[str] = set()
        self.answer: Callable[[bytes], bytes | None] = lambda _: None

    async def subscribe(self, uuid: str) -> None:
        await self._obey(uuid)
        await super().subscribe(uuid)
        if uuid == VALUE:
            for told in self.tells:
                self.push(VALUE, told)
            if self.hangs_up:
                self.hang_up()

    async def read(self, uuid: str) -> bytes:
        await self._obey(uuid)
        return await super().read(uuid)

    async def write(self, uuid: str, data: bytes, *, response: bool) -> None:
        await super().write(uuid, data, response=response)
        await self._obey(uuid)
        answer = self.answer(data)
        if answer is not None:
            self.push(uuid, answer)

    async def _obey(self, uuid: str) -> None:
        if uuid in self.refuses:
            raise DeviceMisbehaved("Refused.", code="ble-refused")
        if uuid in self.ignores:
            await asyncio.Event().wait()


def driver_of(link: FakeLink, family: Family, wall: datetime.datetime | None = None) -> SetUpDriver:
    return SetUpDriver(DriverContext("gauge-1", PORT, FakeRadio(link), lambda: wall), family)


async def heard_by(driver: Driver, heard: list[DeviceEvent] | None = None) -> list[DeviceEvent]:
    heard = [] if heard is None else heard
    async with asyncio.timeout(20), driver.session() as events:
        async for event in events:
            heard.append(event)
    return heard


def numbers(events: Iterable[DeviceEvent]) -> list[int]:
    return [event.raw[-1] for event in events if isinstance(event, Reading)]


LISTEN: Final = Subscribe(VALUE)
