"""What is known of the unit around the patient: agent, queue, link, clock. Plain values and their rules."""

import dataclasses
from collections.abc import Mapping
from typing import Final

from edge.localapi.answers import SignedIn, Status
from edge.localapi.events import DeviceEvent, DeviceForgotten, Heartbeat, StreamsEvent, UnitEvent
from edge.localapi.expertise import InboxEvent, RequestShown
from edge.localapi.shapes import DeviceShown, LinkShown, Message, PlaceShown, StreamShown, Word

SILENT_AFTER_S: Final = 1.7
"""The agent's heart beats every second: after this long without a word from it, it is gone."""
LOW_BATTERY: Final = 10
"""Percent; from here on a battery is said to be all but empty."""
_COUNTED: Final[tuple[Word, ...]] = ("alert", "vitals", "doc")
"""Streams whose entries a nurse waits for; the audit trail goes by the hour, waves when the link has room."""


@dataclasses.dataclass(slots=True)
class Situation:
    """What the header shows.

    Attributes:
        connected: a connection to the agent is there.
        calm_until_s: until then nobody is told that it is not, on the measuring clock.
        heard_s: when the agent was last heard, on the measuring clock.
        wall_ms: the box's wall time at that moment.
        person: who is signed in on this screen.
        screen_lock_s: how long the screen stays uncovered without a key.
        place: where the unit stands, while that is known.
        clock_off_ms: what a satellite receiver would add to the unit's clock, while one says so.
        papers: codes of what is wrong with the unit's right to connect, whether there is a link or not.
        unread: how much of what came from the centre nobody has read.
        asked: questions to specialists that wait for an answer, as they were last looked at.
        glass_until_s: when the emergency of a technician ends, on the measuring clock; None without one.
    """

    unit: str = ""
    realm: str = ""
    connected: bool = False
    enrolled: bool = False
    heard_s: float = float("-inf")
    wall_ms: int | None = None
    clock_quality: str = "none"
    link: LinkShown | None = None
    streams: Mapping[Word, StreamShown] = dataclasses.field(default_factory=dict[Word, StreamShown])
    devices: dict[str, DeviceShown] = dataclasses.field(default_factory=dict[str, DeviceShown])
    place: PlaceShown | None = None
    clock_off_ms: int | None = None
    person: SignedIn | None = None
    glass_until_s: float | None = None
    calm_until_s: float = float("-inf")
    problem: str | None = None
    screen_lock_s: int = 120
    papers: tuple[str, ...] = ()
    unread: int = 0
    asked: list[RequestShown] = dataclasses.field(default_factory=list[RequestShown])
    _wall_at_s: float = dataclasses.field(default=0.0, init=False)

    def greet(self, status: Status, now_s: float) -> None:
        """Take what the agent says of itself."""
        self.unit, self.realm, self.enrolled = status.unit, status.realm, status.enrolled
        self.link, self.problem = status.link, status.problem
        self.screen_lock_s = status.screen_lock_s
        self.streams = status.streams or self.streams
        self.look_at_devices(status)
        self._heard(status.clock.wall_ms, now_s)

    def look_at_devices(self, status: Status) -> None:
        """Take what a look tells of devices, place, clock and papers; what an event lost is put right."""
        self.papers = tuple(code for code in status.notes if code.startswith("certificate-"))
        self.devices = {device.key: device for device in status.devices}
        self.place = status.place
        self.clock_quality = status.clock.quality
        self.clock_off_ms = status.clock.off_ms

    def hear(self, message: Message, now_s: float) -> None:
        """Take an event; any word is a sign of life."""
        match message:
            case Heartbeat():
                self.problem = message.problem
                self._heard(message.wall_ms, now_s)
                return
            case StreamsEvent():
                self.streams = message.streams
            case LinkShown():
                self.link = message
            case DeviceEvent():
                self._hear_device(message)
            case InboxEvent():
                self.unread = message.unread
            case DeviceForgotten():
                self.devices.pop(message.key, None)
            case UnitEvent():
                self.clock_quality = message.clock.quality
                self.clock_off_ms = message.clock.off_ms
                self.place = message.place
                self._heard(message.clock.wall_ms, now_s)
            case _:
                pass
        self.heard_s = now_s

    def take_inbox(self, unread: int, asked: list[RequestShown]) -> None:
        """Take what a look at the inbox tells."""
        self.unread, self.asked = unread, asked

    def _hear_device(self, message: DeviceEvent) -> None:
        known = self.devices.get(message.key)
        if known is None and message.kind is not None:
            known = DeviceShown(
                key=message.key, kind=message.kind, state=message.state, code=message.code,
                on_command=message.on_command,
            )  # fmt: skip
        if known is None:
            return  # an agent that tells less; the next look tells the rest
        now = {"state": message.state, "code": message.code}
        said = {} if message.identity is None else {"identity": message.identity}
        self.devices[message.key] = known.model_copy(update=now | said)

    def lost(self, now_s: float) -> None:
        """The connection ended, and with it the session of whoever was signed in.

        While nobody is, no number depends on the agent, and one that begins anew (it does so behind a lock)
        is there again in a moment: then its absence is said once it lasts.
        """
        self.calm_until_s = now_s + SILENT_AFTER_S if self.connected and self.person is None else now_s
        self.connected, self.person = False, None
        self.take_inbox(0, [])

    def present(self, now_s: float) -> bool:
        """Whether the agent is there: connected and not silent."""
        if not self.connected:
            return now_s < self.calm_until_s
        return self.person is None or now_s - self.heard_s < SILENT_AFTER_S

    def wall_now_ms(self, now_s: float) -> int | None:
        """The box's wall time now."""
        if self.wall_ms is None:
            return None
        return self.wall_ms + int((now_s - self._wall_at_s) * 1000)

    def battery(self, device: str) -> int | None:
        """What is left of a device's battery, in percent, if it has said so."""
        known = self.devices.get(device)
        return None if known is None or known.identity is None else known.identity.battery_percent

    def battery_low(self, device: str) -> bool:
        """Whether a device that is there will soon be silent."""
        percent, known = self.battery(device), self.devices.get(device)
        return percent is not None and percent <= LOW_BATTERY and known is not None and known.state != "gone"

    @property
    def low_batteries(self) -> list[str]:
        """Devices whose batteries are all but empty."""
        return [key for key in self.devices if self.battery_low(key)]

    @property
    def queued(self) -> int:
        """Entries the centre has not yet."""
        return sum(_behind(stream) for word in _COUNTED if (stream := self.streams.get(word)))

    def marks(self, *words: Word) -> tuple[tuple[int, int, int], ...]:
        """How far these streams have come.

        What a screen asks for moves only the audit trail's tip: who looks again when these move does not
        look for ever.
        """
        found = (self.streams.get(word) for word in words)
        return tuple((each.sent, each.landed, each.opened) for each in found if each is not None)

    @property
    def waves(self) -> tuple[int, int] | None:
        """Of what there is of waves, how much the centre has; None when it has all. The genesis is none."""
        stream = self.streams.get("wave")
        if stream is None or stream.opened >= stream.tip:
            return None
        return max(0, stream.opened - 1), stream.tip - 1

    @property
    def queued_alerts(self) -> int:
        alerts = self.streams.get("alert")
        return 0 if alerts is None else _behind(alerts)

    @property
    def stopped(self) -> str | None:
        """Why a stream no longer moves, if one does not."""
        return next((stream.stopped for stream in self.streams.values() if stream.stopped), None)

    def _heard(self, wall_ms: int, now_s: float) -> None:
        self.wall_ms, self._wall_at_s, self.heard_s = wall_ms, now_s, now_s


def _behind(stream: StreamShown) -> int:
    """Entries not yet there; the first of every stream is its beginning and nobody's record."""
    return max(0, stream.tip - max(stream.landed, stream.opened, 1))
