"""What of a reading can be true: judged once, for what is shown and for what is kept."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.vitals.codes import VITALS, Code
from edge.vitals.limits import PASSING_OUTSIDE, REFUSE_OUTSIDE
from edge.vitals.possible import possible
from edge.vitals.quantity import Missing, MissingReason, Quantity, Unit
from edge.vitals.reading import Reading

NOT_TRUE = Missing(MissingReason.OUT_OF_RANGE)


def said(code: Code, value: str) -> Reading:
    return Reading(((code, Quantity(Decimal(value), VITALS[code].unit)),))


@pytest.mark.parametrize("value", ["-1", "-0.1", "330.1", "65535", "NaN", "Infinity", "-Infinity"])
def test_what_no_cuff_holds_is_no_pressure(value: str) -> None:
    assert possible(said(Code.CUFF_PRESSURE, value)).values == ((Code.CUFF_PRESSURE, NOT_TRUE),)


@pytest.mark.parametrize("value", ["0", "152", "330"])
def test_what_a_cuff_holds_is_left(value: str) -> None:
    reading = said(Code.CUFF_PRESSURE, value)
    assert possible(reading) is reading


def test_beside_a_number_that_is_none_stands_nothing_that_was_sent() -> None:
    reading = Reading(
        (
            (Code.WEIGHT, Quantity(Decimal("70.0"), Unit.KILOGRAM)),
            (Code.TEMPERATURE, Quantity(Decimal("82.2"), Unit.CELSIUS)),
        ),
        converted=(
            (Code.WEIGHT, Decimal("154.3"), Unit.POUND),
            (Code.TEMPERATURE, Decimal("180.0"), Unit.FAHRENHEIT),
        ),
    )
    judged = possible(reading)
    assert judged.values == (reading.values[0], (Code.TEMPERATURE, NOT_TRUE))
    assert judged.converted == reading.converted[:1]


numbers = st.one_of(st.decimals(allow_nan=True, allow_infinity=True), st.decimals(-100, 500, places=1))


@given(st.dictionaries(st.sampled_from(Code), numbers))
def test_every_number_that_is_left_is_within_its_range(values: dict[Code, Decimal]) -> None:
    given_ = tuple((code, Quantity(value, VITALS[code].unit)) for code, value in values.items())
    judged = possible(Reading(given_)).values
    assert [code for code, _ in judged] == list(values)
    for (code, left), (_, before) in zip(judged, given_, strict=True):
        if isinstance(left, Missing):
            continue
        low, high = (REFUSE_OUTSIDE | PASSING_OUTSIDE)[code]
        assert left == before
        assert low <= left.value <= high
