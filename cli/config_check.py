"""All that an agent would have against a unit.toml, found without starting one."""

from pathlib import Path
from typing import TYPE_CHECKING

from cli.radio_on_demand import RadioOnDemand
from cli.wiring import device
from cli.workshop import UnitWorkshop
from edge.clock import SystemClock
from edge.config import ConfigRefused, Places, UnitConfig, effective
from edge.config.mistakes import Mistake, line_of
from edge.config.reading import examine as examine_text
from edge.config.reading import read_text

if TYPE_CHECKING:
    from drivers.transport.ble import AdapterOwner


def against_the_centres(places: Places) -> list[Mistake]:
    """That what the centre has set does not go with the unit's file any more, where that is so.

    Raises:
        ConfigRefused: the file cannot be used.
    """
    if not effective(places).unfit:
        return []
    return [
        Mistake(
            None,
            "",
            "What the centre has set does not go with this file, which holds alone.",
            "Look at what was changed in it, or have the centre send another configuration.",
        )
    ]


def examine(path: Path) -> list[Mistake]:
    """Everything that is wrong with a file; nothing where an agent would take it.

    Raises:
        ConfigMissing, ConfigRefused: it is not there, or is no text.
    """
    text = read_text(path)
    found = examine_text(text)
    return _devices(text, found) if isinstance(found, UnitConfig) else found


def _devices(text: str, config: UnitConfig) -> list[Mistake]:
    """Kinds and options that no driver takes; ports are not opened."""
    clock = SystemClock()
    real = config.unit.realm == "production"
    workshop = UnitWorkshop(RadioOnDemand(_no_radio), clock, lambda _: None, real=real)
    found: list[Mistake] = []
    for number, section in enumerate(config.device):
        try:
            device(section, workshop)
        except ConfigRefused as error:
            line = line_of(text, ("device", number, "kind"))
            found.append(Mistake(line, f"device.{section.key}", error.sentence, error.next_step))
    return found


def _no_radio() -> "AdapterOwner":
    raise AssertionError("a driver that is only made opens no radio")
