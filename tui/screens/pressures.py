"""Three readings of the pressure in one sitting, with the minute between them."""

from collections.abc import Callable
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static

from edge.localapi.shapes import SittingShown
from tui import theme
from tui.hub import Hub
from tui.screens.base import Box, keys
from tui.widgets.flow import Part, content, flow

BETWEEN_S: Final = 60
"""Readings are one to two minutes apart (ESH 2021)."""
_TICK_S: Final = 0.5
_WIDTH: Final = 70


def rest_s(sitting: SittingShown, wall_ms: int | None) -> int:
    """How many seconds until the next reading is due; 0 when it is."""
    if sitting.last_ms is None or wall_ms is None:
        return 0
    return max(0, BETWEEN_S - (wall_ms - sitting.last_ms) // 1000)


def _phrases(words: str, style: str) -> list[Part]:
    """A long sentence in parts, so that none of it is cut."""
    *before, last = words.split(", ")
    return [*(Part(f"{each},", style) for each in before), Part(last, style)]


class Pressures(Box[str]):
    """Ends with what is to be done next: ``cuff``, ``hand``, or an empty text.

    Args:
        look: what holds now of the visit.
        cuff: whether there is one that can be told to measure.
    """

    BINDINGS: ClassVar[list[BindingType]] = keys(
        escape="leave('')", enter="leave('cuff')", f4="leave('hand')"
    )

    def __init__(self, hub: Hub, look: Callable[[], SittingShown | None], *, cuff: bool) -> None:
        super().__init__(hub)
        self._look = look
        self._cuff = cuff

    def compose(self) -> ComposeResult:
        say = self.hub.say
        with Vertical(classes="box", id="pressures") as box:
            box.border_title = say("pressures.title")
            yield Static("", id="sitting", markup=False)
            hints = [say("pressures.key-cuff")] if self._cuff else []
            hints += [say("pressures.key-hand"), f"Esc {say('key.back')}"]
            yield Static(content(flow([Part(hint) for hint in hints], _WIDTH)))

    def on_mount(self) -> None:
        self.set_interval(_TICK_S, self.tick)
        self.tick()

    def tick(self) -> None:
        """Show the readings, and what is next."""
        hub, say, sitting = self.hub, self.hub.say, self._look()
        if sitting is None:
            return
        lines = [_phrases(say("pressures.how"), theme.LABEL)]
        for number, (systolic, diastolic) in enumerate(sitting.readings, 1):
            lines.append([Part(f"{number}  {systolic}/{diastolic} mmHg", f"bold {theme.WHITE}")])
        wait = rest_s(sitting, hub.situation.wall_now_ms(hub.now_s()))
        if sitting.mean is not None:
            mean = f"{sitting.mean[0]}/{sitting.mean[1]}"
            lines.append([Part(say("pressures.mean", mean=mean), f"bold {theme.NOTICE}")])
            lines += [
                [Part(say("pressures.class", guide=guide.upper(), name=name))]
                for guide, name in sitting.classes.items()
            ]
            if sitting.alerts:
                lines.append(_phrases(say("pressures.severe"), f"bold {theme.WHITE} on {theme.ALARM}"))
        elif sitting.readings and wait:
            lines.append([Part(say("pressures.wait", n=wait), f"bold {theme.WHITE}")])
        else:
            number = len(sitting.readings) + 1
            lines.append([Part(say("pressures.now", n=number), f"bold {theme.NOTICE}")])
        self.query_one("#sitting", Static).update(
            content([line for parts in lines for line in flow(parts, _WIDTH)])
        )

    def action_leave(self, then: str) -> None:
        if then != "cuff" or self._cuff:
            self.dismiss(then)
