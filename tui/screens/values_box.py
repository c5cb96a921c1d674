"""What boxes share that give values to the agent: all or none, asked again where it asks, never doubled."""

from collections.abc import Mapping
from typing import ClassVar, Final
from uuid import UUID

from textual import work
from textual.binding import BindingType
from textual.widgets import Static

from edge.errors import QafilaError
from edge.localapi.client import new_request_id
from edge.ports.caller import CallRefused
from tui.hub import Hub
from tui.screens.base import Box, keys

NEEDS_CONFIRMATION: Final = "value-needs-confirmation"
WHY_NOT: Final = {"r": "refused", "e": "failed", "n": "not-indicated"}
"""What is typed in the place of a number that nobody has."""


class ValuesBox(Box[str]):
    """Ends with what was saved, in words, or with an empty text when nothing was.

    Args:
        encounter: the visit.
    """

    BINDINGS: ClassVar[list[BindingType]] = keys(escape="back", enter="enter")

    def __init__(self, hub: Hub, encounter: UUID) -> None:
        super().__init__(hub)
        self.encounter = encounter
        self._request = new_request_id()
        self._sent: object = None
        self._to_confirm: tuple[str, ...] = ()
        self._busy = False
        self._values: dict[str, str] = {}
        self._missing: dict[str, str] = {}
        self._at: str | None = None

    def problem(self) -> Static:
        """Where it is said what is wrong."""
        return Static("", id="problem", classes="problem", markup=False)

    def tell(self, words: str) -> None:
        """Say what is wrong, or nothing."""
        self.query_one("#problem", Static).update(words)

    def changed(self) -> None:
        """Something else was typed: what was asked about is not confirmed."""
        if self._to_confirm:
            self._to_confirm = ()
            self.tell("")

    def confirming(self) -> bool:
        """Whether Enter now confirms what the agent asked about."""
        return bool(self._to_confirm)

    def give(self, values: Mapping[str, str], missing: Mapping[str, str], at: str | None = None) -> None:
        """Have the agent save these."""
        if self._busy:
            return
        self._values, self._missing, self._at = dict(values), dict(missing), at
        self._send(())

    def confirm(self) -> None:
        """Have it save them, whatever it asked about."""
        if not self._busy:
            self._send(self._to_confirm)

    def action_back(self) -> None:
        """From the question to what was typed, then out."""
        if self._to_confirm:
            self.changed()
            self.refused()
        else:
            self.dismiss("")

    def refused(self) -> None:
        """Put the cursor where the mistake may be."""

    def saved(self, words: str) -> None:
        """It is saved."""
        self.dismiss(words)

    def _send(self, confirmed: tuple[str, ...]) -> None:
        sent = (self._values, self._missing, self._at, confirmed)
        if self._sent is not None and self._sent != sent:
            self._request = new_request_id()  # another command than the one whose answer was lost
        self._sent = sent
        self._save(confirmed)

    @work
    async def _save(self, confirmed: tuple[str, ...]) -> None:
        self._busy = True
        try:
            await self.hub.agent.observe(
                self._request, self.encounter, self._values, confirmed, missing=self._missing, at=self._at
            )
        except CallRefused as refusal:
            if refusal.stable_code == NEEDS_CONFIRMATION and refusal.about:
                self._to_confirm = refusal.about
                self.set_focus(None)
                self.tell(f"{self.hub.trouble(refusal)}\n{self.hub.say('entry.confirm')}")
            else:
                self.tell(self.hub.trouble(refusal))
                self.refused()
            return
        except QafilaError as error:
            self.tell(self.hub.trouble(error))
            return
        finally:
            self._busy = False
        self._request = new_request_id()
        self._to_confirm = ()
        self.saved(self._words())

    def _words(self) -> str:
        say = self.hub.say
        named: list[str] = []
        for code, value in self._values.items():
            coded = f"coded.{code}.{value}"
            shown = say(coded) if coded in say.codes else self.hub.number(value)
            named.append(f"{say(f'vital.{code}')} {shown}")
        for code, why in self._missing.items():
            named.append(f"{say(f'vital.{code}')} — ({say(f'missing.{why}')})")
        return say("entry.saved", what=", ".join(named))
