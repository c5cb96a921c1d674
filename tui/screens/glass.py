"""Break-glass: a technician acts as a nurse for a while, for a reason that leaves the unit first."""

from typing import ClassVar, Final, NamedTuple

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from edge.errors import QafilaError
from edge.localapi.client import new_request_id
from tui.hub import Hub
from tui.screens.base import Box, keys, taken, uncovered
from tui.widgets.flow import Part, content, flow
from tui.widgets.line import Line

MOST_MINUTES: Final = 60
USUAL_MINUTES: Final = 30


class Broken(NamedTuple):
    """For so long, from a moment before the agent said yes: never is more shown than is left."""

    minutes: int
    since_s: float


class BreakGlass(Box[Broken | None]):
    """A reason and a time; F12 sends the alert, Esc goes back."""

    BINDINGS: ClassVar[list[BindingType]] = keys(
        escape="leave", up="app.focus_previous", down="app.focus_next", enter="enter", f12="send"
    )

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self._busy = False

    def compose(self) -> ComposeResult:
        say = self.hub.say
        with Vertical(classes="box") as box:
            box.border_title = say("glass.title")
            yield Static(say("glass.what"), classes="title", markup=False)
            yield Static(say("glass.reason"), classes="label", markup=False)
            yield Line(id="reason", max_length=120)
            yield Static(say("glass.minutes"), classes="label", markup=False)
            yield Line(str(USUAL_MINUTES), id="minutes", max_length=2)
            yield Static("", id="problem", classes="problem", markup=False)
            yield Static(content(flow([Part(f"F12 {say('key.send')}"), Part(f"Esc {say('key.back')}")], 70)))

    def on_mount(self) -> None:
        self.set_focus(self.query_one("#reason", Input))

    def action_enter(self) -> None:
        """To the minutes; what is grave is sent by a key that is not hit in passing."""
        self.set_focus(self.query_one("#minutes", Input))

    def action_leave(self) -> None:
        self.dismiss(None)

    async def action_send(self) -> None:
        reason, minutes = self.query_one("#reason", Input), self.query_one("#minutes", Input)
        await taken(reason, minutes)
        say, number = self.hub.say, minutes.value.strip()
        if not reason.value.strip():
            self._tell(say("glass.no-reason"))
            self.set_focus(reason)
        elif not number.isascii() or not number.isdecimal() or not 1 <= int(number) <= MOST_MINUTES:
            self._tell(say("glass.no-minutes"))
            self.set_focus(minutes)
        elif not self._busy:
            self._send(reason.value.strip(), int(number))

    @work
    async def _send(self, reason: str, minutes: int) -> None:
        """Each time a request of its own: one that is repeated is answered, and opens nothing."""
        self._busy = True
        since_s = self.hub.now_s()
        try:
            answer = await self.hub.agent.break_glass(new_request_id(), reason, minutes)
        except QafilaError as error:
            self._tell(self.hub.trouble(error))
            return
        finally:
            self._busy = False
        over = self.app.screen is not self  # locked meanwhile: whoever signs in again has to ask again
        await uncovered(self)
        self.dismiss(None if over else Broken(answer.minutes, since_s))

    def _tell(self, words: str) -> None:
        self.query_one("#problem", Static).update(words)
