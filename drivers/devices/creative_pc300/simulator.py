"""A spot-check monitor in the simulated air, or on a pseudo-terminal; options and orders: the README."""

from collections.abc import Mapping
from typing import Final

from drivers.devices.creative_pc300.codec import NOTIFY, SERVICE, WRITE
from drivers.devices.creative_pc300.unit import Unit
from drivers.simulation.notifier import Notifier, nothing_left, now_s, one_of
from drivers.simulation.person import take_person

NAME: Final = "PC_300SNT-BLE"


def make_peripheral(address: str, options: Mapping[str, str]) -> Notifier:
    """A monitor with the options of the README.

    Raises:
        ValueError: an option is not known, or its value is none of its own.
    """
    given = dict(options)
    person = take_person(given, now_s())
    unit = Unit(
        person.vitals,
        person.at_s(now_s()),
        probe=one_of(given, "probe", {"on": True, "off": False}),
        battery=int(given.pop("battery", "3")),
        seed=int(given.pop("seed", "1")),
    )
    nothing_left(given, "a monitor")
    return Notifier(NAME, address, person, unit, service=SERVICE, notify=NOTIFY, writes=(WRITE,))


def main() -> None:
    """Entry point of the process behind a pseudo-terminal."""
    from drivers.simulation.serial_device import parser_for, play

    options = parser_for("creative-pc300", "Creative PC-300").parse_args()
    play(options, lambda vitals, at_s: Unit(vitals, at_s, seed=options.seed))


if __name__ == "__main__":
    main()
