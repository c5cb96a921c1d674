"""All devices on one screen, each with what it says: also those that no tile follows."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from edge.localapi.shapes import PatientShown
from tui.device_book import DeviceBook
from tui.hub import Hub
from tui.screens.base import QafilaScreen, keys
from tui.widgets.device_list import DeviceList
from tui.widgets.scroller import MOVES

MOVE_KEYS = {key: f"scroll('{key}')" for key in MOVES}


def place_words(hub: Hub) -> str:
    """Where the unit stands, if it knows."""
    place = hub.situation.place
    if place is None:
        return hub.say("devices.no-place")
    return hub.say("devices.place", latitude=place.latitude, longitude=place.longitude)


class DevicesScreen(QafilaScreen):
    """The devices of the unit, beside the patient on whom they are."""

    KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("↑↓", "key.scroll"),
        ("Esc", "key.back"),
        ("F1", "key.help"),
        ("F9", "key.lock"),
        ("F10", "key.quit"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(**MOVE_KEYS),
        *keys(escape="back", f6="back", f1="app.help", f9="app.lock", f10="app.leave", f3="app.stop_cuff"),
    ]
    DEFAULT_CSS: ClassVar[str] = """
    DevicesScreen DeviceList { height: 1fr; }
    DevicesScreen #above { height: 1; padding: 0 1; }
    """

    def __init__(self, hub: Hub, patient: PatientShown, book: DeviceBook) -> None:
        super().__init__(hub)
        self.header.patient = patient
        self._list = DeviceList(hub, book)
        self._above = Static("", id="above", markup=False)

    def body(self) -> ComposeResult:
        yield self._above
        yield self._list

    def tick(self) -> None:
        super().tick()
        self._above.update(place_words(self.hub), layout=False)
        self._list.tick()

    def action_scroll(self, how: str) -> None:
        self._list.move(how)

    def action_back(self) -> None:
        self.app.pop_screen()
