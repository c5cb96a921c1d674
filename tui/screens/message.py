"""A message from the centre: whole, as it was signed, or not at all. That it was read is saved before."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from edge.localapi.expertise import DownWhole
from edge.localapi.shapes import PatientShown
from tui import theme
from tui.hub import Hub
from tui.screens.base import QafilaScreen, keys
from tui.screens.devices import MOVE_KEYS
from tui.typed import inert
from tui.widgets.flow import Part, wrapped
from tui.widgets.scroller import Entry, Scroller


class Letter(Scroller):
    """A text of any length; the frame says how many lines are above and below."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub, empty="inbox.not-shown", id="letter")
        self._text = ""
        self._heading = ""

    def show(self, heading: str, text: str) -> None:
        self._heading, self._text = heading, inert(text)
        self.redraw()

    def heading(self) -> str:
        """See `Scroller`."""
        return self._heading

    def entries(self, width: int) -> Sequence[Entry]:
        """See `Scroller`."""
        return [[[Part(line)]] for line in wrapped(self._text, max(1, width))] if self._text else []


class MessageScreen(QafilaScreen):
    """Who says it, when, with which key it was signed, and every word.

    Args:
        patient: whom it is about, if anybody.
    """

    KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("↑↓", "key.scroll"),
        ("Esc", "key.back"),
        ("F1", "key.help"),
        ("F9", "key.lock"),
        ("F10", "key.menu"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(**MOVE_KEYS),
        *keys(escape="back", enter="back", f1="app.help", f9="app.lock", f10="app.leave", f3="app.stop_cuff"),
    ]
    DEFAULT_CSS: ClassVar[str] = f"""
    MessageScreen Letter {{ height: 1fr; }}
    MessageScreen #above {{ height: auto; padding: 0 1; color: {theme.WHITE}; }}
    """

    def __init__(self, hub: Hub, message: UUID, patient: PatientShown | None) -> None:
        super().__init__(hub)
        self.header.patient = patient
        self._message = message
        self._above = Static("", id="above", markup=False)
        self._letter = Letter(hub)

    def body(self) -> ComposeResult:
        yield self._above
        yield self._letter

    def on_mount(self) -> None:
        self.read()

    @work(exclusive=True, group="read")
    async def read(self) -> None:
        """Have it read: the agent commits who read it and when, then gives the words."""
        call = self.hub.agent.call
        whole = await self.ask(lambda: call("inbox.read", DownWhole, message=str(self._message)))
        if whole is None:
            return
        say, shown = self.hub.say, whole.message
        sent = self.hub.local(shown.made_ms)
        who = say("inbox.from", kind=say(f"down.{shown.kind}"), sender=inert(shown.sender))
        lost = f"\n{say('inbox.lost-note', request=shown.request)}" if shown.lost else ""
        self._above.update(
            f"{who}{lost}\n{say('inbox.signed', when=f'{sent:%d/%m/%Y %H:%M}', key=whole.signer)}"
            f"\n{say('inbox.read-saved', who=shown.read_by or '--')}"
        )
        self._letter.show(say("inbox.whole"), whole.text)

    def action_scroll(self, how: str) -> None:
        self._letter.move(how)

    def action_back(self) -> None:
        self.app.pop_screen()
