"""What a technician sees: the unit and its devices, and nothing of a patient."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message as TextualMessage
from textual.widgets import Static

from tui.hub import Hub
from tui.screens.base import QafilaScreen, keys
from tui.screens.devices import MOVE_KEYS, link_words, place_words
from tui.screens.glass import BreakGlass, Broken
from tui.widgets.device_list import DeviceList


class TechnicianScreen(QafilaScreen):
    """The devices, and the key for an emergency.

    Args:
        over: an emergency has just ended; it is said.
    """

    KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("F8", "key.glass"),
        ("↑↓", "key.scroll"),
        ("F1", "key.help"),
        ("F9", "key.lock"),
        ("F10", "key.menu"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(**MOVE_KEYS),
        *keys(f8="glass", f1="app.help", f9="app.lock", f10="app.leave"),
    ]
    DEFAULT_CSS: ClassVar[str] = """
    TechnicianScreen DeviceList { height: 1fr; }
    TechnicianScreen #above { height: auto; padding: 0 1; }
    """

    class Entered(TextualMessage):
        """The agent lets this technician act as a nurse."""

        def __init__(self, broken: Broken) -> None:
            super().__init__()
            self.broken = broken

    def __init__(self, hub: Hub, *, over: bool = False) -> None:
        super().__init__(hub)
        self._over = over
        self._list = DeviceList(hub, None)
        self._above = Static("", id="above", markup=False)

    def body(self) -> ComposeResult:
        yield self._above
        yield self._list

    def on_mount(self) -> None:
        if self._over:
            self.notice.tell(self.hub.say("glass.over"))

    def tick(self) -> None:
        super().tick()
        say, person = self.hub.say, self.hub.situation.person
        name = "" if person is None else say("technician.title", name=person.name)
        self._above.update(f"{name}\n{say('technician.text')}\n{place_words(self.hub)}{link_words(self.hub)}")
        self._list.tick()

    def action_scroll(self, how: str) -> None:
        self._list.move(how)

    async def action_glass(self) -> None:
        await self.app.push_screen(BreakGlass(self.hub), self._broken)

    def _broken(self, broken: Broken | None) -> None:
        if broken is not None:
            self.post_message(self.Entered(broken))
