"""A Polar H10 in the simulated air; options and orders stand in this folder's README."""

import asyncio
from collections.abc import Mapping
from typing import Final

from bumble.core import UUID
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, Service

from drivers.codec import uuids
from drivers.devices.polar_h10.codec import Answer
from drivers.devices.polar_h10.unit import MEASURES, NOMINAL_RATE, Strap
from drivers.simulation.ecg import Heart
from drivers.simulation.patient_heart import Beating, PatientHeart
from drivers.simulation.peripheral import (
    LINK_ERRORS,
    Gone,
    Meeting,
    about,
    introduce,
    met,
    notifying,
    readable,
    told,
)
from drivers.simulation.person import take_person
from edge.clock import SystemClock

REST_S: Final = 0.1
HEART_RATE_EVERY_S: Final = 1.0
CHEST: Final = b"\x01"


class SimulatedStrap:
    """One strap in the air; a `drivers.radio.peripheral.Peripheral`."""

    def __init__(self, address: str, strap: Strap, *, battery: int = 90, speed: float = 1.0) -> None:
        self.name: Final = f"Polar H10 {address.replace(':', '')[-8:]}"
        self.address: Final = address
        self.strap: Final = strap
        self._battery = battery
        self._speed = speed
        self._lose = 0
        self._hang_up = asyncio.Event()
        self._commands: asyncio.Queue[tuple[bytes, int]] = asyncio.Queue()
        self._rate = notifying(uuids.HEART_RATE_MEASUREMENT)
        self._data = notifying(uuids.POLAR_DATA)
        self._control = told(
            uuids.POLAR_CONTROL_POINT,
            Characteristic.Properties.INDICATE,
            read=lambda _: MEASURES,
            write=self._hear,
        )

    def obey(self, order: str) -> bool:
        match order.split():
            case ["contact" | "sensor", "on" | "off" as state]:
                self.strap.contact = state == "on"
            case ["motion", "on" | "off" as state]:
                self.strap.moves = state == "on"
            case ["battery", percent] if percent.isdecimal() and int(percent) <= 100:
                self._battery = int(percent)
            case ["lose", number] if number.isdecimal():
                self._lose = int(number)
            case ["clock-jump" | "clock", seconds] if seconds.lstrip("-").isdecimal():
                self.strap.clock_jump(int(seconds))
            case ["answer", "ok"]:
                self.strap.answer = None
            case ["answer", error] if _is_error(error):
                self.strap.answer = int(error, 16)
            case ["hang-up"]:
                self._hang_up.set()
            case _:
                return False
        return True

    async def live(self, device: Device) -> None:
        """Advertise as long as it is worn, and stream to whoever asks."""
        device.add_services(
            [
                Service(
                    UUID(uuids.HEART_RATE_SERVICE),
                    [self._rate, readable(uuids.BODY_SENSOR_LOCATION, CHEST)],
                ),
                Service(UUID(uuids.POLAR_SERVICE), [self._control, self._data]),
                *about(
                    manufacturer="Polar Electro Oy (simulated)",
                    model="H10",
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
            self._commands = asyncio.Queue()
            try:
                await self._serve(meeting)
            except* (Gone, *LINK_ERRORS):
                pass
            finally:
                self.strap.streams = False
                await meeting.hang_up()
            await asyncio.sleep(REST_S)

    async def _serve(self, meeting: Meeting) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(life(meeting))
                for life in (self._answer, self._tell_heart_rate, self._stream)
            ]
            await meeting.unless_gone(self._hang_up.wait())
            for task in tasks:
                task.cancel()

    async def _answer(self, meeting: Meeting) -> None:
        while True:
            command, mtu = await self._commands.get()
            await meeting.indicate(self._control, self.strap.command(command, mtu))

    async def _tell_heart_rate(self, meeting: Meeting) -> None:
        while True:
            await meeting.notify(self._rate, self.strap.heart_rate())
            await asyncio.sleep(HEART_RATE_EVERY_S / self._speed)

    async def _stream(self, meeting: Meeting) -> None:
        """A frame each time its samples are full; against a clock, so that naps do not add up."""
        now_s = asyncio.get_running_loop().time
        due_s = now_s()
        while True:
            due_s += self.strap.frame_s / self._speed
            await asyncio.sleep(max(0.0, due_s - now_s()))
            if not self.strap.streams:
                self.strap.skip_frame()
            elif self._lose:
                self._lose -= 1
                self.strap.skip_frame()
            else:
                await meeting.notify(self._data, self.strap.frame())

    def _hear(self, connection: Connection, command: bytes) -> None:
        self._commands.put_nowait((command, connection.att_mtu))


def make_peripheral(address: str, options: Mapping[str, str]) -> SimulatedStrap:
    """A strap with the options of the README.

    Raises:
        ValueError: an option is not known, or its value is none of its own.
    """
    given = dict(options)
    strap = Strap(
        _heart(given),
        rate=float(given.pop("rate", "130.17")),
        needs_mtu=given.pop("mtu-quirk", "on") == "on",
    )
    strap.contact = given.pop("contact", "on") == "on"
    answer = given.pop("answer", "")
    strap.answer = int(answer, 16) if answer else None
    simulated = SimulatedStrap(
        address, strap, battery=int(given.pop("battery", "90")), speed=float(given.pop("speed", "1"))
    )
    if given:
        raise ValueError(f"a strap has no option {', '.join(sorted(given))}")
    return simulated


def _heart(given: dict[str, str]) -> Beating:
    """A patient's, or a recorded one."""
    if "scenario" not in given:
        return Heart(NOMINAL_RATE)
    now_s = SystemClock().monotonic_s()
    person = take_person(given, now_s)
    return PatientHeart(person.vitals, NOMINAL_RATE, person.at_s(now_s))


def _is_error(text: str) -> bool:
    return text.upper().lstrip("0") in {f"{int(answer):X}" for answer in Answer if answer}
