"""Where the tiles stand: big where there is room, the others in plain text below them."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final, NamedTuple

from textual.containers import Container

from tui.hub import Hub
from tui.monitor import Kind, Tile
from tui.tiers import Tier
from tui.widgets.tile import TileView

_MOST_BIG: Final[Mapping[Tier, int]] = {Tier.MEDIUM: 5, Tier.LARGE: 7}
_ROOMY: Final = 80
_WIDE: Final = 100


class Arrangement(NamedTuple):
    """How so many tiles stand.

    Attributes:
        big: how many of them, the first, are drawn with big digits.
        columns: of the big ones, as a style; a pressure is as wide as two numbers.
        plain: columns of the others.
        rows: of the others.
    """

    big: int
    columns: str
    plain: int
    rows: int


def arrangement(tier: Tier, width: int, count: int) -> Arrangement:
    """The arrangement for a terminal."""
    big = min(count, _MOST_BIG.get(tier, 0))
    columns = " ".join(["7fr" if big == 4 else "9fr", *["5fr"] * (big - 1)]) if big else "1fr"
    others = count - big
    plain = 5 if width >= _WIDE else 4 if width >= _ROOMY and (others == 4 or others > 6) else 3
    return Arrangement(big, columns, plain, -(-others // plain))


class TileGrid(Container):
    """Tiles with big digits, or tiles in plain text; a screen has one of each."""

    DEFAULT_CSS: ClassVar[str] = "TileGrid { height: auto; layout: grid; grid-gutter: 0; }"

    def __init__(self, tiles: Mapping[Kind, TileView], *, id: str) -> None:  # noqa: A002  Textual's own name
        super().__init__(*tiles.values(), id=id)
        self._tiles = tiles

    def lay_out(self, kinds: tuple[Kind, ...], columns: int, widths: str) -> None:
        """Show these and no others."""
        self.display = bool(kinds)
        for kind, tile in self._tiles.items():
            tile.display = kind in kinds
        self.styles.grid_size_columns = columns
        self.styles.grid_columns = widths


class Tiles:
    """Every tile of a screen, twice: big and in plain text."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._big = {kind: TileView(hub, kind, id=f"tile-{kind}") for kind in Kind}
        self._plain = {kind: TileView(hub, kind, id=f"plain-{kind}") for kind in Kind}
        self._grids = TileGrid(self._big, id="tiles"), TileGrid(self._plain, id="more")

    def __iter__(self) -> Iterator[TileGrid]:
        return iter(self._grids)

    def lay_out(self, tier: Tier, width: int, kinds: tuple[Kind, ...]) -> int:
        """Put these where they fit.

        Returns:
            How many rows are in plain text.
        """
        big, more = self._grids
        if tier is Tier.TINY:
            big.display = more.display = False  # there the numbers stand in plain lines
            return 0
        chosen = arrangement(tier, width, len(kinds))
        big.lay_out(kinds[: chosen.big], max(1, chosen.big), chosen.columns)
        more.lay_out(kinds[chosen.big :], chosen.plain, "1fr")
        return chosen.rows

    def show(self, tile: Tile, *, present: bool) -> None:
        """Show what a tile says, wherever it stands."""
        for views in (self._big, self._plain):
            views[tile.kind].show(tile, present=present)
