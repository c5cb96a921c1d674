"""What a patient's record looks like on a command line; nothing in it steers the terminal."""

import datetime
from collections.abc import Mapping
from typing import Any, Final

from cli.output import inert, table

HEADER: Final = ["name", "born", "sex", "identifiers", "state", "id"]


def line(patient: Mapping[str, Any]) -> list[str]:
    """One row of a list."""
    also = f" (+{patient['merged']})" if patient["merged"] else ""
    cells = [
        f"{patient['family']} {patient['given']}{also}",
        _born(patient),
        patient["sex"],
        ", ".join(f"{each['system']} {each['value']}" for each in patient["identifiers"]),
        patient["state"],
        patient["patient"],
    ]
    return [inert(str(cell)) for cell in cells]


def record(answer: Mapping[str, Any]) -> str:
    """All that is known of one person."""
    patient = answer["patient"]
    arabic = " ".join(part for part in (patient["family_arabic"], patient["given_arabic"]) if part)
    facts = [
        ["name", f"{patient['family']} {patient['given']}"],
        ["in Arabic", arabic],
        ["born", _born(patient)],
        ["sex", patient["sex"]],
        *([each["system"], each["value"]] for each in patient["identifiers"]),
        ["phone", answer["phone"] or ""],
        ["village", answer["village"] or ""],
        ["state", patient["state"]],
        ["id", patient["patient"]],
    ]
    parts = [table([[name, inert(str(value))] for name, value in facts if value], ["", ""]).lstrip("\n ")]
    consents = [
        [
            *(each["scope"], each["decision"], f"by {each['given_by']}, {each['form']}"),
            f"{day(each['wall_ms'])}, entered by {each['operator'] or 'nobody'}",
            "" if each["holds"] else "(no more)",
        ]
        for each in answer["consents"]
    ]
    if consents:
        parts.append(table([[inert(str(cell)) for cell in row] for row in consents], ["consent", *[""] * 4]))
    visits = [
        [day(each["opened_ms"]), each["site"] or "", each["operator"], "" if each["closed_ms"] else "open"]
        for each in answer["visits"]
    ]
    if visits:
        parts.append(table([[inert(str(cell)) for cell in row] for row in visits], ["visit", "at", "by", ""]))
    if answer["merged"]:
        parts.append("Entered as well as:\n" + table([line(each) for each in answer["merged"]], HEADER))
    return "\n\n".join(parts)


def day(wall_ms: int | None) -> str:
    """A time of the box as a date, in UTC."""
    if not wall_ms:
        return "—"
    return datetime.datetime.fromtimestamp(wall_ms / 1000, tz=datetime.UTC).strftime("%Y-%m-%d")


def _born(patient: Mapping[str, Any]) -> str:
    about = "about " if patient["birth_estimated"] else ""
    return f"{about}{patient['birth']}" if patient["birth"] else ""
