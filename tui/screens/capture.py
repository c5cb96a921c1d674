"""The screen of a visit: what devices show now, what is stored, and how far it has come."""

from collections.abc import Sequence
from typing import ClassVar, Final
from uuid import UUID

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.timer import Timer
from textual.widgets import Static

from edge.errors import QafilaError
from edge.localapi.client import new_request_id
from edge.localapi.events import DeviceEvent, NotSavedEvent, ReadingEvent, SavedEvent, StreamsEvent, WaveEvent
from edge.localapi.shapes import ForkShown, Message, PatientShown
from edge.vitals.codes import Code
from tui.agent import full_name
from tui.device_book import DeviceBook
from tui.hub import Hub
from tui.monitor import Kind, Monitor
from tui.records import rows
from tui.screens.ask import AskScreen
from tui.screens.base import keys, uncovered
from tui.screens.by_hand import ByHandScreen
from tui.screens.confirm import Confirm
from tui.screens.cuff import ChooseCuff, Cuffs, Start, mode_for
from tui.screens.devices import MOVE_KEYS, DevicesScreen
from tui.screens.entry import Entry
from tui.screens.live_waves import LiveWaves
from tui.screens.tray import TrayScreen
from tui.tiers import Tier, tier_of
from tui.widgets.flow import content
from tui.widgets.record_list import RecordList
from tui.widgets.tile import plain_lines, words_of
from tui.widgets.tile_grid import Tiles
from tui.widgets.wave import FRAMES_PER_S

_OF_A_ROOMY_SCREEN: Final = (
    ("F5", "key.wave"),
    ("↑↓", "key.scroll"),
    ("Enter", "key.whole"),
    ("F7", "key.breaths"),
    ("F8", "key.state"),
    ("T", "key.tray"),
    ("F11", "key.expert"),
)
"""Keys for what the smallest layout has not, or has no room to name."""


class CaptureScreen(ByHandScreen):
    """One patient, one visit.

    Args:
        encounter: the visit that is open.
    """

    KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("Enter", "key.whole"),
        ("F4", "key.enter"),
        ("F7", "key.breaths"),
        ("F8", "key.state"),
        ("Space", "key.more"),
        ("F5", "key.wave"),
        ("F6", "key.devices"),
        ("T", "key.tray"),
        ("F11", "key.expert"),
        ("↑↓", "key.scroll"),
        ("F12", "key.close"),
        ("Esc", "key.patients"),
        ("F1", "key.help"),
        ("F9", "key.lock"),
        ("F10", "key.menu"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(
            escape="back", f2="back", f3="cuff", f4="enter", f5="wave", f6="devices", t="tray", f11="expert"
        ),
        *keys(f12="close", f1="app.help", f9="app.lock", f10="app.leave"),
        *keys(**MOVE_KEYS),
    ]
    DEFAULT_CSS: ClassVar[str] = """
    CaptureScreen #tiles { grid-rows: 6; }
    CaptureScreen #more { grid-rows: 2; }
    CaptureScreen #live { height: 1fr; layout: vertical; }
    CaptureScreen WaveView.-never { height: 1; }
    CaptureScreen RecordList { height: 6; dock: bottom; }
    CaptureScreen.-rows-3 RecordList { height: 5; }
    CaptureScreen.-rows-4 RecordList { height: 4; }
    CaptureScreen.medium RecordList { height: 7; }
    CaptureScreen.large RecordList { width: 56; height: 100%; dock: right; }
    CaptureScreen.-quiet RecordList { width: 100%; height: 100%; }
    CaptureScreen #numbers { display: none; padding: 0 1; }
    CaptureScreen.tiny #numbers { display: block; height: 1fr; }
    CaptureScreen.tiny #live, CaptureScreen.tiny Notice { display: none; }
    """

    def __init__(self, hub: Hub, patient: PatientShown, encounter: str) -> None:
        super().__init__(hub, patient, UUID(encounter))
        self.monitor = Monitor()
        self.tier = Tier.SMALL
        self.book = DeviceBook()
        self.cuffs = Cuffs(hub, self.monitor)
        self._tiles = Tiles(hub)
        self._records = RecordList(hub)
        self._numbers = Static("", id="numbers")
        self._waves = LiveWaves(hub, self._perfusion, self._shown_by)
        self._kinds: tuple[Kind, ...] = ()
        self._leaving = False
        self._asked_again = False
        self._frames: Timer | None = None

    def body(self) -> ComposeResult:
        yield from self._tiles
        yield self.score
        with Container(id="live"):  # no container more: each is drawn again wherever a wave moves
            yield self._records
            yield from self._waves.views.values()
        yield self._numbers

    def on_mount(self) -> None:
        self.set_class(not self.hub.waves, "-quiet")
        if self.hub.waves:
            self._frames = self.set_interval(1 / FRAMES_PER_S, self._waves.frame)
        self._lay_out()
        self.read()

    def on_resize(self) -> None:
        self._lay_out()

    def on_screen_resume(self) -> None:
        if self._frames is not None:
            self._frames.resume()
        self._waves.resume()

    def on_screen_suspend(self) -> None:
        if self._frames is not None:
            self._frames.pause()
        self._waves.pause()  # a box leaves them in sight, and what stands still must not look alive

    # ── news ────────────────────────────────────────────────────────────────────────────────────

    def heard(self, message: Message) -> None:
        match message:
            case WaveEvent():
                self._waves.take(message)
            case ReadingEvent():
                self.monitor.hear(message, self.hub.now_s())
                self.book.hear(message, self.hub.now_s())
                self._hear_cuff(message)
                self._show_numbers()
            case DeviceEvent():
                self._hear_cuff(message)
            case SavedEvent(what="wave"):
                pass  # every ten seconds, and nothing of it is on this screen
            case SavedEvent() if message.patient == self.patient.patient or message.what == "assignment":
                self.read()
            case StreamsEvent():
                self._show_records()
            case NotSavedEvent():
                sentence, next_step = self.hub.say.error(message.code, message.sentence, message.next)
                self.notice.tell(self.hub.say("capture.not-saved", why=f"{sentence} {next_step}"))
            case ForkShown():
                sentence, next_step = self.hub.say.error(message.reason, "")
                self.notice.tell(f"{sentence} {next_step}")
            case _:
                pass

    async def resumed(self) -> None:
        self.read()

    def tick(self) -> None:
        self.footer.set_keys(self.keys_now())
        super().tick()
        self._show_numbers()
        if self.score.over() and not self._asked_again:
            self._asked_again = True
            self.read()
        self._waves.tick()
        self._show_waves()

    @work(exclusive=True, group="read")
    async def read(self) -> None:
        """Ask for what is stored of the visit; each look is written to the audit trail."""
        visit = await self.ask(lambda: self.hub.agent.encounter(self.encounter))
        if visit is None:
            return
        if not visit.open and not self._leaving:
            self._leave()  # closed at another seat
            return
        self._asked_again = False
        self.observations = visit.observations
        now_s = self.hub.now_s()
        self.monitor.hold(visit.observations, now_s, self.hub.situation.wall_now_ms(now_s) or 0)
        self.book.hold(visit.observations)
        self.sitting = visit.sitting
        self.score.hold(visit.scores, asks_pregnancy=visit.asks_pregnancy)
        self._lay_out()
        self._show_records()

    # ── keys ────────────────────────────────────────────────────────────────────────────────────

    def action_back(self) -> None:
        self._leave()

    async def action_enter(self) -> None:
        await self.app.push_screen(Entry(self.hub, self.encounter, self.notice.tell))

    def action_wave(self) -> None:
        """In the small layout, show the other wave."""
        self._waves.choose_other()
        self._show_waves()

    def action_scroll(self, how: str) -> None:
        self._records.move(how)

    async def action_devices(self) -> None:
        await self.app.push_screen(DevicesScreen(self.hub, self.patient, self.book))

    async def action_cuff(self) -> None:
        """Stop what measures, else start a cuff; ask which and for whom where that is not plain."""
        if self.cuffs.measuring():
            self.stop_cuffs()
            return
        cuffs = self.cuffs.startable()
        mode = mode_for(self.patient, self.hub)
        if not cuffs:
            self.notice.tell(self.hub.say("cuff.none"))
        elif len(cuffs) == 1 and mode is not None:
            self._start_cuff(Start(cuffs[0], mode))
        else:
            await self.app.push_screen(ChooseCuff(self.hub, cuffs), self._start_cuff)

    def can_pump(self) -> bool:
        """See `ByHandScreen`."""
        return bool(self.cuffs.startable())

    def _start_cuff(self, chosen: Start | None) -> None:
        if chosen is not None:
            self.cuffs.begun(chosen.device)
            self.notice.tell(self.hub.say("cuff.asked", device=chosen.device))
            self._measure(chosen)

    @work(group="cuff")
    async def _measure(self, chosen: Start) -> None:
        """Its own words where it fails: somebody may have stopped it meanwhile."""
        say = self.hub.say
        try:
            await self.hub.agent.measure(chosen.device, chosen.mode)
        except QafilaError as error:
            self.cuffs.over(chosen.device)
            self.notice.tell(say("cuff.not-started", why=self.hub.trouble(error)))
            return
        if chosen.device in self.cuffs.measuring():
            mode = say(f"cuff.{chosen.mode}")
            self.notice.tell(say("cuff.started", device=chosen.device, mode=mode))

    def stop_cuffs(self) -> None:
        """Let the air out of every cuff that measures; each by itself, none waits for another."""
        for device in self.cuffs.measuring():
            self.notice.tell(self.hub.say("cuff.stopping", device=device))
            self._stop_cuff(device)

    @work(group="cuff")
    async def _stop_cuff(self, device: str) -> None:
        say = self.hub.say
        try:
            await self.hub.agent.stop(device)
        except QafilaError as error:
            self.notice.tell(say("cuff.not-stopped", device=device, why=self.hub.trouble(error)))
            return
        self.cuffs.over(device)
        self.notice.tell(say("cuff.stopped", device=device))

    def _hear_cuff(self, message: ReadingEvent | DeviceEvent) -> None:
        measured = set(self.cuffs.measuring())
        words = self.cuffs.hear(message)
        if words or measured - set(self.cuffs.measuring()):
            self.notice.tell(words)

    async def action_tray(self) -> None:
        await self.app.push_screen(TrayScreen(self.hub, self.patient, self.encounter))

    @work(exclusive=True, group="expert")
    async def action_expert(self) -> None:
        """Ask a specialist about this visit, with what is saved of it now."""
        visit = await self.ask(lambda: self.hub.agent.encounter(self.encounter))
        if visit is not None:
            await uncovered(self)
            await self.app.push_screen(AskScreen(self.hub, self.patient, visit, self.notice.tell))

    async def action_close(self) -> None:
        say = self.hub.say
        count = len(rows(self.observations, None))
        lines = [full_name(self.patient), self.hub.identifiers(self.patient), say("capture.count", n=count)]
        request = new_request_id()

        def answered(yes: bool | None) -> None:
            if yes:
                self._close(request)

        question = Confirm(self.hub, say("capture.close"), lines, say("key.yes-close"))
        await self.app.push_screen(question, answered)

    @work(exclusive=True, group="close")
    async def _close(self, request: str) -> None:
        self.notice.tell("")
        closed = await self.ask(lambda: self.hub.agent.close_encounter(request, self.encounter))
        if closed is not None:
            self._leave()

    def _leave(self) -> None:
        if not self._leaving and self.is_current:
            self._leaving = True
            self.app.pop_screen()

    def keys_now(self) -> list[tuple[str, str]]:
        """The keys that do something now."""
        cuff = ("F3", "key.cuff-stop" if self.cuffs.measuring() else "key.cuff")
        shown = [each for each in self.KEYS if self.tier is not Tier.TINY or each not in _OF_A_ROOMY_SCREEN]
        return [*([cuff] if self.cuffs.known() else []), *shown]

    # ── drawing ─────────────────────────────────────────────────────────────────────────────────

    def _lay_out(self) -> None:
        """Choose the layout for the terminal's size and the tiles there are."""
        self.tier = tier_of(self.app.size.width, self.app.size.height)
        for tier in Tier:
            self.set_class(tier is self.tier, tier.value)
        self._kinds = kinds = self.monitor.kinds()
        rows_ = self._tiles.lay_out(self.tier, self.app.size.width, kinds)
        self.set_class(self.tier is Tier.SMALL and rows_ == 3, "-rows-3")
        self.set_class(self.tier is Tier.SMALL and rows_ > 3, "-rows-4")
        self._show_waves()
        self._show_numbers()

    def _show_numbers(self) -> None:
        hub = self.hub
        now_s, present = hub.now_s(), hub.present
        kinds = self.monitor.kinds()
        if kinds != self._kinds:
            self._lay_out()
            return
        self.score.show(self.tier, self.app.size.width)
        tiles = [self.monitor.tile(kind, now_s) for kind in kinds]
        for tile in tiles:
            self._tiles.show(tile, present=present)
        if self.tier is Tier.TINY:
            size = self._numbers.content_size
            words = [(tile, words_of(tile, hub, present=present)) for tile in tiles]
            lines = plain_lines(words, size.width, size.height, present=present)
            self._numbers.update(content(lines), layout=False)

    def _show_records(self) -> None:
        self._records.show(rows(self.observations, self.hub.situation.streams.get("vitals")))

    def _show_waves(self) -> None:
        self._waves.lay_out(one=self.tier is Tier.SMALL)

    def _shown_by(self, code: Code) -> str | None:
        return self.monitor.shown_by(code, self.hub.now_s())

    def _perfusion(self) -> str:
        """Beside the pleth, while a sensor says it."""
        percent = self.monitor.perfusion(self.hub.now_s())
        return "" if percent is None else f"{self.hub.say('vital.pi')} {self.hub.number(percent)} %"
