"""Readings that are nobody's yet: what devices had in their memory, and what came between visits."""

from collections.abc import Sequence
from typing import ClassVar, Final
from uuid import UUID

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from edge.localapi.client import new_request_id
from edge.localapi.events import SavedEvent
from edge.localapi.shapes import Message, ObservationShown, PatientShown
from tui.agent import full_name
from tui.hub import Hub
from tui.records import Row, rows
from tui.screens.base import QafilaScreen, keys
from tui.screens.confirm import Confirm
from tui.widgets.flow import Part, content
from tui.widgets.record_list import row_lines

REASON: Final = "measured-on-this-patient"
"""What is written beside an assignment made here: the person at the screen says so."""
MOST_ROWS: Final = 200
MOST_AT_ONCE: Final = 256
"""As many observations as one assignment takes."""


class TrayScreen(QafilaScreen):
    """The tray, from which readings are given to the visit that is open; nothing is chosen beforehand.

    Args:
        encounter: the visit that is open.
    """

    KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("Space", "key.mark"),
        ("↑↓", "key.choose"),
        ("Enter", "key.assign"),
        ("Esc", "key.back"),
        ("F1", "key.help"),
        ("F9", "key.lock"),
        ("F10", "key.menu"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(up="move(-1)", down="move(1)", pageup="move(-10)", pagedown="move(10)"),
        *keys(space="mark", enter="assign", escape="back", f1="app.help", f9="app.lock", f10="app.leave"),
        *keys(f3="app.stop_cuff"),
        *[Binding(str(digit), f"digit({digit})", show=False, priority=True) for digit in range(1, 10)],
    ]
    DEFAULT_CSS: ClassVar[str] = """
    TrayScreen OptionList { height: 1fr; }
    TrayScreen #above { height: 1; padding: 0 1; }
    """

    def __init__(self, hub: Hub, patient: PatientShown, encounter: UUID) -> None:
        super().__init__(hub)
        self.header.patient = patient
        self.patient = patient
        self.encounter = encounter
        self._observations: Sequence[ObservationShown] = ()
        self._rows: list[Row] = []
        self._marked: set[int] = set()

    def body(self) -> ComposeResult:
        yield Static("", id="above", markup=False)
        options = OptionList(id="list", markup=False)
        options.can_focus = False
        yield options

    def on_mount(self) -> None:
        self.read()

    def on_resize(self) -> None:
        self.call_after_refresh(self._fill)

    async def resumed(self) -> None:
        self.read()

    def heard(self, message: Message) -> None:
        if isinstance(message, SavedEvent) and message.what in {"reading", "assignment"}:
            self.read()

    @work(exclusive=True, group="read")
    async def read(self) -> None:
        """Ask for the tray; each look is written to the audit trail."""
        tray = await self.ask(self.hub.agent.tray)
        if tray is None:
            return
        self._observations = tray.observations
        self._rows = rows(tray.observations, self.hub.situation.streams.get("vitals"))[:MOST_ROWS]
        self._marked &= {row.reading for row in self._rows}
        self._fill()

    def action_back(self) -> None:
        self.app.pop_screen()

    def action_move(self, by: int) -> None:
        options = self.query_one("#list", OptionList)
        if options.option_count:
            at = options.highlighted or 0
            options.highlighted = max(0, min(options.option_count - 1, at + by))

    def action_mark(self) -> None:
        at = self.query_one("#list", OptionList).highlighted
        if at is not None:
            self.action_digit(at + 1)

    def action_digit(self, digit: int) -> None:
        """Mark a reading, or take the mark away."""
        if digit <= len(self._rows):
            self._marked ^= {self._rows[digit - 1].reading}
            self.query_one("#list", OptionList).highlighted = digit - 1
            self._fill()

    async def action_assign(self) -> None:
        """Ask once more, by name; then give what is marked to the visit."""
        chosen = [row for row in self._rows if row.reading in self._marked]
        say = self.hub.say
        if not chosen:
            self.notice.tell(say("tray.mark-first"))
            return
        seqs = [each.seq for each in self._observations if each.reading in self._marked]
        request = new_request_id()

        def answered(yes: bool | None) -> None:
            if yes:
                self._assign(request, seqs[:MOST_AT_ONCE])

        lines = [
            full_name(self.patient),
            self.hub.identifiers(self.patient),
            *("  ".join(part.text.strip() for part in row_lines(row, self.hub, 66)[0]) for row in chosen[:6]),
            *([say("records.more", n=len(chosen) - 6)] if len(chosen) > 6 else []),
        ]
        await self.app.push_screen(
            Confirm(self.hub, say("tray.confirm"), lines, say("key.yes-assign")), answered
        )

    @work(exclusive=True, group="assign")
    async def _assign(self, request: str, seqs: Sequence[int]) -> None:
        self.notice.tell("")
        done = await self.ask(lambda: self.hub.agent.assign(request, self.encounter, seqs, REASON))
        if done is not None:
            self._marked.clear()
            self.read()

    def _fill(self) -> None:
        say = self.hub.say
        options = self.query_one("#list", OptionList)
        kept = options.highlighted
        options.clear_options()
        width = max(20, self.size.width - 15)
        options.add_options([Option(self._shown(n, row, width)) for n, row in enumerate(self._rows, 1)])
        if self._rows:
            options.highlighted = min(kept or 0, len(self._rows) - 1)
        above = say("patients.tray", n=len(self._rows)) if self._rows else say("tray.none")
        self.query_one("#above", Static).update(above)

    def _shown(self, number: int, row: Row, width: int) -> Content:
        """A reading, on as many lines as its values need."""
        mark = "[x]" if row.reading in self._marked else "[ ]"
        lines = row_lines(row, self.hub, width)
        head = f"{mark}{number:>3} "
        return content([[Part(head if at == 0 else " " * len(head)), *line] for at, line in enumerate(lines)])
