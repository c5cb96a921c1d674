"""The records of a visit: what, from where, and how far each has come, in words and a symbol."""

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len

from tui import theme
from tui.hub import Hub
from tui.monitor import NOTHING
from tui.records import SYMBOLS, Row
from tui.widgets.flow import Part, shortened
from tui.widgets.scroller import Entry, Scroller

_VALUE: Final = f"bold {theme.WHITE}"
_LEAST_SOURCE: Final = 6
_STATE_COLOURS: Final = {
    "saved": theme.WHITE,
    "sent": theme.NOTICE,
    "arrived": theme.OXYGEN,
    "received": theme.HEART,
}


def row_lines(row: Row, hub: Hub, width: int) -> list[list[Part]]:
    """A row on as many lines as it needs; of a source that is too long the end is cut, and nothing else."""
    state = f"{SYMBOLS[row.state]} {hub.say(f'state.{row.state}')}"
    time = when(row, hub)
    indent = " " * len(time)
    sources = [_source(row, hub), *([row.device] if row.device else [])]
    values = [value_words(part, row.missing, hub) for part in row.parts]
    if row.corrected:
        values = [f"[{hub.say('records.corrected')}] {value}" for value in values]
    room = max(1, width - len(time) - 1)
    lines: list[str] = []
    for value in values:
        joined = f"{lines[-1]}  {value}" if lines else value
        if lines and cell_len(joined) <= room - cell_len(state) - 2:
            lines[-1] = joined
        else:
            lines.append(value)
    style = theme.LABEL if row.corrected else _VALUE
    made = [[Part(f"{time if n == 0 else indent} {line}", style)] for n, line in enumerate(lines)]
    free = width - len(time) - 1 - cell_len(lines[-1]) - cell_len(state) - 4 if lines else 0
    source = next((each for each in sources if cell_len(each) <= free), None)
    if source is not None:
        made[-1].append(Part(source.ljust(free), theme.LABEL))
    else:  # a line of their own: of six oximeters it has to be said which
        room = max(0, width - cell_len(state) - 2)
        lead = f"{indent} " if room - len(indent) > _LEAST_SOURCE else ""
        made.append([Part(f"{lead}{shortened(sources[0], room - len(lead))}".ljust(room), theme.LABEL)])
    made[-1].append(Part(state, _STATE_COLOURS[row.state]))
    return made


def when(row: Row, hub: Hub) -> str:
    """When it was taken; of an old one the device's own time, and that it is old."""
    if not row.old:
        return f"{hub.local(row.wall_ms):%H:%M}"
    if row.taken is None:
        return hub.say("records.old", when=hub.say("records.no-time"))
    today = row.taken.date() == hub.today()
    return hub.say("records.old", when=f"{row.taken:%H:%M}" if today else f"{row.taken:%d/%m/%Y %H:%M}")


def value_words(part: tuple[str, str, str], missing: Sequence[str], hub: Hub) -> str:
    """A value with its name and unit, or why there is none."""
    code, value, unit = part
    label = hub.say(f"vital.{code}")
    coded = f"coded.{code}.{value}"
    if coded in hub.say.codes:
        return f"{label} {hub.say(coded)}"
    if value == NOTHING:
        reason = hub.say(f"missing.{missing[0]}") if missing else ""
        return f"{label} — ({reason})" if reason else f"{label} —"
    return f"{label} {hub.number(value)} {unit}".rstrip()


def _source(row: Row, hub: Hub) -> str:
    return hub.say(f"source.{row.source}") if row.device is None else f"{row.device} {_how(row, hub)}".strip()


def _how(row: Row, hub: Hub) -> str:
    return hub.say("source.simulated") if row.source == "simulated" else ""


class RecordList(Scroller):
    """The records of a visit, the latest first."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub, empty="records.none", id="records")
        self._rows: Sequence[Row] = ()

    def show(self, rows: Sequence[Row]) -> None:
        """Show these; whoever has moved down goes on seeing what they saw."""
        if self._first and self._rows:
            before = {row.reading for row in self._rows}
            self._first += sum(row.reading not in before for row in rows)
        self._rows = rows
        self.redraw()

    def heading(self) -> str:
        """See `Scroller`."""
        return self.hub.say("records.title", n=len(self._rows))

    def entries(self, width: int) -> Sequence[Entry]:
        """See `Scroller`."""
        return [row_lines(row, self.hub, width) for row in self._rows]
