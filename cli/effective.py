"""Every setting that holds on a unit, with where it comes from."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any, Final

from edge.config import Places, UnitConfig, central, effective, load
from edge.config.keeper import Effective
from edge.config.slots import Slots
from edge.scoring import installed

_FILE: Final = "unit.toml"
_DEFAULT: Final = "default"
_CENTRE: Final = "centre"


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """One key.

    Attributes:
        section: its section; that of a device has the device's key behind it.
        value: as JSON has it; None where it is unset.
        source: ``unit.toml``, ``default``, or ``centre`` with the number of the configuration.
    """

    section: str
    key: str
    value: Any
    source: str

    @property
    def text(self) -> str:
        """As it would stand in the file."""
        return "unset" if self.value is None else json.dumps(self.value, ensure_ascii=False)


def settings(places: Places) -> list[Setting]:
    """What holds, section after section, the centre's brokers and tables last.

    Raises:
        ConfigRefused: unit.toml cannot be used.
    """
    own, holds = load(places.config), effective(places)
    found = [each for name in UnitConfig.model_fields for each in _section(own, holds, name)]
    centre = _centre(holds, on_trial=Slots(places.configuration).state().on_trial)
    if holds.centre is not None:
        found += [
            Setting("broker", f"{each.host}:{each.port}", {"tls": each.tls}, centre)
            for each in holds.centre.broker
        ]
    found += [
        Setting("tables", name, installed.read(name, text).version, centre)
        for name, text in sorted(holds.tables.items())
    ]
    return [dataclasses.replace(each, source=centre) if each.source == _CENTRE else each for each in found]


def _centre(holds: Effective, *, on_trial: bool) -> str:
    number = 0 if holds.document is None else holds.document.number
    return f"{_CENTRE} {number}{', on trial' if on_trial else ''}"


def _section(own: UnitConfig, holds: Effective, name: str) -> Iterator[Setting]:
    found, unit = getattr(holds.config, name), getattr(own, name)
    said = getattr(holds.centre, name).model_fields_set if _is_the_centres(holds, name) else ()
    for number, part in enumerate(found if isinstance(found, tuple) else (found,)):
        written = unit[number] if isinstance(unit, tuple) else unit
        called = f"{name}.{part.key}" if isinstance(found, tuple) else name
        in_file = written.model_fields_set if name in own.model_fields_set else ()
        for key, value in part.model_dump(mode="json").items():
            yield Setting(
                called, key, value, _CENTRE if key in said else _FILE if key in in_file else _DEFAULT
            )


def _is_the_centres(holds: Effective, name: str) -> bool:
    return holds.centre is not None and name in central.SECTIONS and name in holds.centre.model_fields_set
