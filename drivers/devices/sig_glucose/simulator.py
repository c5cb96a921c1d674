"""A glucose meter in the simulated air; options and orders stand in this folder's README.

As a real one it sleeps, wakes up after a test, advertises for a while, tells what it keeps to whoever has
bonded with it and asks, and hangs up. It forgets nothing that it was asked for.
"""

import asyncio
import datetime
from collections.abc import Mapping
from typing import Final

from bumble.core import UUID
from bumble.device import Device
from bumble.gatt import Service

from drivers.codec import uuids
from drivers.devices.sig_glucose.codec import Meal, Status
from drivers.devices.sig_glucose.unit import MEALS, Meter
from drivers.simulation.device_clock import DeviceClock, now_s, right, unset
from drivers.simulation.kept_records import KeptRecords
from drivers.simulation.peripheral import (
    LINK_ERRORS,
    Gone,
    Meeting,
    about,
    encrypt_subscription,
    introduce,
    met,
    notifying,
    readable,
)
from drivers.simulation.person import Person, take_person
from drivers.simulation.record_access import RecordAccess

AWAKE_S: Final = 30.0
"""How long it advertises; then it keeps what it has for the next time."""
ASKED_WITHIN_S: Final = 60.0
LINGERS_S: Final = 1.0
"""After an answer it waits so long for another request."""
REST_S: Final = 0.1
FEATURES: Final = Status.LOW_BATTERY | Status.ABOVE_RANGE | Status.BELOW_RANGE | Status.SAMPLE_TOO_SMALL
STORED_EVERY: Final = datetime.timedelta(hours=4)


class SimulatedMeter:
    """One meter in the air; a `drivers.radio.peripheral.Peripheral`."""

    def __init__(
        self, address: str, meter: Meter, person: Person, clock: DeviceClock, *, battery: int = 90
    ) -> None:
        self.name: Final = "Meter_sim"
        self.address: Final = address
        self.meter: Final = meter
        self.clock: Final = clock
        self.lingers_s = LINGERS_S
        self.every_s = 0.0
        self._person = person
        self._battery = battery
        self._moved = False
        self._hang_up = asyncio.Event()
        self._awake = asyncio.Event()
        self._measurement = notifying(uuids.GLUCOSE_MEASUREMENT)
        self._context = notifying(uuids.GLUCOSE_CONTEXT)
        self.access: Final = RecordAccess(
            meter.kept,
            {uuids.GLUCOSE_MEASUREMENT: self._measurement, uuids.GLUCOSE_CONTEXT: self._context},
        )

    # ── Orders ───────────────────────────────────────────────────────────────────────────────────

    def obey(self, order: str) -> bool:
        words = order.split()
        match words:
            case ["measure" | "store" as word, *what] if _is_test(what):
                self._measure(what)
                if word == "measure":
                    self._awake.set()
            case ["wake"]:
                self._awake.set()
            case ["control" | "high" | "low" | "fail" as what]:
                self._test(what)
                self._awake.set()
            case ["new-battery"]:
                self.meter.new_battery()
                self.clock.time = unset()
            case _:
                return self._suffer(words)
        return True

    def _suffer(self, words: list[str]) -> bool:
        """What may happen to any device, see `drivers.simulation.faults`."""
        match words:
            case ["records", *rest]:
                return self.access.obey(rest)
            case ["clock", *rest]:
                return self.clock.obey(rest)
            case ["motion", "on" | "off" as state]:
                self._moved = state == "on"
            case ["battery", percent] if percent.isdecimal() and int(percent) <= 100:
                self._battery = int(percent)
            case ["hang-up"]:
                self._hang_up.set()
            case _:
                return False
        return True

    def _measure(self, what: list[str]) -> None:
        numbers = [int(word) for word in what if word.isdecimal()]
        meal = next((MEALS[word] for word in what if word in MEALS), None)
        if numbers:
            self.meter.exactly(numbers[0], self.clock.now(), meal)
        elif self._moved:
            self.meter.refused(self.clock.now(), Status.SAMPLE_TOO_SMALL)
        else:
            found = self._person.vitals.now(self._person.at_s(now_s()))
            self.meter.measured(found.glucose_mg_dl, self.clock.now(), meal)

    def _test(self, what: str) -> None:
        if what == "control":
            self.meter.control(self.clock.now())
            return
        why = {"high": Status.ABOVE_RANGE, "low": Status.BELOW_RANGE, "fail": Status.SAMPLE_TOO_SMALL}
        self.meter.refused(self.clock.now(), why[what])

    # ── In the air ───────────────────────────────────────────────────────────────────────────────

    async def live(self, device: Device) -> None:
        """Sleep, wake up, tell, hang up, until cancelled."""
        inside = [
            self._measurement,
            self._context,
            readable(uuids.GLUCOSE_FEATURE, FEATURES.to_bytes(2, "little")),
            self.access.control,
        ]
        device.add_services(
            [
                Service(UUID(uuids.GLUCOSE_SERVICE), inside),
                self.clock.service(),
                *about(
                    manufacturer="Qafila (simulated)",
                    model=self.name,
                    serial=self.address.replace(":", ""),
                    battery=lambda: self._battery,
                ),
            ]
        )
        encrypt_subscription(device, self._measurement)
        encrypt_subscription(device, self.access.control)
        introduce(device, self.name, uuids.GLUCOSE_SERVICE)
        async with asyncio.TaskGroup() as group:
            if self.every_s:
                group.create_task(self._measure_now_and_then())
            while True:
                await self._awake.wait()
                self._awake.clear()
                await self._be_awake(device)

    async def _measure_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self.every_s)
            self._measure([])
            self._awake.set()

    async def _be_awake(self, device: Device) -> None:
        """Advertise until somebody has been told, or nobody comes."""
        while not self.access.answered.is_set():
            meeting = await met(device, within_s=AWAKE_S)
            if meeting is None:
                return
            self._hang_up.clear()
            try:
                await self._serve(meeting)
            except* (Gone, *LINK_ERRORS):
                pass
            finally:
                await meeting.hang_up()
            await asyncio.sleep(REST_S)
        self.access.answered.clear()

    async def _serve(self, meeting: Meeting) -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.access.serve(meeting))
            await meeting.unless_gone(self._until_told())
            task.cancel()

    async def _until_told(self) -> None:
        """Until it was asked and has answered, and nothing more is asked; or it is to hang up."""
        async with asyncio.TaskGroup() as group:
            order = group.create_task(self._hang_up.wait())
            told = group.create_task(self._told())
            await asyncio.wait((order, told), return_when=asyncio.FIRST_COMPLETED)
            order.cancel()
            told.cancel()

    async def _told(self) -> None:
        async with asyncio.timeout(ASKED_WITHIN_S):
            while True:
                await self.access.answered.wait()
                await asyncio.sleep(self.lingers_s)
                if self.access.answered.is_set():
                    return


def make_peripheral(address: str, options: Mapping[str, str]) -> SimulatedMeter:
    """A meter with the options of the README.

    Raises:
        ValueError: an option is not known, or its value is none of its own.
    """
    given = dict(options)
    person = take_person(given, now_s())
    parts, unit, clock = (given.pop(*option) for option in _CHOICES)
    if parts not in {"on", "off"} or unit not in {"kg", "mol"} or clock not in {"set", "unset"}:
        raise ValueError("parts is on or off, unit kg or mol, clock set or unset")
    meter = Meter(KeptRecords(parts=parts == "on"), moles=unit == "mol", seed=int(given.pop("seed", "1")))
    time = DeviceClock(right() if clock == "set" else unset())
    simulated = SimulatedMeter(address, meter, person, time, battery=int(given.pop("battery", "90")))
    simulated.every_s = float(given.pop("every", "0"))
    simulated.lingers_s = float(given.pop("lingers", str(LINGERS_S)))
    stored = int(given.pop("stored", "0"))
    for number in range(stored, 0, -1):
        meter.exactly(90 + number % 40, time.now() - number * STORED_EVERY, _MEALS_IN_TURN[number % 3])
    if given:
        raise ValueError(f"a meter has no option {', '.join(sorted(given))}")
    return simulated


_CHOICES: Final = (("parts", "on"), ("unit", "kg"), ("clock", "set"))
_MEALS_IN_TURN: Final = (None, Meal.FASTING, Meal.AFTER)


def _is_test(what: list[str]) -> bool:
    """Whether these words are an amount or none, and a meal or none."""
    match what:
        case [] | [_] if all(_is_amount(word) or word in MEALS for word in what):
            return True
        case [amount, meal]:
            return _is_amount(amount) and meal in MEALS
        case _:
            return False


def _is_amount(word: str) -> bool:
    return word.isdecimal() and 1 <= int(word) <= 999
