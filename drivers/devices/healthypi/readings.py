"""From frames to what is handed on. Pure: time is counted in frames."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from drivers.codec.agreeing import Agreeing
from drivers.codec.framing import Frame, Framer
from drivers.codec.strip import WHOLE, Strip, on_the_skin
from drivers.decoding import Chunk, Decoded, decode_stream
from drivers.devices.healthypi.codec import FRAMES_PER_SECOND, Board, Kind, OpenView, Report, decode
from edge.ports.driver import DeviceEvent
from edge.vitals.codes import Code
from edge.vitals.quantity import Quantity
from edge.vitals.reading import Mode, Reading, Wave

RATE: Final = Decimal(125)
PPG_RATE_OF_FIRMWARE_1: Final = Decimal(100)
STRETCH: Final = 25
"""Samples in a stretch: a fifth to a quarter of a second."""
INFRARED: Final = "infrared"
RED: Final = "red"
LEAD_OFF: Final = "lead-off"
NOT_OF_A_BODY: Final = "not-body-temperature"
COLDEST_BODY_C: Final = 25
HOTTEST_BODY_C: Final = 45


class Traces:
    """The waves of one board.

    Args:
        both: hand on infrared and red; else one pleth alone, for which a screen has room.
    """

    def __init__(self, board: Board, size: int, *, both: bool) -> None:
        self._board = board
        self._size = size
        self._both = both
        self._ecg = Strip(Code.ECG, board.value, RATE, size)
        self._respiration = Strip(Code.RESPIRATION, board.value, RATE, size)
        self._halved = False
        self._infrared = Strip(Code.PLETH, INFRARED, RATE, size)
        self._red = Strip(Code.PLETH, RED, RATE, size)
        self._red_of_firmware_1 = Strip(Code.PLETH, RED, PPG_RATE_OF_FIRMWARE_1, size)

    def take(self, report: Report) -> list[Wave]:
        """Take the samples of a frame."""
        off = bool(report.lead_off)
        waves = self._ecg.add(report.ecg, off=off)
        if (report.leaves_out or report.kind is Kind.V5_ECG) and not self._halved:
            waves += self._halve()
        waves += self._respiration.add(report.respiration, off=off)
        if report.kind is Kind.V5_PPG:
            return waves + self._red_of_firmware_1.add(report.red)
        waves += self._infrared.add(report.infrared)
        return waves + self._red.add(report.red) if self._both else waves

    def lost(self) -> list[Wave]:
        """Bytes were refused: samples may have been among them."""
        return [wave for strip in self._strips() for wave in strip.lost()]

    def end(self) -> list[Wave]:
        """Give the samples that are left."""
        return [wave for strip in self._strips() for wave in strip.end()]

    def _strips(self) -> Iterable[Strip]:
        return self._ecg, self._respiration, self._infrared, self._red, self._red_of_firmware_1

    def _halve(self) -> list[Wave]:
        """This board has a breath for every second sample of ECG."""
        waves = self._respiration.end()
        self._respiration = Strip(Code.RESPIRATION, self._board.value, RATE / 2, self._size)
        self._halved = True
        return waves


class Session:
    """What one board says, from the first frame on; frames of another board are not of this session."""

    def __init__(self) -> None:
        self.board: Board | None = None
        self._traces: Traces | None = None
        self._agreeing: dict[Kind, Agreeing] = {}

    def take(self, frame: Frame) -> list[DeviceEvent]:
        """Take the next frame and give what it completes."""
        report = decode(frame)
        if self._traces is None:
            self.board = report.board
            self._traces = Traces(report.board, STRETCH, both=False)
        if report.board is not self.board:
            return []
        events: list[DeviceEvent] = [*self._traces.take(report)]
        agreeing = self._agreeing.setdefault(report.kind, Agreeing(FRAMES_PER_SECOND[report.kind]))
        if agreeing.is_due(report.values):
            events.append(reading(report, frame.raw, agreeing.device_s))
        return events

    def lost(self) -> list[Wave]:
        """Bytes were refused."""
        for agreeing in self._agreeing.values():
            agreeing.lost()
        return [] if self._traces is None else self._traces.lost()

    def end(self) -> list[Wave]:
        """Give the samples that are left."""
        return [] if self._traces is None else self._traces.end()


def reading(report: Report, raw: bytes, device_s: float | None = None) -> Reading:
    """The numbers of a frame. The pressure of a v4 is none, and is not among them."""
    temperature = dict(report.values).get(Code.TEMPERATURE)
    cold = isinstance(temperature, Quantity) and not COLDEST_BODY_C <= temperature.value <= HOTTEST_BODY_C
    flags = (*((LEAD_OFF,) if report.lead_off else ()), *((NOT_OF_A_BODY,) if cold else ()))
    return Reading(report.values, flags, mode=Mode.CONTINUOUS, device_s=device_s, raw=raw)


def decode_chunks(chunks: Sequence[Chunk]) -> Decoded:
    """All that some bytes said: a reading for each frame, and the waves of each board."""
    readings: list[Reading] = []
    waves: list[Wave] = []
    traces: dict[Board, Traces] = {}

    def take(frame: Frame) -> None:
        report = decode(frame)
        readings.append(reading(report, frame.raw))
        of_board = traces.setdefault(report.board, Traces(report.board, WHOLE, both=True))
        waves.extend(of_board.take(report))

    refused = decode_stream(Framer(OpenView()), chunks, take)
    waves += [wave for of_board in traces.values() for wave in of_board.end()]
    return Decoded(tuple(readings), tuple(refused), tuple(on_the_skin(waves)))
