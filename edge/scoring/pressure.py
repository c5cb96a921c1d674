"""Blood pressure: classes, the protocol of readings, standing up, the mean when a cuff gives none."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from edge.scoring.given import INCOMPLETE, Fact, InputRefused, Inputs, Pair, Result
from edge.scoring.ladders import ClassTable

ONE_MORE: Final = "needs one more reading"
MEAN: Final = "mean"


def classify(table: ClassTable, inputs: Inputs) -> Result:
    """The classes of one pressure; the higher of systolic and diastolic decides.

    Raises:
        RuleNotForPatient: a child.
        InputRefused: the diastolic is not below the systolic.
    """
    notes = table.check_age(inputs.number("age_months"))
    systolic, diastolic = inputs.number("sbp"), inputs.number("dbp")
    missing = tuple(name for name, value in (("sbp", systolic), ("dbp", diastolic)) if value is None)
    if systolic is None or diastolic is None:
        return table.result(inputs, INCOMPLETE, missing=missing, notes=notes)
    _check(Pair(systolic, diastolic))
    numbers = table.numbers
    facts = {
        name: ladder.classes[ladder.rung(sbp=systolic, dbp=diastolic)]
        for name, ladder in table.ladders.items()
    }
    isolated = (
        systolic >= numbers["isolated_systolic_from"] and diastolic < numbers["isolated_diastolic_below"]
    )
    if isolated and "esh" in facts:
        facts["esh"] = f"{facts['esh']} (isolated systolic)"
    severe = systolic >= numbers["severe_systolic_from"] or diastolic >= numbers["severe_diastolic_from"]
    if inputs.flag("pregnant"):
        notes = (*notes, "pregnancy-has-limits-of-its-own")
    return table.result(
        inputs,
        next(iter(facts.values()), None),
        alerts=("repeat-after-5-min-and-ask-for-symptoms",) if severe else (),
        notes=notes,
        facts=facts,
        used=("sbp", "dbp"),
    )


def protocol(table: ClassTable, inputs: Inputs) -> Result:
    """How far the readings of one sitting have come, and their mean once they suffice.

    Raises:
        InputRefused: a diastolic that is not below its systolic.
    """
    readings = inputs.readings("readings")
    for each in readings:
        _check(each)
    numbers = table.numbers
    least = numbers["whole"] if inputs.flag("irregular") else numbers["short"]
    facts: dict[str, Fact] = {"readings": len(readings), "mean": None}
    if len(readings) < numbers["short"]:
        return table.result(inputs, INCOMPLETE, missing=("readings",), facts=facts)
    if len(readings) < numbers["whole"] and (
        len(readings) < least or _apart(readings[0], readings[1], numbers["apart_at_most"])
    ):
        return table.result(inputs, ONE_MORE, missing=("readings",), facts=facts)
    before, last = readings[-2:]
    mean = Pair(
        _half_up((before.systolic + last.systolic) / 2), _half_up((before.diastolic + last.diastolic) / 2)
    )
    facts |= {
        "mean": f"{mean.systolic}/{mean.diastolic}",
        "sbp": int(mean.systolic),
        "dbp": int(mean.diastolic),
        "short": len(readings) < numbers["whole"],
    }
    return table.result(inputs, MEAN, facts=facts, used=("readings",))


def standing(table: ClassTable, inputs: Inputs) -> Result:
    """Whether the pressure falls too far on standing up, at one minute or at three.

    Raises:
        InputRefused: a diastolic that is not below its systolic.
    """
    lying = inputs.pressure("lying")
    upright = {name: pair for name in ("stand1", "stand3") if (pair := inputs.pressure(name)) is not None}
    for each in ([lying] if lying else []) + list(upright.values()):
        _check(each)
    notes = () if table.confirmed else ("thresholds-to-be-confirmed",)
    if lying is None or not upright:
        missing = (*(() if lying else ("lying",)), *(() if upright else ("stand1",)))
        return table.result(inputs, INCOMPLETE, missing=missing, notes=notes, facts={"positive": None})
    numbers = table.numbers
    positive = any(
        lying.systolic - each.systolic >= numbers["systolic_fall_from"]
        or lying.diastolic - each.diastolic >= numbers["diastolic_fall_from"]
        for each in upright.values()
    )
    low = any(each.systolic < numbers["low_standing_below"] for each in upright.values())
    if not positive and len(upright) < 2:
        notes = (*notes, *(f"{name}-not-measured" for name in ("stand1", "stand3") if name not in upright))
    return table.result(
        inputs,
        "positive" if positive else "negative",
        alerts=("standing-systolic-below-90",) if low else (),
        notes=notes,
        facts={"positive": positive, "standing_sbp_below_90": low},
        used=("lying", *upright),
    )


def mean_pressure(inputs: Inputs) -> Result:
    """The mean that a cuff without one leaves out: a third of the way from diastolic to systolic.

    Raises:
        InputRefused: the diastolic is not below the systolic.
    """
    systolic, diastolic = inputs.number("sbp"), inputs.number("dbp")
    if systolic is None or diastolic is None:
        missing = tuple(name for name, value in (("sbp", systolic), ("dbp", diastolic)) if value is None)
        return Result("map", "1", "arithmetic", INCOMPLETE, missing=missing, facts={"map": None})
    _check(Pair(systolic, diastolic))
    mean = _half_up(diastolic + (systolic - diastolic) / 3)
    return Result("map", "1", "arithmetic", "calculated", facts={"map": int(mean)})


def _check(pair: Pair) -> None:
    if pair.diastolic >= pair.systolic:
        raise InputRefused(
            "The diastolic pressure is not below the systolic.",
            next_step="measure again, or correct what was typed.",
            code="pressure-pair",
        )


def _apart(one: Pair, other: Pair, most: Decimal) -> bool:
    return abs(one.systolic - other.systolic) > most or abs(one.diastolic - other.diastolic) > most


def _half_up(value: Decimal) -> Decimal:
    return value.quantize(Decimal(1), ROUND_HALF_UP)
