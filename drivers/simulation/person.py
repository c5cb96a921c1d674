"""Whom a simulated device measures, from its options.

In the air (`make_peripheral`)::

    person = take_person(given, monotonic_s, pulse=71)       # pops what concerns the person
    found = person.vitals.now(person.at_s(monotonic_s))      # each time it measures

On a serial port: `add_options` to the parser, then `person_of` the parsed options.

Without options the person stands still at the numbers given here; ``pulse=88`` or ``spo2=91`` among the
options moves one of them. With ``scenario`` (a file or the name of one that is shipped) all devices that
are given the same ``began`` measure the same patient, in whatever process they live: a patient is a
function of the scenario and the seconds since it began, and the monotonic clock is the machine's.
"""

import argparse
import dataclasses
from typing import Final

from drivers.simulation.vitals import Snapshot, Steady, Vitals, mean_of

NUMBERS: Final = frozenset(
    field.name for field in dataclasses.fields(Snapshot) if field.type is float and field.name != "at_s"
)
"""What can be set of a person who stands still."""


@dataclasses.dataclass(frozen=True, slots=True)
class Person:
    """Somebody, and when on the machine's monotonic clock they began."""

    vitals: Vitals
    began_s: float

    def at_s(self, monotonic_s: float) -> float:
        """The person's time at a moment of the machine's."""
        return max(0.0, monotonic_s - self.began_s)


def take_person(given: dict[str, str], monotonic_s: float, **usual: float) -> Person:
    """The person that the options of a device name; what is used is taken out of ``given``.

    Args:
        given: the options, of which some may concern the person.
        monotonic_s: now; when the person begins unless ``began`` says otherwise.
        usual: numbers of `Snapshot` in place of its own, for a device tried alone.

    Raises:
        ValueError: a number is none.
        ScenarioRefused: the scenario is not there, or cannot be played.
    """
    began_s = float(given.pop("began", monotonic_s))
    scenario, pace = given.pop("scenario", None), float(given.pop("pace", "1"))
    if scenario is not None:
        return Person(_patient(scenario, pace), began_s)
    numbers = dict(usual)
    for name in NUMBERS & given.keys():
        numbers[name] = float(given.pop(name))
    snapshot = dataclasses.replace(Snapshot(), **numbers)  # type: ignore[arg-type]  # NUMBERS are floats
    if "mean" not in numbers:
        snapshot = dataclasses.replace(snapshot, mean=mean_of(snapshot.systolic, snapshot.diastolic))
    return Person(Steady(snapshot), began_s)


def _patient(scenario: str, pace: float) -> Vitals:
    # only here: reading a file strictly takes memory that a device tried alone does without
    from drivers.simulation.patient import Patient
    from drivers.simulation.scenario_file import load

    read = load(scenario)
    return Patient(read.course(), read.patient.seed, pace=pace)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Let the process of a simulator be told whom it measures."""
    parser.add_argument("--scenario", help="file, or name of a shipped one; qafila sim list names them")
    parser.add_argument("--began", help="when the patient began, seconds of the monotonic clock")
    parser.add_argument("--pace", help="how much faster than real the patient changes")


def whom(options: argparse.Namespace) -> dict[str, str]:
    """What parsed options say of the person, as options of a device in the air."""
    return {name: value for name in ("scenario", "began", "pace") if (value := getattr(options, name))}


def person_of(options: argparse.Namespace, monotonic_s: float, **usual: float) -> Person:
    """The person that parsed options name."""
    return take_person(whom(options), monotonic_s, **usual)
