"""A simulated device in the air that speaks frames over notifications: all but the device itself.

A device folder brings a `drivers.simulation.serial_device.SimulatedUnit`, the same that lives behind a
pseudo-terminal where the device may be on a cable too. What it says is cut wherever a notification is full,
so frames straddle notifications as those of real devices do.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bumble.core import UUID, AdvertisingData
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue, Service

from drivers.simulation.peripheral import (
    LINK_ERRORS,
    Bytes,
    Gone,
    Meeting,
    met,
    notifying,
)
from drivers.simulation.person import Person
from drivers.simulation.serial_device import SimulatedUnit
from edge.clock import SystemClock

TICK_S: Final = 0.05
USUAL_ROOM: Final = 20
"""Bytes in a notification of a device that never asked for more."""
REST_S: Final = 0.1
_CLOCK: Final = SystemClock()


def now_s() -> float:
    """Monotonic seconds."""
    return _CLOCK.monotonic_s()


class Notifier:
    """One device in the air; a `drivers.radio.peripheral.Peripheral`.

    Args:
        name: what it advertises.
        person: whom it measures.
        unit: what it is.
        service: of its characteristics, 128-bit text.
        notify: the characteristic that speaks.
        writes: characteristics that are written to; all are heard by the unit.
        others: services it offers beside.
        advertises_service: whether the service is in its advertisement, as not with every device.
    """

    def __init__(
        self,
        name: str,
        address: str,
        person: Person,
        unit: SimulatedUnit,
        *,
        service: str,
        notify: str,
        writes: Sequence[str] = (),
        others: Sequence[Service] = (),
        advertises_service: bool = True,
    ) -> None:
        self.name: Final = name
        self.address: Final = address
        self.unit: Final = unit
        self._person = person
        self._service = service
        self._notify = notifying(notify)
        self._writes = [writable(uuid, self._hear) for uuid in writes]
        self._others = others
        self._advertises_service = advertises_service
        self._out = bytearray()
        self._hang_up = asyncio.Event()

    @property
    def at_s(self) -> float:
        """The person's time now."""
        return self._person.at_s(now_s())

    def obey(self, order: str) -> bool:
        words = order.split()
        if words == ["hang-up"]:
            self._hang_up.set()
            return True
        said = self.unit.obey(words, self.at_s)
        self._out += said or b""
        return said is not None

    async def live(self, device: Device) -> None:
        """Advertise while it is on, and speak to whoever listens."""
        inside = [self._notify, *self._writes]
        device.add_services([Service(UUID(self._service), inside), *self._others])
        introduce(device, self.name, self._service if self._advertises_service else None)
        while True:
            meeting = await met(device)
            if meeting is None:
                continue
            self._hang_up.clear()
            self._out.clear()
            try:
                await self._speak(meeting)
            except* (Gone, *LINK_ERRORS):
                pass
            finally:
                await meeting.hang_up()
            await asyncio.sleep(REST_S)

    async def _speak(self, meeting: Meeting) -> None:
        await meeting.until_subscribed(self._notify)
        self.unit.stream(self.at_s)  # what it said while nobody listened
        async with asyncio.TaskGroup() as group:
            speaking = group.create_task(self._stream(meeting))
            await meeting.unless_gone(self._hang_up.wait())
            speaking.cancel()

    async def _stream(self, meeting: Meeting) -> None:
        while True:
            self._out += self.unit.stream(self.at_s)
            while self._out:
                piece = bytes(self._out[:USUAL_ROOM])
                del self._out[:USUAL_ROOM]
                await meeting.notify(self._notify, piece)
            await asyncio.sleep(TICK_S)

    def _hear(self, _connection: Connection, data: bytes) -> None:
        self._out += self.unit.hear(data, self.at_s)


def writable(uuid: str, write: Callable[[Connection, bytes], None]) -> Bytes:
    """A characteristic that takes writes, with a response or without."""
    value: CharacteristicValue[bytes] = CharacteristicValue(write=write)
    return Characteristic(
        UUID(uuid),
        Characteristic.Properties.WRITE | Characteristic.Properties.WRITE_WITHOUT_RESPONSE,
        Characteristic.WRITEABLE,
        value,
    )


def introduce(device: Device, name: str, service: str | None) -> None:
    """Set what is advertised: one service, whole, and the name where there is room for it."""
    said: list[tuple[AdvertisingData.Type, bytes]] = [(AdvertisingData.FLAGS, b"\x06")]
    named = (AdvertisingData.COMPLETE_LOCAL_NAME, name.encode())
    if service is None:
        device.advertising_data = bytes(AdvertisingData([*said, named]))
        return
    said.append((AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, bytes(UUID(service))))
    device.advertising_data = bytes(AdvertisingData(said))
    device.scan_response_data = bytes(AdvertisingData([named]))


def one_of(given: dict[str, str], option: str, choices: Mapping[str, bool]) -> bool:
    """The choice that an option names; the first when it is not given.

    Raises:
        ValueError: it names none.
    """
    name = given.pop(option, next(iter(choices)))
    if name not in choices:
        raise ValueError(f"{option} is one of {', '.join(choices)}")
    return choices[name]


def nothing_left(given: Mapping[str, str], what: str) -> None:
    """Refuse options that nobody took.

    Raises:
        ValueError: there are some.
    """
    if given:
        raise ValueError(f"{what} has no option {', '.join(sorted(given))}")
