"""The drivers of thermometers and scales, against a link in memory."""

import asyncio
import datetime
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import pytest

from drivers.codec import uuids
from drivers.codec.gatt_time import DateTime, encode_date_time
from drivers.devices.sig_scale.codec import Body, BodyFlag, Weight, encode_body, encode_weight
from drivers.devices.sig_thermometer.codec import Site, Temperature, encode_temperature
from drivers.kinds import DriverContext
from drivers.registry import KINDS
from edge.ports.driver import DeviceError, DeviceEvent, DeviceMisbehaved
from edge.vitals.codes import Code
from edge.vitals.identity import Identity
from edge.vitals.quantity import Missing, Quantity, Unit
from edge.vitals.reading import Reading
from tests.drivers.radio_fake import FakeLink, FakeRadio

NOW: Final = datetime.datetime(2026, 3, 14, 9, 30)  # noqa: DTZ001  a device names no zone
PORT: Final = "ble:C0:FF:EE:00:00:03"
TEMPERATURE: Final = uuids.TEMPERATURE_MEASUREMENT
RISING: Final = uuids.INTERMEDIATE_TEMPERATURE
WEIGHT: Final = uuids.WEIGHT_MEASUREMENT
BODY: Final = uuids.BODY_COMPOSITION_MEASUREMENT


class Pouring(FakeLink):
    """Pours out what it has once somebody listens to the last of what it notifies, and hangs up."""

    def __init__(
        self,
        notifying: tuple[str, ...],
        *tells: tuple[str, bytes],
        values: dict[str, bytes] | None = None,
        refuses: Iterable[str] = (),
    ) -> None:
        super().__init__(values, notifying)
        self.tells = tells
        self.refuses = frozenset(refuses)

    async def read(self, uuid: str) -> bytes:
        if uuid not in self.values:
            raise DeviceMisbehaved("It cannot be read.", code="ble-refused")
        return await super().read(uuid)

    async def subscribe(self, uuid: str) -> None:
        if uuid in self.refuses:
            raise DeviceMisbehaved("Refused.", code="ble-refused")
        await super().subscribe(uuid)
        if uuid == self.notifying[-1]:
            for told in self.tells:
                self.push(*told)
            self.hang_up()


async def heard(
    kind: str,
    link: FakeLink,
    events: list[DeviceEvent] | None = None,
    wall: datetime.datetime | None = None,
) -> list[Reading]:
    events = [] if events is None else events
    driver = KINDS[kind].make_driver(DriverContext("device-1", PORT, FakeRadio(link), lambda: wall))
    async with asyncio.timeout(20), driver.session() as source:
        async for event in source:
            events.append(event)
    return readings(events)


def readings(events: list[DeviceEvent]) -> list[Reading]:
    return [event for event in events if isinstance(event, Reading)]


def numbers(found: list[Reading], code: Code) -> list[str]:
    values = [dict(reading.values).get(code) for reading in found]
    return [str(value.value) for value in values if isinstance(value, Quantity)]


def celsius(value: str, minutes_ago: int = 0, site: Site | None = None) -> bytes:
    at = DateTime.of(NOW - datetime.timedelta(minutes=minutes_ago))
    return encode_temperature(Temperature(Unit.CELSIUS, Decimal(value), at, site))


def thermometer(*tells: tuple[str, bytes], values: dict[str, bytes] | None = None) -> Pouring:
    return Pouring((RISING, TEMPERATURE), *tells, values=values)


# ── Thermometers ─────────────────────────────────────────────────────────────────────────────────


async def test_a_thermometer_pours_out_what_it_kept_and_what_it_measured() -> None:
    link = thermometer(
        (TEMPERATURE, celsius("36.4", 60)),
        (TEMPERATURE, celsius("37.1")),
        (TEMPERATURE, celsius("37.1")),
        values={uuids.DATE_TIME: encode_date_time(DateTime.of(NOW)), uuids.MODEL_NUMBER: b"UT-201BLE"},
    )
    found = await heard("sig-thermometer", link)
    assert numbers(found, Code.TEMPERATURE) == ["36.4", "37.1"]
    assert [(one.stored, one.just_taken) for one in found] == [(True, False), (False, True)]
    assert {one.identity for one in found} == {Identity(model="UT-201BLE")}


async def test_what_rises_is_for_the_screen_alone() -> None:
    link = thermometer((RISING, celsius("35.2")), (RISING, celsius("36.6")), (TEMPERATURE, celsius("37.1")))
    found = await heard("sig-thermometer", link)
    assert [one.passing for one in found] == [True, True, False]


async def test_where_it_measures_is_read_unless_it_is_told() -> None:
    ear = {uuids.TEMPERATURE_TYPE: b"\x03"}
    for values, flags in ((ear, "site-ear"), ({uuids.TEMPERATURE_TYPE: b""}, None), ({}, None)):
        link = thermometer((TEMPERATURE, celsius("37.1")), values=dict(values))
        (reading,) = await heard("sig-thermometer", link, wall=NOW)
        assert reading.flags == ((flags,) if flags else ())
    told = thermometer((TEMPERATURE, celsius("37.1", site=Site.MOUTH)), values=dict(ear))
    (reading,) = await heard("sig-thermometer", told, wall=NOW)
    assert reading.flags == ("site-mouth",)


async def test_a_slow_clock_is_told_and_set_right() -> None:
    slow = NOW - datetime.timedelta(minutes=7)
    link = thermometer(
        (TEMPERATURE, celsius("37.1", 7)), values={uuids.DATE_TIME: encode_date_time(DateTime.of(slow))}
    )
    (reading,) = await heard("sig-thermometer", link, wall=NOW)
    assert (reading.clock_off_s, reading.just_taken) == (-420.0, True)
    assert link.written == [(uuids.DATE_TIME, encode_date_time(DateTime.of(NOW)), True)]


async def test_a_refused_temperature_costs_no_other_and_is_told_in_the_end() -> None:
    events: list[DeviceEvent] = []
    link = thermometer((TEMPERATURE, celsius("36.4")[:-1]), (TEMPERATURE, celsius("37.1")))
    with pytest.raises(DeviceMisbehaved) as refused:
        await heard("sig-thermometer", link, events)
    assert numbers(readings(events), Code.TEMPERATURE) == ["37.1"]
    assert refused.value.stable_code == "frame-too-short"


# ── Scales ───────────────────────────────────────────────────────────────────────────────────────


def kilograms(steps: int | None, minutes_ago: int = 0) -> bytes:
    at = DateTime.of(NOW - datetime.timedelta(minutes=minutes_ago))
    return encode_weight(Weight(imperial=False, weight=steps, time=at))


def body(fat: int, steps: int | None, *, first: bool = False, second: bool = False) -> bytes:
    fields = () if steps is None else ((BodyFlag.WEIGHT, steps),)
    time = None if second else DateTime.of(NOW)
    return encode_body(Body(False, fat, time, fields=fields, two_packets=first or second))  # noqa: FBT003  SI


async def test_a_scale_pours_out_what_it_kept_and_what_it_weighed() -> None:
    link = Pouring((WEIGHT,), (WEIGHT, kilograms(13_000, 60)), (WEIGHT, kilograms(14_480)))
    found = await heard("sig-scale", link, wall=NOW)
    assert numbers(found, Code.WEIGHT) == ["65.000", "72.400"]
    assert [(one.stored, one.just_taken) for one in found] == [(True, False), (False, True)]


async def test_a_weighing_that_came_to_nothing_is_a_reading_that_says_so() -> None:
    (reading,) = await heard("sig-scale", Pouring((WEIGHT,), (WEIGHT, kilograms(None))), wall=NOW)
    assert isinstance(dict(reading.values)[Code.WEIGHT], Missing)
    assert reading.flags == ("measurement-failed",)


@pytest.mark.parametrize("turned", [False, True])
async def test_one_weighing_told_twice_is_one_weight(turned: bool) -> None:
    tells = [(WEIGHT, kilograms(14_480)), (BODY, body(187, 14_480))]
    link = Pouring((WEIGHT, BODY), *(reversed(tells) if turned else tells))
    found = await heard("sig-scale", link, wall=NOW)
    assert numbers(found, Code.WEIGHT) == ["72.400"]
    assert numbers(found, Code.BODY_FAT) == ["18.7"]


async def test_two_users_of_one_weight_are_two_weights() -> None:
    tells = [
        (WEIGHT, encode_weight(Weight(imperial=False, weight=14_480, time=DateTime.of(NOW), user=user)))
        for user in (1, 2)
    ]
    found = await heard("sig-scale", Pouring((WEIGHT, BODY), *tells), wall=NOW)
    assert numbers(found, Code.WEIGHT) == ["72.400", "72.400"]


async def test_two_weighings_are_two_weights() -> None:
    link = Pouring((WEIGHT, BODY), (WEIGHT, kilograms(14_480, 5)), (BODY, body(187, 14_480)))
    assert numbers(await heard("sig-scale", link, wall=NOW), Code.WEIGHT) == ["72.400", "72.400"]


async def test_a_record_in_two_values_is_one_reading_with_all_its_bytes() -> None:
    halves = body(187, None, first=True), body(187, 14_480, second=True)
    (reading,) = await heard("sig-scale", Pouring((BODY,), *[(BODY, half) for half in halves]), wall=NOW)
    assert [code for code, _ in reading.values] == [Code.BODY_FAT, Code.WEIGHT]
    assert reading.raw == reading.record == b"".join(halves)


@pytest.mark.parametrize("more", [(), ((BODY, body(190, 14_480)),)], ids=["hangs up", "goes on"])
async def test_half_a_record_is_refused_whole_and_costs_no_other(more: tuple[tuple[str, bytes], ...]) -> None:
    events: list[DeviceEvent] = []
    half = body(187, 9_000, first=True)
    link = Pouring((WEIGHT, BODY), (WEIGHT, kilograms(14_400)), (BODY, half), *more)
    with pytest.raises(DeviceMisbehaved) as refused:
        await heard("sig-scale", link, events, wall=NOW)
    assert numbers(readings(events), Code.WEIGHT) == ["72.000", *(["72.400"] if more else [])]
    assert (refused.value.stable_code, refused.value.raw) == ("record-incomplete", half)


@pytest.mark.parametrize("notifying", [(WEIGHT,), (BODY,), (WEIGHT, BODY)])
async def test_what_a_scale_has_may_not_be_refused(notifying: tuple[str, ...]) -> None:
    assert await heard("sig-scale", Pouring(notifying)) == []
    with pytest.raises(DeviceMisbehaved):
        await heard("sig-scale", Pouring(notifying, refuses=notifying[-1:]))


# ── Both ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "service", "last"),
    [
        ("sig-thermometer", uuids.HEALTH_THERMOMETER_SERVICE, (RISING, TEMPERATURE)),
        ("sig-scale", uuids.WEIGHT_SCALE_SERVICE, (WEIGHT, BODY)),
    ],
)
async def test_it_is_asked_for_with_a_bond_and_listened_to_last(
    kind: str, service: str, last: tuple[str, ...]
) -> None:
    link = Pouring((uuids.CURRENT_TIME, *last))
    radio = FakeRadio(link)
    driver = KINDS[kind].make_driver(DriverContext("device-1", "ble:any", radio))
    async with asyncio.timeout(20), driver.session() as events:
        assert [event async for event in events] == []
    assert [(wanted.service, wanted.bond) for wanted in radio.wanted] == [(service, True)]
    assert link.subscribed == [uuids.CURRENT_TIME, *last]


@pytest.mark.parametrize("kind", ["sig-thermometer", "sig-scale"])
async def test_another_device_at_the_address_is_told(kind: str) -> None:
    with pytest.raises(DeviceError) as refused:
        await heard(kind, FakeLink({uuids.MODEL_NUMBER: b"UA-651BLE"}))
    assert refused.value.stable_code == "device-not-understood"
    assert refused.value.next_step
