"""A satellite receiver on a serial port: it streams by itself, at one of a few speeds."""

from collections.abc import Iterable
from typing import Final

from drivers.codec.framing import Frame
from drivers.devices.nmea_gps.codec import Nmea, is_sentence
from drivers.devices.nmea_gps.fixes import Receiver
from drivers.kinds import DriverContext
from drivers.setup.ear import Ear, Heard, Manner, Said, Words
from drivers.setup.known import Known
from drivers.setup.line import SerialOpening
from drivers.setup.session import Family, SetUpDriver
from drivers.setup.steps import FirstThatWorks, Frames, Recognise, Tune, Way
from drivers.transport.serial_port import LineSettings
from edge.ports.driver import Driver

SPEEDS: Final = (9600, 4800, 38_400, 115_200)
"""Of u-blox and most others; of the standard; of newer u-blox; of what somebody set. Over USB, any."""
FIRST_WITHIN_S: Final = 2.5
"""A receiver speaks once a second."""
NO_CHANCE: Final = 1000
"""Ends of lines alone recognise nobody: one whole sentence with its sum does."""
SILENCE_S: Final = 5.0


class ReceiverEar(Ear):
    """Sentences to places."""

    def __init__(self, known: Known) -> None:
        del known  # a receiver does not say which one it is
        self._receiver = Receiver()

    def hear(self, heard: Heard) -> Iterable[Said]:
        """See `drivers.setup.ear.Ear`."""
        if heard.garbage is None:
            place = self._receiver.take(Frame(heard.raw), heard.at_s)
            if place is not None:
                yield place


FAMILY: Final = Family(
    kind="nmea-gps",
    words=Words(
        "satellite receiver",
        silent="see that its cable sits firmly; it speaks even where it sees no sky.",
        wrong="see that the right device is on this port, and try another cable.",
    ),
    opening=SerialOpening(LineSettings(SPEEDS[0])),
    steps=(
        FirstThatWorks(
            tuple(
                Way(
                    str(speed),
                    (
                        Tune(LineSettings(speed)),
                        Frames(Nmea),
                        Recognise(frames=NO_CHANCE, sure=is_sentence, within_s=FIRST_WITHIN_S),
                    ),
                )
                for speed in SPEEDS
            )
        ),
    ),
    ear=ReceiverEar,
    manner=Manner(patience_s=SILENCE_S),
)


def make(context: DriverContext) -> Driver:
    """The driver of one configured receiver."""
    return SetUpDriver(context, FAMILY)
