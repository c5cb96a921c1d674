"""All devices on one screen, each with what it says: also those that no tile follows."""

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from edge.i18n.amounts import waits
from edge.localapi.shapes import PatientShown
from tui.device_book import DeviceBook
from tui.hub import Hub
from tui.screens.base import QafilaScreen, keys
from tui.widgets.device_list import DeviceList
from tui.widgets.scroller import MOVES

_CLOCK_MAY_BE_OFF_MS: Final = 2000
"""What a receiver says can itself be late by as much."""
MOVE_KEYS = {key: f"scroll('{key}')" for key in MOVES}


def link_words(hub: Hub) -> str:
    """What is wrong with link and certificate, what waits and for how long: lines of their own or nothing."""
    if not hub.present:
        return ""
    link, wrong = hub.situation.link, ""
    for code in dict.fromkeys((link.code if link else None, *hub.situation.papers)):
        sentence, next_step = hub.say.error(code, "", "") if code else ("", "")
        wrong += f"\n{sentence} {next_step}" if sentence and next_step else ""
    if link is None or link.waiting is None:
        return wrong
    return f"{wrong}\n{hub.say('waits.title')}: {waits(hub.say, link.waiting, connected=link.connected)}"


def place_words(hub: Hub) -> str:
    """Where the unit stands, if it knows, and by how much its clock is off, if that is more than nothing."""
    say, place = hub.say, hub.situation.place
    words = say("devices.no-place")
    if place is not None:
        words = say("devices.place", latitude=place.latitude, longitude=place.longitude)
    off_ms = hub.situation.clock_off_ms
    if off_ms is None or abs(off_ms) <= _CLOCK_MAY_BE_OFF_MS:
        return words
    code = "devices.clock-behind" if off_ms > 0 else "devices.clock-ahead"
    return f"{words}   {say(code, by=hub.age(round(abs(off_ms) / 1000)))}"


class DevicesScreen(QafilaScreen):
    """The devices of the unit, beside the patient on whom they are."""

    KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("↑↓", "key.scroll"),
        ("Esc", "key.back"),
        ("F1", "key.help"),
        ("F9", "key.lock"),
        ("F10", "key.menu"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(**MOVE_KEYS),
        *keys(escape="back", f6="back", f1="app.help", f9="app.lock", f10="app.leave", f3="app.stop_cuff"),
    ]
    DEFAULT_CSS: ClassVar[str] = """
    DevicesScreen DeviceList { height: 1fr; }
    DevicesScreen #above { height: auto; padding: 0 1; }
    """

    def __init__(self, hub: Hub, patient: PatientShown, book: DeviceBook) -> None:
        super().__init__(hub)
        self.header.patient = patient
        self._list = DeviceList(hub, book)
        self._words = ""
        self._above = Static("", id="above", markup=False)

    def body(self) -> ComposeResult:
        yield self._above
        yield self._list

    def tick(self) -> None:
        super().tick()
        words = f"{place_words(self.hub)}{link_words(self.hub)}"
        self._above.update(words, layout=words != self._words)
        self._words = words
        self._list.tick()

    def action_scroll(self, how: str) -> None:
        self._list.move(how)

    def action_back(self) -> None:
        self.app.pop_screen()
