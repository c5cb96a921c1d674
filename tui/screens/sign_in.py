"""Who is there? A user and a PIN, typed here and nowhere else."""

from typing import ClassVar, Final

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message as TextualMessage
from textual.widgets import Input, Static

from edge.errors import QafilaError
from edge.localapi.answers import SignedIn
from edge.localapi.client import AgentUnreachable
from tui.hub import Hub
from tui.screens.base import QafilaScreen, keys, taken
from tui.widgets.line import Line

_KEPT_TIMES: Final = 3
"""So often an entered PIN is given again after an agent went away without an answer."""


class SignInScreen(QafilaScreen):
    """Covers everything until somebody has signed in.

    Args:
        reason: the code of why the person is asked again, or an empty text.
        user: who was signed in before; then only the PIN is missing.
    """

    KEYS = (("Enter", "key.next"), ("↑↓", "key.field"), ("F1", "key.help"), ("F10", "key.quit"))
    BINDINGS: ClassVar[list[BindingType]] = keys(
        up="app.focus_previous", down="app.focus_next", enter="enter", f1="app.help", f10="app.leave"
    )
    DEFAULT_CSS: ClassVar[str] = """
    SignInScreen > #middle { align: center middle; height: 1fr; }
    SignInScreen .box { width: 100%; max-width: 60; }
    """

    class Done(TextualMessage):
        """Somebody signed in."""

        def __init__(self, person: SignedIn) -> None:
            super().__init__()
            self.person = person

    def __init__(self, hub: Hub, *, reason: str = "", user: str = "") -> None:
        super().__init__(hub)
        self._reason = reason
        self._user = user
        self._busy = False
        self._waiting = False
        self._entered = False
        self._lost = 0

    def body(self) -> ComposeResult:
        say = self.hub.say
        self._waiting = not self.hub.present  # what the words below are about
        with Vertical(id="middle"), Vertical(classes="box") as box:
            box.border_title = say("sign-in.title")
            yield Static(say("sign-in.user"), classes="label")
            yield Line(self._user, id="user", max_length=32)
            yield Static(say("sign-in.pin"), classes="label")
            yield Line(id="pin", password=True, max_length=128)
            yield Static(self._words(), id="problem", classes="problem", markup=False)

    def on_mount(self) -> None:
        self.set_focus(self.query_one("#pin" if self._user else "#user", Input))

    def tick(self) -> None:
        super().tick()
        waiting = not self.hub.present
        if waiting != self._waiting:
            self._waiting = waiting
            self._tell(self._words())
        if self._entered:
            self._try()

    async def action_enter(self) -> None:
        """From the user to the PIN; with both, try them."""
        user, pin = self.query_one("#user", Input), self.query_one("#pin", Input)
        if self.focused is user:
            self.set_focus(pin)
            return
        await taken(user, pin)
        if not user.value.strip():
            self.set_focus(user)
        elif pin.value:
            self._entered, self._lost = True, 0
            self._try()

    def _try(self) -> None:
        """Try what was entered, as soon as there is an agent to try it."""
        if self._busy or not self.hub.situation.connected:
            return
        self._entered = False
        user, pin = self.query_one("#user", Input), self.query_one("#pin", Input)
        typed, pin.value = pin.value, ""
        self._sign_in(user.value.strip(), typed)

    @work
    async def _sign_in(self, user: str, pin: str) -> None:
        self._busy = True
        self._tell(self.hub.say("sign-in.trying"))
        try:
            person = await self.hub.agent.sign_in(user, pin)
        except AgentUnreachable as error:
            self._again(pin, silent=error.stable_code == "agent-silent")
        except QafilaError as error:
            self._tell(self.hub.trouble(error))
        else:
            self.post_message(self.Done(person))
        finally:
            self._busy = False

    def ask_again(self) -> None:
        """The agent went away behind a sign-in."""
        self._tell(self._words())

    def _again(self, pin: str, *, silent: bool) -> None:
        """Keep what was entered for an agent that went away over it, unless it does so each time."""
        self._lost += 1
        line = self.query_one("#pin", Input)
        if not silent and self._lost <= _KEPT_TIMES and not line.value:
            line.value, self._entered = pin, True
        else:
            self._tell(self.hub.say("sign-in.no-agent"))

    def _words(self) -> str:
        if not self.hub.present:
            return self.hub.say("sign-in.no-agent")
        return self.hub.say(f"sign-in.again.{self._reason}") if self._reason else ""

    def _tell(self, words: str) -> None:
        self.query_one("#problem", Static).update(words)
