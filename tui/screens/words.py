"""A few words from the person at the screen, such as a reason."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from tui.hub import Hub
from tui.screens.base import Box, keys, taken
from tui.widgets.flow import Part, content, flow
from tui.widgets.line import Line


class Words(Box[str | None]):
    """One line; F12 takes it, Esc goes back with None.

    Args:
        title: what is asked.
        what: what happens with it.
        yes: what F12 does, in a word.
    """

    BINDINGS: ClassVar[list[BindingType]] = keys(escape="leave", f12="take", enter="take")

    def __init__(self, hub: Hub, title: str, what: str, yes: str) -> None:
        super().__init__(hub)
        self._title, self._what, self._yes = title, what, yes

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_title = self._title
            yield Static(self._what, classes="title", markup=False)
            yield Line(id="words", max_length=120)
            yield Static("", id="problem", classes="problem", markup=False)
            answers = [Part(f"F12 {self._yes}"), Part(f"Esc {self.hub.say('key.back')}")]
            yield Static(content(flow(answers, 70)))

    def on_mount(self) -> None:
        self.set_focus(self.query_one("#words", Input))

    async def action_take(self) -> None:
        line = self.query_one("#words", Input)
        await taken(line)
        if line.value.strip():
            self.dismiss(line.value.strip())
        else:
            self.query_one("#problem", Static).update(self.hub.say("words.missing"))

    def action_leave(self) -> None:
        self.dismiss(None)
