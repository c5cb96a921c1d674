"""The observations this project knows, with the codes that others know them by.

Sources: LOINC per FHIR R4 4.0.1 value set observation-vitalsignresult; MDC numbers per
ISO/IEEE 11073-10101 (partition x 65536 + term); units in UCUM.
"""

import dataclasses
from enum import StrEnum
from typing import Final

from edge.vitals.quantity import Unit


class Code(StrEnum):
    """One observable thing, in the words of the vocabulary table."""

    SYSTOLIC = "bp.sys"
    DIASTOLIC = "bp.dia"
    MEAN_PRESSURE = "bp.map"
    CUFF_PRESSURE = "bp.cuff"
    """What the cuff holds while it measures: shown, never kept, no pressure of the patient."""
    HEART_RATE = "hr"
    PULSE_OXIMETER = "pulse.spo2"
    PULSE_CUFF = "pulse.nibp"
    OXYGEN_SATURATION = "spo2"
    PERFUSION_INDEX = "pi"
    TEMPERATURE = "temp"
    RESPIRATORY_RATE = "rr"
    WEIGHT = "weight"
    HEIGHT = "height"
    BMI = "bmi"
    """As a scale says it, from a height somebody typed into it; nothing here computes one."""
    BODY_FAT = "bodyfat"
    GLUCOSE = "glucose"
    PAIN = "pain"
    CONSCIOUSNESS = "acvpu"
    """0 alert, 1 new confusion, 2 answers to voice, 3 to pain, 4 to nothing."""
    OXYGEN_FLOW = "o2"
    """Oxygen given, 0 for air."""
    GLASGOW = "gcs"
    CAPILLARY_REFILL = "crt"
    BREATHING_EFFORT = "effort"
    """0 normal, 1 mild, 2 moderate, 3 severe, 4 no breath."""
    PREGNANCY = "pregnancy"
    """0 no, 1 yes, 2 in the six weeks after a birth."""
    NEWS2 = "news2"
    QSOFA = "qsofa"
    PEWS = "pews"
    MEOWS = "meows"
    """1 where it triggers, else 0; how many are red and yellow stands in the parts."""
    PLETH = "pleth"
    ECG = "ecg"
    RESPIRATION = "resp"
    """The breath as a wave; how often it comes is `RESPIRATORY_RATE`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Vital:
    """What a code means to others.

    Attributes:
        loinc: LOINC code.
        mdc: ISO/IEEE 11073-10101 number, or None where there is none.
        unit: the unit in which values are stored.
        decimals: how many a screen shows.
    """

    code: Code
    loinc: str
    mdc: int | None
    unit: Unit
    decimals: int


VITALS: Final[dict[Code, Vital]] = {
    v.code: v
    for v in (
        Vital(Code.SYSTOLIC, "8480-6", 150021, Unit.MILLIMETRE_OF_MERCURY, 0),
        Vital(Code.DIASTOLIC, "8462-4", 150022, Unit.MILLIMETRE_OF_MERCURY, 0),
        Vital(Code.MEAN_PRESSURE, "8478-0", 150023, Unit.MILLIMETRE_OF_MERCURY, 0),
        Vital(Code.CUFF_PRESSURE, "", None, Unit.MILLIMETRE_OF_MERCURY, 0),
        Vital(Code.HEART_RATE, "8867-4", 147842, Unit.PER_MINUTE, 0),
        Vital(Code.PULSE_OXIMETER, "8867-4", 149530, Unit.PER_MINUTE, 0),
        Vital(Code.PULSE_CUFF, "8867-4", 149546, Unit.PER_MINUTE, 0),
        Vital(Code.OXYGEN_SATURATION, "2708-6", 150456, Unit.PERCENT, 0),
        Vital(Code.PERFUSION_INDEX, "61006-3", 150448, Unit.PERCENT, 1),
        Vital(Code.TEMPERATURE, "8310-5", 150364, Unit.CELSIUS, 1),
        Vital(Code.RESPIRATORY_RATE, "9279-1", 151562, Unit.PER_MINUTE, 0),
        Vital(Code.WEIGHT, "29463-7", 188736, Unit.KILOGRAM, 1),
        Vital(Code.HEIGHT, "8302-2", 188740, Unit.CENTIMETRE, 1),
        Vital(Code.BMI, "39156-5", 188752, Unit.KILOGRAM_PER_SQUARE_METRE, 1),
        Vital(Code.BODY_FAT, "", 188748, Unit.PERCENT, 1),
        Vital(Code.GLUCOSE, "2339-0", 160184, Unit.MILLIGRAM_PER_DECILITRE, 0),
        Vital(Code.PAIN, "72514-3", None, Unit.SCORE, 0),
        Vital(Code.CONSCIOUSNESS, "67775-7", None, Unit.SCORE, 0),
        Vital(Code.OXYGEN_FLOW, "3151-8", None, Unit.LITRE_PER_MINUTE, 1),
        Vital(Code.GLASGOW, "9269-2", None, Unit.SCORE, 0),
        Vital(Code.CAPILLARY_REFILL, "", None, Unit.SECOND, 0),
        Vital(Code.BREATHING_EFFORT, "", None, Unit.SCORE, 0),
        Vital(Code.PREGNANCY, "", None, Unit.SCORE, 0),
        Vital(Code.NEWS2, "", None, Unit.SCORE, 0),
        Vital(Code.QSOFA, "96791-9", None, Unit.SCORE, 0),
        Vital(Code.PEWS, "", None, Unit.SCORE, 0),
        Vital(Code.MEOWS, "", None, Unit.SCORE, 0),
        Vital(Code.PLETH, "", 150452, Unit.NONE, 0),
        Vital(Code.ECG, "11524-6", 131328, Unit.MICROVOLT, 0),
        Vital(Code.RESPIRATION, "", 151552, Unit.NONE, 0),
    )
}
"""Every code; a test holds that none is left out."""

CODED: Final = frozenset({Code.CONSCIOUSNESS, Code.BREATHING_EFFORT, Code.PREGNANCY})
"""Whole numbers that stand for words; the docstring of each code says which."""
CALCULATED: Final = frozenset({Code.NEWS2, Code.QSOFA, Code.PEWS, Code.MEOWS})
"""Nobody measures these and nobody types them: a rule gives them (`edge.scoring`)."""
WHOLE: Final = CODED | CALCULATED | {Code.GLASGOW}
"""No half of these can be."""
