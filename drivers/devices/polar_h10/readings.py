"""From frames and heart rate values to what is handed on. Pure: time is the strap's own.

Samples are never made up: where frames were lost, or the strap's clock jumped, the next stretch says that
there is a gap before it.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from drivers.codec import uuids
from drivers.codec.heart_rate import decode_heart_rate, heart_rate_reading
from drivers.decoding import Chunk, Decoded, decode_values, unknown_characteristic
from drivers.devices.polar_h10.codec import (
    FEATURES,
    EcgFrame,
    decode_ecg,
    decode_response,
    has_ecg,
)
from edge.vitals.codes import Code
from edge.vitals.quantity import Unit
from edge.vitals.reading import Reading, Wave

LEAD: Final = "Polar H10 single lead"
"""Between two electrodes on the chest: not one of the standard leads, and never named as one."""
NOMINAL_RATE: Final = Decimal(130)
RATE_STEP: Final = Decimal("0.01")
FRAMES_FOR_THE_RATE: Final = 64
"""About half a minute; the strap's clock drifts with its temperature."""
OFF_BY_SAMPLES: Final = 3
"""Frames follow each other to within a sample; lost ones leave out dozens."""
_NS: Final = 1_000_000_000


class Strip:
    """The ECG of one session, frame after frame; finds out the rate and the gaps."""

    def __init__(self, nominal: Decimal = NOMINAL_RATE) -> None:
        self._nominal = nominal
        self._first_ns: int | None = None
        self._last: EcgFrame | None = None
        self._lengths: list[tuple[int, int]] = []

    @property
    def rate(self) -> Decimal:
        """Samples a second by the strap's timestamps; the nominal rate until two frames have met."""
        elapsed_ns = sum(ns for _, ns in self._lengths)
        if not elapsed_ns:
            return self._nominal
        samples = sum(count for count, _ in self._lengths)
        return (Decimal(samples * _NS) / elapsed_ns).quantize(RATE_STEP, ROUND_HALF_UP)

    @property
    def device_s(self) -> float | None:
        """Seconds by the strap's clock since the first sample, or None before there is one."""
        if self._first_ns is None or self._last is None:
            return None
        return (self._last.last_ns - self._first_ns) / _NS

    def frame(self, frame: EcgFrame) -> Wave | None:
        """The next stretch, or None when the frame came before."""
        before, self._last = self._last, frame
        if self._first_ns is None:
            self._first_ns = frame.last_ns
        if frame == before:
            return None
        gap = before is not None and not self._follows(before, frame)
        return Wave(
            Code.ECG, LEAD, Unit.MICROVOLT, self.rate, frame.microvolts, gap=gap, device_s=self.device_s
        )

    def _follows(self, before: EcgFrame, frame: EcgFrame) -> bool:
        elapsed_ns = frame.last_ns - before.last_ns
        samples = len(frame.microvolts)
        expected_ns = samples * _NS / self.rate
        if abs(elapsed_ns - expected_ns) > OFF_BY_SAMPLES * _NS / self.rate:
            return False
        if elapsed_ns > 0:
            self._lengths.append((samples, elapsed_ns))
            del self._lengths[:-FRAMES_FOR_THE_RATE]
        return True


def decode_chunks(chunks: Sequence[Chunk]) -> Decoded:
    """All that some values said; frames that follow each other make one wave.

    After a heart rate without contact comes no ECG until one with contact: off the skin a strap goes on
    sending, and sends noise.
    """
    readings: list[Reading] = []
    waves: list[Wave] = []
    strip = Strip()
    worn = True

    def take(characteristic: str, raw: bytes) -> None:
        nonlocal worn
        match characteristic:
            case uuids.POLAR_DATA:
                frame = decode_ecg(raw)
                wave = strip.frame(frame) if worn else None
                if wave is not None:
                    _join(waves, wave)
            case uuids.HEART_RATE_MEASUREMENT:
                said = decode_heart_rate(raw)
                readings.append(heart_rate_reading(said, raw))
                worn = said.contact is not False
            case uuids.POLAR_CONTROL_POINT if raw[:1] == bytes([FEATURES]):
                has_ecg(raw)
            case uuids.POLAR_CONTROL_POINT:
                decode_response(raw)
            case _:
                raise unknown_characteristic(raw)

    refused = decode_values(chunks, uuids.POLAR_DATA, take)
    return Decoded(tuple(readings), tuple(refused), tuple(waves))


def _join(waves: list[Wave], wave: Wave) -> None:
    if not waves or wave.gap:
        waves.append(wave)
        return
    waves[-1] = Wave(
        wave.code, wave.lead, wave.unit, wave.rate, (*waves[-1].samples, *wave.samples), waves[-1].gap
    )
