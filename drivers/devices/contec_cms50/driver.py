"""A Contec CMS50 on a serial port, whichever protocol it speaks."""

import collections
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from drivers.codec.framing import Frame
from drivers.devices.contec_cms50.codec import (
    Command,
    Contec,
    Generation,
    Packet,
    Report,
    command,
    decode,
    unstuff,
)
from drivers.devices.contec_cms50.display import Display
from drivers.devices.contec_cms50.stored import Download
from drivers.kinds import DriverContext
from drivers.setup.ear import Ear, Heard, Manner, Said, Send, Words
from drivers.setup.known import Known
from drivers.setup.line import STREAM, SerialOpening
from drivers.setup.session import Family, SetUpDriver
from drivers.setup.steps import Ask, FirstThatWorks, Frames, Recognise, Tune, Way, Write
from drivers.transport.serial_port import LineSettings, Parity
from edge.ports.driver import DeviceUnavailable, Driver
from edge.vitals.identity import Identity
from edge.vitals.quantity import Missing, MissingReason
from edge.vitals.reading import Reading

LINES: Final = {
    Generation.NINE_BYTE: LineSettings(115_200),
    Generation.FIVE_BYTE: LineSettings(19_200, Parity.ODD),
}
ANSWER_WITHIN_S: Final = 1.0
"""The vendor's own limit for an answer; as good for the first packets of a unit that streams by itself."""
IDENTITY_WITHIN_S: Final = 0.5
KEEP_ALIVE_S: Final = 5.0
SILENCE_S: Final = 3.0
"""A unit without a packet for so long has gone, or is not what it was taken for."""
SURE_AFTER_PACKETS: Final = {Generation.NINE_BYTE: 3, Generation.FIVE_BYTE: 10}
"""So many packets in a row tell a unit from noise at the wrong speed, and from another device: three of five
bytes stand in every packet of a Nonin.
"""
IDLE_S: Final = 20.0
"""Without a finger for so long, a unit is asked for what it keeps: meanwhile it shows nothing."""
LIVE_PER_STORED: Final = 3
"""Packets of real-time data for each stored reading that is handed on: what is live stays live."""
TICK_S: Final = 0.25
MANUFACTURER: Final = "Contec"
_LETTERS: Final = 6

_DISCONNECT_REASONS: Final = {1: "was switched off", 2: "changed its user", 3: "began to record"}


class OximeterEar(Ear):
    """Packets to readings and pleth, and what the unit keeps once nobody's finger is in it.

    Args:
        had: keys of stored segments that were handed on whole, in this process; added to.
    """

    def __init__(self, known: Known, had: set[bytes]) -> None:
        self._known = known
        self._generation = Generation(known.way)
        self._had = had
        self._display = Display()
        self._keep_alive_due_s = 0.0
        self._idle_since_s: float | None = None
        self._asked = False
        self._download: Download | None = None
        self._memory: collections.deque[Reading] = collections.deque()
        self._whole: set[bytes] = set()

    def begin(self, now_s: float) -> Iterable[Said]:
        """See `drivers.setup.ear.Ear`."""
        self._keep_alive_due_s = now_s + KEEP_ALIVE_S
        return ()

    def hear(self, heard: Heard) -> Iterable[Said]:
        """See `drivers.setup.ear.Ear`."""
        if heard.garbage is not None:
            if self._download is not None:
                self._download.lose(heard.at_s)
            yield from self._display.gap()
        else:
            yield from self._frame(Frame(heard.raw), heard.at_s)
        yield from self._fetch(heard.at_s)

    def tick(self, now_s: float) -> Iterable[Said]:
        """See `drivers.setup.ear.Ear`."""
        if self._generation is Generation.NINE_BYTE and now_s >= self._keep_alive_due_s:
            self._keep_alive_due_s = now_s + KEEP_ALIVE_S
            yield Send(command(Command.KEEP_ALIVE))
        idle = self._idle_since_s is not None and now_s - self._idle_since_s >= IDLE_S
        if idle and not self._asked:
            self._asked = True  # a unit that records cannot stream: in one session nothing comes to it
            yield from self._display.gap()
            self._download = Download(self._generation, frozenset(self._had), now_s)
        yield from self._fetch(now_s)

    def goodbye(self) -> Sequence[Send]:
        """See `drivers.setup.ear.Ear`."""
        return (Send(command(Command.STOP)),) if self._generation is Generation.NINE_BYTE else ()

    def _frame(self, frame: Frame, at_s: float) -> Iterable[Said]:
        report = decode(frame)
        if report is not None:
            self._watch_finger(report, at_s)
            yield from self._display.packet(frame, report)
            if self._memory and self._display.packets % LIVE_PER_STORED == 0:
                yield self._memory.popleft()
                if not self._memory:
                    self._had |= self._whole
            return
        match frame.raw[0]:
            case Packet.DISCONNECTS:
                yield self._disconnected(frame)
            case Packet.MODEL:
                _learn_model(self._known, frame.raw)  # its second half, behind the answer
            case _ if self._download is not None:
                self._download.hear(frame, at_s)
            case _:
                pass

    def _fetch(self, now_s: float) -> Iterable[Said]:
        download = self._download
        if download is None:
            return
        for asked in download.due(now_s):
            yield Send(asked)
        if download.done:
            self._download = None
            self._whole = download.whole
            self._memory.extend(reading for segment in download.segments for reading in segment.readings())

    def _watch_finger(self, report: Report, at_s: float) -> None:
        out = report.saturation == Missing(MissingReason.SENSOR_OFF)
        if not out:
            self._idle_since_s = None
        elif self._idle_since_s is None:
            self._idle_since_s = at_s

    def _disconnected(self, frame: Frame) -> DeviceUnavailable:
        reason = _DISCONNECT_REASONS.get(unstuff(frame.raw)[0], "ended the connection")
        return DeviceUnavailable(
            f"The oximeter on {self._known.port} {reason}.",
            next_step="switch it on again, or wait until it has finished what it does.",
            code="device-disconnected",
        )


def _text(raw: bytes) -> str:
    return raw.decode("ascii", "ignore").replace("\0", "").rstrip()


def _is_stopped(raw: bytes) -> bool:
    return raw[0] == Packet.STOPPED


def _answers(packet: Packet) -> Callable[[bytes], bool]:
    """Whether it is this packet, or that it does not know the question."""
    return lambda raw: raw[0] in {packet, Packet.ANSWER}


def _learn_model(known: Known, raw: bytes) -> None:
    """A name comes in two packets of six letters, each with its number before."""
    if raw[0] == Packet.MODEL:
        number, *letters = unstuff(raw)
        model = (known.identity.model.ljust(_LETTERS) if number else "") + _text(bytes(letters))
        known.identity = Identity(MANUFACTURER, model.strip(), known.identity.serial)


def _learn_id(known: Known, raw: bytes) -> None:
    serial = _text(unstuff(raw)).strip() if raw[0] == Packet.DEVICE_ID else ""
    if serial.isprintable() and serial:
        known.identity = Identity(MANUFACTURER, known.identity.model, serial)


def _date(known: Known) -> bytes | None:
    wall = known.wall()
    if wall is None:
        return None
    sunday_0 = wall.isoweekday() % 7
    return command(Command.SET_DATE, wall.year // 100, wall.year % 100, wall.month, wall.day, sunday_0)


def _time(known: Known) -> bytes | None:
    wall = known.wall()
    return None if wall is None else command(Command.SET_TIME, wall.hour, wall.minute, wall.second)


def family(had: set[bytes]) -> Family:
    """How a CMS50 is met.

    Nine-byte first: stop is answered by a unit of that generation only; then it listens for five-byte. The
    generation that answered last is tried first the next time.
    """
    identity = (
        ("id", Command.DEVICE_ID, Packet.DEVICE_ID, _learn_id),
        ("model", Command.MODEL, Packet.MODEL, _learn_model),
    )
    clock = ("date", _date), ("time", _time)
    return Family(
        kind="contec-cms50",
        words=Words(
            "oximeter",
            silent="switch the oximeter on, put a finger in, and see that the cable sits firmly.",
            wrong="see that the right device is on this port, and try another cable.",
        ),
        opening=SerialOpening(LINES[Generation.NINE_BYTE]),
        steps=(
            FirstThatWorks(
                (
                    Way(
                        Generation.NINE_BYTE,
                        (
                            Tune(LINES[Generation.NINE_BYTE]),
                            Frames(lambda: Contec(only=Generation.NINE_BYTE)),
                            Write(STREAM, command(Command.STOP)),
                            Recognise(
                                SURE_AFTER_PACKETS[Generation.NINE_BYTE],
                                sure=_is_stopped,
                                within_s=ANSWER_WITHIN_S,
                            ),
                            *(
                                Ask(
                                    name,
                                    command(asked),
                                    _answers(packet),
                                    learn=learn,
                                    within_s=IDENTITY_WITHIN_S,
                                    optional=True,
                                )
                                for name, asked, packet, learn in identity
                            ),
                            *(
                                Ask(
                                    name,
                                    data,
                                    _answers(Packet.ANSWER),
                                    within_s=IDENTITY_WITHIN_S,
                                    optional=True,
                                )
                                for name, data in clock
                            ),
                            Write(STREAM, command(Command.START)),
                        ),
                    ),
                    Way(
                        Generation.FIVE_BYTE,
                        (
                            Tune(LINES[Generation.FIVE_BYTE]),
                            Frames(lambda: Contec(only=Generation.FIVE_BYTE)),
                            Recognise(SURE_AFTER_PACKETS[Generation.FIVE_BYTE], within_s=ANSWER_WITHIN_S),
                        ),
                    ),
                )
            ),
        ),
        ear=lambda known: OximeterEar(known, had),
        manner=Manner(patience_s=SILENCE_S, tick_s=TICK_S),
    )


def make(context: DriverContext) -> Driver:
    """The driver of one configured oximeter."""
    return SetUpDriver(context, family(set()))
