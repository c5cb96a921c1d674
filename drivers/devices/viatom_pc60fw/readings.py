"""From the frames of a PC-60FW to what is handed on. Pure."""

from collections.abc import Sequence
from typing import Final

from drivers.codec.creative import Message, message
from drivers.codec.creative_oximetry import PLETH_RATE, parameters, pleth
from drivers.codec.framing import Frame, Framer
from drivers.codec.strip import WHOLE, Strip, on_the_skin
from drivers.decoding import Chunk, Decoded, decode_notifications
from drivers.devices.viatom_pc60fw.codec import NOTIFY, PARAMETERS, PLETH, battery, frames
from edge.ports.driver import DeviceEvent
from edge.vitals.codes import Code
from edge.vitals.quantity import Missing, MissingReason
from edge.vitals.reading import Mode, Reading, Wave

STRETCH: Final = 25
"""Samples of pleth in a stretch: half a second."""
_OFF: Final = Missing(MissingReason.SENSOR_OFF)


class Display:
    """What one session shows.

    Attributes:
        battery: its level, 0 to 3, as last told; None until then.
    """

    def __init__(self, stretch: int = STRETCH) -> None:
        self._strip = Strip(Code.PLETH, None, PLETH_RATE, stretch)
        self._off = False
        self.battery: int | None = None

    def take(self, frame: Frame) -> list[DeviceEvent]:
        """Take the next frame and give what it completes."""
        said = message(frame)
        level = battery(said)
        if level is not None:
            self.battery = level
        if said.what == PARAMETERS:
            return [self._reading(said, frame.raw)]
        if said.what == PLETH:
            return [*self._strip.add(pleth(said.data).samples, off=self._off)]
        return []

    def lost(self) -> list[Wave]:
        """Bytes were refused: samples may have been among them."""
        return self._strip.lost()

    def end(self) -> list[Wave]:
        """Give the pleth that is left."""
        return self._strip.end()

    def _reading(self, said: Message, raw: bytes) -> Reading:
        values = parameters(said.data)
        self._off = values[0][1] == _OFF
        flags = ("low-battery",) if self.battery == 0 else ()
        return Reading(values, flags, mode=Mode.CONTINUOUS, raw=raw)


def decode_chunks(chunks: Sequence[Chunk]) -> Decoded:
    """All that some notifications said: a reading for each frame of parameters, and the pleth."""
    display = Display(WHOLE)
    events: list[DeviceEvent] = []
    refused = decode_notifications(
        Framer(frames()), chunks, NOTIFY, lambda frame: events.extend(display.take(frame))
    )
    readings = tuple(event for event in events if isinstance(event, Reading))
    waves = (event for event in events if isinstance(event, Wave))
    return Decoded(readings, tuple(refused), tuple(on_the_skin([*waves, *display.end()])))
