"""Questions that one key answers."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tui.hub import Hub
from tui.screens.base import Box, keys
from tui.widgets.flow import Part, content, flow


class Confirm(Box[bool]):
    """Enter says yes, Esc says no.

    Args:
        title: the question in a word.
        lines: what it is about; the first in bold.
        yes: what Enter does, in a word.
    """

    BINDINGS: ClassVar[list[BindingType]] = keys(enter="answer(True)", escape="answer(False)")

    def __init__(self, hub: Hub, title: str, lines: Sequence[str], yes: str) -> None:
        super().__init__(hub)
        self._title = title
        self._lines = lines
        self._yes = yes

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_title = self._title
            for index, line in enumerate(self._lines):
                yield Static(line, markup=False, classes="title" if index == 0 else "")
            answers = [Part(f"Enter {self._yes}", "bold"), Part(f"Esc {self.hub.say('key.no')}", "bold")]
            yield Static("")
            yield Static(content(flow(answers, 70)))

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)


class Help(Box[None]):
    """What the keys and signs mean."""

    BINDINGS: ClassVar[list[BindingType]] = keys(
        escape="dismiss", enter="dismiss", f1="dismiss", space="dismiss"
    )

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_title = self.hub.say("help.title")
            yield Static(self.hub.say("help.text"), markup=False)
