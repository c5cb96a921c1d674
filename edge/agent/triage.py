"""Who may have to be seen first, by the values of a visit alone: a sign, and nobody's judgement. Pure.

What is missing is never taken for normal: without a whole result there is no green.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from edge.scoring.given import INCOMPLETE, Result

_RED_BANDS: Final = frozenset({"high", "trigger"})
_YELLOW_BANDS: Final = frozenset({"medium", "low-medium"})
_ONE_ALONE: Final = "single-"
"""An alert of a rule: one value by itself calls for somebody."""
_YELLOW_POINTS: Final = 2


class Triage(StrEnum):
    """What the values say."""

    RED = "red"
    YELLOW = "yellow"
    GREEN = "green"


def triage(results: Sequence[Result]) -> tuple[Triage | None, str | None]:
    """What the early-warning rule says in one word, and which rule; None where nothing can be said.

    Args:
        results: of the rules for the patient, the early-warning rule first.
    """
    if not results:
        return None, None
    first = results[0]
    name = f"{first.rule} {first.version}"
    if first.band in _RED_BANDS or any(each.startswith(_ONE_ALONE) for each in first.alerts):
        return Triage.RED, name
    if first.band in _YELLOW_BANDS or any(_is_yellow(points) for points in first.parts.values()):
        return Triage.YELLOW, name
    return (None, None) if first.band in {None, INCOMPLETE} else (Triage.GREEN, name)


def _is_yellow(points: int | str) -> bool:
    return points == "yellow" if isinstance(points, str) else points >= _YELLOW_POINTS
