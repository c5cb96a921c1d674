"""The lines above and below every screen: where we are, with whom, and which keys do what."""

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.widgets import Static

from edge.localapi.shapes import PatientShown
from tui import theme
from tui.agent import full_name
from tui.hub import Hub
from tui.replies import late
from tui.widgets.flow import Part, content, flow

_TRAINING: Final = f"bold {theme.BLACK} on {theme.NOTICE}"
_ALARM: Final = f"bold {theme.WHITE} on {theme.ALARM}"
_MOST_NAMED: Final = 2
_NAME: Final = f"bold {theme.WHITE}"


class _Bar(Static):
    """Words on as many lines as they need."""

    def __init__(self, hub: Hub, *, id: str | None = None) -> None:  # noqa: A002  Textual's own name
        super().__init__("", id=id)
        self.hub = hub
        self._shown: list[list[Part]] | None = None

    def on_resize(self) -> None:
        self.tick()

    def tick(self) -> None:
        """Show what holds now; nothing is drawn again when it is the same."""
        lines = flow(self.parts(), max(1, self.app.size.width - 2))
        if lines != self._shown:
            taller = self._shown is None or len(lines) != len(self._shown)
            self._shown = lines
            self.update(content(lines), layout=taller)
            if taller:
                # While a layout is due already, asking for one is no news to Textual, which then goes on
                # using the height that it found before: ask once more when that layout is done.
                self.call_after_refresh(self.refresh, layout=True)

    def parts(self) -> list[Part]:
        """What is to be shown, in order."""
        raise NotImplementedError


class Header(_Bar):
    """Unit, realm, patient, queue, link and clock: on every screen, whole at every size."""

    DEFAULT_CSS: ClassVar[str] = f"Header {{ height: auto; padding: 0 1; color: {theme.LABEL}; }}"
    patient: PatientShown | None = None

    def parts(self) -> list[Part]:
        hub, situation = self.hub, self.hub.situation
        parts = [Part(situation.unit or "qafila", _NAME)]
        if situation.realm == "training":
            parts.append(Part(f" {hub.say('header.training')} ", _TRAINING))
        if situation.glass_until_s is not None:
            left_s = max(0.0, situation.glass_until_s - hub.now_s())
            parts.append(Part(f" {hub.say('header.glass', left=hub.age(left_s))} ", _ALARM))
        if self.patient is not None:
            facts = hub.facts(self.patient)
            identifiers = hub.identifiers(self.patient)
            parts += [Part(full_name(self.patient), _NAME), Part(facts, theme.WHITE)]
            parts.append(Part(identifiers, theme.WHITE))
        if not hub.present:
            parts.append(Part(f" {hub.say('header.absent')} ", _ALARM))
        parts += [self._queue(), *self._waves(), *self._replies(), self._link(), self._clock()]
        low = situation.low_batteries
        if low:
            named = ", ".join(low) if len(low) <= _MOST_NAMED else str(len(low))
            parts.append(Part(hub.say("header.battery", devices=named), theme.NOTICE))
        if situation.stopped:
            parts.append(Part(f" {hub.say('header.stopped')} ", _ALARM))
        if situation.problem:
            parts.append(Part(f" {hub.problem(situation.problem)} ", _ALARM))
        return parts

    def _queue(self) -> Part:
        say, situation = self.hub.say, self.hub.situation
        if not (self.hub.present and situation.streams):
            return Part(say("header.queue-unknown"))
        urgent = situation.queued_alerts
        words = say("header.queue-urgent", n=urgent) if urgent else ""
        return Part(f"⇅ {situation.queued}{words}", theme.NOTICE if urgent else theme.WHITE)

    def _waves(self) -> list[Part]:
        waves = self.hub.situation.waves
        if not self.hub.present or waves is None or not waves[1]:
            return []
        return [Part(self.hub.say("header.waves", received=waves[0], all=waves[1]), theme.WHITE)]

    def _replies(self) -> list[Part]:
        """What came and nobody has read, and what should have come; to whoever may read it."""
        hub, situation = self.hub, self.hub.situation
        if not hub.present or situation.person is None:
            return []
        overdue = late(situation.asked, situation.wall_now_ms(hub.now_s()))
        parts = [Part(hub.say("header.unread", n=situation.unread), theme.NOTICE)] if situation.unread else []
        return [*parts, *([Part(hub.say("header.late", n=overdue), theme.NOTICE)] if overdue else [])]

    def _link(self) -> Part:
        hub, situation = self.hub, self.hub.situation
        if situation.link is None or not situation.enrolled:
            return Part(hub.say("header.not-enrolled"))
        if not hub.present:
            return Part(hub.say("header.link-unknown"))  # what held when the agent last spoke may be over
        now_ms = situation.wall_now_ms(hub.now_s())
        since = situation.link.since_ms
        age = f" {hub.age((now_ms - since) / 1000)}" if now_ms is not None and since is not None else ""
        if situation.link.connected:
            return Part(f"● {hub.say('header.online')}{age}", theme.HEART)
        return Part(f"▲ {hub.say('header.offline')}{age}", theme.NOTICE)

    def _clock(self) -> Part:
        hub, situation = self.hub, self.hub.situation
        now_ms = situation.wall_now_ms(hub.now_s())
        time = "--:--" if now_ms is None else f"{hub.local(now_ms):%H:%M}"
        quality = hub.say(f"clock.{situation.clock_quality}")
        return Part(f"{time} {quality}", theme.NOTICE if situation.clock_quality == "none" else theme.WHITE)


class Footer(_Bar):
    """Every key of the screen with its word."""

    DEFAULT_CSS: ClassVar[str] = f"""
    Footer {{ height: auto; padding: 0 1; color: {theme.WHITE}; dock: bottom; }}
    """

    def __init__(self, hub: Hub, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__(hub, id="footer")
        self._keys = list(keys)

    def set_keys(self, keys: Sequence[tuple[str, str]]) -> None:
        """Show other keys."""
        self._keys = list(keys)
        self.tick()

    def parts(self) -> list[Part]:
        return [Part(f"{key} {self.hub.say(code)}") for key, code in self._keys]


class Notice(Static):
    """One message to the person; its room is free again when there is none."""

    DEFAULT_CSS: ClassVar[str] = f"""
    Notice {{ height: auto; padding: 0 1; color: {theme.NOTICE}; text-style: bold; display: none; }}
    Notice.-shown {{ display: block; }}
    """

    def tell(self, words: str) -> None:
        """Show words, or nothing."""
        self.update(content([[Part(words)]]))
        self.set_class(bool(words), "-shown")
