"""A PC-60FW in the simulated air; options and orders stand in this folder's README."""

from collections.abc import Mapping
from typing import Final

from drivers.devices.viatom_pc60fw.codec import FULL, NOTIFY, SERVICE, WRITE
from drivers.devices.viatom_pc60fw.unit import Unit
from drivers.simulation.notifier import Notifier, nothing_left, now_s, one_of
from drivers.simulation.person import take_person

NAME: Final = "PC-60F_SN000001"


def make_peripheral(address: str, options: Mapping[str, str]) -> Notifier:
    """An oximeter with the options of the README.

    Raises:
        ValueError: an option is not known, or its value is none of its own.
    """
    given = dict(options)
    person = take_person(given, now_s())
    unit = Unit(
        person.vitals,
        person.at_s(now_s()),
        inside=one_of(given, "finger", {"in": True, "out": False}),
        battery=int(given.pop("battery", str(FULL))),
        seed=int(given.pop("seed", "1")),
    )
    nothing_left(given, "an oximeter")
    return Notifier(NAME, address, person, unit, service=SERVICE, notify=NOTIFY, writes=(WRITE,))
