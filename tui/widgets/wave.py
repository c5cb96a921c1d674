"""A live wave: one line of words, then the trace.

Only what changed is drawn again. Textual sends every *segment* that overlaps a dirty region whole, so rows
are cut into segments of eight cells, and only touched rows and chunks are refreshed.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui import theme
from tui.glyphs import Level
from tui.widgets.playout import Playout
from tui.widgets.sweep import CHUNK_CELLS, Sweep

FRAMES_PER_S: Final = 15
SILENT_AFTER_S: Final = 2.5
"""A wave without samples for this long is said to have stopped; a chest strap sends every 0.6 s."""
_BAND_DOTS_PER_S: Final = 80.0
"""Dots a second that a 40 Hz monitoring band needs."""
_GUTTER: Final = 2
"""Cells on the left for the calibration bar."""
_MILLIVOLT: Final = 1000


class WaveView(Widget):
    """One signal.

    Args:
        label: the words of the first line, given what they need: seconds on the screen, whether the trace
            is live, seconds since the last sample or None, and the height of the bar in millivolts or None.
        colour: of the trace.
        least_span: sample units that fill the height at least.
        millivolts: whether samples are microvolts, so that a bar of 1 mV can be drawn.
        now_s: a clock for measuring.

    Attributes:
        paused: whether it is not drawn, and says so.
    """

    DEFAULT_CSS: ClassVar[str] = "WaveView { height: 1fr; width: 1fr; }"

    def __init__(
        self,
        label: Callable[["WaveView"], str],
        *,
        colour: str,
        least_span: float,
        level: Level,
        now_s: Callable[[], float],
        millivolts: bool = False,
        sweep_s: int = 0,
        id: str | None = None,  # noqa: A002  Textual's own name
    ) -> None:
        super().__init__(id=id)
        self._label = label
        self._colour = colour
        self._least_span = least_span
        self._level = level
        self._now_s = now_s
        self._millivolts = millivolts
        self._fixed_sweep_s = sweep_s
        self._sweep = Sweep(0, 0, level, least_span=least_span)
        self._playout: Playout | None = None
        self._fed_s: float | None = None
        self._off_s: float | None = None
        self._words = ""
        self._live = True
        self.paused = False

    # ── what the screen tells it ────────────────────────────────────────────────────────────────

    def feed(self, samples: Sequence[int], rate: float) -> None:
        """Take samples that have just come."""
        if self._playout is None or self._playout.rate != rate:
            self._playout = Playout(rate)
        self._fed_s = self._now_s()
        self._off_s = None
        if not self.paused:
            self._playout.feed(samples, self._fed_s)

    def lift(self) -> None:
        """The sensor is off the skin: what it sends is no signal, and nothing that was drawn may stand."""
        if not self.off:
            self.begin_anew()
        self._off_s = self._now_s()

    def set_live(self, *, live: bool) -> None:
        """Grey the trace, or colour it again."""
        if live != self._live:
            self._live = live
            self.refresh()

    def pause(self) -> None:
        """Show a word and no trace: another screen is above.

        A box may cover the word and leave the trace in sight, and not every terminal has a grey.
        """
        self.paused = True
        self._begin()

    def resume(self) -> None:
        """Begin again with an empty trace; nothing may join over what was not drawn."""
        if not self.paused:
            return
        self.paused = False
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what was drawn and what waits to be: what comes next does not follow it."""
        if self._playout is not None:
            self._playout = Playout(self._playout.rate)
        self._begin()

    def frame(self) -> None:
        """Draw what is due by now."""
        if self._playout is None or self.paused:
            return
        samples = self._playout.due(self._now_s())
        self.draw(samples, self._playout.rate)

    def draw(self, samples: Sequence[int], rate: float) -> None:
        """Draw samples at once."""
        span = self._sweep.span
        self._sweep.push(samples, self._dots_per_s / rate)
        if self._millivolts and self._sweep.span != span:
            self._sweep.take_touched()
            self.refresh()  # the bar has another height
            return
        touched = self._sweep.take_touched()
        if touched:
            self.refresh(
                *(Region(_GUTTER + chunk * CHUNK_CELLS, 1 + y, CHUNK_CELLS, 1) for y, chunk in touched)
            )

    def tick(self) -> None:
        """Look at the words again; they change at most once a second."""
        words = self._label(self)
        if words != self._words:
            self._words = words
            self.refresh(Region(0, 0, self.size.width, 1))

    # ── what the words need ─────────────────────────────────────────────────────────────────────

    @property
    def sweep_s(self) -> int:
        """Seconds from the left edge to the right."""
        return self._fixed_sweep_s or max(2, round(self._sweep.dots_wide / _BAND_DOTS_PER_S))

    @property
    def silent_s(self) -> float | None:
        """Seconds since the last sample, or None when none ever came."""
        return None if self._fed_s is None else self._now_s() - self._fed_s

    @property
    def silent(self) -> bool:
        return self.silent_s is None or self.silent_s > SILENT_AFTER_S

    @property
    def off(self) -> bool:
        """Whether its sensor is off the skin, as was said a moment ago."""
        return self._off_s is not None and self._now_s() - self._off_s <= SILENT_AFTER_S

    @property
    def bar_mv(self) -> float | None:
        """How many millivolts the bar is high: 1, or less where 1 does not fit."""
        if not self._millivolts or self._playout is None:
            return None
        return next((mv for mv in (1.0, 0.5, 0.2) if mv * _MILLIVOLT <= self._sweep.span), 0.1)

    @property
    def _dots_per_s(self) -> float:
        return self._sweep.dots_wide / self.sweep_s

    # ── drawing ─────────────────────────────────────────────────────────────────────────────────

    def on_resize(self) -> None:
        """Begin again in the new size."""
        self._begin()

    def _begin(self) -> None:
        width, height = max(0, self.size.width - _GUTTER), max(0, self.size.height - 1)
        self._sweep = Sweep(width, height, self._level, least_span=self._least_span)
        self._words = self._label(self)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A line of the widget in segments of eight cells."""
        width = self.size.width
        if y == 0:
            words = self._words[:width].ljust(width)
            return Strip([Segment(words, theme.rich(theme.LABEL if self._live else theme.GREY))], width)
        if y > self._sweep.height:
            return Strip.blank(width, theme.rich(theme.LABEL))
        style = theme.rich(self._colour if self._live and not self.silent else theme.GREY)
        segments = [Segment(self._gutter(y - 1), theme.rich(theme.LABEL))]
        segments += [
            Segment(self._sweep.chunk(y - 1, chunk), style)
            for chunk in range(-(-self._sweep.width // CHUNK_CELLS))
        ]
        return Strip(segments, width)

    def _gutter(self, y: int) -> str:
        bar_mv = self.bar_mv
        if bar_mv is None:
            return " " * _GUTTER
        rows = bar_mv * _MILLIVOLT / self._sweep.span * self._sweep.height
        top = (self._sweep.height - rows) / 2
        return "│ " if top <= y + 0.5 < top + rows else "  "
