"""Simulated meters, oximeters and heart rate sensors say what they measure, in their devices' own words."""

import dataclasses
import datetime
from collections.abc import Callable
from typing import Final

import pytest

from drivers.codec import uuids
from drivers.codec.heart_rate import decode_heart_rate
from drivers.codec.racp import REPORT_ALL
from drivers.codec.sfloat import Special
from drivers.devices.sig_glucose.codec import Status as Strip
from drivers.devices.sig_glucose.codec import decode_context, decode_measurement
from drivers.devices.sig_glucose.simulator import make_peripheral as make_meter
from drivers.devices.sig_glucose.unit import HIGHEST_MG_DL, LOWEST_MG_DL, Meter
from drivers.devices.sig_heart_rate.simulator import make_peripheral as make_sensor
from drivers.devices.sig_oximeter.codec import (
    Feature,
    Sensor,
    Status,
    decode_continuous,
    decode_features,
    decode_spot_check,
)
from drivers.devices.sig_oximeter.simulator import make_peripheral as make_oximeter
from drivers.devices.sig_oximeter.unit import Oximeter
from drivers.radio.peripheral import Peripheral
from drivers.simulation.kept_records import KeptRecords
from drivers.simulation.vitals import Snapshot

ADDRESS: Final = "C0:FF:EE:00:00:04"
AT: Final = datetime.datetime(2026, 3, 14, 9, 5, 30)  # noqa: DTZ001  devices name no zone
MAKERS: Final[dict[str, Callable[[str, dict[str, str]], Peripheral]]] = {
    "meter": make_meter,
    "oximeter": make_oximeter,
    "sensor": make_sensor,
}


@pytest.mark.parametrize(
    ("maker", "options"),
    [
        ("meter", {"clock": "wrong"}),
        ("meter", {"unit": "g"}),
        ("meter", {"colour": "red"}),
        ("meter", {"stored": "x"}),
        ("oximeter", {"memory": "much"}),
        ("oximeter", {"spo2": "x"}),
        ("oximeter", {"colour": "red"}),
        ("sensor", {"contact": "perhaps"}),
        ("sensor", {"colour": "red"}),
    ],
)
def test_options_that_are_not_known_are_refused(maker: str, options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        MAKERS[maker](ADDRESS, options)


@pytest.mark.parametrize(
    ("maker", "good", "bad"),
    [
        (
            "meter",
            (
                "measure|measure 98|measure 98 fasting|store after|wake|control|high|low|fail|new-battery|"
                "motion on|battery 4|clock 60|clock -60|clock set|hang-up|"
                "records busy|records hang-up-after 3"
            ),
            (
                "|measure 0|measure 1000|measure fasting 98|measure 98 supper|battery 101|clock x|records|"
                "records asleep|records hang-up-after|dance"
            ),
        ),
        (
            "oximeter",
            "measure|store|demonstration on|sensor off|motion on|battery 4|clock 60|hang-up|records silent",
            "|measure 98|demonstration|sensor|records hang-up-after x|dance",
        ),
        ("sensor", "sensor off|sensor on|battery 4|hang-up", "|sensor|battery x|clock 5|dance"),
    ],
)
def test_orders_that_are_not_understood_are_refused(maker: str, good: str, bad: str) -> None:
    peripheral = MAKERS[maker](ADDRESS, {})
    assert [order for order in bad.split("|") if peripheral.obey(order)] == []
    assert [order for order in good.split("|") if not peripheral.obey(order)] == []
    without = make_oximeter(ADDRESS, {"memory": "off"})
    assert not without.obey("records busy")


def told(kept: KeptRecords) -> list[bytes]:
    return [raw for record in kept.reply(REPORT_ALL).records for _, raw in record.values]


@pytest.mark.parametrize("moles", [False, True])
def test_a_meter_says_hi_and_lo_beyond_what_its_strips_can_tell(moles: bool) -> None:
    meter = Meter(KeptRecords(), moles=moles)
    for found in (LOWEST_MG_DL - 15, 100, HIGHEST_MG_DL + 15):
        meter.measured(found, AT)
    low, middle, high = (decode_measurement(raw) for raw in told(meter.kept))
    assert (low.status, middle.status, high.status) == (Strip.BELOW_RANGE, 0, Strip.ABOVE_RANGE)
    assert low.concentration is not None
    assert high.concentration is not None
    assert (low.concentration.value, high.concentration.value) == (
        Special.MINUS_INFINITY,
        Special.PLUS_INFINITY,
    )
    assert middle.concentration is not None
    value = middle.concentration.value
    assert not isinstance(value, Special)
    assert 90 < (value * 1000 * 18 if moles else value * 100_000) < 110
    assert [low.sequence, middle.sequence, high.sequence] == [0, 1, 2]


def test_a_meal_is_told_beside_the_record_that_promises_it() -> None:
    meter = make_meter(ADDRESS, {"stored": "2"}).meter
    record, *rest = meter.kept.reply(REPORT_ALL).records
    (uuid, raw), (about, context) = record.values
    assert (uuid, about) == (uuids.GLUCOSE_MEASUREMENT, uuids.GLUCOSE_CONTEXT)
    assert decode_measurement(raw).context
    assert decode_context(context).sequence == decode_measurement(raw).sequence
    assert len(rest) == 1


def test_a_meter_with_a_new_battery_counts_anew() -> None:
    peripheral = make_meter(ADDRESS, {"stored": "3"})
    peripheral.obey("new-battery")
    peripheral.obey("store 99")
    (raw,) = told(peripheral.meter.kept)
    said = decode_measurement(raw)
    assert (said.sequence, said.base.year) == (0, 2019)


def test_an_oximeter_says_how_sure_it_is() -> None:
    unit = Oximeter(KeptRecords(parts=False))
    good = Snapshot(spo2=93.6, pulse=88.4, perfusion=1.26)
    said = decode_continuous(unit.display(good))
    assert [str(one) for one in (said.shown.spo2, said.shown.pulse, said.amplitude)] == ["94", "88", "1.3"]
    assert (said.status, said.sensor) == (Status.ONGOING, 0)
    moved = decode_continuous(unit.display(dataclasses.replace(good, moving=True, perfusion=0.2)))
    assert moved.status == Status.ONGOING | Status.QUESTIONABLE
    assert moved.sensor == Sensor.ERRATIC_SIGNAL | Sensor.LOW_PERFUSION
    unit.worn = False
    off = decode_continuous(unit.display(good))
    assert {off.shown.spo2, off.shown.pulse, off.amplitude} == {Special.NAN}
    assert off.sensor == Sensor.UNCONNECTED_TO_USER


def test_an_oximeter_keeps_what_it_tells_and_marks_it() -> None:
    unit = Oximeter(KeptRecords(parts=False))
    live = decode_spot_check(unit.spot_check(Snapshot(), AT, clock_set=True))
    (raw,) = told(unit.kept or KeptRecords())
    kept = decode_spot_check(raw)
    assert kept == dataclasses.replace(live, status=(live.status or 0) | Status.FROM_STORAGE)
    features = decode_features(unit.features(continuous=True))
    assert features.bits & Feature.STORAGE
    assert not decode_features(Oximeter(None).features(continuous=True)).bits & Feature.STORAGE
    assert Oximeter(None).spot_check(Snapshot(), AT, clock_set=True)


def test_a_sensor_tells_each_beat_once() -> None:
    sensor = make_sensor(ADDRESS, {"pulse": "120", "began": "0"})
    first_s = sensor.told_until_s
    values = [decode_heart_rate(sensor.value(first_s + second)) for second in range(1, 11)]
    assert {said.rate for said in values} == {120}
    assert 19 <= sum(len(said.intervals) for said in values) <= 20
    assert {interval for said in values for interval in said.intervals} == {512}
    sensor.contact = False
    assert decode_heart_rate(sensor.value(first_s + 11)).contact is False
    sensor.contact = None
    assert decode_heart_rate(sensor.value(first_s + 12)).contact is None
