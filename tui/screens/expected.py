"""Whom the centre expects here: nobody of them is a patient of this unit before somebody enters them."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import work

from edge.localapi.expertise import ExpectedList, ExpectedShown
from edge.localapi.shapes import PatientShown
from tui import theme
from tui.hub import Hub
from tui.screens.listing import ListScreen
from tui.screens.register import Register
from tui.widgets.flow import Part


class ExpectedScreen(ListScreen):
    """A row for each; Enter opens the form with what the centre knows, for the patient to confirm.

    Args:
        entered: told who was entered.
    """

    KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("Enter", "key.enter-patient"),
        ("↑↓", "key.choose"),
        ("Esc", "key.back"),
        ("F1", "key.help"),
        ("F9", "key.lock"),
        ("F10", "key.menu"),
    )

    def __init__(self, hub: Hub, entered: Callable[[PatientShown], None]) -> None:
        super().__init__(hub)
        self._entered = entered
        self._people: Sequence[ExpectedShown] | None = None

    def on_screen_resume(self) -> None:
        self.read()

    async def resumed(self) -> None:
        self.read()

    @work(exclusive=True, group="read")
    async def read(self) -> None:
        """Ask who is expected; each look is written to the audit trail."""
        if self.hub.situation.person is None:
            return
        found = await self.ask(lambda: self.hub.agent.call("expected.list", ExpectedList))
        if found is not None:
            self._people = found.expected
            self.refill()

    def rows(self) -> Sequence[Sequence[Part]]:
        """See `ListScreen`."""
        hub, made = self.hub, []
        for each in self._people or ():
            name = (
                f"{each.family} {each.given}".strip() or f"{each.family_arabic} {each.given_arabic}".strip()
            )
            known = [hub.say(f"sex.{each.sex}"), each.birth or "", *(one.value for one in each.identifiers)]
            until = hub.say("expected.until", day=f"{hub.local(each.expires_ms):%d/%m}")
            parts = [Part(name, f"bold {theme.WHITE}"), Part("  ".join(word for word in known if word))]
            parts += [Part(each.note, theme.NOTICE)] if each.note else []
            made.append([*parts, Part(until, theme.LABEL)])
        return made

    def above(self) -> str:
        """See `ListScreen`."""
        if self._people is None:
            return ""
        return (
            self.hub.say("expected.above", n=len(self._people))
            if self._people
            else self.hub.say("expected.none")
        )

    async def chosen(self, index: int) -> None:
        """The form, filled in; saving it keeps the identity under which the centre knows them."""
        if self._people is not None:
            await self.app.push_screen(Register(self.hub, self._people[index]), self._registered)

    def _registered(self, patient: PatientShown | None) -> None:
        if patient is not None:
            self.app.pop_screen()
            self._entered(patient)
