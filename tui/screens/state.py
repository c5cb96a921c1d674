"""Consciousness, oxygen and, where it has to be asked, pregnancy: one key each."""

from typing import ClassVar, Final
from uuid import UUID

from textual import on
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from edge.vitals.codes import Code
from tui import theme
from tui.hub import Hub
from tui.screens.base import keys, taken
from tui.screens.values_box import ValuesBox
from tui.typed import read_number
from tui.widgets.flow import Part, content, flow
from tui.widgets.line import NumberLine

_CHOICES: Final = 5
_PREGNANCY: Final = {6: "0", 7: "1", 8: "2"}
_CHOSEN: Final = f"bold {theme.BLACK} on {theme.WHITE}"


class StateBox(ValuesBox):
    """Alert and on air stand there already: Enter says so, and F12 goes on to the end of the visit.

    Args:
        child: the paediatric table asks for the effort of breathing and the capillary refill instead.
        asks_pregnancy: nobody has said yet; nothing is chosen for it.
    """

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(space="oxygen", f12="finish", up="app.focus_previous", down="app.focus_next"),
        *[Binding(str(digit), f"digit({digit})", show=False, priority=True) for digit in range(10)],
    ]

    def __init__(self, hub: Hub, encounter: UUID, *, child: bool, asks_pregnancy: bool) -> None:
        super().__init__(hub, encounter)
        self._code = Code.BREATHING_EFFORT if child else Code.CONSCIOUSNESS
        self._child = child
        self._asks = asks_pregnancy
        self._chosen = 0
        self._pregnancy: str | None = None
        self._oxygen = False
        self.finish = False
        """Whether the visit is to be closed next."""
        self._flow = NumberLine(max_length=4)
        self._refill = NumberLine(max_length=2)

    def compose(self) -> ComposeResult:
        say = self.hub.say
        with Vertical(classes="box", id="state") as box:
            box.border_title = say("state-box.title")
            yield Static("", id="choices", markup=False)
            self._flow.border_title = say("state-box.flow")
            self._flow.display = False
            yield self._flow
            if self._child:
                self._refill.border_title = say("state-box.refill")
                yield self._refill
            yield self.problem()
            yield Static(content(flow([Part(key) for key in say("state-box.keys").split("   ")], 70)))

    def on_mount(self) -> None:
        if self._child:
            self.set_focus(self._refill)
        self._show()

    def _show(self) -> None:
        say = self.hub.say
        lines = [[Part(say(f"vital.{self._code}"), "bold")]]
        lines += flow(
            [
                self._choice(f"{n + 1} {say(f'coded.{self._code}.{n}')}", chosen=n == self._chosen)
                for n in range(_CHOICES)
            ],
            70,
        )
        lines.append(
            [
                Part(say("vital.o2"), "bold"),
                self._choice(say("state-box.air"), chosen=not self._oxygen),
                self._choice(say("state-box.oxygen"), chosen=self._oxygen),
            ]
        )
        if self._asks:
            lines += flow(
                [
                    Part(say("vital.pregnancy"), "bold"),
                    *(
                        self._choice(
                            f"{key} {say(f'coded.pregnancy.{value}')}", chosen=value == self._pregnancy
                        )
                        for key, value in _PREGNANCY.items()
                    ),
                ],
                70,
            )
        self.query_one("#choices", Static).update(content(lines))

    @staticmethod
    def _choice(words: str, *, chosen: bool) -> Part:
        return Part(f"▶{words}" if chosen else f" {words}", _CHOSEN if chosen else "")

    def action_digit(self, digit: int) -> None:
        """Choose, unless a number is being typed."""
        if isinstance(self.focused, Input):
            raise SkipAction
        self.changed()
        if 1 <= digit <= _CHOICES:
            self._chosen = digit - 1
        elif self._asks and digit in _PREGNANCY:
            self._pregnancy = _PREGNANCY[digit]
        self._show()

    def action_oxygen(self) -> None:
        """Air, or oxygen and how much."""
        self.changed()
        self._oxygen = not self._oxygen
        self._flow.display = self._oxygen
        self.set_focus(self._flow if self._oxygen else None)
        self._show()

    async def action_enter(self) -> None:
        """Save what stands there."""
        if self.confirming():
            self.confirm()
            return
        if self.focused is self._refill:
            self.set_focus(None)  # then digits choose the effort
            if self._refill.value:
                return
        await taken(self._flow, self._refill)
        values: dict[str, str] = {self._code: str(self._chosen), Code.OXYGEN_FLOW: "0"}
        if self._oxygen:
            flow_ = read_number(Code.OXYGEN_FLOW, self._flow.value)
            if flow_ is None or not float(flow_):
                self.tell(self.hub.say("state-box.how-much"))
                self.set_focus(self._flow)
                return
            values[Code.OXYGEN_FLOW] = flow_
        if self._child and self._refill.value:
            refill = read_number(Code.CAPILLARY_REFILL, self._refill.value)
            if refill is None:
                self.tell(self.hub.say("entry.not-a-number"))
                self.set_focus(self._refill)
                return
            values[Code.CAPILLARY_REFILL] = refill
        if self._pregnancy is not None:
            values[Code.PREGNANCY] = self._pregnancy
        self.give(values, {})

    async def action_finish(self) -> None:
        """Save, then to the end of the visit."""
        self.finish = True
        await self.action_enter()

    @on(Input.Changed)
    def _typed(self) -> None:
        self.changed()
