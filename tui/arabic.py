"""Arabic on the way to the terminal.

Widgets hold, cut, wrap and send text in the order in which it is read. A terminal draws cell after cell, so
a filter joins and reorders what is Arabic in a line that is laid out already, piece by piece: columns, keys
and frames stay in their cells, and no line changes its length.
"""

import re
from functools import lru_cache
from typing import Final

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from edge.i18n.shaping import is_right_to_left, shown

_COLUMNS: Final = re.compile(r"( {2,}|[\u2500-\u259f]+|^ +| +$)")
"""What stands between pieces that keep their places: gaps and frames."""
_DRAWN: Final = re.compile("[\ufb50-\ufdff\ufe70-\ufefc]")
"""Letters joined already: of a screen that shows through behind a box, whose lines pass here twice."""


@lru_cache(maxsize=4096)
def in_cells(text: str, *, begins_right: bool) -> str:
    """A part of a line as its cells are drawn, as wide as it was."""
    if not is_right_to_left(text) or _DRAWN.search(text):
        return text
    return "".join(_piece(each, begins_right=begins_right) for each in _COLUMNS.split(text))


def _piece(text: str, *, begins_right: bool) -> str:
    drawn = shown(text, begins_right=begins_right)
    return drawn + " " * (cell_len(text) - cell_len(drawn))  # two letters that are drawn as one


class ArabicFilter(LineFilter):
    """Joins and reorders Arabic; lines without any pass as they are.

    Args:
        begins_right: the screen's own words are Arabic, so that a line with any begins at the right.
    """

    def __init__(self, *, begins_right: bool) -> None:
        super().__init__()
        self._begins_right = begins_right

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        del background
        if not any(is_right_to_left(each.text) for each in segments):
            return segments
        return [
            Segment(in_cells(text, begins_right=self._begins_right), style, control)
            for text, style, control in _joined(segments)
        ]


def _joined(segments: list[Segment]) -> list[Segment]:
    """Neighbours of one style as one, so that words are not taken apart where nobody sees a border."""
    joined: list[Segment] = []
    for each in segments:
        before = joined[-1] if joined else None
        if before is not None and before.style == each.style and before.control == each.control is None:
            joined[-1] = Segment(before.text + each.text, each.style)
        else:
            joined.append(each)
    return joined
