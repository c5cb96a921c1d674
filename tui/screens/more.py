"""What a visit has besides measuring: a digit chooses."""

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tui.hub import Hub
from tui.screens.base import Box, keys

ITEMS: Final = ("history", "pressures", "undo", "correct", "late", "tray", "sheet")


class More(Box[str]):
    """Ends with the name of what was chosen, or with an empty text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(escape="leave", space="leave"),
        *[Binding(str(digit), f"choose({digit})", show=False, priority=True) for digit in range(1, 10)],
    ]

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)

    def compose(self) -> ComposeResult:
        say = self.hub.say
        with Vertical(classes="box", id="more-box") as box:
            box.border_title = say("more.title")
            for number, item in enumerate(ITEMS, 1):
                yield Static(f"{number}  {say(f'more.{item}')}", markup=False, classes="title")
            yield Static("")
            yield Static(f"Esc {say('key.back')}", markup=False, classes="label")

    def action_choose(self, digit: int) -> None:
        if digit <= len(ITEMS):
            self.dismiss(ITEMS[digit - 1])

    def action_leave(self) -> None:
        self.dismiss("")
