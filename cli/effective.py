"""Every setting that holds on a unit, with where it comes from."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any, Final

from edge.config import Places, UnitConfig, load

_FILE: Final = "unit.toml"
_DEFAULT: Final = "default"


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """One key.

    Attributes:
        section: its section; that of a device has the device's key behind it.
        value: as JSON has it; None where it is unset.
        source: ``unit.toml`` or ``default``.
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
    """What holds, section after section.

    Raises:
        ConfigRefused: unit.toml cannot be used.
    """
    config = load(places.config)
    return [each for name in UnitConfig.model_fields for each in _section(config, name)]


def _section(config: UnitConfig, name: str) -> Iterator[Setting]:
    found = getattr(config, name)
    for part in found if isinstance(found, tuple) else (found,):
        called = f"{name}.{part.key}" if isinstance(found, tuple) else name
        written = part.model_fields_set if name in config.model_fields_set else ()
        for key, value in part.model_dump(mode="json").items():
            yield Setting(called, key, value, _FILE if key in written else _DEFAULT)
