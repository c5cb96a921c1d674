"""The sheet that the patient takes home: a digit says in which language and on what paper, then it prints."""

import asyncio
from typing import ClassVar, Final
from uuid import UUID

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from edge.errors import QafilaError
from edge.i18n.catalogue import LANGUAGES, load
from edge.localapi.sheets import Sheet
from edge.reports import making
from tui.hub import Hub
from tui.screens.base import Box, keys

CHOICES: Final = tuple((language, paper) for language in LANGUAGES for paper in making.PAPERS)


class SheetBox(Box[str]):
    """Ends with what came of it in words, or with an empty text.

    Args:
        encounter: the visit.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(escape="leave"),
        *[Binding(str(digit), f"choose({digit})", show=False, priority=True) for digit in range(1, 10)],
    ]

    def __init__(self, hub: Hub, encounter: UUID) -> None:
        super().__init__(hub)
        self._encounter = encounter
        self._doing = Static("", markup=False, classes="label")
        self._busy = False

    def compose(self) -> ComposeResult:
        say = self.hub.say
        with Vertical(classes="box", id="sheet-box") as box:
            box.border_title = say("print.title")
            for number, (language, paper) in enumerate(CHOICES, 1):
                words = f"{number}  {load(language)('language.name')}, {paper.upper()}"
                yield Static(words, markup=False, classes="title")
            yield Static("")
            yield self._doing
            yield Static(f"Esc {say('key.back')}", markup=False, classes="label")

    def action_choose(self, digit: int) -> None:
        if digit <= len(CHOICES) and not self._busy:
            self._busy = True  # a key pressed twice is one sheet
            self._doing.update(self.hub.say("print.doing"))
            self.make(*CHOICES[digit - 1])

    @work
    async def make(self, language: str, paper: str) -> None:
        """Ask for the facts, draw them in a process of their own, hand the page to the printer."""
        try:
            facts = await self.hub.agent.call("visit.sheet", Sheet, encounter=self._encounter)
            page = await asyncio.to_thread(
                making.draw, facts.model_dump(mode="json"), language=language, paper=paper
            )
            await asyncio.to_thread(making.send, page, printer=None, paper=paper)
        except QafilaError as error:
            self.dismiss(self.hub.trouble(error))
        else:
            self.dismiss(self.hub.say("print.sent"))

    def action_leave(self) -> None:
        """A sheet that is being made is made: the box waits for what comes of it."""
        if not self._busy:
            self.dismiss("")
