"""A Nonin oximeter on a serial port: it streams by itself, in whatever format it was made or set to."""

from collections.abc import Iterable
from typing import Final

from drivers.codec.framing import Frame
from drivers.devices.nonin.codec import Nonin
from drivers.devices.nonin.display import Display
from drivers.kinds import DriverContext
from drivers.setup.ear import Ear, Heard, Manner, Said, Words
from drivers.setup.known import Known
from drivers.setup.line import SerialOpening
from drivers.setup.session import Family, SetUpDriver
from drivers.setup.steps import Frames, Recognise
from drivers.transport.serial_port import LineSettings
from edge.ports.driver import Driver

SURE_AFTER_FRAMES: Final = 2
"""The grammar has looked at three in a row before it gives the first, so these are no chance."""
FIRST_WITHIN_S: Final = 5.0
"""The slow formats send once a second, and a frame of them is known to be whole by the one behind it."""
SILENCE_S: Final = 3.0


class OximeterEar(Ear):
    """Frames to a reading a second and stretches of pleth."""

    def __init__(self, known: Known) -> None:
        del known  # the formats say nothing of the unit
        self._display = Display()

    def hear(self, heard: Heard) -> Iterable[Said]:
        """See `drivers.setup.ear.Ear`."""
        return self._display.gap() if heard.garbage is not None else self._display.frame(Frame(heard.raw))


FAMILY: Final = Family(
    kind="nonin",
    words=Words(
        "oximeter",
        silent="see that its cable sits firmly; a wireless unit has to be switched on with a finger in it.",
        wrong="see that the right device is on this port, and try another cable.",
    ),
    opening=SerialOpening(LineSettings(9600)),
    steps=(Frames(Nonin), Recognise(frames=SURE_AFTER_FRAMES, within_s=FIRST_WITHIN_S)),
    ear=OximeterEar,
    manner=Manner(patience_s=SILENCE_S),
)


def make(context: DriverContext) -> Driver:
    """The driver of one configured oximeter."""
    return SetUpDriver(context, FAMILY)
