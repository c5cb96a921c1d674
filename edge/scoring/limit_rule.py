"""The table of limits as a rule: what would become of numbers that somebody types."""

from decimal import Decimal
from typing import Final

from edge.scoring.given import INCOMPLETE, Fact, Inputs, Result
from edge.scoring.limits import Ages, LimitTable
from edge.vitals.codes import Code
from edge.vitals.conversion import to_stored
from edge.vitals.limits import Verdict
from edge.vitals.quantity import Unit

OK: Final = "ok"
CODES: Final[dict[str, Code]] = {
    "sbp": Code.SYSTOLIC,
    "dbp": Code.DIASTOLIC,
    "map": Code.MEAN_PRESSURE,
    "hr": Code.HEART_RATE,
    "pulse": Code.PULSE_OXIMETER,
    "cuff_pulse": Code.PULSE_CUFF,
    "spo2": Code.OXYGEN_SATURATION,
    "pi": Code.PERFUSION_INDEX,
    "temp": Code.TEMPERATURE,
    "rr": Code.RESPIRATORY_RATE,
    "kg": Code.WEIGHT,
    "cm": Code.HEIGHT,
    "bmi": Code.BMI,
    "bodyfat": Code.BODY_FAT,
    "mg_dl": Code.GLUCOSE,
    "pain": Code.PAIN,
}
"""Inputs of the rule, in the stored units."""
OTHERS: Final[dict[str, tuple[str, ...]]] = {
    "sbp": ("sys",),
    "dbp": ("dia",),
    "kg": ("weight",),
    "cm": ("height",),
    "mg_dl": ("glucose",),
}
"""Other names by which people call them."""
_MEANT: Final[dict[Code, dict[Unit, str]]] = {
    Code.TEMPERATURE: {Unit.FAHRENHEIT: "°F"},
    Code.GLUCOSE: {Unit.MILLIMOLE_PER_LITRE: "mmol/L", Unit.GRAM_PER_LITRE: "g/L"},
    Code.SYSTOLIC: {Unit.KILOPASCAL: "kPa"},
    Code.DIASTOLIC: {Unit.KILOPASCAL: "kPa"},
}
"""In what a number that is refused may have been meant."""


def judge(table: LimitTable, inputs: Inputs) -> Result:
    """What becomes of the numbers that were given; the worst of it is the band."""
    values = {code: value for key, code in CODES.items() if (value := inputs.number(key)) is not None}
    months = inputs.number("age_months")
    ages = None if months is None else Ages(months, months)
    found = {finding.limit: finding.verdict for finding in table.check(values, ages)}
    parts: dict[str, int | str] = {
        key: found.pop(code).value if code in found else OK for key, code in CODES.items() if code in values
    }
    parts.update({limit: verdict.value for limit, verdict in found.items()})
    facts: dict[str, Fact] = {
        f"{key}_meant": meant
        for key, code in CODES.items()
        if parts.get(key) == Verdict.REFUSE and (meant := _meant(table, code, values[code])) is not None
    }
    notes = () if table.confirmed else ("thresholds-to-be-confirmed",)
    if ages is None and any(table.limits[code].by_age for code in values):
        notes = (*notes, "age-not-given")
    worst = next((each.value for each in Verdict if each.value in parts.values()), OK)
    return Result(
        rule=table.rule,
        version=table.version,
        source=table.source,
        band=worst if values else INCOMPLETE,
        missing=() if values else ("value",),
        parts=parts,
        notes=notes,
        facts=facts,
        observations=inputs.observations(parts),
    )


def _meant(table: LimitTable, code: Code, value: Decimal) -> str | None:
    """The number it would be if it was typed in another unit, with that unit."""
    for unit, name in _MEANT.get(code, {}).items():
        stored = to_stored(code, value, unit)
        if stored is not None and table.limits[code].verdict(stored.value, None) is not Verdict.REFUSE:
            return f"{stored.value} if it was in {name}"
    return None
