"""A HealthyPi on a pseudo-terminal, as a process of its own; options and orders: this folder's README."""

from typing import Final

from drivers.devices.healthypi.codec import Kind
from drivers.devices.healthypi.unit import Unit
from drivers.simulation.serial_device import parser_for, play

BOARDS: Final = {"v4": Kind.V4, "v5": Kind.V5, "v5-fw1": Kind.V5_ECG, "ads1292r": Kind.ADS1292R}


def main() -> None:
    """Entry point of the process."""
    parser = parser_for("healthypi", "ProtoCentral board")
    parser.add_argument("--board", choices=sorted(BOARDS), default="v4")
    parser.add_argument("--short-end", action="store_true", help="leave out the 00 before the end of a frame")
    options = parser.parse_args()
    play(
        options,
        lambda vitals, at_s: Unit(
            BOARDS[options.board], vitals, at_s, short=options.short_end, seed=options.seed
        ),
    )


if __name__ == "__main__":
    main()
