"""Counting breaths: Space at each one, or the rate as a number."""

from typing import ClassVar, Final
from uuid import UUID

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from edge.vitals.codes import Code
from tui.hub import Hub
from tui.screens.base import keys, taken
from tui.screens.values_box import WHY_NOT, ValuesBox
from tui.typed import read_number
from tui.widgets.flow import Part, content, flow
from tui.widgets.line import NumberLine

LONG_S: Final = 60.0
"""Children are counted for a whole minute (WHO, IMCI)."""
SHORT_S: Final = 30.0
_TICK_S: Final = 0.2


def per_minute(marks_s: list[float]) -> int | None:
    """The rate from the moments of breaths, half up; None of fewer than two."""
    if len(marks_s) < 2 or marks_s[-1] <= marks_s[0]:
        return None
    return int(60 * (len(marks_s) - 1) / (marks_s[-1] - marks_s[0]) + 0.5)


class Breaths(ValuesBox):
    """The clock runs from the first Space, or from the beginning for who counts without it."""

    BINDINGS: ClassVar[list[BindingType]] = keys(space="breath")

    def __init__(self, hub: Hub, encounter: UUID, *, child: bool) -> None:
        super().__init__(hub, encounter)
        self._long_s = LONG_S if child else SHORT_S
        self._from_s = hub.now_s()
        self._marks_s: list[float] = []
        self._line = NumberLine(max_length=3)

    def compose(self) -> ComposeResult:
        say = self.hub.say
        with Vertical(classes="box", id="breaths") as box:
            box.border_title = say("breaths.title")
            yield Static("", id="clock", classes="title", markup=False)
            self._line.border_title = say("entry.rr")
            yield self._line
            yield self.problem()
            yield Static(content(flow([Part(key) for key in say("breaths.keys").split("   ")], 70)))

    def on_mount(self) -> None:
        self.set_focus(self._line)
        self.set_interval(_TICK_S, self.tick)
        self.tick()

    def tick(self) -> None:
        """Show how long is left and what was counted."""
        say, now_s = self.hub.say, self.hub.now_s()
        left_s = max(0, int(self._long_s - (now_s - self._from_s) + 0.999))
        rate = per_minute(self._marks_s)
        words = say("breaths.left", n=left_s) if left_s else say("breaths.over")
        if self._marks_s:
            words += "  " + say("breaths.counted", n=max(0, len(self._marks_s) - 1))
        if rate is not None and not left_s:
            words += "  " + say("breaths.rate", n=rate)
        self.query_one("#clock", Static).update(words)

    def action_breath(self) -> None:
        """One more; the first one begins."""
        now_s = self.hub.now_s()
        if not self._marks_s:
            self._from_s = now_s
        if now_s - self._from_s <= self._long_s + 5:
            self._marks_s.append(now_s)
        self.tick()

    async def action_enter(self) -> None:
        """Save what was typed, else what was counted once the time is over."""
        if self.confirming():
            self.confirm()
            return
        await taken(self._line)
        typed = self._line.value.strip().lower()
        if typed in WHY_NOT:
            self.give({}, {Code.RESPIRATORY_RATE: WHY_NOT[typed]})
            return
        if typed:
            number = read_number(Code.RESPIRATORY_RATE, typed)
            if number is None:
                self.tell(self.hub.say("entry.not-a-number"))
                return
            self.give({Code.RESPIRATORY_RATE: number}, {})
            return
        rate = per_minute(self._marks_s)
        if rate is None or self.hub.now_s() - self._from_s < self._long_s:
            self.tell(self.hub.say("breaths.not-yet"))
            return
        self.give({Code.RESPIRATORY_RATE: str(rate)}, {})

    def refused(self) -> None:
        self.set_focus(self._line)

    @on(Input.Changed)
    def _typed(self) -> None:
        self.changed()
