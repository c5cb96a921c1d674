"""A satellite receiver on a pseudo-terminal, as a process of its own; see `drivers.simulation.serial_device`.

    python -m drivers.devices.nmea_gps.simulator --link /tmp/gps --latitude 33.58402 --longitude -7.587168

Orders of its own: ``hdop NUMBER``; ``sensor on|off`` is the sky. It stands in Casablanca unless told
otherwise, and its clock is the machine's unless ``--utc`` says what time it is at its beginning.
"""

import datetime
from decimal import Decimal

from drivers.devices.nmea_gps.unit import Unit
from drivers.simulation.serial_device import parser_for, play
from edge.clock import SystemClock
from edge.vitals.place import Position


def main() -> None:
    """Entry point of the process."""
    parser = parser_for("nmea-gps", "satellite receiver")
    parser.add_argument("--latitude", type=Decimal, default=Decimal("33.58402"))
    parser.add_argument("--longitude", type=Decimal, default=Decimal("-7.587168"))
    parser.add_argument("--altitude", type=Decimal, default=Decimal("57.3"), help="metres")
    parser.add_argument("--knots", type=float, default=0.0, help="how fast it goes north")
    parser.add_argument("--utc", type=datetime.datetime.fromisoformat, help="as 2026-03-14T09:30:00+00:00")
    options = parser.parse_args()
    position = Position(options.latitude, options.longitude, options.altitude)
    now = options.utc or datetime.datetime.fromtimestamp(SystemClock().now().wall_ms // 1000, datetime.UTC)
    play(
        options,
        lambda _, at_s: Unit(
            at_s, now - datetime.timedelta(seconds=int(at_s)), position, knots=options.knots
        ),
    )


if __name__ == "__main__":
    main()
