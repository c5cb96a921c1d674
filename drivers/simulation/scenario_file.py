"""Reads a scenario strictly: what is unknown, impossible or contradicts itself is refused, with its line."""

import difflib
import importlib.util
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from drivers.kinds import Medium
from drivers.simulation.faults import Fault
from drivers.simulation.scenario import (
    DeviceTable,
    FaultTable,
    MomentTable,
    OrderTable,
    PatientTable,
    Scenario,
    ScenarioMissing,
    ScenarioRefused,
    find,
)

Where = tuple[int | str, ...]

_TABLES: Final[Mapping[str, type[BaseModel]]] = {
    "patient": PatientTable,
    "moment": MomentTable,
    "device": DeviceTable,
    "fault": FaultTable,
    "order": OrderTable,
}
_ALWAYS_TOLD: Final = (
    "systolic", "diastolic", "pulse", "breaths", "temperature", "spo2_on_air", "perfusion", "glucose",
)  # fmt: skip
ONLY_SERIAL: Final = frozenset({Fault.NOISE, Fault.UNPLUG})
ONLY_AIR: Final = frozenset({Fault.HANG_UP, Fault.OUT_OF_REACH, Fault.BOND_LOST})


Kinds = Mapping[str, Medium]
"""The device kinds there are. A simulator, which must not know the others, reads without them."""


def load(name: str, kinds: Kinds | None = None) -> Scenario:
    """Read the scenario of this name or path.

    Args:
        name: as `find` takes it.
        kinds: what the devices and their faults are checked against; None leaves that to others.

    Raises:
        ScenarioMissing: there is none.
        ScenarioRefused: it is no TOML, a key is unknown or missing, or what it says cannot be.
    """
    path = find(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioMissing(
            f"The scenario {path} cannot be read.", next_step="Check that it is a readable text file."
        ) from error
    return read(text, path, kinds)


def read(text: str, path: Path, kinds: Kinds | None = None) -> Scenario:
    """Read a scenario; ``path`` is what errors call it, ``kinds`` is as for `load`.

    Raises:
        ScenarioRefused: as `load`.
    """
    try:
        scenario = Scenario.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ScenarioRefused(f"{path} is not TOML: {error}.", next_step="Correct that line.") from error
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        # A misspelt key is a missing one too; its spelling is what helps.
        first = min(found, key=lambda each: each["type"] != "extra_forbidden")
        raise _not_so(text, path, first["loc"], first["type"], first["msg"]) from None
    for where, sentence, next_step in _contradictions(scenario, kinds):
        raise ScenarioRefused(f"{_place(text, path, where)}: {sentence}.", next_step=next_step)
    return scenario


# ── What the models cannot see ───────────────────────────────────────────────────────────────────


def _contradictions(scenario: Scenario, kinds: Kinds | None) -> Iterator[tuple[Where, str, str]]:
    yield from _about_moments(scenario.moment)
    yield from _about_keys(scenario)
    if kinds is None:
        return
    for place, device in enumerate(scenario.device):
        if device.kind not in kinds:
            known = _near(device.kind, list(kinds))
            yield ("device", place, "kind"), f"the device kind {device.kind} is unknown", known
        elif not _has_simulator(device.kind):
            yield ("device", place, "kind"), f"the kind {device.kind} has no simulator", "Remove the device."
    mediums = {device.key: kinds[device.kind] for device in scenario.device}
    for place, fault in enumerate(scenario.fault):
        if fault.device is not None:
            yield from _about_medium(("fault", place, "what"), fault, mediums[fault.device])


def _about_moments(moments: Sequence[MomentTable]) -> Iterator[tuple[Where, str, str]]:
    first = moments[0]
    if first.at_min != 0:
        yield ("moment", 0, "at_min"), "the first moment stands at minute 0", "Correct the value."
    for name in _ALWAYS_TOLD:
        if getattr(first, name) is None:
            yield (
                ("moment", 0, name),
                f"the first moment names every number, and `{name}` is missing",
                "Add it.",
            )
    systolic, diastolic = first.systolic, first.diastolic
    for place, moment in enumerate(moments):
        if place and moment.at_min <= moments[place - 1].at_min:
            yield ("moment", place, "at_min"), "moments stand in the order of their minutes", "Sort them."
        # Both numbers ease alike only where both are told; where one is, the other is about what it was.
        systolic = moment.systolic if moment.systolic is not None else systolic
        diastolic = moment.diastolic if moment.diastolic is not None else diastolic
        if systolic is not None and diastolic is not None and diastolic >= systolic:
            yield (
                ("moment", place, "diastolic"),
                "the diastolic pressure is below the systolic",
                "Correct it.",
            )


def _about_keys(scenario: Scenario) -> Iterator[tuple[Where, str, str]]:
    keys = [device.key for device in scenario.device]
    for place, key in enumerate(keys):
        if key in keys[:place]:
            yield ("device", place, "key"), f"two devices share the key {key}", "Rename one."
    for place, fault in enumerate(scenario.fault):
        if fault.device is None and fault.fault is not Fault.MOTION:
            sentence = f"{fault.what} happens to a device, and none is named"
            yield ("fault", place, "what"), sentence, "Add `device`."
    orders: tuple[tuple[str, Sequence[FaultTable | OrderTable]], ...] = (
        ("fault", scenario.fault),
        ("order", scenario.order),
    )
    for table, each in orders:
        for place, told in enumerate(each):
            if told.device is not None and told.device not in keys:
                sentence = f"there is no device {told.device}"
                yield (table, place, "device"), sentence, _near(told.device, keys)


def _about_medium(where: Where, fault: FaultTable, medium: Medium) -> Iterator[tuple[Where, str, str]]:
    if fault.fault in ONLY_SERIAL and medium is not Medium.SERIAL:
        yield where, f"{fault.what} happens to a device on a cable", "Name another device."
    if fault.fault in ONLY_AIR and medium is not Medium.BLE:
        yield where, f"{fault.what} happens to a Bluetooth device", "Name another device."


def _has_simulator(kind: str) -> bool:
    return importlib.util.find_spec(f"drivers.devices.{kind.replace('-', '_')}.simulator") is not None


# ── Saying where ─────────────────────────────────────────────────────────────────────────────────


def _not_so(text: str, path: Path, where: Where, kind: str, message: str) -> ScenarioRefused:
    name = ".".join(str(part) for part in where if isinstance(part, str))
    at = _place(text, path, where)
    if kind == "extra_forbidden":
        table = _TABLES.get(str(where[0]), Scenario) if len(where) > 1 else Scenario
        near = _near(str(list(where)[-1]), list(table.model_fields), otherwise="Remove it.")
        return ScenarioRefused(f"{at}: the key `{name}` is unknown.", next_step=near)
    if kind == "missing":
        return ScenarioRefused(f"{at}: the key `{name}` is missing.", next_step="Add it.")
    if kind == "literal_error" and where == ("scenario",):
        return ScenarioRefused(
            f"{at}: the scenario is written in a later format than this program knows.",
            next_step="Update qafila, or take a scenario of version 1.",
        )
    return ScenarioRefused(f"{at}: `{name}`: {message}.", next_step="Correct the value.")


def _near(word: str, known: Sequence[str], *, otherwise: str = "Correct the value.") -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"Did you mean `{near[0]}`?" if near else otherwise


def _place(text: str, path: Path, where: Where) -> str:
    line = line_of(text, where)
    return f"{path}, line {line}" if line else str(path)


_HEADER: Final = re.compile(r"^\s*\[\[?\s*([A-Za-z0-9_.-]+)\s*\]\]?")


def line_of(text: str, where: Where) -> int | None:
    """The line that says what ``where`` names, or that of its table; None for what is nowhere.

    Args:
        text: the file.
        where: names and places as pydantic gives them, such as ``("moment", 2, "pulse")``.
    """
    table, nth, key = _split(where)
    lines = text.splitlines()
    begin, end = _stretch(lines, table, nth)
    if end is None:
        return None
    if key is not None:
        said = re.compile(rf"(^|[{{,]\s*)\s*\"?{re.escape(key)}\"?\s*=")
        for number in range(begin, end):
            if said.search(lines[number].partition("#")[0]):
                return number + 1
    return begin or None


def _split(where: Where) -> tuple[str | None, int, str | None]:
    """The table, which of its name, and the key that is meant."""
    names = [part for part in where if isinstance(part, str)]
    nth = next((part for part in where if isinstance(part, int)), 0)
    if not names or names[0] not in _TABLES:
        return None, 0, names[0] if names else None
    return names[0], nth, names[1] if len(names) > 1 else None


def _stretch(lines: Sequence[str], table: str | None, nth: int) -> tuple[int, int | None]:
    """The lines of a table, from the one behind its header; of the top of the file for None."""
    headers = [(number, found[1]) for number, line in enumerate(lines) if (found := _HEADER.match(line))]
    if table is None:
        return 0, headers[0][0] if headers else len(lines)
    starts = [number for number, name in headers if name == table]
    if nth >= len(starts):
        return 0, None
    begin = starts[nth] + 1
    ends = (number for number, name in headers if number >= begin and not name.startswith(f"{table}."))
    return begin, next(ends, len(lines))
