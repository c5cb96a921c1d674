"""Where else one can go from here: a digit chooses, F10 once more leaves the screen."""

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tui.hub import Hub
from tui.screens.base import Box, keys
from tui.widgets.flow import Part, content, flow

OF_CARE: Final = ("inbox", "expected", "sync", "settings", "day", "quit")
OF_TECHNICIANS: Final = ("sync", "settings", "day", "quit")


class Menu(Box[str | None]):
    """Dismissed with the name of what was chosen, or None.

    Args:
        entries: names of what there is, in order.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(escape="leave", f10="quit"),
        *keys(**{str(digit): f"choose({digit})" for digit in range(1, 10)}),
    ]

    def __init__(self, hub: Hub, entries: tuple[str, ...]) -> None:
        super().__init__(hub)
        self._entries = entries

    def compose(self) -> ComposeResult:
        say = self.hub.say
        with Vertical(classes="box") as box:
            box.border_title = say("menu.title")
            for number, entry in enumerate(self._entries, 1):
                yield Static(f"{number}  {say(f'menu.{entry}')}", markup=False, classes="title")
            yield Static("")
            words = [Part(f"F10 {say('key.quit')}", "bold"), Part(f"Esc {say('key.back')}", "bold")]
            yield Static(content(flow(words, 70)))

    def action_choose(self, digit: int) -> None:
        if digit <= len(self._entries):
            self.dismiss(self._entries[digit - 1])

    def action_quit(self) -> None:
        self.dismiss("quit")

    def action_leave(self) -> None:
        self.dismiss(None)
