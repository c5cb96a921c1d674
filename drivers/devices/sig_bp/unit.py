"""A simulated cuff apart from its radio: its clock, its memory, and what it would say. Pure."""

import dataclasses
import datetime
from decimal import Decimal
from typing import Final

from drivers.codec.gatt_time import DateTime
from drivers.codec.sfloat import Special
from drivers.devices.sig_bp.codec import BloodPressure, Status, encode_measurement
from drivers.simulation.arm import Arm, Pressures
from edge.vitals.quantity import Unit

POWER_UP: Final = datetime.datetime(2019, 1, 1)  # noqa: DTZ001  a cuff's clock has no zone
"""Where the clock of a cuff begins when it has lost its battery."""
KEEPS: Final = 60
"""Measurements in memory; the oldest gives way."""
_MMHG_PER_KILOPASCAL: Final = Decimal("7.500617")
_RAMP: Final = (40, 80, 120, 160, 150, 130, 110, 90, 70, 50, 20)


@dataclasses.dataclass(slots=True)
class Clock:
    """The cuff's clock: what it showed at one moment, and running on from there."""

    at: datetime.datetime
    since_s: float

    def now(self, now_s: float) -> datetime.datetime:
        return self.at + datetime.timedelta(seconds=int(now_s - self.since_s))


class Cuff:
    """One cuff and the arm in it.

    Args:
        clock: None for a cuff without one.
        kilopascal: whether it measures in kPa.
        mean: whether it computes the mean pressure.
    """

    def __init__(self, arm: Arm, clock: Clock | None, *, kilopascal: bool = False, mean: bool = True) -> None:
        self.arm: Final = arm
        self.clock = clock
        self._unit = Unit.KILOPASCAL if kilopascal else Unit.MILLIMETRE_OF_MERCURY
        self._mean = mean
        self._memory: list[bytes] = []

    @property
    def oldest(self) -> bytes | None:
        """What would be told next."""
        return self._memory[0] if self._memory else None

    def confirmed(self) -> None:
        """The host has the oldest; it need not be kept."""
        del self._memory[0]

    def measured(self, found: Pressures, now_s: float, *, status: int = 0) -> None:
        """A measurement has come to its end."""
        systolic, diastolic = self._in_unit(found.systolic), self._in_unit(found.diastolic)
        mean = self._in_unit(found.mean) if self._mean else Special.NAN
        said = BloodPressure(self._unit, systolic, diastolic, mean, pulse=Decimal(found.pulse), status=status)
        self._keep(said, now_s)

    def failed(self, now_s: float, *, status: int = 0) -> None:
        """A measurement came to nothing; a cuff says so, and not always why."""
        none = Special.NAN
        self._keep(BloodPressure(self._unit, none, none, none, pulse=none, status=status), now_s)

    def ramp(self) -> list[bytes]:
        """The pressure in the cuff while it measures, as values of 0x2A36."""
        return [
            encode_measurement(BloodPressure(self._unit, self._in_unit(pressure), Special.NAN, Special.NAN))
            for pressure in _RAMP
        ]

    def _keep(self, said: BloodPressure, now_s: float) -> None:
        time = None if self.clock is None else DateTime.of(self.clock.now(now_s))
        self._memory.append(encode_measurement(dataclasses.replace(said, time=time)))
        del self._memory[:-KEEPS]

    def _in_unit(self, mmhg: int) -> Decimal:
        if self._unit is Unit.MILLIMETRE_OF_MERCURY:
            return Decimal(mmhg)
        return (mmhg / _MMHG_PER_KILOPASCAL).quantize(Decimal("0.1"))


WHY: Final = {"loose": Status.CUFF_TOO_LOOSE, "moved": Status.BODY_MOVEMENT}
"""What a failed measurement may say of itself."""
