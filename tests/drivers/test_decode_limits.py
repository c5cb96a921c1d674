"""``devices decode`` prints no number that the agent would not take, whatever kind sent it."""

from decimal import Decimal
from typing import Any, Final

import pytest

from drivers.codec import uuids
from drivers.decoding import Chunk
from drivers.registry import KINDS
from edge.vitals.codes import Code
from edge.vitals.limits import PASSING_OUTSIDE, REFUSE_OUTSIDE
from tests.drivers.mutations import inputs

RANGES: Final = REFUSE_OUTSIDE | PASSING_OUTSIDE
TRIED: Final = 1_500


def decoded(kind: str, raw: str, characteristic: str | None = None) -> dict[str, dict[str, Any]]:
    where = None if characteristic is None else uuids.full(characteristic)
    (reading,) = KINDS[kind].decode([Chunk(bytes.fromhex(raw), where)]).as_json(kind)["readings"]
    return {value.pop("code"): value for value in reading["values"]}


OUT: Final = {"missing": "out-of-range"}


def test_a_pressure_beyond_its_range_is_none() -> None:
    said = decoded("sig-bp", "00 5E01 5100 5E00")  # 350 over 81
    assert said["bp.sys"] == OUT
    assert said["bp.dia"]["value"] == "81"


@pytest.mark.parametrize("systolic", ["FF0F", "6280"])  # -1, and an exponent that was encoded with a bias
def test_a_number_that_cannot_be_contradicts_no_other(systolic: str) -> None:
    said = decoded("sig-bp", f"00 {systolic} 5100 5E00")
    assert said["bp.sys"] == OUT
    assert (said["bp.dia"]["value"], said["bp.map"]["value"]) == ("81", "94")


def test_of_possible_pressures_that_contradict_each_other_none_is_left() -> None:
    said = decoded("sig-bp", "00 5000 7800 5E00")  # 80 over 120
    assert said == {"bp.sys": OUT, "bp.dia": OUT, "bp.map": OUT}


@pytest.mark.parametrize("pressure", ["FF0F", "E803"])  # -1 and 1000 mmHg
def test_a_cuff_that_pumps_holds_what_a_cuff_can_hold(pressure: str) -> None:
    assert decoded("sig-bp", f"00 {pressure} FF07 FF07", "2A36") == {"bp.cuff": OUT}


def test_what_was_sent_in_another_unit_does_not_stand_beside_a_number_that_is_none() -> None:
    assert decoded("sig-bp", "01 A1F3 6BF0 7DF0")["bp.sys"] == OUT  # 92.9 kPa


@pytest.mark.parametrize("kind", ["sig-heart-rate", "polar-h10"])
def test_a_heart_that_cannot_beat_so(kind: str) -> None:
    assert decoded(kind, "01 FFFF", "2A37") == {"hr": OUT}


def test_a_temperature_of_no_body() -> None:
    assert decoded("sig-thermometer", "00 D70000FF") == {"temp": OUT}  # 21.5 degrees Celsius


def test_a_scale_with_nobody_on_it() -> None:
    assert decoded("sig-scale", "00 0000", "2A9D")["weight"] == OUT


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_prints_a_number_beyond_its_range(kind: str) -> None:
    numbers = 0
    for chunks in inputs(kind, 20261122, TRIED):
        for reading in KINDS[kind].decode(chunks).as_json(kind)["readings"]:
            for value in reading["values"]:
                if "value" in value:
                    low, high = RANGES[Code(value["code"])]
                    assert low <= Decimal(value["value"]) <= high, value
                    numbers += 1
    assert numbers > TRIED / 100 or kind == "nmea-gps"  # places are no numbers of a body
