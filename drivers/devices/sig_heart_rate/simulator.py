"""A heart rate sensor in the simulated air; options and orders stand in this folder's README."""

import asyncio
from collections.abc import Mapping
from typing import Final

from bumble.core import UUID
from bumble.device import Device
from bumble.gatt import Service

from drivers.codec import uuids
from drivers.codec.heart_rate import Flag, HeartRate, encode_heart_rate
from drivers.simulation.device_clock import now_s
from drivers.simulation.peripheral import (
    LINK_ERRORS,
    Gone,
    Meeting,
    about,
    introduce,
    met,
    notifying,
    readable,
)
from drivers.simulation.person import Person, take_person

EVERY_S: Final = 1.0
REST_S: Final = 0.1
CHEST: Final = b"\x01"
MOST_INTERVALS: Final = 9
"""What fits into a packet of the smallest size."""


class SimulatedSensor:
    """One sensor in the air; a `drivers.radio.peripheral.Peripheral`.

    Attributes:
        contact: whether it touches the skin, or None when it cannot tell.
        told_until_s: beats up to here, in the person's time, have been told.
    """

    def __init__(self, address: str, person: Person, *, battery: int = 90) -> None:
        self.name: Final = "HRM_sim"
        self.address: Final = address
        self.contact: bool | None = True
        self.intervals = True
        self.speed = 1.0
        self._person = person
        self._battery = battery
        self._hang_up = asyncio.Event()
        self._rate = notifying(uuids.HEART_RATE_MEASUREMENT)
        self.told_until_s = person.at_s(now_s())
        self._last_beat_s: float | None = None

    def obey(self, order: str) -> bool:
        match order.split():
            case ["sensor", "on" | "off" as state]:
                self.contact = state == "on"
            case ["battery", percent] if percent.isdecimal() and int(percent) <= 100:
                self._battery = int(percent)
            case ["hang-up"]:
                self._hang_up.set()
            case _:
                return False
        return True

    def value(self, at_s: float) -> bytes:
        """What it says at a moment of the person's, of the beats since it said something."""
        beats, self.told_until_s = self._person.vitals.beats(self.told_until_s, at_s), at_s
        flags = 0 if self.contact is None else Flag.CONTACT_KNOWN | (Flag.CONTACT if self.contact else 0)
        if self.contact is False:
            self._last_beat_s = None
            return encode_heart_rate(HeartRate(flags, 0))
        between: list[int] = []
        for beat_s in beats:
            if self._last_beat_s is not None:
                between.append(round((beat_s - self._last_beat_s) * 1024))
            self._last_beat_s = beat_s
        intervals = tuple(between[-MOST_INTERVALS:]) if self.intervals else ()
        if intervals:
            flags |= Flag.INTERVALS
        rate = round(self._person.vitals.now(at_s).pulse)
        return encode_heart_rate(HeartRate(flags, min(rate, 0xFF), intervals=intervals))

    async def live(self, device: Device) -> None:
        """Advertise as long as it has a battery, and tell whoever listens."""
        device.add_services(
            [
                Service(
                    UUID(uuids.HEART_RATE_SERVICE),
                    [self._rate, readable(uuids.BODY_SENSOR_LOCATION, CHEST)],
                ),
                *about(
                    manufacturer="Qafila (simulated)",
                    model=self.name,
                    serial=self.address.replace(":", ""),
                    battery=lambda: self._battery,
                ),
            ]
        )
        introduce(device, self.name, uuids.HEART_RATE_SERVICE)
        while True:
            meeting = await met(device)
            if meeting is None:
                continue
            self._hang_up.clear()
            try:
                await self._serve(meeting)
            except* (Gone, *LINK_ERRORS):
                pass
            finally:
                await meeting.hang_up()
            await asyncio.sleep(REST_S)

    async def _serve(self, meeting: Meeting) -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self._tell(meeting))
            await meeting.unless_gone(self._hang_up.wait())
            task.cancel()

    async def _tell(self, meeting: Meeting) -> None:
        await meeting.until_subscribed(self._rate)
        while True:
            await meeting.notify(self._rate, self.value(self._person.at_s(now_s())))
            await asyncio.sleep(EVERY_S / self.speed)


def make_peripheral(address: str, options: Mapping[str, str]) -> SimulatedSensor:
    """A sensor with the options of the README.

    Raises:
        ValueError: an option is not known, or its value is none of its own.
    """
    given = dict(options)
    person = take_person(given, now_s())
    sensor = SimulatedSensor(address, person, battery=int(given.pop("battery", "90")))
    contact = given.pop("contact", "on")
    if contact not in _CONTACTS:
        raise ValueError(f"contact is one of {', '.join(_CONTACTS)}")
    sensor.contact = _CONTACTS[contact]
    sensor.intervals = given.pop("intervals", "on") == "on"
    sensor.speed = float(given.pop("speed", "1"))
    if given:
        raise ValueError(f"a heart rate sensor has no option {', '.join(sorted(given))}")
    return sensor


_CONTACTS: Final[dict[str, bool | None]] = {"on": True, "off": False, "unknown": None}
