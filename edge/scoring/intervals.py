"""Intervals as clinicians write them: ``<= 8``, ``9 .. 11``, ``35 .. <36``, ``>2 .. 3``, ``>= 25``."""

import dataclasses
import re
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from typing import Final

_NUMBER: Final = r"-?\d+(?:\.\d+)?"
_FORM: Final = re.compile(
    rf"(?P<sign><=|>=|<|>) *(?P<edge>{_NUMBER})"
    rf"|(?P<above>>?) *(?P<low>{_NUMBER}) *\.\. *(?P<below><?) *(?P<high>{_NUMBER})",
    re.ASCII,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Interval:
    """Numbers between two ends; an end that is None has no bound.

    Attributes:
        low_in: whether the lower end belongs to it.
        high_in: whether the upper end belongs to it.
    """

    low: Decimal | None
    high: Decimal | None
    low_in: bool = True
    high_in: bool = True

    def __contains__(self, value: Decimal) -> bool:
        above = self.low is None or value > self.low or (self.low_in and value == self.low)
        below = self.high is None or value < self.high or (self.high_in and value == self.high)
        return above and below


def parse(text: str) -> Interval:
    """Read an interval.

    Raises:
        ValueError: it is not written as this module says, or its ends are the wrong way round.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no interval")
    if found["sign"]:
        edge = Decimal(found["edge"])
        belongs = found["sign"].endswith("=")
        if found["sign"].startswith("<"):
            return Interval(None, edge, high_in=belongs)
        return Interval(edge, None, low_in=belongs)
    low, high = Decimal(found["low"]), Decimal(found["high"])
    if low > high or (low == high and (found["above"] or found["below"])):
        raise ValueError(f"the ends of {text!r} are the wrong way round")
    return Interval(low, high, low_in=not found["above"], high_in=not found["below"])


def check_complete(intervals: Iterable[Interval], decimals: int | None) -> None:
    """See that every number is in one of them and none in two.

    Args:
        intervals: in any order.
        decimals: to how many decimals numbers are rounded before they are looked up; None when they are
            taken as they are.

    Raises:
        ValueError: the first gap or overlap.
    """
    ordered = sorted(intervals, key=lambda each: (each.low is not None, each.low or Decimal(0)))
    if not ordered or ordered[0].low is not None or ordered[-1].high is not None:
        raise ValueError("the lowest or the highest numbers are left out")
    for below, above in pairwise(ordered):
        if below.high is None or above.low is None:
            raise ValueError("two intervals without an end overlap")
        if not _meet(below, above, decimals):
            raise ValueError(f"a gap or an overlap between {below.high} and {above.low}")


def _meet(below: Interval, above: Interval, decimals: int | None) -> bool:
    assert below.high is not None  # noqa: S101  the caller has looked
    assert above.low is not None  # noqa: S101  the caller has looked
    if below.high == above.low:
        return below.high_in is not above.low_in
    step = None if decimals is None else Decimal(1).scaleb(-decimals)
    return step is not None and below.high_in and above.low_in and above.low - below.high == step
