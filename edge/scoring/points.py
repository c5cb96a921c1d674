"""Scores by points: a table over the inputs of one moment.

What is missing leaves the total unknown, while what is known is shown, and an alert that one input raises
by itself is raised.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from edge.scoring.given import INCOMPLETE, Fact, Inputs, Result, RuleNotForPatient
from edge.scoring.intervals import Interval
from edge.scoring.tables import Alert, Input, Table, Variant, as_displayed

AGE: Final = "age"
PREGNANT: Final = "pregnant"
AFTER_BIRTH: Final = "after_birth"
MONTHS: Final = "age_months"


def score(table: Table, inputs: Inputs) -> Result:
    """Apply a table.

    Raises:
        RuleNotForPatient: the table is not valid for somebody of this age, or pregnant, or not.
    """
    missing, notes = _check_valid(table, inputs)
    parts: dict[str, int] = {}
    for each in table.inputs:
        points = _points(each, table, inputs)
        if points is not None:
            parts[each.key] = points
        elif not each.optional:
            missing.append(each.key)
    if not table.confirmed:
        notes.append("thresholds-to-be-confirmed")
    band, total, facts = _told(table, parts, complete=not missing)
    return Result(
        rule=table.rule,
        version=table.version,
        source=table.source,
        band=band,
        total=total,
        missing=tuple(missing),
        stale=tuple(name for name in missing if name in inputs.stale),
        parts={key: table.colours.get(points, points) for key, points in parts.items()},
        alerts=tuple(alert.name for alert in table.alerts if _raised(alert, parts, inputs)),
        notes=tuple(notes),
        facts=facts,
        observations=inputs.observations(parts),
    )


def _check_valid(table: Table, inputs: Inputs) -> tuple[list[str], list[str]]:
    """What of age and pregnancy is missing, and what is to be noted because it is not known."""
    missing: list[str] = []
    notes: list[str] = []
    valid, months = table.valid_for, inputs.number(MONTHS)
    if months is not None and valid.months is not None and months not in valid.months:
        sentence = f"The rule {table.rule} is not valid at this age."
        raise RuleNotForPatient(table.rule, AGE, sentence, valid.other_ages)
    if months is None and valid.months is not None:
        notes.append("age-not-given") if valid.age_may_be_unknown else missing.append(AGE)
    if valid.pregnant is None:
        return missing, notes
    pregnant = inputs.flag(PREGNANT)
    if valid.pregnant and inputs.flag(AFTER_BIRTH):
        pregnant = True
    if pregnant is None:
        notes.append("pregnant-not-given") if valid.pregnancy_may_be_unknown else missing.append(PREGNANT)
    elif pregnant and not valid.pregnant:
        sentence = f"The rule {table.rule} is not valid in pregnancy."
        raise RuleNotForPatient(table.rule, PREGNANT, sentence, valid.other_pregnancy)
    elif valid.pregnant and not pregnant:
        sentence = f"The rule {table.rule} is for pregnancy and the six weeks after birth only."
        raise RuleNotForPatient(table.rule, "not-pregnant", sentence, valid.other_pregnancy)
    return missing, notes


def _points(each: Input, table: Table, inputs: Inputs) -> int | None:
    """What an input gives; None when it is not known, or hangs on something that is not."""
    if each.choices:
        word = inputs.word(each.key)
        return None if word is None else each.choices.get(word)
    value = inputs.number(each.key)
    if value is None:
        return None
    shown = as_displayed(value, each.decimals)
    may_be = {_look_up(v, shown) for v in each.variants if _may_hold(v, table, inputs)}
    return may_be.pop() if len(may_be) == 1 else None


def _look_up(variant: Variant, value: Decimal) -> int:
    return next(points for interval, points in variant.bands if value in interval)


def _may_hold(variant: Variant, table: Table, inputs: Inputs) -> bool:
    """Whether nothing that is known speaks against it."""
    for context, wanted in variant.when.items():
        if isinstance(wanted, Interval):
            months = inputs.number(context)
            if months is not None and months not in wanted:
                return False
        else:
            default = table.contexts[context][1] if context in table.contexts else None
            word = inputs.word(context) or default
            if word is not None and word not in wanted:
                return False
    return True


def _told(
    table: Table, parts: Mapping[str, int], *, complete: bool
) -> tuple[str, int | None, dict[str, Fact]]:
    """The class, the total where there is one, and what only tables with colours say."""
    total = sum(parts.values())
    if table.trigger is not None:
        triggered = Decimal(total) in table.trigger
        known = complete or triggered  # one more input cannot take a trigger back
        counts: dict[str, Fact] = {
            colour: sum(points == each for each in parts.values())
            for points, colour in table.colours.items()
            if points
        }
        called = ("trigger" if triggered else "no-trigger") if known else INCOMPLETE
        return called, None, {**counts, "trigger": triggered if known else None}
    if not complete:
        return INCOMPLETE, None, {}
    for band in table.bands:
        if Decimal(total) in band.total and (band.a_part_of is None or band.a_part_of in parts.values()):
            return band.name, total, {}
    raise AssertionError("the bands of a table are complete")


def _raised(alert: Alert, parts: Mapping[str, int], inputs: Inputs) -> bool:
    if alert.a_part_of is not None and alert.a_part_of in parts.values():
        return True
    numbers = ((inputs.number(key), interval) for key, interval in alert.any_of.items())
    return any(value is not None and value in interval for value, interval in numbers)
