"""Where everything of a unit lies, and what its technician may configure.

``unit.toml`` is read once at start. Every key is known here; an unknown one is refused with the nearest
known name, because a misspelt key that is silently ignored is a setting somebody believes in.
"""

from edge.config.devices import BLE_SCHEME, DeviceSection
from edge.config.first import check_unit, write_initial
from edge.config.journal import LinkSection
from edge.config.keeper import effective
from edge.config.places import HOME_VARIABLE, Places
from edge.config.reading import load
from edge.config.refusals import ConfigMissing, ConfigRefused
from edge.config.unit import UnitConfig

__all__ = [
    "BLE_SCHEME",
    "HOME_VARIABLE",
    "ConfigMissing",
    "ConfigRefused",
    "DeviceSection",
    "LinkSection",
    "Places",
    "UnitConfig",
    "check_unit",
    "effective",
    "load",
    "write_initial",
]
