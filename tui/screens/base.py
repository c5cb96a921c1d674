"""What all screens share: a header, a footer with every key, words about trouble, and news."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Final, Protocol, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen
from textual.widget import Widget

from edge.errors import QafilaError
from edge.localapi.client import AgentUnreachable
from edge.localapi.shapes import Message
from tui.hub import Hub
from tui.widgets.bars import Footer, Header, Notice

T = TypeVar("T")
KEPT_WAITING_S: Final = 2.0
"""Longest wait for an input line to take what was typed; a terminal's paste of 4 kB takes a tenth of it."""
_LOOK_AGAIN_S: Final = 0.05
_SIGN_IN_CODES: Final = frozenset({"sign-in-needed", "screen-locked", "store-locked"})


class Desk(Protocol):
    """What a screen needs of the application around it."""

    def sign_in_again(self, reason: str) -> None:
        """Ask for a PIN above whatever is shown."""
        ...


def keys(**actions: str) -> list[BindingType]:
    """Bindings that come before what the focused line does with a key.

    Keys are handled one after the other: a burst, as from a fast typist or a scanner, goes where it belongs
    only if Enter has moved the focus before the next key is looked at.
    """
    return [Binding(key, action, show=False, priority=True) for key, action in actions.items()]


async def taken(*lines: Widget) -> None:
    """Wait until these have taken every key that was typed into them."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(KEPT_WAITING_S):
            for line in lines:
                done = asyncio.Event()
                line.call_later(done.set)
                await done.wait()


async def uncovered(screen: Screen[Any]) -> None:
    """Wait until nothing covers this screen.

    Whoever has waited for the agent may have been locked out meanwhile. Textual takes away whatever is on
    top, and puts what is new above it: done at once, that would uncover a patient without a PIN.
    """
    while screen.app.screen is not screen:  # noqa: ASYNC110  Textual tells of it in a message, and this waits within one
        await asyncio.sleep(_LOOK_AGAIN_S)


class QafilaScreen(Screen[None]):
    """A whole screen.

    Attributes:
        KEYS: keys and the codes of their words, as the footer shows them.
    """

    KEYS: ClassVar[Sequence[tuple[str, str]]] = ()
    AUTO_FOCUS = None

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self.hub = hub
        self.header = Header(hub, id="header")
        self.footer = Footer(hub, self.KEYS)
        self.notice = Notice("", id="notice")

    def compose(self) -> ComposeResult:
        yield self.header
        yield self.notice
        yield from self.body()
        yield self.footer

    def body(self) -> ComposeResult:
        """What stands between header and footer."""
        raise NotImplementedError

    def tick(self) -> None:
        """Some times a second: show what holds now."""
        self.header.tick()
        self.footer.tick()

    def heard(self, message: Message) -> None:
        """Something happened at the agent."""

    async def resumed(self) -> None:
        """Somebody signed in: what is shown may be old."""

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T | None:
        """Ask the agent; what goes wrong is told in words and gives None."""
        try:
            return await question()
        except AgentUnreachable as error:
            if self.hub.situation.connected:  # else the header says so
                self.notice.tell(self.hub.trouble(error))
            return None
        except QafilaError as error:
            self.notice.tell(self.hub.trouble(error))
            if error.stable_code in _SIGN_IN_CODES:
                desk(self).sign_in_again(error.stable_code)
            return None


class Box(ModalScreen[T]):
    """A question above the screen."""

    BINDINGS: ClassVar[list[BindingType]] = keys(f9="app.lock", f3="app.stop_cuff")

    DEFAULT_CSS: ClassVar[str] = """
    Box { align: center middle; background: black 40%; }
    Box > .box { width: 100%; max-width: 76; height: auto; max-height: 100%; }
    Box Input { width: 1fr; }
    """
    AUTO_FOCUS: ClassVar[str | None] = None

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self.hub = hub


def desk(screen: Screen[Any]) -> Desk:
    """The application around a screen."""
    app: Any = screen.app
    return app  # type: ignore[no-any-return]  # Textual knows its app only as an App
