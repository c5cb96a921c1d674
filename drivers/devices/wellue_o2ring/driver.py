"""A ring on Bluetooth: it says nothing unless asked, and is asked every two seconds."""

from collections.abc import Iterable
from typing import Final

from drivers.codec.framing import Frame
from drivers.codec.gatt_time import DateTime
from drivers.devices.wellue_o2ring.codec import (
    NOTIFY,
    OTHER_PROTOCOL,
    SERVICE,
    WRITE,
    Command,
    Replies,
    Reply,
    decode_information,
    decode_sensors,
    is_information,
    is_sensors,
    reply,
    request,
    set_time,
)
from drivers.devices.wellue_o2ring.readings import OTHER_MODEL, clock, identity, live
from drivers.setup.ear import Manner, Said, Send, Words
from drivers.setup.known import Clock, Known
from drivers.setup.line import BleOpening
from drivers.setup.session import Family
from drivers.setup.steps import Refuse, Require, Subscribe
from drivers.setup.stream_ear import StreamEar
from edge.ports.driver import DeviceMisbehaved

ASK_EVERY_S: Final = 2.0
ANSWER_WITHIN_S: Final = 6.0
"""A ring works on one request at a time; one that is not answered by then is given up."""
SILENCE_S: Final = 10.0
CLOCK_OFF_BY_S: Final = 10.0
"""A ring keeps the seconds; it is set when it is off by more."""
WRITE_HEADER: Final = 3
"""What a write takes of the link's packet for itself."""


class RingEar(StreamEar):
    """Hears one meeting: asks who the ring is, sets its clock, and then what it feels."""

    def __init__(self, known: Known) -> None:
        super().__init__(known.port, NOTIFY, Replies())
        self._known = known
        self._asked_s: float | None = None

    def begin(self, now_s: float) -> Iterable[Said]:
        return self._ask(request(Command.INFORMATION), now_s)

    def tick(self, now_s: float) -> Iterable[Said]:
        if self._asked_s is not None and now_s - self._asked_s < ANSWER_WITHIN_S:
            return ()
        return self._ask(request(Command.SENSORS), now_s)

    def frame(self, frame: Frame, at_s: float) -> Iterable[Said]:
        self._asked_s = None
        said = reply(frame)
        if is_sensors(said):
            yield live(decode_sensors(said.data), frame.raw)
            return
        if is_information(said):
            yield from self._learn(said, at_s)
        if self._asked_s is None:
            yield from self._ask(request(Command.SENSORS), at_s)

    def _learn(self, said: Reply, at_s: float) -> Iterable[Said]:
        try:
            told = decode_information(said.data)
        except DeviceMisbehaved:
            return  # it measures all the same
        self._known.identity = identity(told)
        wall, shown = self._known.wall(), clock(told)
        if shown is not None:
            self._known.clock = Clock(shown, at_s, wall)
        if wall is not None and (shown is None or abs((wall - shown).total_seconds()) > CLOCK_OFF_BY_S):
            yield from self._ask(set_time(DateTime.of(wall)), at_s)

    def _ask(self, data: bytes, now_s: float) -> Iterable[Said]:
        self._asked_s = now_s
        room = max(self._known.mtu - WRITE_HEADER, 20)
        for at in range(0, len(data), room):
            yield Send(data[at : at + room], WRITE)


FAMILY: Final = Family(
    kind="wellue-o2ring",
    words=Words(
        "ring",
        silent="put it on a finger, and hold it near the box.",
        wrong="see that the address in unit.toml is that of an O2Ring (not an O2Ring-S).",
    ),
    opening=BleOpening(service=SERVICE),
    steps=(
        *(
            Refuse(channel, OTHER_MODEL, "is an O2Ring-S, which speaks a protocol not known here")
            for channel in OTHER_PROTOCOL
        ),
        Require(NOTIFY, "is no O2Ring"),
        Subscribe(NOTIFY),
    ),
    ear=RingEar,
    manner=Manner(patience_s=SILENCE_S, tick_s=ASK_EVERY_S),
)
