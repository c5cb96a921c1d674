"""A BCI oximeter, on Bluetooth or on a USB cable: it streams by itself."""

from collections.abc import Iterable
from typing import Final

from drivers.codec.framing import Frame
from drivers.devices.berry_bci.codec import NOTIFY, SERVICE, Packets
from drivers.devices.berry_bci.readings import Display
from drivers.kinds import DriverContext
from drivers.setup.ear import Manner, Said, Words
from drivers.setup.known import Known
from drivers.setup.line import BleOpening, SerialOpening
from drivers.setup.session import Family, SetUpDriver
from drivers.setup.steps import FirstThatWorks, Frames, ReadIdentity, Recognise, Require, Subscribe, Tune, Way
from drivers.setup.stream_ear import StreamEar
from drivers.transport.link import SCHEME
from drivers.transport.serial_port import LineSettings
from edge.ports.driver import Driver

SILENCE_S: Final = 3.0
SURE_AFTER_PACKETS: Final = 5
SPEEDS: Final = (115_200, 4_800)
"""The document names none; these are tried in turn."""


class OximeterEar(StreamEar):
    """Hears one meeting."""

    def __init__(self, known: Known) -> None:
        super().__init__(known.port, NOTIFY, Packets())
        self._display = Display()

    def frame(self, frame: Frame, at_s: float) -> Iterable[Said]:  # noqa: ARG002  packets count their own time
        return self._display.take(frame)

    def lost(self) -> Iterable[Said]:
        return self._display.lost()

    def rest(self) -> Iterable[Said]:
        return self._display.end()


_WORDS: Final = Words(
    "oximeter",
    silent="switch it on, put a finger in, and hold it near the box or see to its cable.",
    wrong="see that the port in unit.toml is the oximeter's.",
)
ON_BLUETOOTH: Final = Family(
    kind="berry-bci",
    words=_WORDS,
    opening=BleOpening(service=SERVICE),
    steps=(Require(NOTIFY, "is no oximeter of this kind"), ReadIdentity(), Subscribe(NOTIFY)),
    ear=OximeterEar,
    manner=Manner(patience_s=SILENCE_S),
)
ON_A_CABLE: Final = Family(
    kind="berry-bci",
    words=_WORDS,
    opening=SerialOpening(LineSettings(SPEEDS[0])),
    steps=(
        FirstThatWorks(
            tuple(
                Way(str(speed), (Tune(LineSettings(speed)), Frames(Packets), Recognise(SURE_AFTER_PACKETS)))
                for speed in SPEEDS
            )
        ),
    ),
    ear=OximeterEar,
    manner=Manner(patience_s=SILENCE_S),
)


def make_driver(context: DriverContext) -> Driver:
    """The driver for where the oximeter is."""
    return SetUpDriver(context, ON_BLUETOOTH if context.port.startswith(SCHEME) else ON_A_CABLE)
