"""A PC-60FW on Bluetooth: it notifies by itself as long as a finger is in it, then switches off."""

from collections.abc import Iterable
from typing import Final

from drivers.codec.framing import Frame
from drivers.devices.viatom_pc60fw.codec import NOTIFY, SERVICE, frames
from drivers.devices.viatom_pc60fw.readings import Display
from drivers.setup.ear import Manner, Said, Words
from drivers.setup.known import Known
from drivers.setup.line import BleOpening
from drivers.setup.session import Family
from drivers.setup.steps import ReadIdentity, Require, Subscribe
from drivers.setup.stream_ear import StreamEar

SILENCE_S: Final = 5.0
"""It says its numbers every second, finger in or out."""


class OximeterEar(StreamEar):
    """Hears one meeting."""

    def __init__(self, known: Known) -> None:
        super().__init__(known.port, NOTIFY, frames())
        self._display = Display()

    def frame(self, frame: Frame, at_s: float) -> Iterable[Said]:  # noqa: ARG002  its frames need no time
        return self._display.take(frame)

    def lost(self) -> Iterable[Said]:
        return self._display.lost()

    def rest(self) -> Iterable[Said]:
        return self._display.end()


FAMILY: Final = Family(
    kind="viatom-pc60fw",
    words=Words(
        "oximeter",
        silent="put a finger in, and hold it near the box.",
        wrong="see that the address in unit.toml is the oximeter's.",
    ),
    opening=BleOpening(service=SERVICE),
    steps=(Require(NOTIFY, "is no oximeter of this kind"), ReadIdentity(), Subscribe(NOTIFY)),
    ear=OximeterEar,
    manner=Manner(patience_s=SILENCE_S),
)
