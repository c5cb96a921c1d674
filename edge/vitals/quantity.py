"""A measured value, or the reason why there is none."""

import dataclasses
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias


class Unit(StrEnum):
    """UCUM codes of what is stored or accepted (UCUM 2.1, checked with the NLM library)."""

    MILLIMETRE_OF_MERCURY = "mm[Hg]"
    KILOPASCAL = "kPa"
    PER_MINUTE = "/min"
    PERCENT = "%"
    CELSIUS = "Cel"
    FAHRENHEIT = "[degF]"
    KILOGRAM = "kg"
    POUND = "[lb_av]"
    CENTIMETRE = "cm"
    INCH = "[in_i]"
    KILOGRAM_PER_SQUARE_METRE = "kg/m2"
    MILLIGRAM_PER_DECILITRE = "mg/dL"
    MILLIMOLE_PER_LITRE = "mmol/L"
    GRAM_PER_LITRE = "g/L"
    KILOGRAM_PER_LITRE = "kg/L"
    MOLE_PER_LITRE = "mol/L"
    LITRE_PER_MINUTE = "L/min"
    SCORE = "{score}"
    SECOND = "s"
    MICROVOLT = "uV"
    NONE = "1"


_SHOWN: Final = {
    Unit.MILLIMETRE_OF_MERCURY: "mmHg",
    Unit.CELSIUS: "°C",
    Unit.KILOGRAM_PER_SQUARE_METRE: "kg/m²",
    Unit.SCORE: "/10",
}


def shown_unit(code: str) -> str:
    """A unit as people write it; UCUM's own codes are for machines."""
    return _SHOWN.get(Unit(code), code) if code in set(Unit) else code


class MissingReason(StrEnum):
    """Why a device that measures this has no number now, or a person none to enter."""

    SENSOR_OFF = "sensor-off"
    SEARCHING = "searching"
    PROBE_ERROR = "probe-error"
    NOT_MEASURED = "not-measured"
    INVALID = "invalid"
    OUT_OF_RANGE = "out-of-range"
    ABOVE_RANGE = "above-range"
    """More than the device can measure; meters show HI."""
    BELOW_RANGE = "below-range"
    """Less than the device can measure; meters show LO."""
    TEST = "test"
    """A demonstration, a test, a calibration or a control solution: nothing of a patient."""
    REFUSED = "refused"
    """By the patient; this and the two below are said by a person, never by a device."""
    FAILED = "failed"
    """Tried, and it did not succeed."""
    NOT_INDICATED = "not-indicated"
    """Not needed for this patient now."""
    WITHDRAWN = "withdrawn"
    """What was entered before is taken back, and nothing stands in its place."""


SAID_BY_A_PERSON: Final = (MissingReason.REFUSED, MissingReason.FAILED, MissingReason.NOT_INDICATED)
"""Why somebody did not measure."""


@dataclasses.dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit. Zero is a number; nothing is `Missing`."""

    value: Decimal
    unit: Unit


@dataclasses.dataclass(frozen=True, slots=True)
class Missing:
    """The device tried and has no number."""

    why: MissingReason


Measured: TypeAlias = Quantity | Missing
"""What a device says of one code. A code it does not measure at all is simply absent."""
