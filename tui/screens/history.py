"""What was measured before: a chart of visits, a row for each kind, points where the score gives some."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from rich.cells import cell_len
from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from edge.localapi.answers import Trend, TrendVisit
from edge.localapi.shapes import PatientShown
from edge.vitals.codes import Code
from tui import theme
from tui.hub import Hub
from tui.monitor import spelled
from tui.screens.base import QafilaScreen, keys
from tui.widgets.flow import Part, content

ROWS: Final[Sequence[tuple[Code, str]]] = (
    (Code.RESPIRATORY_RATE, "rr"),
    (Code.OXYGEN_SATURATION, "spo2"),
    (Code.OXYGEN_FLOW, "o2"),
    (Code.SYSTOLIC, "sbp"),
    (Code.DIASTOLIC, "dbp"),
    (Code.PULSE_OXIMETER, "pulse"),
    (Code.HEART_RATE, "hr"),
    (Code.CONSCIOUSNESS, "acvpu"),
    (Code.TEMPERATURE, "temp"),
    (Code.WEIGHT, ""),
    (Code.GLUCOSE, ""),
)
_LETTERS: Final = "ACVPU"
_COLUMN: Final = 12
_ALARM: Final = f"bold {theme.WHITE} on {theme.ALARM}"
_NOTICE: Final = f"bold {theme.NOTICE}"
_COLOURS: Final = {"red": 3, "yellow": 1, "none": 0}


def chart(trend: Trend, hub: Hub, width: int, height: int, first: int) -> list[list[Part]]:
    """The lines: visits as columns, the newest of the window first; of what does not fit nothing is cut.

    Args:
        trend: what the agent said.
        hub: for words.
        width: of the room there is.
        height: of the room there is.
        first: how many of the newest visits are left out.
    """
    say = hub.say
    label = max(cell_len(say(f"vital.{code}")) for code, _ in ROWS) + 1
    room = max(1, (width - label) // _COLUMN)  # the two cells between columns are of them
    shown = trend.visits[first : first + room]
    lines = [[Part(" " * label), *(Part(_cell(_day(each, hub)), "bold") for each in shown)]]
    rows: list[list[Part]] = []
    for code, part in ROWS:
        if any(_value(each, code) is not None for each in shown):
            name = say(f"vital.{code}")
            rows.append([Part(name + " " * (label - cell_len(name)))])
            rows[-1] += [_number(each, code, part, hub) for each in shown]
    lines += rows[: max(0, height - 3)]
    name = say("history.score")
    lines.append([Part(name + " " * max(0, label - cell_len(name))), *(_score(each, hub) for each in shown)])
    return lines


def _value(visit: TrendVisit, code: Code) -> str | None:
    return next((each.value for each in visit.values if each.code == code), None)


def _day(visit: TrendVisit, hub: Hub) -> str:
    when = hub.local(visit.opened_ms)
    return f"{when:%d/%m %H:%M}" if when.year == hub.today().year else f"{when:%d/%m/%Y}"


def _number(visit: TrendVisit, code: Code, part: str, hub: Hub) -> Part:
    if visit.purged:
        return Part(_cell(hub.say("history.at-centre")), theme.LABEL)
    value = _value(visit, code)
    if value is None:
        return Part(_cell("--"), theme.GREY)
    words = _LETTERS[int(value)] if code is Code.CONSCIOUSNESS else hub.number(spelled(code, value))
    points = _points(visit, part)
    style = "" if not points else _ALARM if points >= 3 else _NOTICE
    return Part(_cell(f"{words} +{points}" if points else words), style)


def _points(visit: TrendVisit, part: str) -> int:
    parts: Mapping[str, int | str] = {} if visit.score is None else visit.score.parts
    given = parts.get(part, parts.get("avpu" if part == "acvpu" else part, 0))
    return given if isinstance(given, int) else _COLOURS.get(given, 0)


def _score(visit: TrendVisit, hub: Hub) -> Part:
    score = visit.score
    if visit.purged or score is None:
        return Part(_cell("--"), theme.GREY)
    if score.total is None and score.trigger is None:
        return Part(_cell(hub.say("score.incomplete")), theme.GREY)
    name = score.rule.upper()
    words = name if score.total is None else f"{name} {score.total}"
    grave = score.band in {"high", "alert", "trigger"}
    return Part(_cell(words), _ALARM if grave else "bold")


def _cell(words: str) -> str:
    """So wide that columns stand one under the other; a number is never cut."""
    return words + " " * max(1, _COLUMN - 2 - cell_len(words))


class HistoryScreen(QafilaScreen):
    """A patient's visits beside one another."""

    KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("↑↓", "key.scroll"),
        ("Esc", "key.back"),
        ("F1", "key.help"),
        ("F9", "key.lock"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(escape="leave", f1="app.help", f9="app.lock", f3="app.stop_cuff"),
        *keys(down="older(1)", up="older(-1)"),
    ]
    DEFAULT_CSS: ClassVar[str] = "HistoryScreen #chart { height: 1fr; padding: 0 1; }"

    def __init__(self, hub: Hub, patient: PatientShown) -> None:
        super().__init__(hub)
        self.header.patient = patient
        self._patient = patient
        self._trend: Trend | None = None
        self._first = 0

    def body(self) -> ComposeResult:
        yield Static("", id="chart", markup=False)
        yield Static("", id="below", classes="label", markup=False)

    def on_mount(self) -> None:
        self.read()

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    async def resumed(self) -> None:
        self.read()

    @work(exclusive=True, group="read")
    async def read(self) -> None:
        """Ask for the visits; the look is written to the audit trail."""
        patient, agent = str(self._patient.patient), self.hub.agent
        self._trend = await self.ask(lambda: agent.call("patient.trend", Trend, patient=patient))
        self._show()

    def action_older(self, by: int) -> None:
        count = 0 if self._trend is None else len(self._trend.visits)
        self._first = max(0, min(count - 1, self._first + by))
        self._show()

    def action_leave(self) -> None:
        self.app.pop_screen()

    def _show(self) -> None:
        if self._trend is None or not self.query("#chart"):
            return
        say, view = self.hub.say, self.query_one("#chart", Static)
        if self._trend.visits:
            size = view.content_size
            lines = chart(self._trend, self.hub, size.width, max(5, size.height), self._first)
            view.update(content(lines))
        else:
            view.update(say("history.none"))
        count = len(self._trend.visits)
        words = say("history.below", n=count, first=min(self._first + 1, count))
        self.query_one("#below", Static).update(f"{words}\n{say('history.older')}")
