"""The screen of a visit: what devices show now, what is stored, and how far it has come."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.timer import Timer
from textual.widgets import Static

from edge.localapi.client import new_request_id
from edge.localapi.events import NotSavedEvent, ReadingEvent, SavedEvent, StreamsEvent, WaveEvent
from edge.localapi.shapes import ForkShown, Message, ObservationShown, PatientShown
from tui import theme
from tui.agent import full_name
from tui.hub import Hub
from tui.monitor import Kind, Monitor
from tui.records import rows
from tui.screens.base import QafilaScreen, keys
from tui.screens.confirm import Confirm
from tui.screens.entry import Entry
from tui.screens.live_waves import LiveWaves
from tui.screens.tray import TrayScreen
from tui.tiers import Tier, tier_of
from tui.widgets.flow import Part, content
from tui.widgets.record_list import RecordList
from tui.widgets.tile import COLOURS, TileView, words_of
from tui.widgets.wave import FRAMES_PER_S


class CaptureScreen(QafilaScreen):
    """One patient, one visit.

    Args:
        encounter: the visit that is open.
    """

    KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("F4", "key.enter"),
        ("F5", "key.wave"),
        ("T", "key.tray"),
        ("F12", "key.close"),
        ("Esc", "key.patients"),
        ("F1", "key.help"),
        ("F9", "key.lock"),
        ("F10", "key.quit"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(escape="back", f2="back", f4="enter", f5="wave", t="tray", f12="close"),
        *keys(f1="app.help", f9="app.lock", f10="app.leave"),
    ]
    DEFAULT_CSS: ClassVar[str] = """
    CaptureScreen #tiles { height: auto; layout: grid; grid-size: 3; grid-rows: 2; grid-gutter: 0; }
    CaptureScreen.-four #tiles { grid-size: 4; }
    CaptureScreen.medium #tiles, CaptureScreen.large #tiles { grid-rows: 6; grid-size: 4; }
    CaptureScreen.medium #tiles, CaptureScreen.large #tiles { grid-columns: 4fr 3fr; }
    CaptureScreen.medium.-five #tiles, CaptureScreen.large.-five #tiles {
        grid-size: 5; grid-columns: 9fr 5fr 5fr 5fr 5fr;
    }
    CaptureScreen.medium.-four #tiles, CaptureScreen.large.-four #tiles {
        grid-size: 4; grid-columns: 7fr 5fr 5fr 5fr;
    }
    CaptureScreen #live { height: 1fr; layout: vertical; }
    CaptureScreen WaveView.-never { height: 1; }
    CaptureScreen RecordList { height: 6; dock: bottom; }
    CaptureScreen.medium RecordList { height: 7; }
    CaptureScreen.large RecordList { width: 56; height: 100%; dock: right; }
    CaptureScreen.-quiet RecordList { width: 100%; height: 100%; }
    CaptureScreen #numbers { display: none; padding: 0 1; }
    CaptureScreen.tiny #numbers { display: block; height: 1fr; }
    CaptureScreen.tiny #tiles, CaptureScreen.tiny #live, CaptureScreen.tiny Notice { display: none; }
    """

    def __init__(self, hub: Hub, patient: PatientShown, encounter: str) -> None:
        super().__init__(hub)
        self.header.patient = patient
        self.patient = patient
        self.encounter = UUID(encounter)
        self.monitor = Monitor()
        self.tier = Tier.SMALL
        self._observations: Sequence[ObservationShown] = ()
        self._tiles = {kind: TileView(hub, kind) for kind in Kind}
        self._records = RecordList(hub)
        self._numbers = Static("", id="numbers")
        self._waves = LiveWaves(hub, self._perfusion)
        self._kinds: tuple[Kind, ...] = ()
        self._leaving = False
        self._frames: Timer | None = None

    def body(self) -> ComposeResult:
        with Container(id="tiles"):
            yield from self._tiles.values()
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
                self._show_numbers()
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
        super().tick()
        self._show_numbers()
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
        self._observations = visit.observations
        now_s = self.hub.now_s()
        self.monitor.hold(visit.observations, now_s, self.hub.situation.wall_now_ms(now_s) or 0)
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

    async def action_tray(self) -> None:
        await self.app.push_screen(TrayScreen(self.hub, self.patient, self.encounter))

    async def action_close(self) -> None:
        say = self.hub.say
        count = len(rows(self._observations, None))
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

    # ── drawing ─────────────────────────────────────────────────────────────────────────────────

    def _lay_out(self) -> None:
        """Choose the layout for the terminal's size and the tiles there are."""
        self.tier = tier_of(self.app.size.width, self.app.size.height)
        for tier in Tier:
            self.set_class(tier is self.tier, tier.value)
        self._kinds = kinds = self.monitor.kinds()
        for kind, tile in self._tiles.items():
            tile.display = kind in kinds
        roomy = self.tier in {Tier.MEDIUM, Tier.LARGE} or self.app.size.width >= 80
        self.set_class(len(kinds) == 4 and roomy, "-four")
        self.set_class(len(kinds) == 5, "-five")
        self._show_waves()
        self._show_numbers()

    def _show_numbers(self) -> None:
        hub = self.hub
        now_s, present = hub.now_s(), hub.present
        kinds = self.monitor.kinds()
        if kinds != self._kinds:
            self._lay_out()
            return
        tiles = [self.monitor.tile(kind, now_s) for kind in kinds]
        for tile in tiles:
            self._tiles[tile.kind].show(tile, present=present)
        if self.tier is Tier.TINY:
            lines: list[list[Part]] = []
            for tile in tiles:
                words = words_of(tile, hub, present=present)
                grey = not present or tile.stale
                style = theme.GREY if grey else f"bold {COLOURS[tile.kind]}"
                lines.append([Part(f"{words.label} {words.value} {words.unit}", style), Part(words.note)])
            self._numbers.update(content(lines), layout=False)

    def _show_records(self) -> None:
        self._records.show(rows(self._observations, self.hub.situation.streams.get("vitals")))

    def _show_waves(self) -> None:
        self._waves.lay_out(one=self.tier is Tier.SMALL)

    def _perfusion(self) -> str:
        """Beside the pleth, while a sensor says it."""
        return ""
