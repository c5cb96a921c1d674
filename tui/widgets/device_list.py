"""Every configured device: whether it is there, what is left of its battery, and what it says."""

from collections.abc import Sequence

from tui import theme
from tui.device_book import DeviceBook, Said
from tui.hub import Hub
from tui.widgets.flow import Part, flow
from tui.widgets.record_list import value_words, when
from tui.widgets.scroller import Entry, Scroller

_STATE_COLOURS = {"present": theme.HEART, "starting": theme.LABEL, "gone": theme.NOTICE}
_EVERY_S = 1.0


class DeviceList(Scroller):
    """The devices in the order of their names.

    Args:
        book: what they say of the patient; None for whoever may not see that.
    """

    def __init__(self, hub: Hub, book: DeviceBook | None) -> None:
        super().__init__(hub, empty="devices.none", id="devices")
        self._book = book
        self._drawn_s = float("-inf")

    def tick(self) -> None:
        """Show what holds now, once a second."""
        now_s = self.hub.now_s()
        if now_s - self._drawn_s >= _EVERY_S:
            self._drawn_s = now_s
            self.redraw()

    def heading(self) -> str:
        """See `Scroller`."""
        devices = self.hub.situation.devices.values()
        there = sum(device.state == "present" for device in devices)
        return self.hub.say("devices.title", n=len(devices), there=there)

    def entries(self, width: int) -> Sequence[Entry]:
        """See `Scroller`."""
        return [flow(self._parts(key), width) for key in sorted(self.hub.situation.devices)]

    def _parts(self, key: str) -> list[Part]:
        hub, situation = self.hub, self.hub.situation
        device = situation.devices[key]
        state = hub.say(f"device.{device.state}")
        if device.state == "gone" and device.code:
            state = f"{state} ({device.code})"
        present = hub.present
        parts = [Part(key, f"bold {theme.WHITE}"), Part(device.kind, theme.LABEL)]
        parts.append(Part(state, _STATE_COLOURS[device.state] if present else theme.GREY))
        percent = situation.battery(key)
        if percent is not None:
            low = situation.battery_low(key)
            word = hub.say("device.battery-low" if low else "device.battery", percent=percent)
            parts.append(Part(word, theme.NOTICE if low else theme.LABEL))
        if self._book is not None:
            said = self._book.said(key, hub.now_s())
            style = f"bold {theme.WHITE}" if present else theme.GREY
            parts += [Part(words, style) for words in self._values(said)]
            parts += [Part(words, theme.LABEL) for words in self._age(said) if words]
        return parts

    def _values(self, said: Said) -> list[str]:
        of = said if said.row is None else said.row
        return [value_words(part, of.missing, self.hub) for part in of.parts]

    def _age(self, said: Said) -> list[str]:
        """How old it is; what is stored is told with the time at which it was taken."""
        age = "" if said.age_s is None else self.hub.age(said.age_s)
        silent = self.hub.say("device.silent", age=age) if said.silent else ""
        if said.row is not None:
            return [self.hub.say("device.stored", when=when(said.row, self.hub)), silent]
        if said.silent:
            return [silent]
        return [self.hub.say("tile.ago", age=age)] if age else []
