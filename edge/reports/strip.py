"""A strip of ECG on paper at 25 mm/s and 10 mm/mV, with its grid.

Scale and grid as electrocardiographs print them: squares of 1 mm, thicker every 5 mm; a pulse of 1 mV
before the curve (IEC 60601-2-25, 201.12.4). The curve is the samples and nothing else: no filter, no
smoothing; lost samples leave it open, and what the device called meaningless stands on grey.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from edge.i18n.catalogue import Catalogue
from edge.reports.facts import minute, number
from edge.reports.page import BLACK, Colour, Page
from edge.vitals.quantity import Unit

MM_PER_S: Final = 25
_GAINS: Final = (10, 5)
"""mm for a millivolt; the first at which the strip fits."""
_HIGHEST: Final = 40.0
_PULSE_MM: Final = 8.0
_ROWS: Final = 2
_RULER_MM: Final = 50
_FINE: Final[Colour] = (0.96, 0.82, 0.82)
_COARSE: Final[Colour] = (0.90, 0.60, 0.60)
_FLAWED: Final[Colour] = (0.85, 0.85, 0.85)
_CURVE_MM: Final = 0.25


def draw(page: Page, strip: Mapping[str, Any], word: Catalogue) -> None:
    """The strip with its title, moving the page's ``y``; nothing where its counts are no microvolts."""
    if strip["unit"] != Unit.MICROVOLT:
        return
    step = Decimal(strip["step"])
    millivolts = [float(sample * step) / 1000 for sample in strip["samples"]]
    rate = float(strip["rate"])
    row_s = math.floor((page.width - _PULSE_MM) / MM_PER_S * 10) / 10
    rows = min(_ROWS, math.ceil(len(millivolts) / rate / row_s))
    shown_s = min(len(millivolts) / rate, rows * row_s)
    zero = sorted(millivolts)[len(millivolts) // 2]
    swing = [each - zero for each in millivolts[: int(shown_s * rate)]]
    gain = next((each for each in _GAINS if (max(swing) - min(swing)) * each <= _HIGHEST - 6), _GAINS[-1])
    above = math.ceil((max(1.0, *swing) * gain + 1) / 5) * 5
    below = math.ceil((max(0.3, -min(swing)) * gain + 1) / 5) * 5
    needed = 9 + rows * (above + below + 1)
    if needed > page.left_mm:
        page.next()
    begins = minute(strip["wall_ms"])
    title = word(
        "sheet.ecg",
        lead=strip["lead"] or "—",
        when=begins,
        seconds=number(f"{shown_s:.1f}", word),
        gain=gain,
        speed=MM_PER_S,
    )
    page.text(0, title, 8, bold=True)
    page.y += 4
    for row in range(rows):
        first, last = int(row * row_s * rate), min(len(swing), int((row + 1) * row_s * rate))
        _grid(page, above + below)
        _pulse(page, page.y + above, gain)
        _flaws(page, strip["flaws"], (first, last), rate, above + below)
        _curve(page, swing, (first, last), (rate, gain, page.y + above), {at for at, _ in strip["gaps"]})
        page.y += above + below + 1
    _ruler(page, word)


def _grid(page: Page, height: int) -> None:
    for across in range(int(page.width) + 1):
        colour, wide = (_COARSE, 0.15) if across % 5 == 0 else (_FINE, 0.1)
        page.line([(across, page.y), (across, page.y + height)], colour, wide)
    for down in range(height + 1):
        colour, wide = (_COARSE, 0.15) if down % 5 == 0 else (_FINE, 0.1)
        page.line([(0, page.y + down), (int(page.width), page.y + down)], colour, wide)


def _pulse(page: Page, zero_y: float, gain: int) -> None:
    """One millivolt for a fifth of a second."""
    high = zero_y - gain
    page.line([(0, zero_y), (1, zero_y), (1, high), (6, high), (6, zero_y), (7, zero_y)], BLACK, _CURVE_MM)


def _flaws(
    page: Page, flaws: Sequence[Sequence[int]], shown: tuple[int, int], rate: float, height: int
) -> None:
    for at, count in flaws:
        first, last = max(at, shown[0]), min(at + count, shown[1])
        if first < last:
            x = _PULSE_MM + (first - shown[0]) / rate * MM_PER_S
            page.box(x, page.y, (last - first) / rate * MM_PER_S, height, _FLAWED)


def _curve(
    page: Page,
    swing: Sequence[float],
    shown: tuple[int, int],
    scale: tuple[float, int, float],
    gaps: set[int],
) -> None:
    first, last = shown
    rate, gain, zero_y = scale
    cuts = [first, *sorted(at for at in gaps if first < at < last), last]
    for begin, end in pairwise(cuts):
        points = [
            (_PULSE_MM + (at - first) / rate * MM_PER_S, zero_y - swing[at] * gain)
            for at in range(begin, end)
        ]
        if len(points) > 1:
            page.line(points, BLACK, _CURVE_MM)


def _ruler(page: Page, word: Catalogue) -> None:
    """Fifty millimetres: whoever reads the strip can see whether the printer kept its scale."""
    page.y += 1
    y = page.y + 1
    page.line([(0, y - 1), (0, y + 1)], BLACK, 0.2)
    page.line([(0, y), (_RULER_MM, y)], BLACK, 0.2)
    page.line([(_RULER_MM, y - 1), (_RULER_MM, y + 1)], BLACK, 0.2)
    room = page.width - _RULER_MM - 3
    page.beside(_RULER_MM + 3, word("sheet.ruler", mm=_RULER_MM), 6.5, room)
    page.y += 4
