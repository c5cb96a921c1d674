"""The application: keeps in touch with the agent, and decides which screen is on top."""

import asyncio
import contextlib
import secrets
import signal
import time
from collections.abc import Callable
from typing import Any, ClassVar, Final

from rich.segment import Segment, Segments
from textual import events, on, work
from textual.app import App
from textual.binding import BindingType
from textual.filter import ANSIToTruecolor

from edge.errors import QafilaError
from edge.i18n.catalogue import Catalogue, load
from edge.localapi.answers import SignedIn
from edge.localapi.client import AgentUnreachable
from edge.localapi.events import SavedEvent
from edge.localapi.expertise import InboxEvent, InboxList, Requests
from edge.localapi.shapes import Message, PatientShown
from edge.ports.caller import CallRefused
from tui import theme
from tui.agent import TOPICS, WAVES, Agent
from tui.arabic import ArabicFilter
from tui.crash import crash_page
from tui.glyphs import Level, LevelFilter
from tui.hub import Hub
from tui.screens.base import QafilaScreen
from tui.screens.capture import CaptureScreen
from tui.screens.confirm import Confirm, Help
from tui.screens.day import DayScreen, OffScreen
from tui.screens.expected import ExpectedScreen
from tui.screens.inbox import InboxScreen
from tui.screens.menu import OF_CARE, OF_TECHNICIANS, Menu
from tui.screens.patients import PatientsScreen
from tui.screens.settings import SettingsScreen
from tui.screens.sign_in import SignInScreen
from tui.screens.sync import SyncScreen
from tui.screens.technician import TechnicianScreen

_TICK_S: Final = 0.2
_AGAIN_S: Final = 0.3
"""Pause between two attempts to reach the agent."""
_LOOK_EVERY_S: Final = 2.0
"""How often the unit is looked at while nobody is signed in, so that nothing else tells of it."""
_DEVICES_EVERY_S: Final = 60.0
"""The same while somebody is: what events tell anyhow, in case one was not understood."""
_MOUNTED_WITHIN_S: Final = 5.0
"""Longest wait of a key for a new screen, which on a busy machine takes some tenths of a second."""
_LOOK_AGAIN_S: Final = 0.01
_TECHNICAL_TOPICS: Final = ("streams", "devices", "link")
_TELL_EVERY_S: Final = 15.0
"""How often at most the agent is told that somebody is at the keys; it counts from the last time."""


_LOCKED: Final = {"locked": "store-locked", "screen-locked": "screen-locked"}
"""Why the PIN is asked again, by the agent's event."""


class QafilaApp(App[None], inherit_bindings=False):
    """The nurse's terminal.

    Args:
        agent: what is asked.
        say: the language.
        level: what the terminal can draw.
        waves: whether live waves are followed.
        shapes_arabic: whether Arabic is joined and reordered here, and not by the terminal.
        person: who is signed in at once, as user and PIN; for a training screen only.
        now_s: a clock for measuring.
        first: makes the screen shown once somebody is signed in.
    """

    ENABLE_COMMAND_PALETTE: ClassVar[bool] = False
    BINDINGS: ClassVar[list[BindingType]] = []
    CSS: ClassVar[str] = theme.CSS
    TITLE = "Qafila"

    def __init__(
        self,
        agent: Agent,
        say: Catalogue,
        level: Level = Level.BRAILLE,
        *,
        waves: bool = True,
        shapes_arabic: bool = True,
        person: tuple[str, str] | None = None,
        now_s: Callable[[], float] = time.monotonic,
        first: Callable[[Hub], QafilaScreen] = PatientsScreen,
    ) -> None:
        super().__init__()
        self.hub = Hub(agent, say, level, now_s, waves=waves)
        self.register_theme(theme.THEME)
        self.theme = "qafila"
        self._first = first
        self._shapes_arabic = shapes_arabic
        self._person = person
        self._user = ""
        self._was_signed_in = False
        self._touched_s = self._told_s = self._looked_s = now_s()
        # No colour of ours is one of the sixteen ANSI ones, and looking for them in each segment costs.
        self._filters = [each for each in self._filters if not isinstance(each, ANSIToTruecolor)]
        self._draw_as_chosen()

    def _draw_as_chosen(self) -> None:
        ours = [ArabicFilter(begins_right=self.hub.say.language == "ar")] if self._shapes_arabic else []
        levels = [LevelFilter(self.hub.level)] if self.hub.level is not Level.BRAILLE else []
        others = [each for each in self._filters if not isinstance(each, ArabicFilter | LevelFilter)]
        self._filters = [*others, *ours, *levels]

    async def on_mount(self) -> None:
        self._end_on_signals()
        await self.push_screen(SignInScreen(self.hub))
        self.set_interval(_TICK_S, self.tick)
        self.keep_in_touch()

    def tick(self) -> None:
        """Show what holds now on every screen, the covered ones too; cover them when nobody is there."""
        situation = self.hub.situation
        if situation.person is not None and self.hub.now_s() - self._touched_s >= situation.screen_lock_s:
            self._lock("screen-locked")
        every_s = _LOOK_EVERY_S if situation.person is None else _DEVICES_EVERY_S
        if situation.connected and self.hub.now_s() - self._looked_s >= every_s:
            self._looked_s = self.hub.now_s()
            self._look()
        for screen in self.screen_stack:
            if isinstance(screen, QafilaScreen) and screen.is_mounted:
                screen.tick()

    # ── the agent ───────────────────────────────────────────────────────────────────────────────

    @work(exclusive=True, group="touch")
    async def keep_in_touch(self) -> None:
        """Stay connected; when the agent goes away, say so at once and wait for it."""
        situation = self.hub.situation
        while True:
            try:
                async with self.hub.agent.connected() as events:
                    situation.connected = True
                    situation.greet(await self.hub.agent.status(), self.hub.now_s())
                    self._greeted()
                    async for name, message in events:
                        self._heard(name, message)
            except (AgentUnreachable, CallRefused):
                pass  # whatever ended it: connect again, sign in again, look again
            situation.lost(self.hub.now_s())
            self.tick()
            await asyncio.sleep(_AGAIN_S)

    @work(exclusive=True, group="inbox")
    async def _look_at_inbox(self) -> None:
        """What came and what should have come, for the header of whoever may read it."""
        person = self.hub.situation.person
        if person is None or person.role == "technician":
            return
        call = self.hub.agent.call
        with contextlib.suppress(QafilaError):  # the inbox itself says what is wrong
            asked = await call("request.list", Requests, waiting=True)
            came = await call("inbox.list", InboxList)
            self.hub.situation.take_inbox(came.unread, list(asked.requests))

    @work(exclusive=True, group="look")
    async def _look(self) -> None:
        with contextlib.suppress(QafilaError):  # whoever keeps in touch says that it has gone
            status = await self.hub.agent.status()
            situation = self.hub.situation
            if situation.person is None:
                situation.greet(status, self.hub.now_s())  # its header would grow old
            else:
                situation.look_at_devices(status)

    def _greeted(self) -> None:
        if self._was_signed_in:
            self.sign_in_again("agent-back")
        self.tick()
        if self._person is not None:
            person, self._person = self._person, None  # once: whoever comes back types a PIN
            self._sign_in_at_once(*person)

    def _heard(self, name: str, message: Message) -> None:
        self.hub.situation.hear(message, self.hub.now_s())
        if name in _LOCKED:
            self.sign_in_again(_LOCKED[name])
            return
        if name == "glass-whole":
            self._glass_is_whole()
            return
        if isinstance(message, InboxEvent) or (isinstance(message, SavedEvent) and message.what == "request"):
            self._look_at_inbox()
        for screen in self.screen_stack:
            if isinstance(screen, QafilaScreen) and screen.is_mounted:
                screen.heard(message)

    # ── sessions ────────────────────────────────────────────────────────────────────────────────

    def sign_in_again(self, reason: str) -> None:
        """Ask for a PIN above whatever is shown."""
        self.hub.situation.person = self.hub.situation.glass_until_s = None
        self._was_signed_in = False
        if not self._asking():
            self.push_screen(SignInScreen(self.hub, reason=reason, user=self._user))

    def _asking(self) -> list[SignInScreen]:
        return [screen for screen in self.screen_stack if isinstance(screen, SignInScreen)]

    @on(SignInScreen.Done)
    async def signed_in(self, event: SignInScreen.Done) -> None:
        """Follow events, uncover what was shown, or begin with what the person may see."""
        if not await self._follow(event.person):
            for asking in self._asking():
                asking.ask_again()
            return
        self._user, self._was_signed_in = event.person.user, True
        self._touched_s = self._told_s = self.hub.now_s()
        while isinstance(self.screen, SignInScreen | Help | Confirm):
            await self.pop_screen()
        shown = [screen for screen in self.screen_stack if isinstance(screen, QafilaScreen)]
        technical = event.person.role == "technician"
        if not shown or technical is not isinstance(shown[0], TechnicianScreen):
            await self._begin(TechnicianScreen(self.hub) if technical else self._first(self.hub))
            self._look_at_inbox()
            return
        for screen in shown:
            await screen.resumed()
        self._look_at_inbox()

    async def _follow(self, person: SignedIn) -> bool:
        """Have the agent tell what this person may hear."""
        hub = self.hub
        topics = [*TOPICS, WAVES] if hub.waves else list(TOPICS)
        try:
            await hub.agent.subscribe(_TECHNICAL_TOPICS if person.role == "technician" else topics)
            hub.situation.greet(await hub.agent.status(), hub.now_s())
        except QafilaError:
            return False
        hub.situation.person = person
        self._looked_s = hub.now_s()
        return True

    async def _begin(self, screen: QafilaScreen) -> None:
        """Show this and nothing else: what another person saw is no longer there, covered or not."""
        self.hub.drafts.clear()
        while len(self.screen_stack) > 1:
            await self.pop_screen()
        await self.push_screen(screen)

    # ── an emergency ────────────────────────────────────────────────────────────────────────────

    @on(TechnicianScreen.Entered)
    async def glass_broken(self, event: TechnicianScreen.Entered) -> None:
        """Show patients to a technician, for as long as the agent does."""
        person = self.hub.situation.person
        if person is None:
            return  # locked meanwhile, and so over
        acting = person.model_copy(update={"role": "nurse"})
        if await self._follow(acting):
            self.hub.situation.glass_until_s = event.broken.since_s + event.broken.minutes * 60
            await self._begin(self._first(self.hub))
            self._look_at_inbox()

    @work(exclusive=True, group="glass")
    async def _glass_is_whole(self) -> None:
        """Take patients off the screen first; then follow again what a technician may hear."""
        situation, person = self.hub.situation, self.hub.situation.person
        situation.glass_until_s = None
        if person is None:
            return
        own = person.model_copy(update={"role": "technician"})
        await self._begin(TechnicianScreen(self.hub, over=True))
        if not await self._follow(own):
            self.sign_in_again("agent-back")

    @work
    async def _sign_in_at_once(self, user: str, pin: str) -> None:
        try:
            person = await self.hub.agent.sign_in(user, pin)
        except QafilaError:
            return  # then a person has to
        await self.signed_in(SignInScreen.Done(person))

    async def on_event(self, event: events.Event) -> None:
        """Note that somebody is there, then let the event go its way, to a screen that can take it."""
        if isinstance(event, events.InputEvent | events.Paste):
            self._touched_s = self.hub.now_s()
            if self.hub.situation.person is not None and self._touched_s - self._told_s >= _TELL_EVERY_S:
                self._told_s = self._touched_s
                self._tell_present()
            await self._ready()
        await super().on_event(event)

    async def _ready(self) -> None:
        """Wait until the screen on top has its lines: a key that comes before would be lost, or worse."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_MOUNTED_WITHIN_S):
                while self.screen_stack and not self.screen.is_mounted:  # noqa: ASYNC110  it has no public event
                    await asyncio.sleep(_LOOK_AGAIN_S)

    @work
    async def _tell_present(self) -> None:
        with contextlib.suppress(QafilaError):  # what is wrong shows where something is asked for
            await self.hub.agent.present()

    # ── keys ────────────────────────────────────────────────────────────────────────────────────

    def action_help(self) -> None:
        self.push_screen(Help(self.hub))

    def action_lock(self) -> None:
        """Cover the screen; measuring goes on."""
        self._lock("locked-here")

    def _lock(self, reason: str) -> None:
        """Cover at once, or what is typed behind the key that locks would go to a patient's screen."""
        self.sign_in_again(reason)
        self._sign_out()

    @work
    async def _sign_out(self) -> None:
        with contextlib.suppress(QafilaError):  # an agent that is gone has no session either
            await self.hub.agent.sign_out()

    def action_stop_cuff(self) -> None:
        """Whatever is on top of the visit: an arm does not wait for a window to be closed."""
        for screen in self.screen_stack:
            if isinstance(screen, CaptureScreen):
                screen.stop_cuffs()

    def action_leave(self) -> None:
        """To the menu; with nobody signed in, there is nothing but to leave."""
        person = self.hub.situation.person
        if person is None or isinstance(self.screen, SignInScreen | OffScreen):
            self._quit()
            return
        entries = OF_TECHNICIANS if person.role == "technician" else OF_CARE
        self.push_screen(Menu(self.hub, entries), self._chosen)

    def _chosen(self, name: str | None) -> None:
        """Go where the menu says, above the screen that was there."""
        hub = self.hub
        screens: dict[str, Callable[[], QafilaScreen]] = {
            "inbox": lambda: InboxScreen(hub),
            "expected": lambda: ExpectedScreen(hub, self._entered),
            "sync": lambda: SyncScreen(hub),
            "settings": lambda: SettingsScreen(hub),
            "day": lambda: DayScreen(hub),
        }
        if name == "quit":
            self._quit()
        elif name is not None:
            self.push_screen(screens[name]())

    def _entered(self, patient: PatientShown) -> None:
        """Somebody whom the centre expected is a patient here now: begin their visit from the list."""
        lists = [screen for screen in self.screen_stack if isinstance(screen, PatientsScreen)]
        for screen in lists[:1]:
            while self.screen is not screen:
                self.pop_screen()
            screen.open_visit_of(patient)

    @on(SettingsScreen.Chosen)
    async def settings_chosen(self, event: SettingsScreen.Chosen) -> None:
        """From now on in this language and with these characters; every screen is made anew."""
        hub, person = self.hub, self.hub.situation.person
        if person is None:
            return
        hub.say, hub.level = load(event.language), event.level
        self._draw_as_chosen()
        technical = person.role == "technician"
        await self._begin(TechnicianScreen(hub) if technical else self._first(hub))

    @on(DayScreen.Closed)
    def day_closed(self) -> None:
        """Cover everything, and say above it whether the box may be switched off."""
        queued = self.hub.situation.queued
        self.sign_in_again("store-locked")
        self.push_screen(OffScreen(self.hub, queued))

    def _quit(self) -> None:
        say = self.hub.say

        def answered(yes: bool | None) -> None:
            if yes:
                self.exit()

        lines = [say("quit.question"), say("quit.what-stays")]
        self.push_screen(Confirm(self.hub, say("quit.title"), lines, say("key.yes-quit")), answered)

    # ── the end ─────────────────────────────────────────────────────────────────────────────────

    def _end_on_signals(self) -> None:
        """SIGTERM and SIGHUP end the screen so that the terminal is left as it was found."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._end, number)

    def _end(self, number: int) -> None:
        self.exit(return_code=128 + number)

    def panic(self, *renderables: Any) -> None:  # noqa: ANN401  Textual's own signature
        """Whatever was to be shown may hold patient data: only that there was a fault is said."""
        del renderables
        self._fatal_error()

    def _fatal_error(self) -> None:
        """Leave a page without values instead of Textual's traceback, which prints local variables."""
        lines = crash_page(self.hub.say, self._exception, secrets.token_hex(3).upper())
        self._exit_renderables[:] = [Segments([Segment("\n".join(lines) + "\n")])]  # one page, the last
        self._close_messages_no_wait()
