"""A BCI oximeter in the simulated air, or on a pseudo-terminal; options and orders: this folder's README."""

from collections.abc import Mapping
from typing import Final

from drivers.devices.berry_bci.codec import NOTIFY, SERVICE
from drivers.devices.berry_bci.unit import Unit
from drivers.simulation.notifier import Notifier, nothing_left, now_s, one_of
from drivers.simulation.person import take_person

NAME: Final = "BerryMed"
INSIDE: Final = {"in": True, "out": False}


def make_peripheral(address: str, options: Mapping[str, str]) -> Notifier:
    """An oximeter with the options of the README.

    Raises:
        ValueError: an option is not known, or its value is none of its own.
    """
    given = dict(options)
    person = take_person(given, now_s())
    inside = one_of(given, "finger", INSIDE)
    unit = Unit(person.vitals, person.at_s(now_s()), inside=inside, seed=int(given.pop("seed", "1")))
    nothing_left(given, "an oximeter")
    return Notifier(NAME, address, person, unit, service=SERVICE, notify=NOTIFY, advertises_service=False)


def main() -> None:
    """Entry point of the process behind a pseudo-terminal."""
    from drivers.simulation.serial_device import parser_for, play

    parser = parser_for("berry-bci", "BCI finger oximeter")
    parser.add_argument("--finger", choices=sorted(INSIDE), default="in", help="at the start")
    options = parser.parse_args()
    play(
        options,
        lambda vitals, at_s: Unit(vitals, at_s, inside=INSIDE[options.finger], seed=options.seed),
    )


if __name__ == "__main__":
    main()
