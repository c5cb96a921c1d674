"""A simulated thermometer apart from its radio: what it would say of a person. Pure."""

import dataclasses
import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from drivers.codec.gatt_time import DateTime
from drivers.codec.sfloat import Special
from drivers.devices.sig_thermometer.codec import Site, Temperature, encode_temperature
from drivers.simulation.vitals import Snapshot
from edge.vitals.quantity import Unit

STEP: Final = Decimal("0.1")
SKIN: Final = Decimal("33.0")
"""What the tip shows when it has just been put in, in degrees Celsius."""
RISES: Final = 6
"""Values shown on the way up."""


@dataclasses.dataclass(slots=True)
class Thermometer:
    """One thermometer.

    Attributes:
        fahrenheit: whether it measures in degrees Fahrenheit.
        site: where; told with every value, or None when it is told by 0x2A1D alone.
        worn: whether it is where it should be; it finds nothing otherwise.
    """

    fahrenheit: bool = False
    site: Site | None = Site.MOUTH
    worn: bool = True

    def measurement(self, found: Snapshot, at: datetime.datetime | None) -> bytes:
        """A value of 0x2A1C."""
        celsius = Decimal(str(found.temperature_c))
        return self._encode(self._in_unit(celsius) if self.worn else Special.NAN, at)

    def rising(self, found: Snapshot) -> list[bytes]:
        """Values of 0x2A1E until it has found out."""
        way = Decimal(str(found.temperature_c)) - SKIN
        return [
            self._encode(self._in_unit(SKIN + way * step / (RISES + 1)), None) for step in range(1, RISES + 1)
        ]

    def _encode(self, value: Decimal | Special, at: datetime.datetime | None) -> bytes:
        time = None if at is None else DateTime.of(at)
        return encode_temperature(Temperature(self._unit, value, time, self.site))

    @property
    def _unit(self) -> Unit:
        return Unit.FAHRENHEIT if self.fahrenheit else Unit.CELSIUS

    def _in_unit(self, celsius: Decimal) -> Decimal:
        shown = celsius * 9 / 5 + 32 if self.fahrenheit else celsius
        return shown.quantize(STEP, ROUND_HALF_UP)
