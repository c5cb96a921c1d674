"""A ring in the simulated air; options and orders stand in this folder's README."""

from collections.abc import Mapping
from typing import Final

from drivers.devices.wellue_o2ring.codec import NOTIFY, OTHER_PROTOCOL, SERVICE, WRITE
from drivers.devices.wellue_o2ring.unit import Unit
from drivers.simulation.device_clock import right, unset
from drivers.simulation.notifier import Notifier, nothing_left, now_s, one_of
from drivers.simulation.person import take_person
from drivers.simulation.wall_time import WallTime

NAME: Final = "O2Ring 0001"
OTHER_NAME: Final = "S8-AW 0001"


def make_peripheral(address: str, options: Mapping[str, str]) -> Notifier:
    """A ring with the options of the README.

    Raises:
        ValueError: an option is not known, or its value is none of its own.
    """
    given = dict(options)
    person = take_person(given, now_s())
    at_s = person.at_s(now_s())
    is_set = one_of(given, "clock", {"set": True, "unset": False})
    shown = right() if is_set else unset()
    unit = Unit(
        person.vitals,
        at_s,
        WallTime(shown.at, at_s),
        inside=one_of(given, "finger", {"in": True, "out": False}),
        battery=int(given.pop("battery", "90")),
    )
    other = one_of(given, "model", {"o2ring": False, "o2ring-s": True})
    nothing_left(given, "a ring")
    if other:
        service, write, notify = OTHER_PROTOCOL
        return Notifier(OTHER_NAME, address, person, unit, service=service, notify=notify, writes=(write,))
    return Notifier(NAME, address, person, unit, service=SERVICE, notify=NOTIFY, writes=(WRITE,))
