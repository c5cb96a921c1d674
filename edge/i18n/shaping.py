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
from typing import Final

_RIGHT_TO_LEFT: Final = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
"""Hebrew, Arabic and their relatives; text without any of them is shown as it is."""


def is_right_to_left(text: str) -> bool:
    """Whether any letter of the text is written from right to left."""
    return _RIGHT_TO_LEFT.search(text) is not None


def shown(text: str) -> str:
    """One line as it is drawn from left to right; Latin text comes back as it is, at no cost.

    Numbers and units keep their order. About a millisecond for a label that was not shown lately.
    """
    return _shaped(text) if is_right_to_left(text) else text


@functools.lru_cache(maxsize=4096)
def _shaped(text: str) -> str:
    import arabic_reshaper
    from bidi import get_display

    return str(get_display(str(arabic_reshaper.reshape(text))))
