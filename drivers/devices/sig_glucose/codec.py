"""The values of the Bluetooth Glucose service, read and written.

Source: Bluetooth SIG, Glucose Service 1.0, sections 3.1 to 3.3.
"""

import dataclasses
from enum import IntEnum
from typing import Final

from drivers.codec.gatt_time import DateTime, encode_date_time
from drivers.codec.record_times import shifted
from drivers.codec.sfloat import MedicalFloat, encode_sfloat
from drivers.codec.value import Value

OVERRUN_MIN: Final = 0x7FFF
UNDERRUN_MIN: Final = -0x8000
"""Offsets that mean only: more than can be said."""


class Flag(IntEnum):
    """Bits of the first byte of a measurement: what follows."""

    OFFSET = 0x01
    CONCENTRATION = 0x02
    MOLES = 0x04
    STATUS = 0x08
    CONTEXT = 0x10


class Status(IntEnum):
    """Bits of the sensor status."""

    LOW_BATTERY = 0x0001
    SENSOR_MALFUNCTION = 0x0002
    SAMPLE_TOO_SMALL = 0x0004
    STRIP_INSERTION = 0x0008
    STRIP_TYPE = 0x0010
    ABOVE_RANGE = 0x0020
    BELOW_RANGE = 0x0040
    TOO_HOT = 0x0080
    TOO_COLD = 0x0100
    STRIP_PULLED = 0x0200
    DEVICE_FAULT = 0x0400
    TIME_FAULT = 0x0800


class Sample(IntEnum):
    """What was measured."""

    CAPILLARY_BLOOD = 1
    CAPILLARY_PLASMA = 2
    VENOUS_BLOOD = 3
    VENOUS_PLASMA = 4
    ARTERIAL_BLOOD = 5
    ARTERIAL_PLASMA = 6
    UNDETERMINED_BLOOD = 7
    UNDETERMINED_PLASMA = 8
    INTERSTITIAL_FLUID = 9
    CONTROL_SOLUTION = 10


class Site(IntEnum):
    """Where it was taken from."""

    FINGER = 1
    ALTERNATE = 2
    EARLOBE = 3
    CONTROL_SOLUTION = 4
    UNKNOWN = 15


@dataclasses.dataclass(frozen=True, slots=True)
class Concentration:
    """How much glucose there was.

    Attributes:
        value: kg/L or mol/L, as the measurement says.
        sample: one of `Sample`, or a number without a meaning yet.
        site: one of `Site`, or a number without a meaning yet.
    """

    value: MedicalFloat
    sample: int
    site: int


@dataclasses.dataclass(frozen=True, slots=True)
class Glucose:
    """One record of the meter, as it said it.

    Attributes:
        sequence: counts the records; begins anew when the meter has lost its memory.
        base: the meter's clock when it measured, without what its user has moved it by since.
        offset_min: what the user has moved it by, in minutes, or None when none was sent.
        moles: whether the concentration is in mol/L and not in kg/L.
        status: bits of `Status`.
        context: whether a value of the measurement context goes with it.
        reserved: flag bits that have no meaning yet.
        extra: bytes beyond the layout.
    """

    sequence: int
    base: DateTime
    offset_min: int | None = None
    concentration: Concentration | None = None
    moles: bool = False
    status: int | None = None
    context: bool = False
    reserved: int = 0
    extra: bytes = b""

    @property
    def time(self) -> DateTime | None:
        """What the meter's display showed: base and offset together; None when that is no moment."""
        if self.offset_min in {OVERRUN_MIN, UNDERRUN_MIN}:
            return None
        return shifted(self.base, self.offset_min or 0)


_KNOWN_FLAGS: Final = 0x1F


def decode_measurement(raw: bytes) -> Glucose:
    """Read one notification of Glucose Measurement (0x2A18).

    Layout, little endian::

        0    1   flags
        1    2   sequence number
        3    7   base time
        10   2   offset, signed minutes                if OFFSET
        +0   2   concentration  SFLOAT, kg/L or mol/L  if CONCENTRATION
        +0   1   sample, low half; site, high half     if CONCENTRATION
        +0   2   sensor status                         if STATUS

    Raises:
        DeviceMisbehaved: shorter than its flags promise (``frame-too-short``).
    """
    value = Value(raw)
    flags = value.unsigned(1)
    return Glucose(
        sequence=value.unsigned(2),
        base=value.date_time(),
        offset_min=_signed(value.take(2)) if flags & Flag.OFFSET else None,
        concentration=_concentration(value) if flags & Flag.CONCENTRATION else None,
        moles=bool(flags & Flag.MOLES),
        status=value.unsigned(2) if flags & Flag.STATUS else None,
        context=bool(flags & Flag.CONTEXT),
        reserved=flags & ~_KNOWN_FLAGS,
        extra=value.rest(),
    )


def encode_measurement(said: Glucose) -> bytes:
    """Write one record, for simulators."""
    flags = said.reserved | (Flag.MOLES if said.moles else 0) | (Flag.CONTEXT if said.context else 0)
    parts = [said.sequence.to_bytes(2, "little"), encode_date_time(said.base)]
    if said.offset_min is not None:
        flags |= Flag.OFFSET
        parts.append(said.offset_min.to_bytes(2, "little", signed=True))
    if said.concentration is not None:
        flags |= Flag.CONCENTRATION
        what = said.concentration
        parts += [encode_sfloat(what.value), bytes([what.site << 4 | what.sample])]
    if said.status is not None:
        flags |= Flag.STATUS
        parts.append(said.status.to_bytes(2, "little"))
    return bytes([flags, *b"".join(parts), *said.extra])


class ContextFlag(IntEnum):
    """Bits of the first byte of a measurement context: what follows."""

    CARBOHYDRATE = 0x01
    MEAL = 0x02
    TESTER_HEALTH = 0x04
    EXERCISE = 0x08
    MEDICATION = 0x10
    LITRES = 0x20
    HBA1C = 0x40
    EXTENDED = 0x80


class Meal(IntEnum):
    """When it was measured, by the meals of the day."""

    BEFORE = 1
    AFTER = 2
    FASTING = 3
    CASUAL = 4
    BEDTIME = 5


class Health(IntEnum):
    """How the patient was."""

    MINOR_ISSUES = 1
    MAJOR_ISSUES = 2
    DURING_MENSES = 3
    UNDER_STRESS = 4
    NO_ISSUES = 5
    UNKNOWN = 15


@dataclasses.dataclass(frozen=True, slots=True)
class Amount:
    """So much of something: its number in the specification, and how much of it."""

    what: int
    value: MedicalFloat


@dataclasses.dataclass(frozen=True, slots=True)
class Exercise:
    """Duration in seconds (FFFF: more than can be said) and intensity in percent."""

    seconds: int
    percent: int


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """What the meter's user told it of a measurement.

    Attributes:
        sequence: of the measurement that it goes with.
        extended: the extended flags, all reserved.
        carbohydrate: of what meal, and kilograms.
        meal: one of `Meal`, or a number without a meaning yet.
        tester: who measured: 1 the patient, 2 a health professional, 3 a laboratory, 15 unknown.
        health: one of `Health`, or a number without a meaning yet; comes with the tester.
        medication: of what kind, and kilograms or litres.
        litres: whether the medication is in litres.
        hba1c: percent.
        extra: bytes beyond the layout.
    """

    sequence: int
    extended: int | None = None
    carbohydrate: Amount | None = None
    meal: int | None = None
    tester: int | None = None
    health: int | None = None
    exercise: Exercise | None = None
    medication: Amount | None = None
    litres: bool = False
    hba1c: MedicalFloat | None = None
    extra: bytes = b""


def decode_context(raw: bytes) -> Context:
    """Read one notification of Glucose Measurement Context (0x2A34).

    Layout, little endian::

        0   1   flags
        1   2   sequence number
        3   1   extended flags                           if EXTENDED
        +0  3   carbohydrate: number, SFLOAT kg          if CARBOHYDRATE
        +0  1   meal                                     if MEAL
        +0  1   tester, low half; health, high half      if TESTER_HEALTH
        +0  3   exercise: seconds u16, percent u8        if EXERCISE
        +0  3   medication: number, SFLOAT kg or L       if MEDICATION
        +0  2   HbA1c, SFLOAT percent                    if HBA1C

    Raises:
        DeviceMisbehaved: shorter than its flags promise (``frame-too-short``).
    """
    value = Value(raw)
    flags = value.unsigned(1)
    sequence = value.unsigned(2)
    extended = value.unsigned(1) if flags & ContextFlag.EXTENDED else None
    carbohydrate = _amount(value) if flags & ContextFlag.CARBOHYDRATE else None
    meal = value.unsigned(1) if flags & ContextFlag.MEAL else None
    who = value.unsigned(1) if flags & ContextFlag.TESTER_HEALTH else None
    return Context(
        sequence=sequence,
        extended=extended,
        carbohydrate=carbohydrate,
        meal=meal,
        tester=None if who is None else who & 0x0F,
        health=None if who is None else who >> 4,
        exercise=Exercise(value.unsigned(2), value.unsigned(1)) if flags & ContextFlag.EXERCISE else None,
        medication=_amount(value) if flags & ContextFlag.MEDICATION else None,
        litres=bool(flags & ContextFlag.LITRES),
        hba1c=value.sfloat() if flags & ContextFlag.HBA1C else None,
        extra=value.rest(),
    )


def encode_context(said: Context) -> bytes:
    """Write one context, for simulators; tester and health come together or not at all."""
    flags = ContextFlag.LITRES if said.litres else 0
    parts = [said.sequence.to_bytes(2, "little")]
    if said.extended is not None:
        flags |= ContextFlag.EXTENDED
        parts.append(bytes([said.extended]))
    if said.carbohydrate is not None:
        flags |= ContextFlag.CARBOHYDRATE
        parts.append(_amount_bytes(said.carbohydrate))
    if said.meal is not None:
        flags |= ContextFlag.MEAL
        parts.append(bytes([said.meal]))
    if said.tester is not None and said.health is not None:
        flags |= ContextFlag.TESTER_HEALTH
        parts.append(bytes([said.health << 4 | said.tester]))
    if said.exercise is not None:
        flags |= ContextFlag.EXERCISE
        parts.append(said.exercise.seconds.to_bytes(2, "little") + bytes([said.exercise.percent]))
    if said.medication is not None:
        flags |= ContextFlag.MEDICATION
        parts.append(_amount_bytes(said.medication))
    if said.hba1c is not None:
        flags |= ContextFlag.HBA1C
        parts.append(encode_sfloat(said.hba1c))
    return bytes([flags, *b"".join(parts), *said.extra])


def decode_features(raw: bytes) -> int:
    """Read Glucose Feature (0x2A51): the bits of `Status` that the meter can set, and others.

    Raises:
        DeviceMisbehaved: fewer than two bytes (``frame-too-short``).
    """
    return Value(raw).unsigned(2)


def _concentration(value: Value) -> Concentration:
    said = value.sfloat()
    what = value.unsigned(1)
    return Concentration(said, what & 0x0F, what >> 4)


def _amount(value: Value) -> Amount:
    return Amount(value.unsigned(1), value.sfloat())


def _amount_bytes(said: Amount) -> bytes:
    return bytes([said.what]) + encode_sfloat(said.value)


def _signed(raw: bytes) -> int:
    return int.from_bytes(raw, "little", signed=True)
