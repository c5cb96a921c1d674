"""An Omron cuff in the simulated air; options and orders stand in this folder's README."""

import asyncio
import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bumble.core import UUID
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, Service

from drivers.devices.omron_hem.codec import CHANNEL_BYTES, FROM_CUFF, SERVICE, TO_CUFF, UNLOCK, padded
from drivers.devices.omron_hem.records import Model, model_called
from drivers.devices.omron_hem.unit import Unit
from drivers.simulation import kept_secret
from drivers.simulation.device_clock import right, unset
from drivers.simulation.notifier import introduce, nothing_left, now_s, one_of, writable
from drivers.simulation.peripheral import (
    LINK_ERRORS,
    Bytes,
    Gone,
    Meeting,
    about,
    met,
    notifying,
    told,
)
from drivers.simulation.person import Person, take_person
from drivers.simulation.vitals import Rhythm
from drivers.simulation.wall_time import WallTime

AWAKE_S: Final = 30.0
REST_S: Final = 0.1
BETWEEN_KEPT: Final = datetime.timedelta(hours=8)


class SimulatedOmron:
    """One cuff in the air; a `drivers.radio.peripheral.Peripheral`."""

    def __init__(self, address: str, unit: Unit, person: Person, time: WallTime) -> None:
        self.name: Final = f"BLESmart_0000{address.replace(':', '')}"
        self.address: Final = address
        self.unit: Final = unit
        self.time = time
        self._person = person
        self._awake = asyncio.Event()
        self._hang_up = asyncio.Event()
        self._out: asyncio.Queue[tuple[Bytes, bytes]] = asyncio.Queue()
        self._parts: dict[int, bytes] = {}
        self._file: Path | None = None
        self._unlock = told(
            UNLOCK, Characteristic.Properties.NOTIFY, read=lambda _: b"", write=self._hear_key
        )
        self._from = [notifying(uuid) for uuid in FROM_CUFF]
        self._to = [writable(uuid, self._hearing(place)) for place, uuid in enumerate(TO_CUFF)]

    def remember(self, file: Path) -> None:
        """See `drivers.radio.peripheral.Remembers`: the key it was given; who has one asks for none."""
        self._file = file
        key = kept_secret.read(file)
        if key is not None:
            self.unit.key, self.unit.pairing = key, False

    def obey(self, order: str) -> bool:
        match order.split():
            case ["measure", *numbers] if len(numbers) in {0, 3} and all(map(str.isdecimal, numbers)):
                self._measure([int(number) for number in numbers])
                self._awake.set()
            case ["wake"]:
                self._awake.set()
            case ["pairing", "on" | "off" as state]:
                self.unit.pairing = state == "on"
                self._awake.set()
            case ["mute", "on" | "off" as state]:
                self.unit.mute = state == "on"
            case ["clock", seconds] if seconds.removeprefix("-").isdecimal():
                at = right()
                self.time = WallTime(at.at + datetime.timedelta(seconds=int(seconds)), at.since_s)
            case ["hang-up"]:
                self._hang_up.set()
            case _:
                return False
        return True

    def _measure(self, numbers: list[int]) -> None:
        now = self._person.vitals.now(self._person.at_s(now_s()))
        systolic, diastolic, pulse = numbers or (round(now.systolic), round(now.diastolic), round(now.pulse))
        irregular = not numbers and now.rhythm is Rhythm.ATRIAL_FIBRILLATION
        self.unit.measured((systolic, diastolic, pulse), self.time.now(now_s()), irregular=irregular)

    async def live(self, device: Device) -> None:
        """Sleep, wake up, let itself be read, hang up, until cancelled."""
        device.add_services(
            [
                Service(UUID(SERVICE), [self._unlock, *self._from, *self._to]),
                *about(
                    manufacturer="OMRON HEALTHCARE (simulated)",
                    model=self.unit.model.name,
                    serial=self.address.replace(":", ""),
                    battery=lambda: 90,
                )[:1],
            ]
        )
        introduce(device, self.name, SERVICE)
        while True:
            if not self.unit.pairing:  # P stands in its display until somebody has paired with it
                await self._awake.wait()
            self._awake.clear()
            meeting = await met(device, within_s=AWAKE_S)
            if meeting is None:
                continue
            self._begin()
            try:
                await self._speak(meeting)
            except* (Gone, *LINK_ERRORS):
                pass
            finally:
                await meeting.hang_up()
            await asyncio.sleep(REST_S)

    def _begin(self) -> None:
        self.unit.meet()
        self._hang_up.clear()
        self._parts.clear()
        self._out = asyncio.Queue()

    async def _speak(self, meeting: Meeting) -> None:
        async with asyncio.TaskGroup() as group:
            speaking = group.create_task(self._answer(meeting))
            await meeting.unless_gone(self._hang_up.wait())
            speaking.cancel()

    async def _answer(self, meeting: Meeting) -> None:
        while True:
            characteristic, value = await self._out.get()
            await meeting.notify(characteristic, value)

    def _hear_key(self, _connection: Connection, asked: bytes) -> None:
        before = self.unit.key
        self._out.put_nowait((self._unlock, self.unit.unlock(asked)))
        if self._file is not None and self.unit.key is not None and self.unit.key != before:
            kept_secret.keep(self._file, self.unit.key)

    def _hearing(self, place: int) -> "_Hearing":
        return _Hearing(self, place)

    def hear(self, place: int, part: bytes) -> None:
        """Take what was written to a channel, and answer the packet it completes."""
        if place == 0:
            self._parts.clear()
        self._parts[place] = part
        whole = b"".join(self._parts[at] for at in sorted(self._parts))
        if not whole or len(whole) < min(whole[0], CHANNEL_BYTES * len(TO_CUFF)):
            return
        self._parts.clear()
        for channel, value in zip(self._from, padded(self.unit.answer(whole)), strict=False):
            self._out.put_nowait((channel, value))


class _Hearing:
    """One channel's ear."""

    def __init__(self, cuff: SimulatedOmron, place: int) -> None:
        self._cuff = cuff
        self._place = place

    def __call__(self, _connection: Connection, part: bytes) -> None:
        self._cuff.hear(self._place, part)


def make_peripheral(address: str, options: Mapping[str, str]) -> SimulatedOmron:
    """A cuff with the options of the README.

    Raises:
        ValueError: an option is not known, or its value is none of its own.
    """
    given = dict(options)
    person = take_person(given, now_s())
    model = _model(given.pop("model", "HEM-7322T"))
    key = given.pop("unlock", "")
    unit = Unit(model, bytes.fromhex(key) if key else None)
    time = right() if one_of(given, "clock", {"set": True, "unset": False}) else unset()
    unit.pairing = one_of(given, "pairing", {"off": False, "on": True})
    kept = int(given.pop("kept", "0"))
    nothing_left(given, "a cuff of this kind")
    for back in range(kept, 0, -1):
        at = time.at - back * BETWEEN_KEPT
        unit.measured((110 + back % 40, 70 + back % 15, 60 + back % 30), at)
    return SimulatedOmron(address, unit, person, time)


def _model(name: str) -> Model:
    model = model_called(name)
    if model is None:
        raise ValueError(f"there is no model {name}")
    return model
