"""The first ``unit.toml`` of a unit."""

import os
from typing import Final

from pydantic import ValidationError

from edge.config.places import Places
from edge.config.refusals import ConfigRefused
from edge.config.unit import UnitConfig

_LONGEST_SHOWN: Final = 80
_INITIAL: Final = """\
# The configuration of this unit; every key is described in docs/reference/configuration.md.

[unit]
id = "{unit}"
realm = "{realm}"

[security]
device_secret = "media/device.secret"   # relative to the unit's home directory

[seal]
batch = 200                             # entries a merged batch aims at

[clock]
quality = "none"                        # none, operator, rtc, ntp, gnss or centre

# One block for each device; `qafila devices kinds` lists the kinds.
# [[device]]
# key = "oximeter-1"
# kind = "contec-cms50"
# port = "/dev/serial/by-id/usb-..."
"""


def check_unit(unit: str, realm: str) -> None:
    """Say whether a unit may be called so.

    Raises:
        ConfigRefused: the unit's name or realm is not allowed.
    """
    try:
        UnitConfig.model_validate({"unit": {"id": unit, "realm": realm}})
    except ValidationError as error:
        raise ConfigRefused(
            f"The unit's name `{unit}` or realm `{realm}` is not allowed."
            if _can_be_shown(unit) and _can_be_shown(realm)
            else "The unit's name or realm is too long, or holds characters that no name has.",
            next_step="Use 2 to 31 of a-z, 0-9 and hyphen, such as van-07; realm production or training.",
        ) from error


def _can_be_shown(typed: str) -> bool:
    """Whether it can stand in a sentence as it is: what turns or hides text never does."""
    return typed.isascii() and typed.isprintable() and len(typed) <= _LONGEST_SHOWN


def write_initial(places: Places, unit: str, realm: str) -> None:
    """Write the first ``unit.toml``, durably and only where none stands.

    Raises:
        ConfigRefused: the unit's name or realm is not allowed, or a configuration exists.
    """
    check_unit(unit, realm)
    text = _INITIAL.format(unit=unit, realm=realm)
    places.config.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(places.config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError as error:
        raise ConfigRefused(
            f"There is a configuration at {places.config} already.",
            next_step="A unit is made once; choose another directory with --home for another unit.",
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
