"""Every configured device: whether it is there, what is left of its battery, and what it says."""

from collections.abc import Sequence
from typing import Final

from tui import theme
from tui.device_book import DeviceBook, Said
from tui.hub import Hub
from tui.widgets.flow import Part, flow
from tui.widgets.record_list import value_words, when
from tui.widgets.scroller import Entry, Scroller

_STATE_COLOURS: Final = {
    "present": theme.HEART,
    "starting": theme.LABEL,
    "gone": theme.NOTICE,
    "resting": theme.LABEL,
}
_HUNG_UP: Final = "device-ended"
"""A device that has said what it had to say; it is met again when it is used again."""
_CLOCK_OFF_S: Final = 60
"""From here on a device's clock is said to be off: many show and keep no seconds."""
_EVERY_S: Final = 1.0


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
        word = "resting" if device.state == "gone" and device.code == _HUNG_UP else device.state
        state = hub.say(f"device.{word}")
        if word == "gone" and device.code:
            why, _ = hub.say.error(device.code, device.code)
            state = hub.say("device.gone-why", state=state, why=why)
        present = hub.present
        parts = [Part(key, f"bold {theme.WHITE}"), Part(device.kind, theme.LABEL)]
        parts.append(Part(state, _STATE_COLOURS[word] if present else theme.GREY))
        percent = situation.battery(key)
        if percent is not None:
            low = situation.battery_low(key)
            left = hub.say("device.battery-low" if low else "device.battery", percent=percent)
            parts.append(Part(left, theme.NOTICE if low else theme.LABEL))
        if self._book is not None:
            parts += self._said(self._book.said(key, hub.now_s()))
        return parts

    def _said(self, said: Said) -> list[Part]:
        """Values with how old they are; what is stored, with the time at which it was taken."""
        say = self.hub.say
        groups = [(g.parts, g.missing, say("tile.ago", age=self.hub.age(g.age_s))) for g in said.groups]
        if said.row is not None:
            row = said.row
            groups = [(row.parts, row.missing, say("device.stored", when=when(row, self.hub)))]
        style = f"bold {theme.WHITE}" if self.hub.present else theme.GREY
        parts: list[Part] = []
        for values, missing, age in groups:
            parts += [Part(value_words(value, missing, self.hub), style) for value in values]
            parts.append(Part(age, theme.LABEL))
        if said.silent_s is not None:
            parts.append(Part(say("device.silent", age=self.hub.age(said.silent_s)), theme.LABEL))
        if said.remembered:
            parts.append(Part(say("device.remembered"), theme.NOTICE))
        off_s = said.clock_off_s
        if off_s is not None and abs(off_s) >= _CLOCK_OFF_S:
            code = "device.clock-ahead" if off_s > 0 else "device.clock-behind"
            parts.append(Part(say(code, by=self.hub.age(abs(off_s))), theme.LABEL))
        return parts
