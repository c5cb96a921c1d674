"""The early-warning score under the numbers: whole words on as many lines as there is room for."""

from collections.abc import Sequence
from typing import ClassVar

from textual.widgets import Static

from edge.localapi.shapes import ScoreShown
from tui import theme
from tui.hub import Hub
from tui.scores import lines_of
from tui.tiers import Tier
from tui.widgets.flow import Part, content, flow

_LINES = {Tier.TINY: 0, Tier.SMALL: 1, Tier.MEDIUM: 2, Tier.LARGE: 2}


class ScoreLine(Static):
    """What the rule for the patient says, and what it still needs."""

    DEFAULT_CSS: ClassVar[str] = f"ScoreLine {{ height: auto; padding: 0 1; color: {theme.WHITE}; }}"

    def __init__(self, hub: Hub) -> None:
        super().__init__("", id="score")
        self.hub = hub
        self.scores: Sequence[ScoreShown] = ()
        self.asks_pregnancy = False
        self._shown: list[list[Part]] | None = None

    def hold(self, scores: Sequence[ScoreShown], *, asks_pregnancy: bool) -> None:
        """Take what the agent says now."""
        self.scores, self.asks_pregnancy = scores, asks_pregnancy

    def over(self) -> bool:
        """Whether an input has become too old, so that the agent has to be asked again."""
        wall_ms = self.hub.situation.wall_now_ms(self.hub.now_s())
        return any(
            each.until_ms is not None and wall_ms is not None and wall_ms > each.until_ms
            for each in self.scores
        )

    def show(self, tier: Tier, width: int) -> None:
        """Show it in the lines that this layout has for it; what each input gives only where that fits."""
        hub = self.hub
        wall_ms = hub.situation.wall_now_ms(hub.now_s()) if hub.present else None
        most = _LINES[tier]
        self.display = bool(self.scores) and most > 0
        if not self.display:
            return
        lines: list[list[Part]] = []
        for whole in (True, False):
            parts = lines_of(
                self.scores, hub, asks_pregnancy=self.asks_pregnancy, wall_ms=wall_ms, whole=whole
            )
            lines = flow(parts, max(1, width - 2))
            if len(lines) <= most:
                break
        if lines != self._shown:
            taller = self._shown is None or len(lines) != len(self._shown)
            self._shown = lines
            self.update(content(lines), layout=taller)
