"""An oximeter in the simulated air; options and orders stand in this folder's README."""

import asyncio
from collections.abc import Mapping
from typing import Final

from bumble.core import UUID
from bumble.device import Device
from bumble.gatt import Service

from drivers.codec import uuids
from drivers.devices.sig_oximeter.unit import Oximeter
from drivers.simulation.device_clock import DeviceClock, now_s, right, unset
from drivers.simulation.kept_records import KeptRecords
from drivers.simulation.peripheral import (
    LINK_ERRORS,
    Gone,
    Meeting,
    about,
    encrypt_subscription,
    indicating,
    introduce,
    met,
    notifying,
    readable,
)
from drivers.simulation.person import Person, take_person
from drivers.simulation.record_access import RecordAccess
from drivers.simulation.vitals import Snapshot

EVERY_S: Final = 1.0
REST_S: Final = 0.1


class SimulatedOximeter:
    """One oximeter in the air; a `drivers.radio.peripheral.Peripheral`.

    Attributes:
        continuous: whether it has a running display; some tell spot checks only.
    """

    def __init__(
        self,
        address: str,
        oximeter: Oximeter,
        person: Person,
        clock: DeviceClock,
        *,
        battery: int = 90,
        continuous: bool = True,
    ) -> None:
        self.name: Final = "Oximeter_sim"
        self.address: Final = address
        self.oximeter: Final = oximeter
        self.clock: Final = clock
        self.continuous: Final = continuous
        self.speed = 1.0
        self.every_s = 0.0
        self._person = person
        self._battery = battery
        self._hang_up = asyncio.Event()
        self._spots: asyncio.Queue[bytes] = asyncio.Queue()
        self._display = notifying(uuids.PLX_CONTINUOUS)
        self._spot = indicating(uuids.PLX_SPOT_CHECK)
        self.access: Final = (
            None if oximeter.kept is None else RecordAccess(oximeter.kept, {uuids.PLX_SPOT_CHECK: self._spot})
        )

    # ── Orders ───────────────────────────────────────────────────────────────────────────────────

    def obey(self, order: str) -> bool:
        words = order.split()
        match words:
            case ["measure"]:
                self._spots.put_nowait(self._spot_check())
            case ["store"]:
                self._spot_check()
            case ["demonstration", "on" | "off" as state]:
                self.oximeter.demonstrates = state == "on"
            case ["sensor", "on" | "off" as state]:
                self.oximeter.worn = state == "on"
            case ["motion", "on" | "off" as state]:
                self.oximeter.moved = state == "on"
            case ["records", *rest] if self.access is not None:
                return self.access.obey(rest)
            case ["clock", *rest]:
                return self.clock.obey(rest)
            case ["battery", percent] if percent.isdecimal() and int(percent) <= 100:
                self._battery = int(percent)
            case ["hang-up"]:
                self._hang_up.set()
            case _:
                return False
        return True

    def _found(self) -> Snapshot:
        return self._person.vitals.now(self._person.at_s(now_s()))

    def _spot_check(self) -> bytes:
        return self.oximeter.spot_check(self._found(), self.clock.now(), clock_set=self.clock.time.is_set)

    # ── In the air ───────────────────────────────────────────────────────────────────────────────

    async def live(self, device: Device) -> None:
        """Advertise while it is on, and show and tell to whoever has bonded with it."""
        inside = [
            self._spot,
            readable(uuids.PLX_FEATURES, self.oximeter.features(continuous=self.continuous)),
            *([self._display] if self.continuous else []),
            *([self.access.control] if self.access is not None else []),
        ]
        device.add_services(
            [
                Service(UUID(uuids.PULSE_OXIMETER_SERVICE), inside),
                self.clock.service(),
                *about(
                    manufacturer="Qafila (simulated)",
                    model=self.name,
                    serial=self.address.replace(":", ""),
                    battery=lambda: self._battery,
                ),
            ]
        )
        for told in (self._spot, self._display):
            encrypt_subscription(device, told)
        introduce(device, self.name, uuids.PULSE_OXIMETER_SERVICE)
        async with asyncio.TaskGroup() as group:
            if self.every_s:
                group.create_task(self._measure_now_and_then())
            while True:
                meeting = await met(device)
                if meeting is not None:
                    await self._meet(meeting)

    async def _measure_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self.every_s)
            self._spots.put_nowait(self._spot_check())

    async def _meet(self, meeting: Meeting) -> None:
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
            tasks = [group.create_task(self._show(meeting)), group.create_task(self._tell(meeting))]
            if self.access is not None:
                tasks.append(group.create_task(self.access.serve(meeting)))
            await meeting.unless_gone(self._hang_up.wait())
            for task in tasks:
                task.cancel()

    async def _show(self, meeting: Meeting) -> None:
        if not self.continuous:
            return
        await meeting.until_subscribed(self._display)
        while True:
            await meeting.notify(self._display, self.oximeter.display(self._found()))
            await asyncio.sleep(EVERY_S / self.speed)

    async def _tell(self, meeting: Meeting) -> None:
        await meeting.until_subscribed(self._spot)
        while True:
            value = await self._spots.get()
            await meeting.indicate(self._spot, value)


def make_peripheral(address: str, options: Mapping[str, str]) -> SimulatedOximeter:
    """An oximeter with the options of the README.

    Raises:
        ValueError: an option is not known, or its value is none of its own.
    """
    given = dict(options)
    person = take_person(given, now_s())
    continuous, memory, clock = (given.pop(*option) for option in _CHOICES)
    if {continuous, memory} - {"on", "off"} or clock not in {"set", "unset"}:
        raise ValueError("continuous and memory are on or off, clock set or unset")
    simulated = SimulatedOximeter(
        address,
        Oximeter(KeptRecords(parts=False) if memory == "on" else None),
        person,
        DeviceClock(right() if clock == "set" else unset()),
        battery=int(given.pop("battery", "90")),
        continuous=continuous == "on",
    )
    simulated.speed = float(given.pop("speed", "1"))
    simulated.every_s = float(given.pop("every", "0"))
    if given:
        raise ValueError(f"an oximeter has no option {', '.join(sorted(given))}")
    return simulated


_CHOICES: Final = (("continuous", "on"), ("memory", "on"), ("clock", "set"))
