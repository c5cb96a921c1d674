"""Who may be the one that is being entered: somebody with two histories is harder to help than one glance."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static

from edge.localapi.shapes import PatientShown
from tui.agent import full_name
from tui.hub import Hub
from tui.screens.base import Box, keys
from tui.widgets.flow import Part, content, flow


class Alike(Box[PatientShown | bool]):
    """A digit chooses one of them, F12 enters another person all the same, Esc goes back to what is typed.

    Dismissed with the chosen patient, True for another person, False to go back.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(f12="answer(True)", escape="answer(False)"),
        *keys(**{str(digit): f"choose({digit})" for digit in range(1, 6)}),
    ]

    def __init__(self, hub: Hub, people: Sequence[PatientShown]) -> None:
        super().__init__(hub)
        self._people = people

    def compose(self) -> ComposeResult:
        say = self.hub.say
        with Vertical(classes="box") as box:
            box.border_title = say("alike.title")
            for number, patient in enumerate(self._people, 1):
                yield Static(f"{number}  {full_name(patient)}", markup=False, classes="title")
                known = (self.hub.facts(patient), self.hub.identifiers(patient))
                yield Static("   " + "   ".join(each for each in known if each), markup=False)
            digits = "1" if len(self._people) == 1 else f"1…{len(self._people)}"
            words = [
                Part(f"{digits} {say('alike.this')}", "bold"),
                Part(f"F12 {say('alike.another')}", "bold"),
                Part(f"Esc {say('key.back')}", "bold"),
            ]
            yield Static("")
            yield Static(content(flow(words, 70)))

    def action_choose(self, digit: int) -> None:
        if digit <= len(self._people):
            self.dismiss(self._people[digit - 1])

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)
