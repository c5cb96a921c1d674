"""The facts of a sheet as the local API gives them, and the rows of text that are made of them. Pure."""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from edge.clock import TRUSTED_CLOCKS
from edge.i18n.catalogue import Catalogue
from edge.vitals.quantity import shown_unit

Facts = Mapping[str, Any]
"""What `visit.sheet` answered; see `edge.localapi.sheets.Sheet`."""

_PRESSURE: Final = ("bp.sys", "bp.dia", "bp.map")
_ORDER: Final = (
    *("bp", "hr", "pulse.spo2", "pulse.nibp", "spo2", "pi", "rr", "temp"),
    *("glucose", "weight", "height", "bmi", "bodyfat", "pain"),
)
_TRENDS: Final = ("bp.sys", "spo2", "glucose", "weight", "temp", "hr")
"""What is drawn as a curve, the most wanted first."""
MOST_TRENDS: Final = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A line of the table of values; ``value`` holds the unit, or why there is none."""

    label: str
    value: str
    time: str
    origin: str
    notes: str
    measured: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Trend:
    """How a value went from visit to visit, oldest first: ``(wall_ms, value)``; two curves for a pressure."""

    label: str
    unit: str
    curves: tuple[tuple[tuple[int, Decimal], ...], ...]


def rows(facts: Facts, word: Catalogue) -> list[Row]:
    """The values of the visit that no later one corrects, in the order in which they are read out."""
    values = facts["visit"]["observations"]
    corrected = {tuple(each["corrects"]) for each in values if each["corrects"] is not None}
    standing = [each for each in values if _place(each) not in corrected]
    made: list[tuple[int, int, Row]] = []
    for each in standing:
        if each["code"] in _PRESSURE[1:] and _of_a_reading(each, standing):
            continue
        code = "bp" if each["code"] == _PRESSURE[0] else each["code"]
        rank = _ORDER.index(code) if code in _ORDER else len(_ORDER)
        made.append((rank, each["wall_ms"] or 0, _row(each, standing, word)))
    return [row for _, _, row in sorted(made, key=lambda each: each[:2])]


def trends(facts: Facts, word: Catalogue) -> list[Trend]:
    """What was measured in this visit and in one before, at most `MOST_TRENDS`."""
    points = [(each["opened_ms"], each["values"]) for each in reversed(facts["earlier"])]
    now = {
        each["code"]: each["value"]
        for each in facts["visit"]["observations"]
        if each["value"] is not None and not _is_corrected(each, facts)
    }
    points.append((facts["visit"]["opened_ms"], now))
    found: list[Trend] = []
    for code in _TRENDS:
        codes = _PRESSURE[:2] if code == _PRESSURE[0] else (code,)
        curves = tuple(
            tuple((at, Decimal(values[each])) for at, values in points if each in values) for each in codes
        )
        if code in now and min(map(len, curves)) > 1:
            label = word("sheet.vital.bp" if code == _PRESSURE[0] else f"sheet.vital.{code}")
            found.append(Trend(label, _unit_of(code, facts), curves))
    return found[:MOST_TRENDS]


def clock_in_doubt(facts: Facts) -> bool:
    """Whether a value's time is that of a clock nobody kept right."""
    return any(each.get("clock") not in TRUSTED_CLOCKS for each in facts["visit"]["observations"])


def day(wall_ms: int | None) -> str:
    """A day as it is written in Morocco: 23/11/2026."""
    return "—" if not wall_ms else _moment(wall_ms).strftime("%d/%m/%Y")


def minute(wall_ms: int | None) -> str:
    """Hours and minutes."""
    return "—" if not wall_ms else _moment(wall_ms).strftime("%H:%M")


def number(value: Decimal | str, word: Catalogue) -> str:
    """A number as it is written in the language."""
    return str(value).replace(".", word("number.point"))


def birth(said: str | None, *, estimated: bool) -> str:
    """A date of birth as far as it is known, day first."""
    return "—" if said is None else ("≈ " if estimated else "") + "/".join(reversed(said.split("-")))


def _row(each: Mapping[str, Any], standing: Sequence[Mapping[str, Any]], word: Catalogue) -> Row:
    is_pressure = each["code"] == _PRESSURE[0]
    label = word("sheet.vital.bp" if is_pressure else f"sheet.vital.{each['code']}")
    origin = word(f"source.{each['source']}") + (
        f", {who}" if (who := each["device"] or each["operator"]) else ""
    )
    notes = [_coded(word, "flag", flag) for flag in each["flags"]]
    if each["corrects"] is not None:
        notes.append(word("sheet.corrected"))
    if each["device_time"] is not None:
        notes.append(word("sheet.device-time", when=str(each["device_time"]).replace("T", " ")))
    text = _pressure(each, standing, word) if is_pressure else _value(each, word)
    measured = each["value"] is not None
    return Row(label, text, minute(each["wall_ms"]), origin, " · ".join(notes), measured)


def _value(each: Mapping[str, Any], word: Catalogue) -> str:
    if each["value"] is None:
        return _coded(word, "missing", str(each["missing"]))
    return f"{number(each['value'], word)} {shown_unit(each['unit'])}"


def _pressure(each: Mapping[str, Any], standing: Sequence[Mapping[str, Any]], word: Catalogue) -> str:
    """Systolic over diastolic, with the mean where the device gave one."""
    if each["value"] is None:
        return _value(each, word)
    same = {other["code"]: other for other in standing if _same_reading(each, other)}
    diastolic, mean = (same.get(code) for code in _PRESSURE[1:])
    under = "--" if diastolic is None or diastolic["value"] is None else number(diastolic["value"], word)
    middle = "" if mean is None or mean["value"] is None else f" ({number(mean['value'], word)})"
    return f"{number(each['value'], word)}/{under}{middle} {shown_unit(each['unit'])}"


def _of_a_reading(each: Mapping[str, Any], standing: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a diastolic or mean pressure is said beside its systolic one."""
    return any(other["code"] == _PRESSURE[0] and _same_reading(each, other) for other in standing)


def _same_reading(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    keys = ("wall_ms", "device", "source", "device_time")
    return all(one[key] == other[key] for key in keys)


def _is_corrected(each: Mapping[str, Any], facts: Facts) -> bool:
    values = facts["visit"]["observations"]
    return _place(each) in {tuple(other["corrects"]) for other in values if other["corrects"] is not None}


def _place(each: Mapping[str, Any]) -> tuple[Any, Any]:
    """Epoch and number of an entry, by which a correction names it."""
    return each["entry"][1], each["entry"][3]


def _unit_of(code: str, facts: Facts) -> str:
    units = (each["unit"] for each in facts["visit"]["observations"] if each["code"] == code)
    return shown_unit(next(units, ""))


def _coded(word: Catalogue, table: str, code: str) -> str:
    """The word of a code; a code that no catalogue knows is shown as it is."""
    return word(f"{table}.{code}") if f"{table}.{code}" in word.codes else code


def _moment(wall_ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(wall_ms / 1000, tz=datetime.UTC).astimezone()
