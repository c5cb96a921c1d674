"""A HealthyPi as it looks from its cable: what it streams. No port, no clock of its own."""

import random
from collections.abc import Sequence
from typing import Final

from drivers.devices.healthypi.codec import Kind, encode
from drivers.simulation.vitals import Snapshot, Vitals

RATE: Final = 125
COUNTS_PER_MICROVOLT: Final = 0.4
"""Of the simulated board; real ones are not calibrated, and nothing may rely on this."""
LEAD_OFF: Final = 0x04
STATUS: Final = 0xC0
"""The upper bits of an ADS1292R's status are always set."""
PLETH_FLOOR: Final = 160_000
PLETH_HEIGHT: Final = 20_000
ECG_BATCH: Final = 8
SHOWN_FOR: Final = 25
"""Samples for which the numbers of a board stand still."""
_STILL: Final = 3
_WANDER: Final = 9


class Unit:
    """One simulated board, switched on; it streams by itself and hears nothing.

    Args:
        kind: `Kind.V4`, `Kind.V5`, `Kind.ADS1292R`, or `Kind.V5_ECG` for a v5 with firmware 1.
        short: leave out the 00 before the end, as some firmware does.
    """

    def __init__(
        self, kind: Kind, vitals: Vitals, at_s: float, *, short: bool = False, seed: int = 1
    ) -> None:
        self._kind = kind
        self._vitals = vitals
        self._short = short
        self._sample = round(at_s * RATE)
        self._optical = 0
        self._microvolts: tuple[int, Sequence[int]] = (0, ())
        self._shown: tuple[int, Snapshot] | None = None
        self._random = random.Random(seed)  # noqa: S311  noise need not be secret
        self._leads = True
        self._finger = True
        self._probe = True
        self._moving = False

    def stream(self, at_s: float) -> bytes:
        """See `drivers.simulation.serial_device.SimulatedUnit`."""
        due = int(at_s * RATE)
        first = max(self._sample, due - _STILL * RATE)
        batch = ECG_BATCH if self._kind is Kind.V5_ECG else 1
        count = (due - first) // batch
        self._sample = first + count * batch
        self._microvolts = (first, self._vitals.ecg(RATE, first, count * batch))
        return b"".join(self._frames(first + number * batch) for number in range(count))

    def hear(self, data: bytes, at_s: float) -> bytes:  # noqa: ARG002  it hears nothing
        return b""

    def obey(self, order: list[str], at_s: float) -> bytes | None:  # noqa: ARG002  it obeys at once
        match order:
            case ["lead" | "sensor", "on" | "off" as state]:
                self._leads = state == "on"
            case ["finger", "in" | "out" as state]:
                self._finger = state == "in"
            case ["probe", "on" | "off" as state]:
                self._probe = state == "on"
            case ["motion", "on" | "off" as state]:
                self._moving = state == "on"
            case _:
                return None
        return b""

    def _frames(self, first: int) -> bytes:
        if self._shown is None or first // SHOWN_FOR != self._shown[0]:
            self._shown = (first // SHOWN_FOR, self._vitals.now(first / RATE))
        now = self._shown[1]
        heart, breaths = round(now.pulse) * self._leads, round(now.respiratory_rate) * self._leads
        spo2 = round(now.spo2) * self._finger
        hundredths = round(now.temperature_c * 100) * self._probe
        match self._kind:
            case Kind.V4:
                light = self._light(first)
                status = STATUS | (0 if self._leads else LEAD_OFF)
                return self._encode(
                    Kind.V4, *self._electrical(first), light, light + 7, hundredths, breaths, spo2,
                    min(heart, 254), status,
                )  # fmt: skip
            case Kind.ADS1292R:
                return self._encode(Kind.ADS1292R, *self._electrical(first), heart, breaths)
            case Kind.V5_ECG:
                return self._batch(first, heart, breaths, hundredths, spo2)
            case _:
                ecg, breath = self._electrical(first)
                light = self._light(first)
                return self._encode(
                    Kind.V5, ecg, breath, 0, light + 7, light, hundredths, spo2, min(heart, 254), breaths
                )

    def _batch(self, first: int, heart: int, breaths: int, hundredths: int, spo2: int) -> bytes:
        """Firmware 1: eight samples of ECG in a frame, and a frame of light whenever eight of it are due."""
        samples = [self._electrical(first + number) for number in range(ECG_BATCH)]
        said = self._encode(
            Kind.V5_ECG, *(ecg for ecg, _ in samples), *(breath for _, breath in samples[::2]),
            min(heart, 254), breaths,
        )  # fmt: skip
        self._optical += 100 * ECG_BATCH
        if self._optical >= RATE * 8:
            self._optical -= RATE * 8
            light = [(self._light(first + number) - PLETH_FLOOR) // 2 for number in range(8)]
            said += self._encode(Kind.V5_PPG, *light, hundredths, spo2)
        return said

    def _electrical(self, sample: int) -> tuple[int, int]:
        if not self._leads:
            return 0, 0
        first, microvolts = self._microvolts
        wander = self._random.randrange(-900, 900) if self._moving else 0
        ecg = round(microvolts[sample - first] * COUNTS_PER_MICROVOLT) + wander
        return ecg or 1, round(1000 * self._vitals.respiration(sample / RATE))

    def _light(self, sample: int) -> int:
        if not self._finger:
            return self._random.randrange(_WANDER)
        wander = self._random.randrange(PLETH_HEIGHT) if self._moving else 0
        return PLETH_FLOOR + round(PLETH_HEIGHT * self._vitals.pleth(sample / RATE)) + wander

    def _encode(self, kind: Kind, *numbers: int) -> bytes:
        return encode(kind, *numbers, short=self._short)
