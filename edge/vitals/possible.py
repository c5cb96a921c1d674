"""What of a reading can be true: judged here for the agent and for ``devices decode`` alike."""

import dataclasses

from edge.vitals.codes import Code
from edge.vitals.limits import PASSING_OUTSIDE, only_numbers_that_can_be
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity
from edge.vitals.reading import Reading


def possible(reading: Reading) -> Reading:
    """The reading without numbers that cannot be true; in their place stands that they are out of range.

    What a device shows only while it measures is judged alone, the others against each other too. What was
    sent in another unit is left beside a number alone.
    """
    passing = {code: _passing(code, said) for code, said in reading.values if code in PASSING_OUTSIDE}
    judged = only_numbers_that_can_be({code: said for code, said in reading.values if code not in passing})
    said = passing | judged
    values = tuple((code, said[code]) for code, _ in reading.values)
    if values == reading.values:
        return reading
    converted = tuple(sent for sent in reading.converted if isinstance(said.get(sent[0]), Quantity))
    return dataclasses.replace(reading, values=values, converted=converted)


def _passing(code: Code, said: Measured) -> Measured:
    if isinstance(said, Missing):
        return said
    low, high = PASSING_OUTSIDE[code]
    can_be = said.value.is_finite() and low <= said.value <= high
    return said if can_be else Missing(MissingReason.OUT_OF_RANGE)
