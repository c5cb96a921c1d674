"""Values by hand: choose what, type it, Enter; the agent says whether it can be, and what to confirm."""

from collections.abc import Callable
from typing import ClassVar, Final, NamedTuple
from uuid import UUID

from textual import on, work
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from edge.errors import QafilaError
from edge.localapi.client import new_request_id
from edge.ports.caller import CallRefused
from edge.vitals.codes import Code
from tui.hub import Hub
from tui.screens.base import Box, keys, taken
from tui.typed import read_number
from tui.widgets.flow import Part, content, flow
from tui.widgets.line import Line

_CONFIRM: Final = "value-needs-confirmation"


class Item(NamedTuple):
    """What a digit chooses: one value, or two that belong together."""

    key: str
    label: str
    codes: tuple[Code, ...]


ITEMS: Final = (
    Item("1", "vital.bp", (Code.SYSTOLIC, Code.DIASTOLIC)),
    Item("2", "vital.spo2", (Code.OXYGEN_SATURATION,)),
    Item("3", "vital.pulse.spo2", (Code.PULSE_OXIMETER,)),
    Item("4", "vital.temp", (Code.TEMPERATURE,)),
    Item("5", "vital.rr", (Code.RESPIRATORY_RATE,)),
    Item("6", "vital.weight", (Code.WEIGHT,)),
    Item("7", "vital.height", (Code.HEIGHT,)),
    Item("8", "vital.glucose", (Code.GLUCOSE,)),
    Item("9", "vital.pain", (Code.PAIN,)),
    Item("0", "vital.hr", (Code.HEART_RATE,)),
)


class Entry(Box[None]):
    """Stays open for one value after the other; Esc goes back.

    Args:
        saved: told in words what was stored.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(escape="back", enter="enter", up="app.focus_previous", down="app.focus_next"),
        *[Binding(str(digit), f"digit('{digit}')", show=False, priority=True) for digit in range(10)],
    ]

    def __init__(self, hub: Hub, encounter: UUID, saved: Callable[[str], None]) -> None:
        super().__init__(hub)
        self._encounter = encounter
        self._saved = saved
        self._item: Item | None = None
        self._inputs: list[Input] = []
        self._sent: tuple[dict[str, str], tuple[str, ...]] | None = None
        self._request = new_request_id()
        self._to_confirm: tuple[str, ...] = ()
        self._busy = False

    def compose(self) -> ComposeResult:
        say = self.hub.say
        with Vertical(classes="box", id="entry") as box:
            box.border_title = say("entry.title")
            items = [Part(f"{item.key} {say(item.label)}") for item in ITEMS]
            yield Static(content(flow(items, 54)), id="items")
            yield Vertical(id="fields")
            yield Static("", id="problem", classes="problem", markup=False)
            yield Static(content([[Part(say("entry.keys"))]]), classes="label")

    DEFAULT_CSS: ClassVar[str] = """
    Entry #fields { height: auto; }
    """

    async def action_digit(self, digit: str) -> None:
        """Choose what to type, while nothing is chosen."""
        if self._item is not None:
            raise SkipAction
        await self._choose(next(item for item in ITEMS if item.key == digit))

    async def action_enter(self) -> None:
        """To the second number, or give them to the agent, or confirm what it asked about."""
        if self._item is None:
            return
        if self._to_confirm:
            self._send(confirmed=self._to_confirm)
            return
        at = self._inputs.index(self.focused) if isinstance(self.focused, Input) else -1
        if at + 1 < len(self._inputs):
            self.set_focus(self._inputs[at + 1])
            return
        await taken(*self._inputs)
        self._send(confirmed=())

    async def action_back(self) -> None:
        """One step back: from the question to the number, from the number to the choice, then out."""
        if self._to_confirm:
            self._to_confirm = ()
            self._tell("")
            self.set_focus(self._inputs[0])
        elif self._item is not None:
            await self._choose(None)
        else:
            self.dismiss(None)

    async def _choose(self, item: Item | None) -> None:
        self._item = item
        self._to_confirm = ()
        self._sent = None
        fields = self.query_one("#fields", Vertical)
        await fields.remove_children()
        self._inputs = []
        self._tell("")
        if item is None:
            self.set_focus(None)
            return
        for code in item.codes:
            field = Line(max_length=8)
            field.border_title = self.hub.say(f"entry.{code}")
            self._inputs.append(field)
            await fields.mount(field)
        self.set_focus(self._inputs[0])

    @on(Input.Changed)
    def _changed(self) -> None:
        self._to_confirm = ()

    def _send(self, *, confirmed: tuple[str, ...]) -> None:
        if self._item is None or self._busy:
            return
        values: dict[str, str] = {}
        for code, field in zip(self._item.codes, self._inputs, strict=True):
            number = read_number(code, field.value)
            if number is None:
                self._tell(self.hub.say("entry.not-a-number"))
                self.set_focus(field)
                return
            values[code] = number
        if self._sent is not None and self._sent != (values, confirmed):
            self._request = new_request_id()  # another command than the one whose answer was lost
        self._sent = (values, confirmed)
        self._save(self._item, values, confirmed)

    @work
    async def _save(self, item: Item, values: dict[str, str], confirmed: tuple[str, ...]) -> None:
        self._busy = True
        try:
            await self.hub.agent.observe(self._request, self._encounter, values, confirmed)
        except CallRefused as refusal:
            self._refused(refusal)
            return
        except QafilaError as error:
            self._tell(self.hub.trouble(error))
            return
        finally:
            self._busy = False
        self._request = new_request_id()
        words = f"{self.hub.say(item.label)} {self.hub.number('/'.join(values.values()))}"
        self._saved(self.hub.say("entry.saved", what=words))
        await self._choose(None)
        self._tell(self.hub.say("entry.saved", what=words))

    def _refused(self, refusal: CallRefused) -> None:
        if refusal.stable_code == _CONFIRM and refusal.about:
            self._to_confirm = refusal.about
            self.set_focus(None)
            self._tell(f"{self.hub.trouble(refusal)}\n{self.hub.say('entry.confirm')}")
            return
        self._tell(self.hub.trouble(refusal))
        if self._inputs:
            self.set_focus(self._inputs[0])

    def _tell(self, words: str) -> None:
        self.query_one("#problem", Static).update(words)
