"""A spot-check monitor, on Bluetooth or on a cable: it says by itself whatever is measured on it."""

import dataclasses
from collections.abc import Iterable
from typing import Final

from drivers.codec.creative import Message, message
from drivers.codec.framing import Frame
from drivers.devices.creative_pc300.codec import (
    NAME,
    NOTIFY,
    SERVICE,
    VERSIONS,
    WRITE,
    Token,
    ask,
    frames,
    set_time,
    version,
)
from drivers.devices.creative_pc300.readings import Monitor
from drivers.kinds import DriverContext
from drivers.setup.ear import Done, Manner, Said, Send, Words
from drivers.setup.known import Known
from drivers.setup.line import STREAM, BleOpening, SerialOpening
from drivers.setup.session import Family, SetUpDriver
from drivers.setup.steps import Frames, ReadIdentity, Require, Subscribe
from drivers.setup.stream_ear import StreamEar
from drivers.transport.link import SCHEME
from drivers.transport.serial_port import LineSettings
from edge.ports.driver import Driver

SILENCE_S: Final = 60.0
"""Between measurements it may have nothing to say; that it has gone the link tells."""
ASK_AGAIN_S: Final = 20.0
"""How often it is asked for its battery: on a cable the only sign that it is still there."""
SPEED: Final = 115_200
"""No document names it."""


class MonitorEar(StreamEar):
    """Hears one meeting, and asks the monitor who it is."""

    def __init__(self, known: Known) -> None:
        super().__init__(known.port, NOTIFY, frames())
        self._known = known
        self._monitor = Monitor()
        self._channel_out = WRITE if known.port.startswith(SCHEME) else STREAM

    def begin(self, now_s: float) -> Iterable[Said]:
        yield self._send(ask(Token.MONITOR, NAME))
        wall = self._known.wall()
        if wall is not None:
            yield self._send(set_time(wall))
        yield from self.tick(now_s)

    def tick(self, now_s: float) -> Iterable[Said]:  # noqa: ARG002  as above
        for type_ in VERSIONS:
            yield self._send(ask(Token.MONITOR, type_))

    def frame(self, frame: Frame, at_s: float) -> Iterable[Said]:  # noqa: ARG002  its frames need no time
        self._learn(message(frame))
        yield from self._monitor.take(frame)
        if self._monitor.off:
            yield Done()

    def lost(self) -> Iterable[Said]:
        return self._monitor.lost()

    def rest(self) -> Iterable[Said]:
        return self._monitor.end()

    def _learn(self, said: Message) -> None:
        if said.token != Token.MONITOR:
            return
        identity = self._known.identity
        if said.type == NAME:
            name = said.data.decode("ascii", "replace").strip("\0 ")
            identity = dataclasses.replace(identity, manufacturer="Creative Medical", model=name)
        elif said.type in VERSIONS and (text := version(said)):
            identity = dataclasses.replace(identity, firmware=text)
        self._known.identity = identity

    def _send(self, data: bytes) -> Send:
        return Send(data, self._channel_out, optional=True)


_WORDS: Final = Words(
    "monitor",
    silent="switch it on, and hold it near the box or see to its cable.",
    wrong="see that the port in unit.toml is the monitor's.",
)
_MANNER: Final = Manner(patience_s=SILENCE_S, tick_s=ASK_AGAIN_S)
ON_BLUETOOTH: Final = Family(
    kind="creative-pc300",
    words=_WORDS,
    opening=BleOpening(service=SERVICE),
    steps=(Require(NOTIFY, "is no spot-check monitor"), ReadIdentity(), Subscribe(NOTIFY)),
    ear=MonitorEar,
    manner=_MANNER,
)
ON_A_CABLE: Final = Family(
    kind="creative-pc300",
    words=_WORDS,
    opening=SerialOpening(LineSettings(SPEED)),
    steps=(Frames(frames),),
    ear=MonitorEar,
    manner=_MANNER,
)


def make_driver(context: DriverContext) -> Driver:
    """The driver for where the monitor is."""
    return SetUpDriver(context, ON_BLUETOOTH if context.port.startswith(SCHEME) else ON_A_CABLE)
