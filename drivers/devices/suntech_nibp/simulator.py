"""A SunTech module on a pseudo-terminal, as a process of its own; see `drivers.simulation.serial_device`.

    python -m drivers.devices.suntech_nibp.simulator --link /tmp/cuff --seed 7

Orders of its own: ``error NUMBER``, how the next measurements end; ``sensor on|off`` is the cuff on the arm.
"""

from drivers.devices.suntech_nibp.unit import DEFLATES_MMHG_S, Unit
from drivers.simulation.serial_device import parser_for, play


def main() -> None:
    """Entry point of the process."""
    parser = parser_for("suntech-nibp", "SunTech blood pressure module")
    parser.add_argument("--systolic", type=float, default=124, help="of a person who stands still")
    parser.add_argument("--diastolic", type=float, default=79, help="of a person who stands still")
    parser.add_argument("--pulse", type=float, default=72, help="of a person who stands still")
    parser.add_argument("--deflates", type=float, default=DEFLATES_MMHG_S, help="mmHg a second")
    options = parser.parse_args()
    play(
        options,
        lambda vitals, at_s: Unit(vitals, at_s, seed=options.seed, deflates_mmhg_s=options.deflates),
        systolic=options.systolic,
        diastolic=options.diastolic,
        pulse=options.pulse,
    )


if __name__ == "__main__":
    main()
