"""A screen whose rows are chosen by a digit, or by the arrows and Enter."""

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.hub import Hub
from tui.screens.base import QafilaScreen, keys
from tui.widgets.flow import Part, content, flow

MOST_ROWS: Final = 200


class ListScreen(QafilaScreen):
    """Rows of as many lines as they need, and a line above that says what they are."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(up="move(-1)", down="move(1)", pageup="move(-10)", pagedown="move(10)"),
        *keys(enter="enter", escape="back", f1="app.help", f9="app.lock", f10="app.leave"),
        *keys(f3="app.stop_cuff"),
        *[Binding(str(digit), f"digit({digit})", show=False, priority=True) for digit in range(1, 10)],
    ]
    DEFAULT_CSS: ClassVar[str] = """
    ListScreen OptionList { height: 1fr; }
    ListScreen #above { height: auto; padding: 0 1; }
    """

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self._list = OptionList(id="list", markup=False)
        self._list.can_focus = False
        self._above = Static("", id="above", markup=False)

    def body(self) -> ComposeResult:
        yield self._above
        yield self._list

    def on_resize(self) -> None:
        self.call_after_refresh(self.refill)

    def rows(self) -> Sequence[Sequence[Part]]:
        """The parts of each row."""
        raise NotImplementedError

    def above(self) -> str:
        """What the rows are."""
        raise NotImplementedError

    async def chosen(self, index: int) -> None:
        """A row was chosen."""
        raise NotImplementedError

    def refill(self) -> None:
        """Show what there is now; the mark stays where it was."""
        if not self._list.is_mounted:
            return
        kept = self._list.highlighted
        width = max(20, self.size.width - 6)
        rows = list(self.rows())[:MOST_ROWS]
        self._list.clear_options()
        self._list.add_options([Option(_shown(number, row, width)) for number, row in enumerate(rows, 1)])
        if rows:
            self._list.highlighted = min(kept or 0, len(rows) - 1)
        self._above.update(self.above())

    def action_move(self, by: int) -> None:
        if self._list.option_count:
            at = self._list.highlighted or 0
            self._list.highlighted = max(0, min(self._list.option_count - 1, at + by))

    async def action_enter(self) -> None:
        if self._list.highlighted is not None:
            await self.chosen(self._list.highlighted)

    async def action_digit(self, digit: int) -> None:
        if digit <= self._list.option_count:
            self._list.highlighted = digit - 1
            await self.chosen(digit - 1)

    def action_back(self) -> None:
        self.app.pop_screen()


def _shown(number: int, row: Sequence[Part], width: int) -> Content:
    head = f"{number:>3} "
    lines = flow(row, width - len(head))
    return content([[Part(head if at == 0 else " " * len(head)), *line] for at, line in enumerate(lines)])
