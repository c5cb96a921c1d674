"""Putting right what was entered: which value, what stands in its place, and why."""

from collections.abc import Sequence
from typing import ClassVar, Final
from uuid import UUID

from textual import on, work
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from edge.errors import QafilaError
from edge.localapi.client import new_request_id
from edge.localapi.shapes import ObservationShown
from edge.ports.caller import CallRefused
from edge.vitals.codes import Code
from tui.hub import Hub
from tui.monitor import measured
from tui.screens.base import Box, keys, taken
from tui.screens.values_box import NEEDS_CONFIRMATION
from tui.typed import read_number
from tui.widgets.line import Line
from tui.widgets.record_list import value_words

REASONS: Final = ("mistyped", "misread", "wrong-patient", "device-fault")
UNDONE: Final = "undone"
_TAKE_BACK: Final = "r"


def correctable(observations: Sequence[ObservationShown]) -> list[ObservationShown]:
    """What may be put right here, the latest first."""
    return [
        each
        for each in sorted(observations, key=lambda each: each.seq, reverse=True)
        if each.seq and not each.corrected and each.source != "computed" and each.missing != "withdrawn"
    ]


def last_entered(observations: Sequence[ObservationShown]) -> list[ObservationShown]:
    """What was typed last, all that was typed with it; nothing where nothing was."""
    typed = [each for each in correctable(observations) if each.source in {"manual", "late"}]
    return [each for each in typed if each.reading == typed[0].reading and each.corrects is None]


def words_for(each: ObservationShown, hub: Hub) -> str:
    """A stored value with its name and time."""
    value = value_words((each.code, measured(each), ""), (each.missing,) if each.missing else (), hub)
    return f"{value}  {hub.local(each.wall_ms):%H:%M}"


class Correct(Box[str]):
    """Three steps: a digit chooses the value, then the new one, then a digit says why.

    Args:
        encounter: the visit.
        observations: what it holds.
        undo: take back what was typed last, at once.
    """

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(escape="back", enter="enter"),
        *[Binding(str(digit), f"digit({digit})", show=False, priority=True) for digit in range(1, 10)],
    ]

    def __init__(
        self, hub: Hub, encounter: UUID, observations: Sequence[ObservationShown], *, undo: bool = False
    ) -> None:
        super().__init__(hub)
        self._encounter = encounter
        self._choices = last_entered(observations) if undo else correctable(observations)[:9]
        self._undo = undo
        self._chosen: ObservationShown | None = None
        self._value: str | None = None
        self._typed = False
        self._reason = ""
        self._to_confirm: tuple[str, ...] = ()
        self._request = new_request_id()
        self._busy = False
        self._line = Line(max_length=6)

    def compose(self) -> ComposeResult:
        with Vertical(classes="box", id="correct") as box:
            box.border_title = self.hub.say("correct.undo" if self._undo else "correct.title")
            yield Static("", id="step", markup=False)
            yield self._line
            yield Static("", id="problem", classes="problem", markup=False)
            yield Static("", id="keys", classes="label", markup=False)

    def on_mount(self) -> None:
        self._show()

    def _show(self) -> None:
        say, hub = self.hub.say, self.hub
        self._line.display = self._chosen is not None and not self._typed
        if not self._choices:
            step, hint = say("correct.nothing"), "correct.keys-none"
        elif self._undo:
            step = "\n".join(words_for(each, hub) for each in self._choices)
            hint = "correct.keys-undo"
        elif self._chosen is None:
            step = "\n".join(f"{n}  {words_for(each, hub)}" for n, each in enumerate(self._choices, 1))
            hint = "correct.keys-choose"
        elif not self._typed:
            step, hint = words_for(self._chosen, hub), "correct.keys-value"
            self.set_focus(self._line)
        else:
            reasons = "\n".join(f"{n}  {say(f'correct.why.{why}')}" for n, why in enumerate(REASONS, 1))
            new = say("missing.withdrawn") if self._value is None else hub.number(self._value)
            step, hint = f"{words_for(self._chosen, hub)} → {new}\n\n{reasons}", "correct.keys-why"
        self.query_one("#step", Static).update(step)
        self.query_one("#keys", Static).update(say(hint))

    def action_digit(self, digit: int) -> None:
        """Choose a value, or the reason."""
        if isinstance(self.focused, Input):
            raise SkipAction
        if self._undo:
            return
        if self._chosen is None:
            if digit <= len(self._choices):
                self._chosen = self._choices[digit - 1]
                self._show()
        elif digit <= len(REASONS) and not self._to_confirm:
            self._reason = REASONS[digit - 1]
            self._correct(())

    async def action_enter(self) -> None:
        """Take what was typed, or confirm what was asked about."""
        if self._to_confirm:
            self._correct(self._to_confirm)
        elif self._undo and self._choices:
            self._take_back()
        elif self._chosen is not None and not self._typed:
            await taken(self._line)
            self._read(self._line.value.strip().lower())

    def _read(self, typed: str) -> None:
        assert self._chosen is not None  # noqa: S101  the caller has looked
        self._value = None if typed == _TAKE_BACK else read_number(Code(self._chosen.code), typed)
        if self._value is None and typed != _TAKE_BACK:
            self._tell(self.hub.say("entry.not-a-number"))
            return
        self._tell("")
        self._typed = True
        self.set_focus(None)
        self._show()

    def action_back(self) -> None:
        """One step back, and out of the first."""
        self._tell("")
        if self._to_confirm:
            self._to_confirm = ()
            self._typed = False
        elif self._typed:
            self._typed = False
        elif self._chosen is not None:
            self._chosen = None
            self.set_focus(None)
        else:
            self.dismiss("")
            return
        self._show()

    @work
    async def _correct(self, confirmed: tuple[str, ...]) -> None:
        if self._chosen is None or self._busy:
            return
        self._busy = True
        try:
            await self.hub.agent.correct(
                self._request, self._encounter, self._chosen.seq, self._value, self._reason, confirmed
            )
        except CallRefused as refusal:
            self._request = new_request_id()
            if refusal.stable_code == NEEDS_CONFIRMATION and refusal.about:
                self._to_confirm = refusal.about
                self._tell(f"{self.hub.trouble(refusal)}\n{self.hub.say('entry.confirm')}")
            else:
                self._tell(self.hub.trouble(refusal))
            return
        except QafilaError as error:
            self._tell(self.hub.trouble(error))
            return
        finally:
            self._busy = False
        self.dismiss(self.hub.say("correct.done"))

    @work
    async def _take_back(self) -> None:
        """Each value by itself; what could not be taken back stays, and is said."""
        if self._busy:
            return
        self._busy = True
        try:
            for each in list(self._choices):
                await self.hub.agent.correct(self._request, self._encounter, each.seq, None, UNDONE, ())
                self._request = new_request_id()
                self._choices.remove(each)
        except QafilaError as error:
            self._tell(self.hub.trouble(error))
            return
        finally:
            self._busy = False
        self.dismiss(self.hub.say("correct.undone"))

    @on(Input.Changed)
    def _changed(self) -> None:
        self._tell("")

    def _tell(self, words: str) -> None:
        self.query_one("#problem", Static).update(words)
