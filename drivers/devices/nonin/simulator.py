"""A Nonin oximeter on a pseudo-terminal, as a process of its own; see `drivers.simulation.serial_device`.

    python -m drivers.devices.nonin.simulator --link /tmp/oximeter --format 2 --seed 7

Orders of its own: ``plug in|out``, the sensor's plug; ``sensor on|off`` is the finger.
"""

from drivers.devices.nonin.codec import Format
from drivers.devices.nonin.unit import Unit
from drivers.simulation.serial_device import parser_for, play
from drivers.simulation.vitals import Vitals


def main() -> None:
    """Entry point of the process."""
    parser = parser_for("nonin", "Nonin oximeter")
    parser.add_argument("--format", type=int, choices=[format_.value for format_ in Format], default=2)
    parser.add_argument("--spo2", type=float, default=97, help="of a person who stands still")
    parser.add_argument("--pulse", type=float, default=72, help="of a person who stands still")
    parser.add_argument("--finger", choices=["on", "off"], default="off", help="at the start")
    options = parser.parse_args()

    def make_unit(vitals: Vitals, at_s: float) -> Unit:
        unit = Unit(Format(options.format), vitals, at_s, seed=options.seed)
        unit.obey(["sensor", options.finger], at_s)
        return unit

    play(options, make_unit, spo2=options.spo2, pulse=options.pulse)


if __name__ == "__main__":
    main()
