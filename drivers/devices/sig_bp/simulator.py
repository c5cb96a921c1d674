"""A cuff in the simulated air; options and orders stand in this folder's README.

As a real one it sleeps, wakes up when it has measured, advertises for a while, pours out what it has to
whoever has bonded with it, and hangs up. What is not confirmed it keeps, and sends again next time.
"""

import asyncio
import contextlib
import datetime
from collections.abc import Mapping
from typing import Final, TypeVar

from bumble.att import ATT_Error, ErrorCode
from bumble.core import UUID
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, Service

from drivers.codec import uuids
from drivers.codec.gatt_time import (
    Adjusted,
    CurrentTime,
    DateTime,
    decode_current_time,
    decode_date_time,
    encode_current_time,
    encode_date_time,
)
from drivers.devices.sig_bp.codec import Feature, Status
from drivers.devices.sig_bp.unit import POWER_UP, WHY, Clock, Cuff
from drivers.simulation.arm import Arm, PatientArm, pressures
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
    told,
)
from drivers.simulation.person import take_person
from edge.clock import SystemClock

AWAKE_S: Final = 30.0
"""How long it advertises after a measurement; then it keeps what it has for the next time."""
LISTENED_WITHIN_S: Final = 20.0
RAMP_STEP_S: Final = 0.05
FEATURES: Final = Feature.BODY_MOVEMENT | Feature.CUFF_FIT | Feature.IRREGULAR_PULSE
REST_S: Final = 0.1
LINGERS_S: Final = 1.0
"""A cuff that told its time gives the host so long to correct it before it hangs up."""
WRITE_REFUSED: Final = 0x80
"""An application error: Omron cuffs refuse their clock before they have told it."""
_CLOCK: Final = SystemClock()
_T = TypeVar("_T")


class SimulatedCuff:
    """One cuff in the air; a `drivers.radio.peripheral.Peripheral`."""

    def __init__(self, address: str, cuff: Cuff, *, omron: bool = False, battery: int = 90) -> None:
        self.name: Final = "BLESmart_sim" if omron else "A&D_UA-651BLE_sim"
        self.address: Final = address
        self.cuff: Final = cuff
        self.every_s = 0.0
        self.hangs_up = True
        self._omron = omron
        self._battery = battery
        self._told_time = False
        self._early = False
        self._drops = False
        self._was_set = asyncio.Event()
        self._awake = asyncio.Event()
        self._measurement = indicating(uuids.BLOOD_PRESSURE_MEASUREMENT)
        self._intermediate = notifying(uuids.INTERMEDIATE_CUFF_PRESSURE)
        self._time = told(
            uuids.CURRENT_TIME if omron else uuids.DATE_TIME,
            Characteristic.Properties.NOTIFY if omron else Characteristic.Properties(0),
            read=lambda _: self._tell_time(),
            write=self._set_time,
        )

    # ── Orders ───────────────────────────────────────────────────────────────────────────────────

    def obey(self, order: str) -> bool:
        words = order.split()
        match words:
            case ["measure" | "store" | "watch", *numbers] if _are_pressures(numbers):
                self._measure([int(number) for number in numbers])
                self._early = words[0] == "watch"
                if words[0] != "store":
                    self._awake.set()
            case ["fail", *why] if len(why) <= 1 and all(word in WHY for word in why):
                self.cuff.failed(_now_s(), status=WHY[why[0]] if why else 0)
                self._awake.set()
            case ["clock", "set"]:
                self.cuff.clock = wall_clock()
            case ["clock", "unset"]:
                self.cuff.clock = Clock(POWER_UP, _now_s())
            case ["hang-up", "on" | "off" as state]:
                self.hangs_up = state == "on"
            case ["pulse" | "sys" | "dia" as what, number] if number.isdecimal():
                setattr(self.cuff.arm, {"sys": "systolic", "dia": "diastolic"}.get(what, what), int(number))
            case _:
                return self._suffer(words)
        return True

    def _suffer(self, words: list[str]) -> bool:
        """What may happen to any device, see `drivers.simulation.faults`."""
        match words:
            case ["clock", seconds] if _is_whole(seconds):
                at = wall_clock()
                self.cuff.clock = Clock(at.at + datetime.timedelta(seconds=int(seconds)), at.since_s)
            case ["hang-up"]:
                self._drops = True
            case ["sensor", "on" | "off" as state]:
                self.cuff.arm.worn = state == "on"
            case ["motion", "on" | "off" as state]:
                self.cuff.arm.moved = state == "on"
            case ["battery", percent] if percent.isdecimal() and int(percent) <= 100:
                self._battery = int(percent)
            case _:
                return False
        return True

    def _measure(self, numbers: list[int]) -> None:
        arm = self.cuff.arm
        if not numbers and not arm.worn:
            self.cuff.failed(_now_s(), status=Status.CUFF_TOO_LOOSE)
        elif not numbers and arm.moves:
            self.cuff.failed(_now_s(), status=Status.BODY_MOVEMENT)
        else:
            found = pressures(*numbers) if numbers else arm.measure()
            self.cuff.measured(found, _now_s(), status=Status.IRREGULAR_PULSE if arm.irregular else 0)

    # ── In the air ───────────────────────────────────────────────────────────────────────────────

    async def live(self, device: Device) -> None:
        """Sleep, wake up, tell, hang up, until cancelled."""
        inside = [
            self._measurement,
            self._intermediate,
            readable(uuids.BLOOD_PRESSURE_FEATURE, FEATURES.to_bytes(2, "little")),
        ]
        services = about(
            manufacturer="Omron (simulated)" if self._omron else "A&D Medical (simulated)",
            model=self.name,
            serial=self.address.replace(":", ""),
            battery=lambda: self._battery,
        )
        if self.cuff.clock is not None and self._omron:
            services.append(Service(UUID(uuids.CURRENT_TIME_SERVICE), [self._time]))
        elif self.cuff.clock is not None:
            inside.append(self._time)
        device.add_services([Service(UUID(uuids.BLOOD_PRESSURE_SERVICE), inside), *services])
        encrypt_subscription(device, self._measurement)
        introduce(device, self.name, uuids.BLOOD_PRESSURE_SERVICE)
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
        """Advertise, and tell all there is, until there is nothing more or nobody comes."""
        while self.cuff.oldest is not None:
            meeting = await met(device, within_s=AWAKE_S)
            if meeting is None:
                return
            self._told_time = False
            try:
                await self._tell(meeting)
            except (Gone, *LINK_ERRORS):
                continue
            finally:
                await meeting.hang_up()
                await asyncio.sleep(REST_S)

    async def _tell(self, meeting: Meeting) -> None:
        async with asyncio.timeout(LISTENED_WITHIN_S):
            await meeting.until_subscribed(self._measurement)
        if self._omron:
            self._was_set.clear()
            await meeting.notify(self._time, self._tell_time())
            self._told_time = True
        if self._early:
            self._early = False
            for value in self.cuff.ramp():
                await meeting.notify(self._intermediate, value)
                await asyncio.sleep(RAMP_STEP_S)
        while (oldest := self.cuff.oldest) is not None:
            if self._drops:
                self._drops = False
                raise Gone
            await meeting.indicate(self._measurement, oldest)
            self.cuff.confirmed()
        if self._omron:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGERS_S):
                    await meeting.unless_gone(self._was_set.wait())
        if not self.hangs_up:
            await meeting.gone.wait()

    # ── The clock ────────────────────────────────────────────────────────────────────────────────

    def _tell_time(self) -> bytes:
        clock = self.cuff.clock
        at = POWER_UP if clock is None else clock.now(_now_s())
        if self._omron:
            return encode_current_time(CurrentTime.of(at, Adjusted.MANUALLY))
        return encode_date_time(DateTime.of(at))

    def _set_time(self, _connection: Connection, raw: bytes) -> None:
        if self._omron and not self._told_time:
            raise ATT_Error(WRITE_REFUSED)
        try:
            sent = decode_current_time(raw).at if self._omron else decode_date_time(raw)
        except ValueError:
            raise ATT_Error(ErrorCode.INVALID_ATTRIBUTE_LENGTH) from None
        at = sent.as_wall()
        if at is None:
            raise ATT_Error(WRITE_REFUSED)
        self.cuff.clock = Clock(at, _now_s())
        self._was_set.set()


def make_peripheral(address: str, options: Mapping[str, str]) -> SimulatedCuff:
    """A cuff with the options of the README.

    Raises:
        ValueError: an option is not known, or its value is none of its own.
    """
    given = dict(options)
    arm = _arm(given)
    clocks = {"set": wall_clock(), "unset": Clock(POWER_UP, _now_s()), "none": None}
    cuff = Cuff(
        arm,
        _one_of(given, "clock", clocks),
        kilopascal=_one_of(given, "unit", {"mmHg": False, "kPa": True}),
        mean=_one_of(given, "map", {"yes": True, "no": False}),
    )
    simulated = SimulatedCuff(
        address,
        cuff,
        omron=_one_of(given, "style", {"and": False, "omron": True}),
        battery=int(given.pop("battery", "90")),
    )
    simulated.every_s = float(given.pop("every", "0"))
    if given:
        raise ValueError(f"a cuff has no option {', '.join(sorted(given))}")
    return simulated


def _arm(given: dict[str, str]) -> Arm:
    """A patient's, or one with numbers of its own."""
    if "scenario" in given:
        return PatientArm(take_person(given, _now_s()), _now_s)
    return Arm(
        int(given.pop("seed", "1")),
        systolic=int(given.pop("sys", "124")),
        diastolic=int(given.pop("dia", "79")),
        pulse=int(given.pop("pulse", "71")),
    )


def wall_clock() -> Clock:
    """A cuff's clock that somebody has set to local time."""
    wall_ms = _CLOCK.now().wall_ms
    return Clock(datetime.datetime.fromtimestamp(wall_ms // 1000), _now_s())  # noqa: DTZ006  a cuff's clock has no zone


def _one_of(given: dict[str, str], option: str, choices: Mapping[str, _T]) -> _T:
    """The choice that an option names; the first when it is not given."""
    name = given.pop(option, next(iter(choices)))
    if name not in choices:
        raise ValueError(f"{option} is one of {', '.join(choices)}")
    return choices[name]


def _are_pressures(numbers: list[str]) -> bool:
    return len(numbers) in {0, 3} and all(number.isdecimal() and int(number) < 2000 for number in numbers)


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def _now_s() -> float:
    return _CLOCK.monotonic_s()
