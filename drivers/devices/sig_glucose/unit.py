"""A simulated glucose meter apart from its radio: its strips, its clock, its memory. Pure."""

import datetime
import random
from decimal import Decimal
from typing import Final

from drivers.codec import uuids
from drivers.codec.gatt_time import DateTime
from drivers.codec.sfloat import MedicalFloat, Special
from drivers.devices.sig_glucose.codec import (
    Concentration,
    Context,
    Glucose,
    Meal,
    Sample,
    Site,
    Status,
    encode_context,
    encode_measurement,
)
from drivers.simulation.kept_records import Kept, KeptRecords

LOWEST_MG_DL: Final = 20
HIGHEST_MG_DL: Final = 600
"""What a strip can tell; beyond, a meter shows LO and HI."""
MEALS: Final = {meal.name.lower(): meal for meal in Meal}
_MG_DL_IN_MMOL: Final = Decimal("18.0156")
_WOBBLE_MG_DL: Final = 2.0


class Meter:
    """One meter.

    Args:
        kept: its memory.
        moles: whether it counts in mmol/L.
    """

    def __init__(self, kept: KeptRecords, *, moles: bool = False, seed: int = 1) -> None:
        self.kept: Final = kept
        self._moles = moles
        self._random = random.Random(seed)  # noqa: S311  a virtual drop of blood needs chance, not secrecy
        self._sequence = 0

    def measured(self, mg_dl: float, at: datetime.datetime, meal: Meal | None = None) -> None:
        """A strip has been read, of a patient who has so much."""
        found = round(mg_dl + self._random.gauss(0, _WOBBLE_MG_DL))
        if found > HIGHEST_MG_DL:
            self.refused(at, Status.ABOVE_RANGE)
        elif found < LOWEST_MG_DL:
            self.refused(at, Status.BELOW_RANGE)
        else:
            self.exactly(found, at, meal)

    def exactly(self, mg_dl: int, at: datetime.datetime, meal: Meal | None = None) -> None:
        """A strip was read as just so much."""
        what = Concentration(self._in_unit(mg_dl), Sample.CAPILLARY_BLOOD, Site.FINGER)
        self._keep(at, what, meal=meal)

    def control(self, at: datetime.datetime) -> None:
        """The user has seen whether the meter is well."""
        self._keep(at, Concentration(self._in_unit(105), Sample.CONTROL_SOLUTION, Site.CONTROL_SOLUTION))

    def refused(self, at: datetime.datetime, status: Status) -> None:
        """There is no number, and this is why."""
        said: MedicalFloat = Special.NAN
        if status is Status.ABOVE_RANGE:
            said = Special.PLUS_INFINITY
        elif status is Status.BELOW_RANGE:
            said = Special.MINUS_INFINITY
        self._keep(at, Concentration(said, Sample.CAPILLARY_BLOOD, Site.FINGER), status=status)

    def new_battery(self) -> None:
        """It has lost its memory and counts anew."""
        self.kept.clear()
        self._sequence = 0

    def _keep(
        self,
        at: datetime.datetime,
        what: Concentration,
        *,
        status: Status | None = None,
        meal: Meal | None = None,
    ) -> None:
        sequence, self._sequence = self._sequence, (self._sequence + 1) % 0x10000
        said = Glucose(
            sequence,
            DateTime.of(at),
            concentration=what,
            moles=self._moles,
            status=0 if status is None else status,
            context=meal is not None,
        )
        values = [(uuids.GLUCOSE_MEASUREMENT, encode_measurement(said))]
        if meal is not None:
            values.append((uuids.GLUCOSE_CONTEXT, encode_context(Context(sequence, meal=meal))))
        self.kept.keep(Kept(sequence, tuple(values)))

    def _in_unit(self, mg_dl: int) -> Decimal:
        if not self._moles:
            return Decimal(mg_dl).scaleb(-5)
        return (mg_dl / _MG_DL_IN_MMOL).quantize(Decimal("0.1")).scaleb(-3)
