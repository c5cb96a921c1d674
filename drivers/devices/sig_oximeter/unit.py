"""A simulated oximeter apart from its radio: what its sensor sees, and what it says of it. Pure."""

import datetime
from decimal import Decimal
from typing import Final

from drivers.codec import uuids
from drivers.codec.gatt_time import DateTime
from drivers.codec.sfloat import MedicalFloat, Special
from drivers.devices.sig_oximeter.codec import (
    Continuous,
    Feature,
    Features,
    Pair,
    Sensor,
    SpotCheck,
    Status,
    encode_continuous,
    encode_features,
    encode_spot_check,
)
from drivers.simulation.kept_records import Kept, KeptRecords
from drivers.simulation.vitals import Snapshot

LOW_PERFUSION: Final = 0.3
"""Below, the pulse in the finger is too weak to be sure of."""
STATUS_BITS: Final = (
    Status.ONGOING
    | Status.FULLY_QUALIFIED
    | Status.FROM_STORAGE
    | Status.DEMONSTRATION
    | Status.UNAVAILABLE
    | Status.QUESTIONABLE
)
SENSOR_BITS: Final = Sensor.ERRATIC_SIGNAL | Sensor.LOW_PERFUSION | Sensor.UNCONNECTED_TO_USER


class Oximeter:
    """One oximeter.

    Args:
        kept: its memory, or None for one without.

    Attributes:
        worn: whether a finger is in.
        moved: whether it is held still; a scenario's patient may move besides.
        demonstrates: whether it shows made-up numbers, as in a shop.
    """

    def __init__(self, kept: KeptRecords | None) -> None:
        self.kept: Final = kept
        self.worn = True
        self.moved = False
        self.demonstrates = False
        self._sequence = 0

    def features(self, *, continuous: bool) -> bytes:
        """What it can tell, as a value of 0x2A60."""
        bits = Feature.STATUS | Feature.SENSOR | Feature.TIME | Feature.AMPLITUDE
        if self.kept is not None:
            bits |= Feature.STORAGE
        if continuous:
            bits |= Feature.FAST
        return encode_features(Features(bits, STATUS_BITS, SENSOR_BITS))

    def display(self, found: Snapshot) -> bytes:
        """What it shows of somebody now, as a value of 0x2A5F."""
        status, sensor = self._state(found)
        shown, amplitude = self._numbers(found)
        return encode_continuous(
            Continuous(shown, fast=shown, status=status | Status.ONGOING, sensor=sensor, amplitude=amplitude)
        )

    def spot_check(self, found: Snapshot, at: datetime.datetime, *, clock_set: bool) -> bytes:
        """A finished measurement, as a value of 0x2A5E; kept, where it keeps any."""
        status, sensor = self._state(found)
        shown, amplitude = self._numbers(found)
        said = SpotCheck(
            shown, DateTime.of(at), status | Status.FULLY_QUALIFIED, sensor, amplitude, clock_set=clock_set
        )
        if self.kept is not None:
            stored = SpotCheck(
                shown,
                DateTime.of(at),
                status | Status.FULLY_QUALIFIED | Status.FROM_STORAGE,
                sensor,
                amplitude,
                clock_set=clock_set,
            )
            self.kept.keep(Kept(self._sequence, ((uuids.PLX_SPOT_CHECK, encode_spot_check(stored)),)))
            self._sequence += 1
        return encode_spot_check(said)

    def _state(self, found: Snapshot) -> tuple[int, int]:
        status = Status.DEMONSTRATION if self.demonstrates else 0
        if not self.worn:
            return status | Status.UNAVAILABLE, Sensor.UNCONNECTED_TO_USER
        sensor = 0
        if self.moved or found.moving:
            status |= Status.QUESTIONABLE
            sensor |= Sensor.ERRATIC_SIGNAL
        if found.perfusion < LOW_PERFUSION:
            sensor |= Sensor.LOW_PERFUSION
        return status, sensor

    def _numbers(self, found: Snapshot) -> tuple[Pair, MedicalFloat]:
        if not self.worn:
            return Pair(Special.NAN, Special.NAN), Special.NAN
        amplitude = Decimal(round(found.perfusion * 10)).scaleb(-1)
        return Pair(Decimal(min(100, round(found.spo2))), Decimal(round(found.pulse))), amplitude
