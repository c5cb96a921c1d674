"""Which numbers cannot be true, and which a person has to confirm."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.scoring import rules
from edge.scoring.installed import limit_table
from edge.scoring.intervals import Interval
from edge.scoring.limits import Ages, ages_at
from edge.vitals.codes import CALCULATED, Code
from edge.vitals.conversion import to_stored
from edge.vitals.limits import REFUSE_OUTSIDE, Finding, Verdict, only_numbers_that_can_be
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity, Unit

REFUSE, CONFIRM = Verdict.REFUSE, Verdict.CONFIRM
NOW_MS = 1_800_000_000_000


ADULT = Ages(Decimal(480), Decimal(480))


def findings(values: dict[str, str], ages: Ages | None = ADULT) -> dict[str, Verdict]:
    codes = {code.value.replace(".", "_"): code for code in Code}
    given_ = {codes[name]: Decimal(value) for name, value in values.items()}
    return {finding.limit: finding.verdict for finding in limit_table().check(given_, ages)}


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
    assert findings(values) == expected


@pytest.mark.parametrize(
    ("birth", "values", "expected"),
    [
        ("2026-10-01", {"hr": "185"}, {}),
        ("2026-10-01", {"hr": "80"}, {"hr": CONFIRM}),
        ("2026-05-01", {"hr": "185"}, {"hr": CONFIRM}),
        ("2026-10-01", {"hr": "301"}, {"hr": REFUSE}),
        ("2020-01-01", {"rr": "50"}, {}),
        ("2020-01-01", {"rr": "51"}, {"rr": CONFIRM}),
        ("1990", {"rr": "36"}, {"rr": CONFIRM}),
        ("2010-11-23", {"bp_sys": "79"}, {"bp.sys": CONFIRM}),
        ("2010-11-24", {"bp_sys": "79"}, {}),  # sixteen tomorrow
        ("2026", {"hr": "105"}, {}),  # up to eleven months, and whichever it is nothing is rare
        ("2026", {"hr": "75"}, {"hr": CONFIRM}),  # rare before three months, which this may be
        ("2026", {"hr": "185"}, {"hr": CONFIRM}),  # rare from three months on, which this may be
        ("2027-01-01", {"hr": "185"}, {"hr": CONFIRM}),  # not born: the clock is wrong, or the birth
        (None, {"hr": "185"}, {"hr": CONFIRM}),
        (None, {"hr": "145"}, {}),
    ],
)
def test_what_is_rare_hangs_on_the_age(
    birth: str | None, values: dict[str, str], expected: dict[str, Verdict]
) -> None:
    assert findings(values, ages_at(birth, 2026, 11, 23)) == expected


def test_every_code_with_a_number_has_limits_and_none_is_wider_than_what_can_be() -> None:
    shown_only = {Code.PLETH, Code.ECG, Code.RESPIRATION, Code.CUFF_PRESSURE}
    assert set(REFUSE_OUTSIDE) == set(Code) - shown_only - CALCULATED
    for code, limit in limit_table().limits.items():
        assert (limit.refuse.low, limit.refuse.high) == REFUSE_OUTSIDE[code]


@pytest.mark.parametrize(
    ("key", "codes"),
    [
        ("hr", ("hr", "pulse_spo2", "pulse_nibp")),
        ("sbp", ("bp_sys",)),
        ("rr", ("rr",)),
    ],
)
def test_for_a_child_the_outermost_band_of_the_paediatric_table_is_confirmed(
    key: str, codes: tuple[str, ...]
) -> None:
    """Under 16 years every number that has four points there, and no other, is asked about."""
    given_ = next(each for each in rules.point_table("pews").inputs if each.key == key)
    for months in (0, 2, 3, 11, 12, 47, 48, 143, 144, 191):
        [variant] = [each for each in given_.variants if Decimal(months) in _months(each.when["age_months"])]
        for number in range(31, 120 if key == "rr" else 190):
            four = next(points for band, points in variant.bands if Decimal(number) in band) == 4
            for code in codes:
                age = Ages(Decimal(months), Decimal(months))
                assert (findings({code: str(number)}, age) != {}) is four, (code, months, number)


def _months(when: object) -> Interval:
    assert isinstance(when, Interval)
    return when


def test_the_time_of_a_value() -> None:
    minute = 60_000
    assert limit_table().check_time(NOW_MS + 2 * minute, NOW_MS, trusted=True) == ()
    assert limit_table().check_time(NOW_MS + 2 * minute + 1, NOW_MS, trusted=True) == (
        Finding("time.ahead", REFUSE),
    )
    assert limit_table().check_time(NOW_MS + 2 * minute + 1, NOW_MS, trusted=False) == (
        Finding("time.ahead", CONFIRM),
    )
    assert limit_table().check_time(NOW_MS - 24 * 60 * minute, NOW_MS, trusted=True) == ()
    assert limit_table().check_time(NOW_MS - 24 * 60 * minute - 1, NOW_MS, trusted=True) == (
        Finding("time.old", CONFIRM),
    )


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
    assert not [finding for finding in limit_table().check(kept, ADULT) if finding.verdict is REFUSE]


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
