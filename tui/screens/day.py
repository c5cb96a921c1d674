"""The end of the day: what is still to do, what has not left, then the store closes and the box may rest."""

from collections.abc import Sequence
from typing import ClassVar, Final, NamedTuple

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message as TextualMessage
from textual.widgets import Static

from edge.errors import QafilaError
from edge.localapi.answers import Status
from edge.localapi.shapes import Nothing
from tui import theme
from tui.hub import Hub
from tui.replies import late
from tui.screens.base import QafilaScreen, keys
from tui.screens.confirm import Confirm
from tui.screens.patients import entered_on
from tui.widgets.flow import Part, content, flow

_LOOK_EVERY_S: Final = 1.0


class Day(NamedTuple):
    """What a look at the unit tells.

    Attributes:
        patients: entered today, and how many of them the centre has wholly.
        tray: readings that belong to nobody.
    """

    patients: int
    received: int
    visit_open: bool
    tray: int


class DayScreen(QafilaScreen):
    """A list of what should be done before the day is over; nothing but an open visit stands in the way."""

    KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("F12", "key.close-day"),
        ("F5", "key.sync-now"),
        ("Esc", "key.back"),
        ("F1", "key.help"),
        ("F9", "key.lock"),
        ("F10", "key.menu"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(f12="close", f5="now", escape="back", f1="app.help", f9="app.lock", f10="app.leave"),
        *keys(f3="app.stop_cuff"),
    ]
    DEFAULT_CSS: ClassVar[str] = """
    DayScreen #list { height: 1fr; padding: 1 1; }
    """

    class Closed(TextualMessage):
        """The store was told to close."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self._day: Day | None = None
        self._list = Static("", id="list", markup=False)

    def body(self) -> ComposeResult:
        yield self._list

    def on_mount(self) -> None:
        self.read()

    async def resumed(self) -> None:
        self.read()

    def tick(self) -> None:
        super().tick()
        self._list.update(
            content([line for parts in self.lines() for line in flow(parts, self.size.width - 2)])
        )

    @property
    def _cares(self) -> bool:
        person = self.hub.situation.person
        return person is not None and person.role != "technician"

    @work(exclusive=True, group="read")
    async def read(self) -> None:
        """Ask what there is; each look at patients is written to the audit trail."""
        agent = self.hub.agent
        status = await self.ask(agent.status)
        if status is None:
            return
        if not self._cares:
            self._day = Day(-1, -1, status.visit_open, -1)
            return
        people = await self.ask(agent.patients)
        tray = None if people is None else await self.ask(agent.tray)
        if people is None or tray is None:
            return
        today = [each for each in people.patients if entered_on(self.hub, each) == self.hub.today()]
        self._day = Day(
            len(today),
            sum(each.state == "received" for each in today),
            status.visit_open,
            len({each.reading for each in tray.observations}),
        )

    def lines(self) -> list[list[Part]]:
        """What stands on the screen, a line of parts each."""
        say, situation, day = self.hub.say, self.hub.situation, self._day
        title = [[Part(say("day.title"), "bold")], [Part("")]]
        if day is None:
            return [*title, [Part(say("day.looking"), theme.LABEL)]]
        made = [_done(not day.visit_open, say("day.no-visit"), say("day.visit-open"))]
        if self._cares:
            made += [
                _done(not day.tray, say("day.tray-empty"), say("day.tray", n=day.tray)),
                _done(not situation.unread, say("day.all-read"), say("day.unread", n=situation.unread)),
            ]
            waiting = len(situation.asked)
            overdue = late(situation.asked, situation.wall_now_ms(self.hub.now_s()))
            made.append(
                _done(not waiting, say("day.all-answered"), say("day.asked", n=waiting, late=overdue))
            )
        queued, urgent = situation.queued, situation.queued_alerts
        made.append(_done(not queued, say("day.all-arrived"), say("day.queued", n=queued, urgent=urgent)))
        waves = situation.waves
        if waves is not None and waves[1]:
            made.append(_done(False, "", say("day.waves", n=waves[1] - waves[0])))  # noqa: FBT003  it reads as it is
        if self._cares:
            made += [[Part("")], [Part(say("day.patients", n=day.patients, received=day.received))]]
        return [*title, *made, [Part("")], [Part(say("day.what"), theme.LABEL)]]

    @work(exclusive=True, group="now")
    async def action_now(self) -> None:
        """Have the uplink try at once; the list says what comes of it."""
        self.notice.tell("")
        if await self.ask(lambda: self.hub.agent.call("sync.now", Nothing)) is not None:
            self.notice.tell(self.hub.say("sync.tried"))
            self.read()

    async def action_close(self) -> None:
        """Not while a visit is open; otherwise say what remains, and ask once."""
        say, day = self.hub.say, self._day
        if day is None:
            return
        if day.visit_open:
            self.notice.tell(say("day.close-visit-first"))
            return
        left = [parts[0].text for parts in self.lines() if parts[0].text.startswith("▲")]
        lines = [say("day.nothing-left" if not left else "day.left"), *left, say("day.stays")]

        def answered(yes: bool | None) -> None:
            if yes:
                self._close()

        await self.app.push_screen(
            Confirm(self.hub, say("day.confirm"), lines, say("key.yes-close-day")), answered
        )

    @work(exclusive=True, group="close")
    async def _close(self) -> None:
        """Visits may have begun at another seat since: the agent says whether one is open now."""
        status = await self.ask(self.hub.agent.status)
        if status is None:
            return
        if status.visit_open:
            self.notice.tell(self.hub.say("day.close-visit-first"))
            self.read()
            return
        if await self.ask(lambda: self.hub.agent.call("lock", Nothing)) is not None:
            self.post_message(self.Closed())

    def action_back(self) -> None:
        self.app.pop_screen()


class OffScreen(QafilaScreen):
    """After the day was closed: whether the box may be switched off, as the agent says it now."""

    KEYS: ClassVar[Sequence[tuple[str, str]]] = (("Enter", "key.go-on"), ("F10", "key.quit"))
    BINDINGS: ClassVar[list[BindingType]] = keys(enter="back", escape="back", f10="app.leave", f1="app.help")
    DEFAULT_CSS: ClassVar[str] = """
    OffScreen > #middle { align: center middle; height: 1fr; }
    OffScreen .box { width: 100%; max-width: 70; }
    """

    def __init__(self, hub: Hub, queued: int) -> None:
        super().__init__(hub)
        self._queued = queued
        self._asked_s = float("-inf")
        self._status: Status | None = None
        self._words = Static("", id="words", markup=False)

    def body(self) -> ComposeResult:
        with Vertical(id="middle"), Vertical(classes="box") as box:
            box.border_title = self.hub.say("off.title")
            yield self._words

    def tick(self) -> None:
        super().tick()
        say = self.hub.say
        status = self._status if self.hub.situation.connected else None
        safe = status is not None and status.locked and not status.visit_open and status.problem is None
        lines = [say("off.safe") if safe else say("off.not-yet"), ""]
        lines += [say("off.safe-what") if safe else say("off.not-yet-what")]
        lines += [say("off.queued", n=self._queued)] if self._queued else []
        self._words.update("\n".join(lines))
        if self.hub.now_s() - self._asked_s >= _LOOK_EVERY_S:
            self._asked_s = self.hub.now_s()
            self._look()

    @work(exclusive=True, group="off")
    async def _look(self) -> None:
        try:
            self._status = await self.hub.agent.status()
        except QafilaError:
            self._status = None

    def action_back(self) -> None:
        self.app.pop_screen()


def _done(done: bool, yes: str, no: str) -> list[Part]:
    """A line that is done, or what is left of it."""
    return [Part(f"✓ {yes}", theme.HEART)] if done else [Part(f"▲ {no}", theme.NOTICE)]
