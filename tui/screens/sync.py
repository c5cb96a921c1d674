"""What leaves the unit, how far it has come, what waits and why; and what the centre could not open."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from edge.localapi.events import StreamsEvent
from edge.localapi.shapes import Message, Nothing, StreamShown, Word
from edge.localapi.syncing import Quarantine, QuarantinedRange, TriedAgain
from tui import theme
from tui.hub import Hub
from tui.records import ORDER, SYMBOLS
from tui.screens.base import QafilaScreen, keys
from tui.screens.devices import MOVE_KEYS, link_words, place_words
from tui.widgets.flow import Part, flow
from tui.widgets.scroller import Entry, Scroller

_EVERY_S: Final = 1.0
_ORDER: Final[tuple[Word, ...]] = ("alert", "vitals", "doc", "wave", "audit")


def shares(stream: StreamShown) -> dict[str, int]:
    """How many entries of a stream are in each state; the first is its beginning and nobody's record."""
    tip, opened, landed, sent = (
        max(1, mark) - 1 for mark in (stream.tip, stream.opened, stream.landed, stream.sent)
    )
    landed, sent = max(landed, opened), max(sent, landed, opened)
    return {
        "saved": max(0, tip - sent),
        "sent": sent - landed,
        "arrived": landed - opened,
        "received": opened,
    }


class Streams(Scroller):
    """A line for each stream, then what is in quarantine, then what was not believed."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub, empty="sync.unknown", id="streams")
        self.ranges: Sequence[QuarantinedRange] = ()
        self.refusals: Mapping[str, int] = {}
        self._drawn_s = float("-inf")

    def tick(self) -> None:
        """Show what holds now, once a second."""
        if self.hub.now_s() - self._drawn_s >= _EVERY_S:
            self._drawn_s = self.hub.now_s()
            self.redraw()

    def heading(self) -> str:
        """See `Scroller`."""
        return self.hub.say("sync.title")

    def entries(self, width: int) -> Sequence[Entry]:
        """See `Scroller`."""
        hub, say = self.hub, self.hub.say
        made: list[list[Part]] = []
        style = f"bold {theme.WHITE}" if hub.present else theme.GREY
        for word in _ORDER:
            stream = hub.situation.streams.get(word)
            if stream is None:
                continue
            of = shares(stream)
            parts = [Part(say(f"stream.{word}").ljust(13), style)]
            parts += [
                Part(
                    f"{SYMBOLS[state]} {say(f'state.{state}')} {of[state]}", "" if of[state] else theme.LABEL
                )
                for state in ORDER
            ]
            if stream.stopped:
                parts.append(Part(f" {say('header.stopped')} ", theme.NOTICE))
            made.append(parts)
        for each in self.ranges:
            what = say("sync.range", stream=say(f"stream.{each.stream}"), first=each.first, last=each.last)
            made.append([Part(what, theme.NOTICE), Part(say(f"sync.why.{each.reason}"))])
        for code, count in sorted(self.refusals.items()):
            family = "down-refused" if code.startswith("down-") else "receipt-refused"
            sentence, _ = say.error(code, "")
            sentence = sentence or say.error(family, code)[0]
            made.append(
                [Part(say("sync.refused", n=count), theme.NOTICE), Part(sentence), Part(code, theme.LABEL)]
            )
        return [flow(parts, width) for parts in made]


class SyncScreen(QafilaScreen):
    """The link, the streams, and the two keys that may help."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(**MOVE_KEYS),
        *keys(escape="back", f5="now", f8="retry", f1="app.help", f9="app.lock", f10="app.leave"),
        *keys(f3="app.stop_cuff"),
    ]
    DEFAULT_CSS: ClassVar[str] = """
    SyncScreen Streams { height: 1fr; }
    SyncScreen #above { height: auto; padding: 0 1; }
    """

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self._above = Static("", id="above", markup=False)
        self._words = ""
        self._marks = hub.situation.marks(*_ORDER)
        self._streams = Streams(hub)

    def body(self) -> ComposeResult:
        yield self._above
        yield self._streams

    def on_mount(self) -> None:
        self.read()

    async def resumed(self) -> None:
        self.read()

    def heard(self, message: Message) -> None:
        marks = self.hub.situation.marks(*_ORDER)
        if isinstance(message, StreamsEvent) and marks != self._marks:
            self._marks = marks
            self.read()

    def tick(self) -> None:
        self.footer.set_keys(self.keys_now())
        super().tick()
        hub = self.hub
        words = f"{self._link()}{link_words(hub)}\n{place_words(hub)}"
        if words != self._words:
            self._words = words
            self._above.update(words)
        self._streams.tick()

    def keys_now(self) -> list[tuple[str, str]]:
        """The keys that do something now."""
        person = self.hub.situation.person
        technical = person is not None and person.role in {"supervisor", "technician"}
        retry = [("F8", "key.retry")] if technical and self._streams.ranges else []
        return [
            ("F5", "key.sync-now"), *retry, ("↑↓", "key.scroll"), ("Esc", "key.back"), ("F1", "key.help"),
            ("F9", "key.lock"), ("F10", "key.menu"),
        ]  # fmt: skip

    def _link(self) -> str:
        say, link = self.hub.say, self.hub.situation.link
        if link is None or not self.hub.situation.enrolled:
            return say("header.not-enrolled")
        if not self.hub.present:
            return say("header.link-unknown")
        return say("sync.connected" if link.connected else "sync.away", broker=link.broker or "--")

    @work(exclusive=True, group="read")
    async def read(self) -> None:
        """What the centre could not open, and what of its words was not believed."""
        if self.hub.situation.person is None:
            return
        call = self.hub.agent.call
        status = await self.ask(self.hub.agent.status)
        found = None if status is None else await self.ask(lambda: call("sync.quarantine", Quarantine))
        if status is not None:
            self._streams.refusals = status.refusals
        if found is not None:
            self._streams.ranges = found.ranges
        self._streams.redraw()

    def action_scroll(self, how: str) -> None:
        self._streams.move(how)

    @work(exclusive=True, group="now")
    async def action_now(self) -> None:
        """Have the uplink try at once; what comes of it shows above."""
        self.notice.tell("")
        if await self.ask(lambda: self.hub.agent.call("sync.now", Nothing)) is not None:
            self.notice.tell(self.hub.say("sync.tried"))

    @work(exclusive=True, group="now")
    async def action_retry(self) -> None:
        """Seal once more what the centre could not open."""
        self.notice.tell("")
        done = await self.ask(lambda: self.hub.agent.call("sync.retry", TriedAgain))
        if done is not None:
            self.notice.tell(self.hub.say("sync.again", n=done.again, waiting=done.waiting))
            self.read()

    def action_back(self) -> None:
        self.app.pop_screen()
