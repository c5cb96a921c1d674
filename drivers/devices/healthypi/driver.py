"""A HealthyPi board on USB, or an ADS1292R breakout on an adapter: it streams while the port is open."""

from collections.abc import Iterable
from typing import Final

from drivers.codec.framing import Frame
from drivers.devices.healthypi.codec import OpenView
from drivers.devices.healthypi.readings import Session
from drivers.setup.ear import Manner, Said, Words
from drivers.setup.known import Known
from drivers.setup.line import STREAM, SerialOpening
from drivers.setup.session import Family
from drivers.setup.steps import FirstThatWorks, Frames, Recognise, Tune, Way
from drivers.setup.stream_ear import StreamEar
from drivers.transport.serial_port import LineSettings

SILENCE_S: Final = 3.0
RECOGNISED_WITHIN_S: Final = 3.0
WITHIN_S: Final = 0.5
"""A frame of which the rest comes later than this is none: the board has started anew."""
SPEEDS: Final = {"healthypi": 115_200, "ads1292r": 57_600}


class BoardEar(StreamEar):
    """Hears one board, the one that spoke first."""

    def __init__(self, known: Known) -> None:
        super().__init__(known.port, STREAM, OpenView())
        self._session = Session()

    def frame(self, frame: Frame, at_s: float) -> Iterable[Said]:  # noqa: ARG002  frames count their own time
        return self._session.take(frame)

    def lost(self) -> Iterable[Said]:
        return self._session.lost()

    def rest(self) -> Iterable[Said]:
        return self._session.end()


FAMILY: Final = Family(
    kind="healthypi",
    words=Words(
        "board",
        silent="see that it has power, that its USB cable sits firmly, and that it is set to stream.",
        wrong="see that the right device is on this port, and that its firmware speaks OpenView.",
    ),
    opening=SerialOpening(LineSettings(SPEEDS["healthypi"])),
    steps=(
        FirstThatWorks(
            tuple(
                Way(
                    name,
                    (
                        Tune(LineSettings(speed)),
                        Frames(OpenView, within_s=WITHIN_S),
                        Recognise(within_s=RECOGNISED_WITHIN_S),
                    ),
                )
                for name, speed in SPEEDS.items()
            )
        ),
    ),
    ear=BoardEar,
    manner=Manner(patience_s=SILENCE_S),
)
