"""Today's patients: find one, enter a new one, open a visit."""

import datetime
from collections.abc import Sequence
from typing import ClassVar, Final
from uuid import UUID

from rich.cells import cell_len
from textual import on, work
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from edge.localapi.client import new_request_id
from edge.localapi.queue import Queue, VisitQueued
from edge.localapi.shapes import PatientShown
from edge.records.people import user_id
from tui import theme
from tui.agent import full_name
from tui.hub import Hub
from tui.records import SYMBOLS
from tui.screens.base import QafilaScreen, keys, taken, uncovered
from tui.screens.capture import CaptureScreen
from tui.screens.confirm import Confirm
from tui.screens.inbox import InboxScreen
from tui.screens.register import Register
from tui.widgets.flow import Part, content, shortened
from tui.widgets.line import Line

_TRIAGE: Final = {
    "red": f"bold {theme.WHITE} on {theme.ALARM}",
    "yellow": f"bold {theme.BLACK} on {theme.NOTICE}",
    "green": f"bold {theme.BLACK} on {theme.HEART}",
}
"""A letter says the same as the colour."""
_LEAST_NAME: Final = 8
"""As many letters of a name have to stand there at least."""
MOST_ROWS: Final = 200
"""More rows make a list slow; typing narrows it."""


class _Search(Line):
    """A line that leaves digits to the screen first: in an empty line they choose a row."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return not key.isdecimal() and super().check_consume_key(key, character)


class PatientsScreen(QafilaScreen):
    """The list, with a line to type in that narrows it."""

    KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("Enter", "key.open"),
        ("↑↓", "key.choose"),
        ("F2", "key.new"),
        ("F3", "key.all"),
        ("F11", "key.inbox"),
        ("F1", "key.help"),
        ("F9", "key.lock"),
        ("F10", "key.menu"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(up="move(-1)", down="move(1)", pageup="move(-10)", pagedown="move(10)"),
        *keys(enter="enter", escape="clear", f1="app.help", f2="new", f3="all", f11="inbox"),
        *keys(f9="app.lock", f10="app.leave"),
        *[Binding(str(digit), f"digit({digit})", show=False, priority=True) for digit in range(1, 10)],
    ]
    DEFAULT_CSS: ClassVar[str] = """
    PatientsScreen OptionList { height: 1fr; }
    PatientsScreen #above { height: 1; padding: 0 1; }
    """

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self._patients: Sequence[PatientShown] = ()
        self._shown: list[PatientShown] = []
        self._open: tuple[str, str] | None = None
        self._visits: dict[UUID, VisitQueued] = {}
        self._everybody = False
        self._tray = 0

    def body(self) -> ComposeResult:
        yield Static("", id="above", markup=False)
        yield _Search(placeholder=self.hub.say("patients.search"), id="search", max_length=60)
        options = OptionList(id="list", markup=False)
        options.can_focus = False
        yield options

    def on_mount(self) -> None:
        self.set_focus(self.query_one("#search", Input))
        self.call_after_refresh(self._fill)

    def on_screen_resume(self) -> None:
        self.read()

    def on_resize(self) -> None:
        self.call_after_refresh(self._fill)

    async def resumed(self) -> None:
        self.read()

    @work(exclusive=True, group="read")
    async def read(self) -> None:
        """Ask for the patients, and for a visit that is open."""
        agent = self.hub.agent
        if self.hub.situation.person is None:
            return
        patients = await self.ask(agent.patients)
        snapshot = None if patients is None else await self.ask(agent.snapshot)
        if patients is None or snapshot is None:
            return
        self._patients = patients.patients
        self._open = None
        if snapshot.encounter is not None:
            encounter = snapshot.encounter
            visit = await self.ask(lambda: agent.encounter(encounter))
            if visit is not None:
                self._open = str(visit.patient), str(encounter)
        midnight = datetime.datetime.combine(self.hub.today(), datetime.time()).astimezone()
        since_ms = max(0, int(midnight.timestamp() * 1000))
        queue = await self.ask(lambda: agent.call("visit.list", Queue, since_ms=since_ms))
        self._visits = {} if queue is None else {each.patient: each for each in queue.visits}
        tray = await self.ask(agent.tray)
        self._tray = 0 if tray is None else len({each.reading for each in tray.observations})
        self._fill()

    def action_move(self, by: int) -> None:
        options = self.query_one("#list", OptionList)
        if options.option_count:
            at = options.highlighted or 0
            options.highlighted = max(0, min(options.option_count - 1, at + by))

    def action_clear(self) -> None:
        self.query_one("#search", Input).value = ""

    def action_all(self) -> None:
        self._everybody = not self._everybody
        self._fill()

    async def action_inbox(self) -> None:
        await self.app.push_screen(InboxScreen(self.hub))

    async def action_new(self) -> None:
        await self.app.push_screen(Register(self.hub), self._registered)

    async def action_digit(self, digit: int) -> None:
        """Choose a row, unless something is being typed: then it is a digit like any other."""
        search = self.query_one("#search", Input)
        await taken(search)
        if search.value:
            raise SkipAction
        await self._choose(digit - 1)

    async def action_enter(self) -> None:
        """Choose the row that is marked, among those that fit all that was typed."""
        await taken(self.query_one("#search", Input))
        self._fill()
        highlighted = self.query_one("#list", OptionList).highlighted
        if highlighted is not None:
            await self._choose(highlighted)

    @on(Input.Changed, "#search")
    def _narrow(self) -> None:
        self._fill()

    async def _choose(self, index: int) -> None:
        """Back into the visit that is open, or ask whether this is the person."""
        if not 0 <= index < len(self._shown):
            return
        patient = self._shown[index]
        if self._open is not None and self._open[0] == str(patient.patient):
            await self.app.push_screen(CaptureScreen(self.hub, patient, self._open[1]))
            return
        await self._confirm(patient)

    async def _confirm(self, patient: PatientShown) -> None:
        say = self.hub.say
        lines = [full_name(patient), self.hub.facts(patient), self.hub.identifiers(patient)]

        def answered(yes: bool | None) -> None:
            if yes:
                self._open_visit(patient, new_request_id())

        self.app.push_screen(
            Confirm(self.hub, say("patients.confirm"), lines, say("key.yes-visit")), answered
        )

    def open_visit_of(self, patient: PatientShown) -> None:
        """Somebody was entered elsewhere: begin their visit."""
        self._open_visit(patient, new_request_id())

    def _registered(self, patient: PatientShown | None) -> None:
        if patient is not None:
            self._open_visit(patient, new_request_id())

    @work(exclusive=True, group="open")
    async def _open_visit(self, patient: PatientShown, request: str) -> None:
        self.notice.tell("")
        opened = await self.ask(lambda: self.hub.agent.open_encounter(request, patient.patient))
        if opened is not None:
            await uncovered(self)
            self.app.push_screen(CaptureScreen(self.hub, patient, str(opened.encounter)))

    def _fill(self) -> None:
        """Show who fits what is typed; the visit that is open first, then the latest."""
        if not (self.query("#search") and self.query("#list")):
            return  # the agent may answer before the screen has its lines, or when they are taken away
        say = self.hub.say
        wanted = user_id(self.query_one("#search", Input).value).replace(".", " ").split()
        today = self.hub.today()
        found = [
            patient
            for patient in self._patients
            if (self._everybody or wanted or self._is_open(patient) or entered_on(self.hub, patient) == today)
            and all(word in _searched(patient) for word in wanted)
        ]
        found.sort(key=lambda patient: not self._is_open(patient))
        self._shown = found[:MOST_ROWS]
        options = self.query_one("#list", OptionList)
        kept = options.highlighted
        options.clear_options()
        width = max(20, self.size.width - 6)
        options.add_options([Option(self._row(i, patient, width)) for i, patient in enumerate(self._shown)])
        if self._shown:
            options.highlighted = min(kept or 0, len(self._shown) - 1)
        which = "patients.everybody" if self._everybody or wanted else "patients.today"
        above = say(which, n=len(found))
        if self._tray:
            above += "   " + say("patients.tray", n=self._tray)
        if not self._shown:
            above += "   " + say("patients.none")
        self.query_one("#above", Static).update(shortened(above, max(10, self.size.width - 2)))

    def _row(self, index: int, patient: PatientShown, width: int) -> Content:
        say = self.hub.say
        number = f"{index + 1:>3}"
        state = f"{SYMBOLS[patient.state]} {say(f'state.{patient.state}')}"
        visit = self._visits.get(patient.patient)
        if visit is not None and visit.readings:
            state = f"{state} {visit.received}/{visit.readings}"
        if self._is_open(patient):
            state = f"▶ {say('patients.open')}"
        seen = "" if visit is None or visit.triage is None else visit.triage
        time = f"{self.hub.local(_entered_ms(patient)):%H:%M}"
        sign = say(f"triage.{seen}") if seen else "-"
        free = width - len(number) - len(time) - cell_len(state) - len(sign) - 10
        known = self._known(patient, free)
        name = shortened(full_name(patient), max(0, free - cell_len(known)))
        gap = " " * max(0, free - cell_len(name) - cell_len(known))
        parts = [Part(number), Part(time), Part(sign, _TRIAGE.get(seen, "")), Part(name, "bold")]
        parts += [Part(known + gap), Part(state)]
        return content([parts])

    def _known(self, patient: PatientShown, free: int) -> str:
        """Sex, birth and identifier, or as many of them, whole, as leave room for a name."""
        parts = [self.hub.say(f"sex.{patient.sex}"), patient.birth or "", _identifier(patient)]
        for last in (3, 2):
            known = "  ".join(part for part in parts[:last] if part)
            if free - cell_len(known) >= min(_LEAST_NAME, cell_len(full_name(patient))):
                return known
        return parts[0] if free - cell_len(parts[0]) >= _LEAST_NAME else ""

    def _is_open(self, patient: PatientShown) -> bool:
        return self._open is not None and self._open[0] == str(patient.patient)


def entered_on(hub: Hub, patient: PatientShown) -> datetime.date:
    """The day on which a patient was entered, as the box counted days then."""
    return hub.local(_entered_ms(patient)).date()


def _entered_ms(patient: PatientShown) -> int:
    """When a patient was entered: a UUIDv7 begins with it."""
    return patient.patient.int >> 80


def _identifier(patient: PatientShown) -> str:
    return patient.identifiers[0].value if patient.identifiers else ""


def _searched(patient: PatientShown) -> str:
    """Everything a patient is found by, without case and accents."""
    arabic = (patient.family_arabic or "", patient.given_arabic or "")
    words = [full_name(patient), *arabic, patient.birth or "", *(each.value for each in patient.identifiers)]
    return user_id(" ".join(words)).replace(".", " ")
