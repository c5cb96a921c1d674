"""The picture of a wave: samples in, characters out, and which of them changed; pure.

A cursor moves from left to right and starts again, erasing a few cells ahead of itself. Every sample is
drawn: a column of dots holds the least and the greatest of its samples, joined to the column before. One
sample per column would make R waves change their height from beat to beat.
"""

from collections.abc import Sequence
from typing import Final

from tui.glyphs import Level

CHUNK_CELLS: Final = 8
"""Cells of one segment: what is sent to the terminal when one of them changes. 4 and 16 send more."""
GAP_CELLS: Final = 3
_BLANK: Final = 0x20
_BRAILLE: Final = 0x2800
_LEFT: Final = [sum(bit for i, bit in enumerate((1, 2, 4, 64)) if n >> i & 1) for n in range(16)]
_RIGHT: Final = [sum(bit for i, bit in enumerate((8, 16, 32, 128)) if n >> i & 1) for n in range(16)]


class Sweep:
    """One trace.

    Args:
        width: cells.
        height: cells.
        least_span: the smallest difference, in sample units, that fills the height; noise is not blown up.

    Attributes:
        touched: ``(row, chunk)`` of all that changed since `take_touched`.
    """

    def __init__(self, width: int, height: int, level: Level, *, least_span: float) -> None:
        self.width, self.height = width, height
        self.braille = level is Level.BRAILLE
        self.dots_wide = width * 2 if self.braille else width
        self._dots_high = height * 4 if self.braille else height
        self._least_span = least_span
        self._cells = [[_BLANK] * width for _ in range(height)]
        self._columns: list[tuple[float, float, float, float] | None] = [None] * self.dots_wide
        self._at = 0
        self._part = 0.0
        self._last: float | None = None
        self._range: tuple[float, float] | None = None
        self.touched: set[tuple[int, int]] = set()

    @property
    def span(self) -> float:
        """Sample units from the lowest to the highest dot."""
        return self._least_span if self._range is None else self._range[1] - self._range[0]

    @property
    def cursor(self) -> int:
        """The cell that is being drawn."""
        return self._at // 2 if self.braille else self._at

    def push(self, samples: Sequence[int], dots_per_sample: float) -> None:
        """Draw samples at the cursor and move it on."""
        if not samples or self.dots_wide == 0 or self.height == 0:
            return
        begun = self._at
        moved = 0
        for sample in samples:
            moved += self._draw(float(sample), dots_per_sample)
        if self._fit(min(samples), max(samples)):
            self._repaint(range(self.width))
            return
        per_cell = 2 if self.braille else 1
        first = begun // per_cell
        cells = min(self.width, (begun % per_cell + moved) // per_cell + 1 + GAP_CELLS)
        self._repaint([(first + i) % self.width for i in range(cells)])

    def row(self, y: int) -> str:
        """The characters of one row."""
        return "".join(map(chr, self._cells[y]))

    def chunk(self, y: int, index: int) -> str:
        """The characters of one segment of a row."""
        return "".join(map(chr, self._cells[y][index * CHUNK_CELLS : (index + 1) * CHUNK_CELLS]))

    def take_touched(self) -> set[tuple[int, int]]:
        """What changed since the last time."""
        touched, self.touched = self.touched, set()
        return touched

    def clear(self) -> None:
        """Forget the trace."""
        self._columns = [None] * self.dots_wide
        self._at, self._part, self._last, self._range = 0, 0.0, None, None
        self._repaint(range(self.width))

    def _draw(self, sample: float, dots: float) -> int:
        """Take one sample into the present column, or move on to it; how many columns it moved."""
        before = sample if self._last is None else self._last
        self._last = sample
        self._part += dots
        steps = min(int(self._part), self.dots_wide)
        self._part -= int(self._part)
        if steps == 0:
            present = self._columns[self._at]
            low, high, first, _ = present if present is not None else (sample, sample, before, sample)
            self._columns[self._at] = (min(low, sample), max(high, sample), first, sample)
            return 0
        for step in range(1, steps + 1):  # more than one where a device sends fewer samples than dots
            start = before + (sample - before) * (step - 1) / steps
            end = before + (sample - before) * step / steps
            self._at += 1
            if self._at == self.dots_wide:
                self._at = 0
                self._shrink()
            self._columns[self._at] = (min(start, end), max(start, end), start, end)
        per_cell = 2 if self.braille else 1
        for i in range(1, (GAP_CELLS + 1) * per_cell - self._at % per_cell):
            self._columns[(self._at + i) % self.dots_wide] = None
        return steps

    def _fit(self, low: float, high: float) -> bool:
        """Widen the range so that everything is on the screen; whether it changed."""
        if self._range is not None and self._range[0] <= low and high <= self._range[1]:
            return False
        if self._range is not None:
            low, high = min(low, self._range[0]), max(high, self._range[1])
        self._range = self._with_margin(low, high)
        return True

    def _shrink(self) -> None:
        """At the right edge: come closer when the trace has long been smaller than the range."""
        drawn = [column for column in self._columns if column is not None]
        if self._range is None or not drawn:
            return
        low, high = min(column[0] for column in drawn), max(column[1] for column in drawn)
        closer = self._with_margin(low, high)
        if closer[1] - closer[0] < 0.7 * (self._range[1] - self._range[0]):
            self._range = closer
            self._repaint(range(self.width))

    def _with_margin(self, low: float, high: float) -> tuple[float, float]:
        missing = max(0.0, self._least_span - (high - low)) / 2
        margin = (high - low) * 0.06
        return low - missing - margin, high + missing + margin

    def _repaint(self, cells: Sequence[int]) -> None:
        for x in cells:
            for y, code in enumerate(self._braille_cell(x) if self.braille else self._box_cell(x)):
                if self._cells[y][x] != code:
                    self._cells[y][x] = code
                    self.touched.add((y, x // CHUNK_CELLS))

    def _dot(self, value: float) -> int:
        """The dot row of a value, 0 at the top."""
        low, high = self._range or (0.0, 1.0)
        share = (high - value) / ((high - low) or 1.0)
        return max(0, min(self._dots_high - 1, round(share * (self._dots_high - 1))))

    def _mask(self, column: int) -> int:
        """The dots of a column as bits, the lowest bit at the top."""
        drawn = self._columns[column]
        if drawn is None:
            return 0
        top, bottom = self._dot(drawn[1]), self._dot(drawn[0])
        return (1 << bottom + 1) - (1 << top)

    def _braille_cell(self, x: int) -> list[int]:
        left, right = self._mask(2 * x), self._mask(2 * x + 1)
        if not left | right:
            return [_BLANK] * self.height
        return [
            (_BRAILLE | bits) if (bits := _LEFT[left >> 4 * y & 15] | _RIGHT[right >> 4 * y & 15]) else _BLANK
            for y in range(self.height)
        ]

    def _box_cell(self, x: int) -> list[int]:
        drawn = self._columns[x]
        codes = [_BLANK] * self.height
        if drawn is None:
            return codes
        top, bottom, from_, to = (self._dot(drawn[i]) for i in (1, 0, 2, 3))
        top, bottom = min(top, from_), max(bottom, from_)
        for y in range(top, bottom + 1):
            sides = (y == from_) | (y == to) << 1 | (y > top) << 2 | (y < bottom) << 3
            codes[y] = ord(_JOINTS[sides])
        return codes


_JOINTS: Final = " ╴╶─" + "╵╯╰┴" + "╷╮╭┬" + "│┤├┼"
"""A line's character by where it goes on: bit 0 to the left, 1 right, 2 up, 3 down."""
