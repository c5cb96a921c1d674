"""A list that keys move: as many entries as fit, each whole, and how many there are above and below."""

from collections.abc import Sequence
from typing import ClassVar, Final, NamedTuple, TypeAlias

from textual.widgets import Static

from tui import theme
from tui.hub import Hub
from tui.widgets.flow import Part, content

Entry: TypeAlias = Sequence[Sequence[Part]]
"""An entry's lines."""
FAR: Final = 10**6
"""As many entries as nobody has: to the end."""


class Piece(NamedTuple):
    """Lines that are shown together: an entry, or as much of a tall one as there is room for."""

    entry: int
    lines: Entry


def pieces(entries: Sequence[Entry], room: int) -> list[Piece]:
    """The entries; one that is taller than all there is room for in several pieces."""
    step = max(1, room)
    return [
        Piece(number, entry[at : at + step])
        for number, entry in enumerate(entries)
        for at in range(0, len(entry), step)
    ]


def fits(shown: Sequence[Piece], first: int, room: int) -> int:
    """How many pieces from the first on stand in so many lines."""
    used = 0
    for count, piece in enumerate(shown[first:]):
        used += len(piece.lines)
        if used > room:
            return count
    return max(0, len(shown) - first)


def last_first(shown: Sequence[Piece], room: int) -> int:
    """The first piece of the window that ends with the last."""
    first, used = len(shown), 0
    while first > 0 and used + len(shown[first - 1].lines) <= room:
        first -= 1
        used += len(shown[first].lines)
    return min(first, max(0, len(shown) - 1))


class Scroller(Static):
    """Entries one under the other, in a frame that says how many are not shown.

    Args:
        empty: the code of what is said when there is none.
    """

    DEFAULT_CSS: ClassVar[str] = f"""
    Scroller {{
        padding: 0 1; border: round {theme.LABEL}; border-title-color: {theme.WHITE};
        border-subtitle-color: {theme.WHITE};
    }}
    """

    def __init__(self, hub: Hub, *, empty: str, id: str) -> None:  # noqa: A002  Textual's own name
        super().__init__("", id=id)
        self.hub = hub
        self._empty = empty
        self._first = 0

    def entries(self, width: int) -> Sequence[Entry]:
        """All entries, in so many cells."""
        raise NotImplementedError

    def heading(self) -> str:
        """What the list is of."""
        raise NotImplementedError

    def on_resize(self) -> None:
        self.redraw()

    def scroll_pieces(self, by: int) -> None:
        """Move by so many; `FAR` and `-FAR` are the ends."""
        self._first += by
        self.redraw()

    def page(self, way: int) -> None:
        """Move by what is shown, up or down."""
        room = self.content_size.height
        shown = pieces(self.entries(self.content_size.width), room)
        self.scroll_pieces(way * max(1, fits(shown, self._first, room)))

    def redraw(self) -> None:
        """Show what there is now."""
        say, size = self.hub.say, self.content_size
        entries = self.entries(size.width)
        shown = pieces(entries, size.height)
        self._first = max(0, min(self._first, last_first(shown, size.height)))
        window = shown[self._first : self._first + fits(shown, self._first, size.height)]
        above = window[0].entry if window else 0
        below = len(entries) - 1 - window[-1].entry if window else len(entries)
        words = [say("list.above", n=above)] if above else []
        words += [say("list.below", n=below)] if below else []
        self.border_title = self.heading()
        self.border_subtitle = "  ".join(words)
        lines = [line for piece in window for line in piece.lines]
        self.update(content(lines or [[Part(say(self._empty), theme.LABEL)]]), layout=False)

    def move(self, how: str) -> None:
        """What the keys up, down, pageup, pagedown, home and end do."""
        match how:
            case "up" | "down":
                self.scroll_pieces(-1 if how == "up" else 1)
            case "pageup" | "pagedown":
                self.page(-1 if how == "pageup" else 1)
            case _:
                self.scroll_pieces(-FAR if how == "home" else FAR)


MOVES: Final = ("up", "down", "pageup", "pagedown", "home", "end")
"""The keys of `Scroller.move`."""
