"""Capillary glucose, and how far a saturation may be relied on."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from edge.scoring.given import INCOMPLETE, Fact, Inputs, Result
from edge.scoring.ladders import ClassTable

FASTING: Final = "fasting"
HIGH: Final = "HI"
LOW: Final = "LO"
TO_CONFIRM: Final = "to-confirm"
IN_RANGE: Final = "in-range"
URGENT: Final = "urgent"
_MG_DL_IN_MMOL_L: Final = Decimal("18.0156")


def glucose(table: ClassTable, inputs: Inputs) -> Result:
    """What a capillary glucose calls for; what is high is to be confirmed in the laboratory."""
    notes = table.check_age(None)
    shown, value = inputs.word("shown"), inputs.number("mg_dl")
    if shown == HIGH:
        return table.result(inputs, URGENT, alerts=("above-the-meters-range",), notes=notes, used=("shown",))
    ladder = table.ladders["low"]
    if shown == LOW:
        lowest = ladder.classes[0]
        return table.result(inputs, lowest, alerts=("below-the-meters-range",), notes=notes, used=("shown",))
    if value is None:
        return table.result(inputs, INCOMPLETE, missing=("mg_dl",), notes=notes)
    facts: dict[str, Fact] = {
        "mg_dl": value,
        "mmol_l": (value / _MG_DL_IN_MMOL_L).quantize(Decimal("0.1"), ROUND_HALF_UP),
    }
    rung = ladder.rung(mg_dl=value)
    if rung < len(ladder.classes) - 1:
        return table.result(
            inputs, ladder.classes[rung], alerts=("treat-now",), notes=notes, facts=facts, used=("mg_dl",)
        )
    band, missing = _high(table, inputs, value)
    alerts = (URGENT,) if band == URGENT else ()
    return table.result(
        inputs, band, missing=missing, alerts=alerts, notes=notes, facts=facts, used=("mg_dl", "ctx")
    )


def _high(table: ClassTable, inputs: Inputs, value: Decimal) -> tuple[str, tuple[str, ...]]:
    """The class of what is not low, and what would have to be known for it."""
    numbers, context, ill = table.numbers, inputs.word("ctx"), inputs.flag("ill")
    if value >= numbers["urgent_from"] and ill is not False:
        return (URGENT, ()) if ill else (TO_CONFIRM, ("ill",))
    if value >= numbers["random_from"]:  # at any time of the day, whatever was eaten
        return TO_CONFIRM, ()
    if value < numbers["fasting_from"]:
        return IN_RANGE, ()
    if context is None:
        return INCOMPLETE, ("ctx",)
    return (TO_CONFIRM if context == FASTING else IN_RANGE), ()


def saturation(table: ClassTable, inputs: Inputs) -> Result:
    """Whether a saturation is good enough to be scored, and what the altitude says about it."""
    numbers, value = table.numbers, inputs.number("spo2")
    if value is None:
        return table.result(inputs, INCOMPLETE, missing=("spo2",))
    perfusion, altitude = inputs.number("pi"), inputs.number("altitude_m")
    weak = perfusion is not None and perfusion < numbers["perfusion_index_least"]
    reasons = [
        *(["perfusion-low"] if weak else []),
        *(name for name in ("motion", "low_signal") if inputs.flag(name)),
    ]
    notes: list[str] = []
    if altitude is not None and altitude > numbers["note_above_m"]:
        high = altitude > numbers["reference_falls_above_m"]
        notes.append("altitude-lowers-reference" if high else "altitude")
    return table.result(
        inputs,
        "unreliable" if reasons else "reliable",
        alerts=tuple(reasons),
        notes=tuple(notes),
        facts={"spo2": value, "reliable": not reasons},
        used=("spo2", "pi"),
    )
