"""Which numbers cannot be true, and which a person has to confirm."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.vitals.codes import Code
from edge.vitals.conversion import to_stored
from edge.vitals.limits import (
    CONFIRM_OUTSIDE,
    REFUSE_OUTSIDE,
    Finding,
    Verdict,
    check,
    check_time,
    only_numbers_that_can_be,
)
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity, Unit

REFUSE, CONFIRM = Verdict.REFUSE, Verdict.CONFIRM
NOW_MS = 1_800_000_000_000


def findings(**values: str) -> dict[str, Verdict]:
    codes = {code.value.replace(".", "_"): code for code in Code}
    given_ = {codes[name]: Decimal(value) for name, value in values.items()}
    return {finding.limit: finding.verdict for finding in check(given_)}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"spo2": "97"}, {}),
        ({"spo2": "88"}, {}),
        ({"spo2": "87"}, {"spo2": CONFIRM}),
        ({"spo2": "30"}, {"spo2": CONFIRM}),
        ({"spo2": "29.9"}, {"spo2": REFUSE}),
        ({"spo2": "100"}, {}),
        ({"spo2": "100.1"}, {"spo2": REFUSE}),
        ({"temp": "25.0"}, {"temp": CONFIRM}),
        ({"temp": "24.9"}, {"temp": REFUSE}),
        ({"temp": "40.5"}, {}),
        ({"temp": "45.1"}, {"temp": REFUSE}),
        ({"rr": "0"}, {"rr": REFUSE}),
        ({"hr": "151"}, {"hr": CONFIRM}),
        ({"pi": "0.2"}, {"pi": CONFIRM}),
        ({"weight": "0.3"}, {}),
        ({"glucose": "1000.1"}, {"glucose": REFUSE}),
        ({"pain": "11"}, {"pain": REFUSE}),
        ({"pleth": "50"}, {"pleth": REFUSE}),
        ({"bp_sys": "120", "bp_dia": "80"}, {}),
        ({"bp_sys": "80", "bp_dia": "80"}, {"bp.pair": REFUSE}),
        ({"bp_sys": "120", "bp_dia": "80", "bp_map": "80"}, {"bp.pair": REFUSE}),
        ({"bp_sys": "120", "bp_dia": "80", "bp_map": "93"}, {}),
        ({"bp_sys": "95", "bp_dia": "76"}, {"bp.pair": CONFIRM}),
        ({"bp_sys": "181", "bp_dia": "80"}, {"bp.pair": CONFIRM}),
        ({"hr": "100", "pulse_spo2": "115"}, {}),
        ({"hr": "100", "pulse_spo2": "116"}, {"pulse.differ": CONFIRM}),
        ({"hr": "60", "pulse_nibp": "70"}, {"pulse.differ": CONFIRM}),
    ],
)
def test_limits(values: dict[str, str], expected: dict[str, Verdict]) -> None:
    assert findings(**values) == expected


def test_every_code_with_a_number_has_limits_and_confirm_lies_within_refuse() -> None:
    assert set(REFUSE_OUTSIDE) == set(Code) - {Code.PLETH, Code.ECG, Code.RESPIRATION, Code.CUFF_PRESSURE}
    for code, usual in CONFIRM_OUTSIDE.items():
        possible = REFUSE_OUTSIDE[code]
        assert possible.low <= usual.low < usual.high <= possible.high


def test_the_time_of_a_value() -> None:
    minute = 60_000
    assert check_time(NOW_MS + 2 * minute, NOW_MS, trusted=True) == ()
    assert check_time(NOW_MS + 2 * minute + 1, NOW_MS, trusted=True) == (Finding("time.ahead", REFUSE),)
    assert check_time(NOW_MS + 2 * minute + 1, NOW_MS, trusted=False) == (Finding("time.ahead", CONFIRM),)
    assert check_time(NOW_MS - 24 * 60 * minute, NOW_MS, trusted=True) == ()
    assert check_time(NOW_MS - 24 * 60 * minute - 1, NOW_MS, trusted=True) == (Finding("time.old", CONFIRM),)


numbers = st.decimals(-1000, 2000, places=1)
measured = st.one_of(
    numbers.map(lambda n: Quantity(n, Unit.NONE)), st.sampled_from(MissingReason).map(Missing)
)


@given(st.dictionaries(st.sampled_from(Code), measured))
def test_what_is_left_of_a_reading_can_be_true(values: dict[Code, Measured]) -> None:
    left = only_numbers_that_can_be(values)
    assert left.keys() == values.keys()
    for code, value in left.items():
        if isinstance(value, Quantity):
            assert value == values[code]
        elif value != values[code]:
            assert value == Missing(MissingReason.OUT_OF_RANGE)
    kept = {code: value.value for code, value in left.items() if isinstance(value, Quantity)}
    assert not [finding for finding in check(kept) if finding.verdict is REFUSE]


@pytest.mark.parametrize(
    ("code", "value", "unit", "expected"),
    [
        (Code.SYSTOLIC, "16.0", Unit.KILOPASCAL, "120.0"),
        (Code.TEMPERATURE, "98.6", Unit.FAHRENHEIT, "37.00"),
        (Code.TEMPERATURE, "36.9", Unit.CELSIUS, "36.9"),
        (Code.WEIGHT, "150", Unit.POUND, "68.04"),
        (Code.HEIGHT, "67.0", Unit.INCH, "170.18"),
        (Code.GLUCOSE, "0.95", Unit.GRAM_PER_LITRE, "95.0"),
        (Code.GLUCOSE, "0.00098", Unit.KILOGRAM_PER_LITRE, "98"),
        (Code.GLUCOSE, "0.000987", Unit.KILOGRAM_PER_LITRE, "98.7"),
        (Code.GLUCOSE, "0.00098765", Unit.KILOGRAM_PER_LITRE, "98.8"),
        (Code.GLUCOSE, "0.0061", Unit.MOLE_PER_LITRE, "109.9"),
        (Code.GLUCOSE, "5.5", Unit.MILLIMOLE_PER_LITRE, "99.1"),
    ],
)
def test_conversion_is_decimal(code: Code, value: str, unit: Unit, expected: str) -> None:
    stored = to_stored(code, Decimal(value), unit)
    assert stored is not None
    assert format(stored.value, "f") == expected


def test_a_unit_of_something_else_is_not_accepted() -> None:
    assert to_stored(Code.TEMPERATURE, Decimal(37), Unit.PERCENT) is None
