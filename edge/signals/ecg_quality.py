"""How far ten seconds of an ECG lead may be relied on. numpy only; not loaded by the running agent.

Each measure has a value and a limit. The kurtosis and the agreement of two detectors decide alone; of the
others two together make a window *poor*. Sources: signal quality indices of Li, Mark and Clifford (Physiol.
Meas. 2008;29:15) and Clifford et al. (2012;33:1419), with limits calibrated on records 105 (noisy) and 100
and 102 (clean) of the MIT-BIH Arrhythmia Database: of the windows of 105 in which the detector errs, four in
five are poor, and none of the clean ones is.
"""

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from edge.signals.qrs import LAST_INTERVALS, Beats, Samples, beats_by_slope

WINDOW_S: Final = 10.0
FLAT_MV: Final = 0.01
FLAT_S: Final = 1.0
RAIL_PART: Final = 0.01
RAIL_AWAY_PART: Final = 0.25
AGREE_S: Final = 0.15
SILENT_S: Final = 3.0
"""After so long without a beat the rate of those before says nothing of now."""
DECIDE_ALONE: Final = frozenset({"kurtosis", "agreement"})
_LIMITS: Final[dict[str, tuple[float, float]]] = {
    "mains": (0.0, 0.3),
    "baseline": (0.0, 0.6),
    "qrs_band": (0.4, 0.95),
    "kurtosis": (5.0, float("inf")),
    "agreement": (0.95, 1.0),
    "rate": (30.0, 220.0),
}
"""Within which a measure is good."""


class Quality(StrEnum):
    """What a window is."""

    GOOD = "good"
    POOR = "poor"
    LEAD_OFF = "lead-off"
    SATURATED = "saturated"


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """Ten seconds, or what is left at the end.

    Attributes:
        from_s: where it begins.
        measures: mains, power about 50 and 60 Hz against all; baseline, power below 1 Hz against all below
            40; qrs_band, power of 5 to 15 against 5 to 40 Hz; kurtosis; agreement of two detectors; rate, a
            minute. None where too little is there.
        failing: those beyond their limits.
    """

    from_s: float
    quality: Quality
    measures: Mapping[str, float | None]
    failing: tuple[str, ...]


def windows(raw: npt.NDArray[np.int16], gain: float, rate_hz: float, found: Beats) -> list[Window]:
    """Judge a lead window by window.

    Args:
        raw: samples as the device gave them.
        gain: their units in a millivolt.
        rate_hz: samples a second.
        found: the beats that `qrs.beats` found in it.
    """
    signal = raw.astype(np.float64) / gain
    slope = beats_by_slope(signal, rate_hz)
    size = max(1, round(WINDOW_S * rate_hz))
    starts = [at for at in range(0, len(signal), size) if len(signal) - at >= rate_hz or at == 0]
    return [
        _window(raw[at : at + size], signal[at : at + size], rate_hz, at, _within(found, at, size), slope)
        for at in starts
    ]


def rate_is_reliable(judged: list[Window], found: Beats, length: int, rate_hz: float) -> bool:
    """Whether the last intervals lie in good windows, and the last beat is not long ago.

    Args:
        judged: all windows of the recording.
        found: all its beats.
        length: of the recording, samples.
        rate_hz: samples a second.
    """
    if len(found) < 3:
        return False
    begin_s, end_s = found[-LAST_INTERVALS - 1 :][0] / rate_hz, length / rate_hz
    if end_s - found[-1] / rate_hz > SILENT_S:
        return False
    return all(each.quality is Quality.GOOD for each in judged if each.from_s + WINDOW_S > begin_s)


def intervals_are_irregular(found: Beats) -> bool | None:
    """Whether the intervals between beats vary more than breathing makes them; None when they are too few.

    The root mean square of successive differences against the mean interval, above 0.1 (Dash et al.,
    Ann. Biomed. Eng. 2009;37:1701), over the last 64. A hint for a doctor and no finding.
    """
    intervals = np.diff(found[-65:]).astype(np.float64)
    if len(intervals) < 16:
        return None
    return bool(np.sqrt(np.mean(np.diff(intervals) ** 2)) / np.mean(intervals) > 0.1)


def _window(
    raw: npt.NDArray[np.int16], signal: Samples, rate_hz: float, at: int, found: Beats, slope: Beats
) -> Window:
    measures = _measures(signal, rate_hz, found, _within(slope, at, len(signal)))
    failing = tuple(
        name
        for name, value in measures.items()
        if value is not None and not _LIMITS[name][0] <= value <= _LIMITS[name][1]
    )
    if _is_flat(signal, rate_hz):
        quality = Quality.LEAD_OFF
    elif _at_a_rail(raw) > RAIL_PART:
        quality = Quality.SATURATED
    else:
        poor = len(failing) > 1 or not DECIDE_ALONE.isdisjoint(failing)
        quality = Quality.POOR if poor else Quality.GOOD
    return Window(round(at / rate_hz, 3), quality, measures, failing)


def _measures(signal: Samples, rate_hz: float, found: Beats, slope: Beats) -> dict[str, float | None]:
    centred = signal - signal.mean()
    power = np.abs(np.fft.rfft(centred)) ** 2
    hz = np.fft.rfftfreq(len(signal), 1 / rate_hz)
    deviation = float(centred.std())
    seconds = len(signal) / rate_hz
    return {
        "mains": _part(power, (hz > 48) & (hz < 52) | (hz > 58) & (hz < 62), hz >= 0),
        "baseline": _part(power, hz < 1, hz < 40),
        "qrs_band": _part(power, (hz >= 5) & (hz < 15), (hz >= 5) & (hz < 40)),
        "kurtosis": round(float(np.mean((centred / deviation) ** 4)), 2) if deviation else None,
        "agreement": _agreement(found, slope, AGREE_S * rate_hz),
        "rate": round(60 * len(found) / seconds, 1),
    }


def _part(power: Samples, some: npt.NDArray[np.bool_], all_: npt.NDArray[np.bool_]) -> float | None:
    whole = float(power[all_].sum())
    return round(float(power[some].sum()) / whole, 3) if whole else None


def _agreement(one: Beats, other: Beats, within: float) -> float | None:
    """Beats that both have, against those that any has."""
    if not (len(one) or len(other)):
        return None
    both = sum(bool(len(other)) and bool(np.abs(other - each).min() <= within) for each in one)
    return round(float(both) / (len(one) + len(other) - both), 3)


def _within(found: Beats, at: int, size: int) -> Beats:
    begin, end = np.searchsorted(found, (at, at + size))
    return found[begin:end]


def _is_flat(signal: Samples, rate_hz: float) -> bool:
    """Whether the lead lies still for a second: less than 10 microvolt."""
    size = max(1, round(FLAT_S * rate_hz / 2))
    halves = len(signal) // size
    if halves < 2:
        return bool(np.ptp(signal) < FLAT_MV)
    blocks = signal[: halves * size].reshape(halves, size)
    low, high = blocks.min(axis=1), blocks.max(axis=1)
    still = np.maximum(high[1:], high[:-1]) - np.minimum(low[1:], low[:-1])
    return bool((still < FLAT_MV).any())


def _at_a_rail(raw: npt.NDArray[np.int16]) -> float:
    """The part of the samples that stand at the highest or the lowest value for three or more in turn.

    A value near the middle one is no rail: between two beats an ECG may lie at its lowest.
    """
    low, high = int(raw.min()), int(raw.max())
    middle = float(np.median(raw))
    stuck = 0
    for rail in (low, high):
        if len(raw) < 3 or abs(rail - middle) < RAIL_AWAY_PART * (high - low) or low == high:
            continue
        at = raw == rail
        run = at[2:] & at[1:-1] & at[:-2]
        stuck += int(np.count_nonzero(run))
    return stuck / len(raw)
