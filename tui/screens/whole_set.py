"""A whole set by hand: one number after the other, Enter leads on and the last one saves."""

import datetime
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
from tui.typed import read_number, read_time
from tui.widgets.flow import Part, content, flow
from tui.widgets.line import Line

CODES: Final = (
    Code.SYSTOLIC,
    Code.DIASTOLIC,
    Code.OXYGEN_SATURATION,
    Code.PULSE_OXIMETER,
    Code.TEMPERATURE,
    Code.RESPIRATORY_RATE,
)


class WholeSet(ValuesBox):
    """What is left empty is not said; R, E or N in the place of a number says why there is none.

    Args:
        late: the values stand on paper and have a time of their own, asked for first.
    """

    BINDINGS: ClassVar[list[BindingType]] = keys(up="app.focus_previous", down="app.focus_next")
    DEFAULT_CSS: ClassVar[str] = """
    WholeSet .row { height: 1; layout: horizontal; }
    WholeSet .row Static { width: 44; }
    """

    def __init__(self, hub: Hub, encounter: UUID, *, late: bool = False) -> None:
        super().__init__(hub, encounter)
        self._late = late
        self._lines = {code: Line(max_length=6) for code in CODES}
        self._time = Line(max_length=5)

    def compose(self) -> ComposeResult:
        say = self.hub.say
        with Vertical(classes="box", id="whole") as box:
            box.border_title = say("whole.late" if self._late else "whole.title")
            if self._late:
                with Vertical(classes="row"):
                    yield Static(say("whole.time"), markup=False)
                    yield self._time
            for code, line in self._lines.items():
                with Vertical(classes="row"):
                    yield Static(say(f"entry.{code}"), markup=False)
                    yield line
            yield self.problem()
            yield Static(content(flow([Part(key) for key in say("whole.keys").split("   ")], 70)))

    def on_mount(self) -> None:
        self.set_focus(self._order[0])

    @property
    def _order(self) -> list[Line]:
        return [*([self._time] if self._late else []), *self._lines.values()]

    async def action_enter(self) -> None:
        """To the next number; from the last one to the agent."""
        if self.confirming():
            self.confirm()
            return
        at = self._order.index(self.focused) if isinstance(self.focused, Line) else len(self._order)
        if at + 1 < len(self._order):
            self.set_focus(self._order[at + 1])
            return
        await taken(*self._order)
        self._read()

    def _read(self) -> None:
        values: dict[str, str] = {}
        missing: dict[str, str] = {}
        for code, line in self._lines.items():
            typed = line.value.strip().lower()
            number = read_number(code, typed)
            if typed in WHY_NOT:
                missing[code] = WHY_NOT[typed]
            elif number is not None:
                values[code] = number
            elif typed:
                self._wrong(line, "entry.not-a-number")
                return
        if not values and not missing:
            self._wrong(self._order[0], "whole.nothing")
            return
        at: str | None = None
        if self._late:
            when = read_time(self._time.value, self._now())
            if when is None:
                self._wrong(self._time, "whole.no-time")
                return
            at = when.isoformat()
        self.give(values, missing, at)

    def _now(self) -> datetime.datetime:
        return self.hub.local(self.hub.situation.wall_now_ms(self.hub.now_s()) or 0)

    def _wrong(self, line: Line, code: str) -> None:
        self.tell(self.hub.say(code))
        self.set_focus(line)

    def refused(self) -> None:
        """The first line that may be meant: a limit names the code it is about."""
        self.set_focus(next((line for line in self._lines.values() if line.value), self._order[0]))

    @on(Input.Changed)
    def _typed(self) -> None:
        self.changed()
