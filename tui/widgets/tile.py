"""A number with its name, unit, and where it stands: whole, or in plain text, never cut."""

from collections.abc import Sequence
from typing import ClassVar, Final, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from tui import theme
from tui.glyphs import Level
from tui.hub import Hub
from tui.monitor import NOTHING, UNITS, Kind, Tile
from tui.widgets.big_number import HEIGHT, big
from tui.widgets.flow import Part, flow, shortened

COLOURS: Final = {
    Kind.PRESSURE: theme.PRESSURE,
    Kind.OXYGEN: theme.OXYGEN,
    Kind.PULSE: theme.OXYGEN,
    Kind.HEART: theme.HEART,
    Kind.TEMPERATURE: theme.TEMPERATURE,
    Kind.RESPIRATION: theme.BREATH,
    Kind.GLUCOSE: theme.PRESSURE,
    Kind.WEIGHT: theme.PRESSURE,
    Kind.HEIGHT: theme.PRESSURE,
    Kind.PAIN: theme.PRESSURE,
}


class Words(NamedTuple):
    """What a tile says."""

    label: str
    value: str
    unit: str
    note: str


def words_of(tile: Tile, hub: Hub, *, present: bool) -> Words:
    """A tile in words."""
    return Words(
        hub.say(f"tile.{tile.kind}"),
        hub.number(tile.value),
        UNITS[tile.kind],
        _note(tile, hub, present=present),
    )


def _note(tile: Tile, hub: Hub, *, present: bool) -> str:
    """The one thing to know about a number, the gravest first."""
    say = hub.say
    age = "" if tile.age_s is None else hub.age(tile.age_s)
    flag = next((code for flag in tile.flags if (code := f"flag.{flag}") in say.codes), None)
    low = tile.device is not None and hub.situation.battery_low(tile.device)
    candidates = (
        (not present, "tile.absent"),
        (tile.pumping is not None, "tile.pumping"),
        (tile.stale, "tile.stale"),
        (tile.missing is not None, f"missing.{tile.missing}"),
        (tile.value == NOTHING, "tile.waiting"),
        (flag is not None, flag or ""),
        (low, "tile.battery"),
        (tile.manual, "tile.manual"),
        (not tile.running and tile.kept is not None, "tile.kept"),
        (not tile.running, "tile.ago"),
        (tile.kept is not None, "tile.kept-now"),
        (tile.settled, "tile.steady"),
    )
    return say(
        next((code for holds, code in candidates if holds), "tile.live"),
        age=age,
        kept=tile.kept,
        cuff=tile.pumping,
    )


def tile_rows(words: Words, width: int, height: int, level: Level) -> list[tuple[str, bool]]:
    """The rows of a tile and whether each is part of its value.

    Big digits where they fit whole; else label, value and unit in plain text; else less of what is not the
    value. The value itself is always there, whole: where even that has no room, on rows of its own.
    """
    drawn = None if level is Level.ASCII else big(words.value)
    if drawn is not None and height > HEIGHT and all(cell_len(row) <= width for row in drawn):
        note = shortened(words.note, width)
        return [*((row, True) for row in drawn), (note, False)]
    for plain in (
        f"{words.label} {words.value} {words.unit}",
        f"{words.label} {words.value}",
        f"{words.value} {words.unit}",
        words.value,
    ):
        if cell_len(plain) <= width:
            return [(plain, True), (shortened(words.note, width), False)]
    top, slash, bottom = words.value.partition("/")
    return [(f"{top}{slash}", True), (bottom, True)]


def plain_lines(
    tiles: Sequence[tuple[Tile, Words]], width: int, height: int, *, present: bool
) -> list[list[Part]]:
    """The numbers alone, for a terminal too small for tiles: a line each, or as many to a line as fit."""

    def number(tile: Tile, words: Words) -> Part:
        grey = tile.stale or not present
        return Part(
            f"{words.label} {words.value} {words.unit}", theme.GREY if grey else f"bold {COLOURS[tile.kind]}"
        )

    if len(tiles) <= height:
        return [[number(tile, words), Part(words.note)] for tile, words in tiles]
    return flow([number(tile, words) for tile, words in tiles], width)


class TileView(Widget):
    """One tile. Where there is room a frame carries its name; in small layouts the name stands in the row."""

    DEFAULT_CSS: ClassVar[str] = "TileView { height: 2; padding: 0 1; }"

    def __init__(self, hub: Hub, kind: Kind, *, id: str) -> None:  # noqa: A002  Textual's own name
        super().__init__(id=id)
        self._hub = hub
        self.kind = kind
        self._words = Words("", NOTHING, "", "")
        self._grey = False

    @property
    def framed(self) -> bool:
        return bool(self.styles.border_top[0])

    def show(self, tile: Tile, *, present: bool) -> None:
        """Show a tile; without the agent in grey."""
        words = words_of(tile, self._hub, present=present)
        grey = not present or tile.stale
        if (words, grey) != (self._words, self._grey):
            self._words, self._grey = words, grey
            self.border_title = f"{words.label} {words.unit}"
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """A row of the tile."""
        size = self.size
        rows: Sequence[tuple[str, bool]] = tile_rows(self._words, size.width, size.height, self._hub.level)
        text, is_value = rows[y] if y < len(rows) else ("", False)
        colour = theme.GREY if self._grey else COLOURS[self.kind] if is_value else theme.LABEL
        blank = max(0, size.width - cell_len(text))
        style = theme.rich(colour, bold=is_value and not self._grey)
        return Strip([Segment(text, style), Segment(" " * blank, style)], size.width)
