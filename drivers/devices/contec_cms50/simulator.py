"""A CMS50 on a pseudo-terminal, as a process of its own; see `drivers.simulation.serial_device`.

    python -m drivers.devices.contec_cms50.simulator --link /tmp/oximeter --generation new --seed 7

Orders of its own: ``finger on|off`` (or ``sensor``), ``spo2 97``, ``pulse 72``, and ``record SECONDS``, which
leaves so much in its memory.
"""

import argparse
import time
from typing import Final

from drivers.devices.contec_cms50.codec import PACKETS_PER_SECOND, Generation
from drivers.devices.contec_cms50.unit import Unit
from drivers.simulation.patient_finger import PatientPulse
from drivers.simulation.pulse import Pulse
from drivers.simulation.serial_device import parser_for, play
from drivers.simulation.vitals import Vitals

GENERATIONS: Final = {"old": Generation.FIVE_BYTE, "new": Generation.NINE_BYTE}
LONGEST_BURST: Final = PACKETS_PER_SECOND * 60
"""A process that slept longer does not make up for it."""
_SWITCHES: Final = {"finger": "finger", "sensor": "finger", "motion": "moving", "noise": "noisy"}
"""What orders switch on and off, and what the unit calls it."""


class Oximeter:
    """The unit, in the seconds of its person; a `drivers.simulation.serial_device.SimulatedUnit`."""

    def __init__(self, unit: Unit, at_s: float) -> None:
        self._unit = unit
        self._start_s = at_s
        self._packets = 0

    def stream(self, at_s: float) -> bytes:
        """What it has sent by itself since it was last asked."""
        now = int((at_s - self._start_s) * PACKETS_PER_SECOND)
        due, self._packets = min(now - self._packets, LONGEST_BURST), now
        return self._unit.stream(due, time.monotonic())

    def hear(self, data: bytes, at_s: float) -> bytes:
        """Take bytes from the host and give the answer."""
        del at_s
        return self._unit.hear(data, time.monotonic())  # it forgets its host in the host's seconds

    def obey(self, order: list[str], at_s: float) -> bytes | None:
        """Let something happen to it; None for an order it does not know."""
        del at_s
        match order:
            case ["finger" | "sensor" | "motion" | "noise" as what, "on" | "off" as state]:
                setattr(self._unit, _SWITCHES[what], state == "on")
            case ["spo2", number] if number.isdecimal() and 0 < int(number) <= 100:
                self._unit.pulse.saturation_target = int(number)
            case ["pulse", number] if number.isdecimal() and 0 < int(number) < 255:
                self._unit.pulse.rate_target = int(number)
            case ["record", seconds] if seconds.isdecimal():
                self._unit.record(int(seconds))
            case ["power", "off"]:
                return self._unit.switch_off()
            case ["power", "on"]:
                pass
            case _:
                return None
        return b""


def _unit(options: argparse.Namespace, vitals: Vitals, at_s: float) -> Unit:
    """On a patient's finger, or on one with numbers of its own."""
    if options.scenario:
        pulse: Pulse = PatientPulse(vitals, at_s)
    else:
        pulse = Pulse(options.seed, saturation=options.spo2, rate=options.pulse)
    return Unit(GENERATIONS[options.generation], pulse, seed=options.seed, perfusion=not options.no_pi)


def main() -> None:
    """Entry point of the process."""
    parser = parser_for("contec-cms50", "Contec CMS50")
    parser.add_argument("--generation", choices=sorted(GENERATIONS), default="new")
    parser.add_argument("--spo2", type=int, default=97)
    parser.add_argument("--pulse", type=int, default=72)
    parser.add_argument("--no-pi", action="store_true", help="a unit without perfusion index, as the D+")
    parser.add_argument("--finger", choices=["on", "off"], default="off", help="at the start")
    parser.add_argument("--stored", type=int, action="append", default=[], help="seconds it has recorded")
    options = parser.parse_args()

    def make_unit(vitals: Vitals, at_s: float) -> Oximeter:
        unit = _unit(options, vitals, at_s)
        unit.finger = options.finger == "on"
        for seconds in options.stored:
            unit.record(seconds)
        return Oximeter(unit, at_s)

    play(options, make_unit)


if __name__ == "__main__":
    main()
