"""Arabic as a terminal or a page has to be given it that knows nothing of Arabic.

Text is kept in the order in which it is read. A terminal that draws cell after cell, and a page that draws
letter after letter, need each letter in the form it takes between its neighbours, and all of them from left
to right. That is done when text is shown and at no other time: what was shaped is never stored, compared,
measured against what was typed, or cut.

Source: Unicode Standard Annex 9 (bidirectional algorithm); letters' forms per Unicode 16, Arabic
Presentation Forms-B.
"""

import functools
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from arabic_reshaper import ArabicReshaper

_RIGHT_TO_LEFT: Final = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
"""Hebrew, Arabic and their relatives; text without any of them is shown as it is."""
_NUMBER: Final = re.compile(
    r"(?<![A-Za-z\d._-])[+\-\u2212≈]?\d(?:[\d.,:/-]*\d)?"
    r"(?: ?(?:%|°[CF]|mmHg|mm/s|mm/mV|/min|L/min|mg/dL|mmol/L|kg/m²|kg|cm|mm|mV|Hz|[kMG]?B|min|s|h(?: \d\d)?)"
    r"(?![A-Za-z/]))?|°[CF]|/min"
)
"""A number, a pressure, a date or a time, with its unit: after Arabic letters the algorithm alone turns
1978-05-12 round, and puts the unit of one number beside the next."""
_APART: Final = "\u2066"
_APART_END: Final = "\u2069"
"""Between these the order is from left to right whatever stands around."""
_BRACKETS: Final = "()[]{}<>«»"
_MIRRORED: Final = str.maketrans(_BRACKETS, ")(][}{><»«")
_MARK: Final = "\u20dd"
_NEUTRAL: Final = {ord(each): f"{each}{_MARK}" for each in _BRACKETS}
"""A bracket is turned where it stands among letters from right to left. The library reorders and does not
turn; a sign that follows it everywhere shows by its side afterwards which way it went."""
_TURNED: Final = re.compile(f"{_MARK}([()\\[\\]{{}}<>«»])|([()\\[\\]{{}}<>«»]){_MARK}")


def is_right_to_left(text: str) -> bool:
    """Whether any letter of the text is written from right to left."""
    return _RIGHT_TO_LEFT.search(text) is not None


def shown(text: str, *, begins_right: bool = False) -> str:
    """One line as it is drawn from left to right; Latin text comes back as it is, at no cost.

    Numbers, dates and units keep their order. With ``begins_right`` the line is of an Arabic sentence even
    where a Latin word or a number begins it. About a millisecond for a label that was not shown lately.
    """
    return _shaped(text, begins_right) if is_right_to_left(text) else text


@functools.lru_cache(maxsize=4096)
def _shaped(text: str, begins_right: bool) -> str:
    from bidi import get_display

    apart = _NUMBER.sub(lambda found: f"{_APART}{found[0]}{_APART_END}", _joined(text))
    drawn = str(get_display(apart.translate(_NEUTRAL), base_dir="R" if begins_right else None))
    return _TURNED.sub(_bracket, drawn.replace(_APART, "").replace(_APART_END, ""))


def _bracket(found: re.Match[str]) -> str:
    turned, kept = found.groups()
    bracket = turned or kept
    return bracket.translate(_MIRRORED) if turned else bracket


def _joined(text: str) -> str:
    return str(_reshaper().reshape(text))


@functools.cache
def _reshaper() -> "ArabicReshaper":
    from arabic_reshaper import ArabicReshaper

    # The one sign for the whole word is as wide as a letter in a terminal, and in few of its fonts.
    return ArabicReshaper({"ARABIC LIGATURE ALLAH": "no"})
