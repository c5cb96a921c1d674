"""The driver of blood pressure cuffs, against a link in memory."""

import asyncio
import dataclasses
import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Final

import pytest

from drivers.codec import uuids
from drivers.codec.gatt_time import Adjusted, CurrentTime, DateTime, encode_current_time, encode_date_time
from drivers.devices.sig_bp.codec import BloodPressure, encode_measurement
from drivers.devices.sig_bp.driver import FAMILY
from drivers.kinds import DriverContext
from drivers.setup.ear import Manner
from drivers.setup.known import Wall
from drivers.setup.session import SetUpDriver
from drivers.transport.errors import BondLost
from edge.ports.driver import DeviceError, DeviceEvent, DeviceMisbehaved, DeviceUnavailable
from edge.vitals.codes import Code
from edge.vitals.identity import Identity
from edge.vitals.quantity import Missing, Quantity, Unit
from edge.vitals.reading import Mode, Reading
from tests.drivers.radio_fake import FakeLink, FakeRadio

NOW: Final = datetime.datetime(2026, 3, 14, 9, 30)  # noqa: DTZ001  a cuff names no zone
PORT: Final = "ble:C0:FF:EE:00:00:01"
MEASUREMENT: Final = uuids.BLOOD_PRESSURE_MEASUREMENT
CUFF_PRESSURE: Final = uuids.INTERMEDIATE_CUFF_PRESSURE
AT_85: Final = bytes.fromhex("00 55 00 FF 07 FF 07")
FAILED: Final = bytes.fromhex("16 FF 07 FF 07 FF 07 EA 07 03 0E 09 1D 00 FF 07 02 00")


def measured(systolic: int, seconds_ago: int = 20) -> bytes:
    at = NOW - datetime.timedelta(seconds=seconds_ago)
    said = BloodPressure(
        Unit.MILLIMETRE_OF_MERCURY, Decimal(systolic), Decimal(80), Decimal(95), DateTime.of(at), Decimal(70)
    )
    return encode_measurement(said)


class CuffLink(FakeLink):
    """A cuff that pours out what it has as soon as somebody listens, and hangs up.

    Args:
        tells: values of 2A35, or pairs of another characteristic and its value.
        hangs_up: whether it ends the link by itself.
    """

    def __init__(
        self,
        *tells: bytes | tuple[str, bytes],
        values: dict[str, bytes] | None = None,
        notifying: tuple[str, ...] = (CUFF_PRESSURE, MEASUREMENT),
        hangs_up: bool = True,
    ) -> None:
        super().__init__(values, notifying)
        self._tells = tells
        self._hangs_up = hangs_up
        self.refuses_writes = False

    async def subscribe(self, uuid: str) -> None:
        await super().subscribe(uuid)
        if uuid != MEASUREMENT:
            return
        for told in self._tells:
            self.push(*((MEASUREMENT, told) if isinstance(told, bytes) else told))
        if self._hangs_up:
            self.hang_up()

    async def read(self, uuid: str) -> bytes:
        if uuid not in self.values:
            raise DeviceMisbehaved("It cannot be read.", code="ble-refused")
        return await super().read(uuid)

    async def write(self, uuid: str, data: bytes, *, response: bool) -> None:
        await super().write(uuid, data, response=response)
        if self.refuses_writes:
            raise DeviceMisbehaved("Refused.", code="ble-refused")


def a_and_d(clock: datetime.datetime = NOW) -> dict[str, bytes]:
    return {uuids.DATE_TIME: encode_date_time(DateTime.of(clock))}


def cuff(port: str, radio: FakeRadio | None, wall: Wall = lambda: None, **manner: float) -> SetUpDriver:
    """The driver; of its patience, what a test says is shortened."""
    spoken = dict.fromkeys(FAMILY.manner.after, manner["quiet_s"]) if "quiet_s" in manner else None
    after = FAMILY.manner.after if spoken is None else spoken | {CUFF_PRESSURE: FAMILY.manner.patience_s}
    shortened = Manner(manner.get("patience_s", FAMILY.manner.patience_s), after, quiet_ends=True)
    family = dataclasses.replace(FAMILY, manner=shortened) if manner else FAMILY
    return SetUpDriver(DriverContext("cuff-1", port, radio, wall), family)


async def session(
    *links: FakeLink | Exception, wall: Callable[[], datetime.datetime | None] = lambda: None
) -> list[DeviceEvent]:
    return await all_of(cuff(PORT, FakeRadio(*links), wall))


async def all_of(driver: SetUpDriver, heard: list[DeviceEvent] | None = None) -> list[DeviceEvent]:
    heard = [] if heard is None else heard
    async with asyncio.timeout(30), driver.session() as events:
        async for event in events:
            heard.append(event)
    return heard


def systolics(events: list[DeviceEvent]) -> list[int]:
    values = [dict(event.values).get(Code.SYSTOLIC) for event in events if isinstance(event, Reading)]
    return [int(value.value) for value in values if isinstance(value, Quantity)]


async def test_a_burst_is_read_in_order_and_hanging_up_is_the_normal_end() -> None:
    events = await session(CuffLink(measured(118, 3600), measured(121), values=a_and_d()))
    assert systolics(events) == [118, 121]
    assert all(isinstance(event, Reading) and event.mode is Mode.SPOT for event in events)


@pytest.mark.parametrize(
    ("port", "address", "service"),
    [(PORT, "C0:FF:EE:00:00:01", None), ("ble:any", None, uuids.BLOOD_PRESSURE_SERVICE)],
)
async def test_the_cuff_is_asked_for_with_a_bond(port: str, address: str | None, service: str | None) -> None:
    radio = FakeRadio(CuffLink())
    await all_of(cuff(port, radio))
    (wanted,) = radio.wanted
    assert (wanted.address, wanted.service, wanted.bond) == (address, service, True)


async def test_the_measurement_is_asked_for_last() -> None:
    link = CuffLink(notifying=(MEASUREMENT, CUFF_PRESSURE, uuids.CURRENT_TIME))
    await session(link)
    assert link.subscribed == [uuids.CURRENT_TIME, CUFF_PRESSURE, MEASUREMENT]


async def test_what_was_just_measured_is_told_from_what_waited_in_memory() -> None:
    events = await session(CuffLink(measured(118, 3600), measured(121), values=a_and_d()))
    assert [(event.just_taken, event.flags) for event in events if isinstance(event, Reading)] == [
        (False, ("from-memory",)),
        (True, ()),
    ]


async def test_a_cuff_whose_clock_nobody_set_is_trusted_with_numbers_and_not_with_time() -> None:
    start = datetime.datetime(2019, 1, 1, 0, 7)  # noqa: DTZ001  a cuff names no zone
    said = BloodPressure(
        Unit.MILLIMETRE_OF_MERCURY, Decimal(121), Decimal(80), Decimal(95), DateTime.of(start)
    )
    link = CuffLink(encode_measurement(said), values=a_and_d(start))
    (reading,) = await session(link, wall=lambda: NOW)
    assert isinstance(reading, Reading)
    assert (reading.at, reading.just_taken) == (None, False)
    assert set(reading.flags) == {"device-time-implausible", "from-memory"}
    assert systolics([reading]) == [121]


async def test_a_failed_measurement_is_a_reading_that_says_so() -> None:
    (reading,) = await session(CuffLink(FAILED, values=a_and_d()))
    assert isinstance(reading, Reading)
    assert all(isinstance(value, Missing) for _, value in reading.values)
    assert reading.flags == ("measurement-failed", "cuff-too-loose")


async def test_the_pressure_in_the_cuff_is_shown_and_never_a_systolic() -> None:
    events = await session(CuffLink((CUFF_PRESSURE, AT_85), measured(121), values=a_and_d()))
    first, second = events
    assert isinstance(first, Reading)
    assert first.mode is Mode.CONTINUOUS
    assert [code for code, _ in first.values] == [Code.CUFF_PRESSURE]
    assert systolics([second]) == [121]


async def test_a_value_that_comes_twice_in_a_session_is_one_measurement() -> None:
    assert systolics(await session(CuffLink(measured(121), measured(121), measured(122)))) == [121, 122]


async def test_a_refused_value_costs_no_other_and_is_told_in_the_end() -> None:
    heard: list[DeviceEvent] = []
    link = CuffLink(measured(118), measured(119)[:9], measured(121))
    with pytest.raises(DeviceMisbehaved) as refused:
        await all_of(cuff(PORT, FakeRadio(link)), heard)
    assert systolics(heard) == [118, 121]
    assert (refused.value.stable_code, refused.value.raw) == ("frame-too-short", measured(119)[:9])
    assert measured(119)[:9].hex() not in str(refused.value)


async def test_status_bits_mean_what_the_features_allow() -> None:
    raw = bytes.fromhex("10 79 00 51 00 5E 00 07 00")
    for features, flags in ((b"\x04\x00", ("irregular-pulse",)), (b"\x04", _ALL), (None, _ALL)):
        values = {} if features is None else {uuids.BLOOD_PRESSURE_FEATURE: features}
        (reading,) = await session(CuffLink(raw, values=values))
        assert isinstance(reading, Reading)
        assert reading.flags == flags


_ALL: Final = ("body-movement", "cuff-too-loose", "irregular-pulse")


async def test_who_it_is_is_asked_once_and_its_battery_every_time() -> None:
    about = {
        uuids.MANUFACTURER_NAME: b"A&D Medical\x00",
        uuids.MODEL_NUMBER: b"UA-651BLE",
        uuids.SERIAL_NUMBER: b"5150\n0042",
        uuids.BATTERY_LEVEL: b"\x0a",
    }
    first, second = CuffLink(measured(121), values=dict(about)), CuffLink(values=dict(about))
    second.values |= {uuids.MODEL_NUMBER: b"other", uuids.BATTERY_LEVEL: b"\x65"}
    driver = cuff(PORT, FakeRadio(first, second))
    (reading,) = await all_of(driver)
    assert driver.identity == Identity("A&D Medical", "UA-651BLE", "5150 0042", "", 10)
    assert isinstance(reading, Reading)
    assert reading.identity == driver.identity
    assert "low-battery" in reading.flags
    await all_of(driver)
    assert driver.identity.model == "UA-651BLE"
    assert driver.battery_percent is None  # 101 percent is nothing


# ── The clock ────────────────────────────────────────────────────────────────────────────────────


async def test_a_date_time_is_set_at_every_meeting_when_our_clock_is_worth_it() -> None:
    link = CuffLink(values=a_and_d(NOW - datetime.timedelta(seconds=9)))
    await session(link, wall=lambda: NOW)
    assert link.written == [(uuids.DATE_TIME, bytes.fromhex("EA07030E091E00"), True)]


async def test_no_clock_is_set_from_one_that_nobody_has_set() -> None:
    off = CurrentTime.of(NOW - datetime.timedelta(days=1), Adjusted.MANUALLY)
    for link in (
        CuffLink(values=a_and_d()),
        CuffLink(
            (uuids.CURRENT_TIME, encode_current_time(off)),
            notifying=(uuids.CURRENT_TIME, MEASUREMENT),
        ),
    ):
        await session(link)
        assert link.written == []


@pytest.mark.parametrize(
    ("minutes", "told", "written"), [(0, 1, 0), (10, 1, 0), (11, 1, 1), (-11, 2, 1), (11, 0, 0)]
)
async def test_a_current_time_is_set_once_when_the_cuff_has_told_it_and_is_far_off(
    minutes: int, told: int, written: int
) -> None:
    time = CurrentTime.of(NOW + datetime.timedelta(minutes=minutes), Adjusted.MANUALLY)
    raw = encode_current_time(time)
    link = CuffLink(
        *[(uuids.CURRENT_TIME, raw)] * told,
        values={uuids.CURRENT_TIME: raw},
        notifying=(uuids.CURRENT_TIME, MEASUREMENT),
        hangs_up=False,
    )
    driver = cuff(PORT, FakeRadio(link), lambda: NOW)
    async with driver.session() as events:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):  # it is written at once, or not at all
                await anext(events)
    expected = bytes.fromhex("EA07030E091E00060002")
    assert link.written == [(uuids.CURRENT_TIME, expected, True)] * written


async def test_a_cuff_that_refuses_its_clock_is_read_all_the_same() -> None:
    link = CuffLink(measured(121), values=a_and_d())
    link.refuses_writes = True
    assert systolics(await session(link, wall=lambda: NOW)) == [121]
    assert link.written


async def test_readings_of_before_are_judged_by_the_clock_that_stamped_them() -> None:
    """The cuff was an hour slow; setting it right must not make its readings an hour old."""
    hour_slow = NOW - datetime.timedelta(hours=1)
    link = CuffLink(measured(121, 3600 + 20), measured(118, 3600 + 600), values=a_and_d(hour_slow))
    readings = await session(link, wall=lambda: NOW)
    assert [reading.just_taken for reading in readings if isinstance(reading, Reading)] == [True, False]


# ── How it goes wrong ────────────────────────────────────────────────────────────────────────────


async def test_a_cuff_that_does_not_hang_up_is_left() -> None:
    link = CuffLink(measured(121), hangs_up=False)
    assert systolics(await all_of(cuff(PORT, FakeRadio(link), quiet_s=0.05))) == [121]


async def test_a_cuff_that_never_says_anything_is_left() -> None:
    assert await all_of(cuff(PORT, FakeRadio(CuffLink(hangs_up=False)), patience_s=0.05)) == []


async def test_a_cuff_at_work_is_waited_for() -> None:
    link = CuffLink(measured(118), (CUFF_PRESSURE, AT_85), hangs_up=False)
    driver = cuff(PORT, FakeRadio(link), quiet_s=0.01)
    async with asyncio.timeout(30), driver.session() as events:
        await anext(events)
        await anext(events)
        asyncio.get_running_loop().call_later(0.1, link.push, MEASUREMENT, measured(121))
        assert systolics([await anext(events)]) == [121]


async def test_a_lost_bond_is_for_the_technician() -> None:
    with pytest.raises(BondLost):
        await session(BondLost("It does not know us any more."))


@pytest.mark.parametrize(
    ("driver", "code"),
    [
        (cuff(PORT, None), "radio-missing"),
        (cuff("/dev/ttyUSB0", FakeRadio()), "port-unusable"),
        (cuff("ble:AA:BB", FakeRadio()), "port-unusable"),
        (cuff(PORT, FakeRadio(FakeLink())), "device-not-understood"),
    ],
)
async def test_what_cannot_be_listened_to_says_so(driver: SetUpDriver, code: str) -> None:
    with pytest.raises(DeviceError) as refused:
        await all_of(driver)
    assert refused.value.stable_code == code
    assert refused.value.next_step


async def test_a_cuff_that_vanishes_while_it_is_asked_is_unavailable() -> None:
    link = CuffLink(values=a_and_d())
    link.hang_up()
    with pytest.raises(DeviceUnavailable):
        await session(link)
