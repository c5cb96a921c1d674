"""How much fits: the four sizes a screen is laid out for."""

from enum import StrEnum


class Tier(StrEnum):
    """The layout of a terminal's size; the value is the style class."""

    TINY = "tiny"
    """Below 60 by 20: numbers as a list, nothing else."""
    SMALL = "small"
    """60 by 20 to 99 by 29: values in plain bold text, one wave."""
    MEDIUM = "medium"
    """100 by 30 to 139 by 39: big digits, two waves."""
    LARGE = "large"
    """From 140 by 40: records beside the waves."""


def tier_of(width: int, height: int) -> Tier:
    if width >= 140 and height >= 40:
        return Tier.LARGE
    if width >= 100 and height >= 30:
        return Tier.MEDIUM
    if width >= 60 and height >= 20:
        return Tier.SMALL
    return Tier.TINY
