"""Where the heart beats in one lead of an ECG. numpy only; not loaded by the running agent.

Two moving averages (after Elgendi, PLOS ONE 2013;8:e73557): the difference of two smoothings keeps what a
QRS complex has (about 4 to 20 Hz), the average of its square over 97 ms is an envelope with one hump a
beat. What follows is ours: a hump is a beat when it is high enough beside the highest of the seconds
around it; one that follows soon and is less than half as high is the T wave; where a beat fails to come,
the highest lower hump between is taken; and the beat is put where the filtered signal is farthest from
zero, so that it is exact to some milliseconds.

Measured in `bench` on records of the MIT-BIH Arrhythmia Database, tuned on 100, 102, 105 and 116 alone.
"""

import statistics
from typing import Final

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float64]
Beats = npt.NDArray[np.int64]

SHORT_S: Final = 0.0222
LONG_S: Final = 0.111
"""The two smoothings, each twice a moving average; their difference is the band-pass."""
QRS_S: Final = 0.097
NEAREST_S: Final = 0.24
"""Two beats are at least so far apart: 250 a minute."""
T_WAVE_S: Final = 0.36
T_WAVE_PART: Final = 0.5
LEAST_PART: Final = 0.35
SEARCH_BACK_PART: Final = 0.2
"""Parts of the level around that a hump has to reach, and that one between two distant beats has to."""
SEARCH_BACK_AFTER: Final = 1.5
"""Times the middle interval of the last eight."""
LEVEL_S: Final = 1.5
LEVEL_SPANS: Final = 5
"""The level is the middle of the highest humps of each span, over so many spans to both sides."""
PLACE_S: Final = 0.06
LEAST_MV: Final = 0.04
"""An envelope below this is noise, whatever is beside it."""
LAST_INTERVALS: Final = 8


def beats(signal_mv: Samples, rate_hz: float) -> Beats:
    """The positions of the beats, in samples.

    Args:
        signal_mv: one lead, in millivolt; where its zero lies does not matter.
        rate_hz: samples a second.
    """
    if len(signal_mv) < rate_hz / 2:
        return np.array([], dtype=np.int64)
    filtered = band(signal_mv, rate_hz)
    return _beats(filtered, filtered, rate_hz)


def beats_by_slope(signal_mv: Samples, rate_hz: float) -> Beats:
    """The same by another feature, how steep the signal is: where both agree, a beat may be relied on."""
    if len(signal_mv) < rate_hz / 2:
        return np.array([], dtype=np.int64)
    step = max(1, round(0.01 * rate_hz))
    smooth = _average(signal_mv, round(0.016 * rate_hz))
    slope = np.zeros_like(smooth)
    slope[step:-step] = smooth[2 * step :] - smooth[: -2 * step]
    return _beats(slope, band(signal_mv, rate_hz), rate_hz)


def band(signal_mv: Samples, rate_hz: float) -> Samples:
    """What lies in the band of a QRS complex, without shift in time."""
    short, long = round(SHORT_S * rate_hz), round(LONG_S * rate_hz)
    near = _average(_average(signal_mv, short), short)
    return near - _average(_average(near, long), long)


def rate_per_min(found: Beats, rate_hz: float) -> float | None:
    """From the middle one of the last eight intervals; None before there are two."""
    intervals = np.diff(found[-LAST_INTERVALS - 1 :])
    return None if len(intervals) < 2 else float(60 * rate_hz / np.median(intervals))


def _beats(feature: Samples, placed_by: Samples, rate_hz: float) -> Beats:
    envelope = np.sqrt(_average(feature * feature, round(QRS_S * rate_hz)))
    humps = _humps(envelope, max(1, int(NEAREST_S * rate_hz)))
    chosen = _choose(humps, envelope, rate_hz)
    width = int(PLACE_S * rate_hz)
    placed = [_farthest(placed_by, hump, width) for hump in chosen]
    return np.array(placed, dtype=np.int64)


def _average(signal: Samples, samples: int) -> Samples:
    """A moving average over an odd number of samples, centred; the ends go on as they are."""
    width = max(1, samples) | 1
    if width == 1:
        return signal
    ends = np.pad(signal, width // 2, mode="edge")
    sums = np.cumsum(np.concatenate(([0.0], ends)))
    averaged: Samples = (sums[width:] - sums[:-width]) / width
    return np.maximum(averaged, 0.0) if signal.min() >= 0 else averaged


def _humps(envelope: Samples, apart: int) -> Beats:
    """Where the envelope is highest within ``apart`` samples to both sides."""
    width, length = 2 * apart + 1, len(envelope)
    ends = (-1.0, apart + (-(length + 2 * apart)) % width)
    padded = np.concatenate((np.full(apart, ends[0]), envelope, np.full(ends[1], ends[0])))
    blocks = padded.reshape(-1, width)
    # the highest of a window is that of the end of one block and of the beginning of the next
    onward = np.maximum.accumulate(blocks, axis=1).ravel()
    backward = np.maximum.accumulate(blocks[:, ::-1], axis=1)[:, ::-1].ravel()
    highest = np.maximum(backward[:length], onward[width - 1 : width - 1 + length])
    top = (envelope >= highest) & (envelope > LEAST_MV)
    places = np.flatnonzero(top)
    # of a flat top the first
    apart_enough = np.concatenate(([True], np.diff(places) > apart))
    return places[apart_enough] if len(places) else places


def _choose(humps: Beats, envelope: Samples, rate_hz: float) -> list[int]:
    """Those humps that are beats, in order."""
    if not len(humps):
        return []
    heights = envelope[humps].tolist()
    levels = _levels(humps, envelope, rate_hz)
    near, chosen = T_WAVE_S * rate_hz, _Chosen()
    weak: list[int] = []
    for i, hump in enumerate(humps.tolist()):
        if heights[i] <= LEAST_PART * levels[i]:
            weak.append(i)
            continue
        between = chosen.missing(hump, [(int(humps[j]), heights[j], levels[j]) for j in weak])
        for place, height, level in (*between, (hump, heights[i], levels[i])):
            chosen.take(place, height, level, near)
        weak = []
    return chosen.places


class _Chosen:
    """The beats so far, with the height of the last and the intervals between the last few."""

    def __init__(self) -> None:
        self.places: list[int] = []
        self._height = 0.0
        self._intervals: list[int] = []

    def take(self, place: int, height: float, level: float, near: float) -> None:
        """Take a hump, unless it is the T wave of the last beat."""
        if self.places:
            interval = place - self.places[-1]
            if interval < near and height < T_WAVE_PART * min(self._height, 2 * level):
                return
            self._intervals = [*self._intervals[1 - LAST_INTERVALS :], interval]
        self.places.append(place)
        self._height = height

    def missing(self, place: int, lower: list[tuple[int, float, float]]) -> list[tuple[int, float, float]]:
        """The highest of the lower humps since the last beat, when one has failed to come."""
        if not (self._intervals and lower):
            return []
        middle = statistics.median(self._intervals)
        last = self.places[-1]
        if place - last <= SEARCH_BACK_AFTER * middle:
            return []
        fitting = [
            (at, height, level)
            for at, height, level in lower
            if min(at - last, place - at) > middle / 2 and height > SEARCH_BACK_PART * level
        ]
        return [max(fitting, key=lambda each: each[1])] if fitting else []


def _levels(humps: Beats, envelope: Samples, rate_hz: float) -> list[float]:
    """How high the beats are around each hump."""
    span = int(LEVEL_S * rate_hz)
    spans = max(1, len(envelope) // span)
    if len(envelope) < span:
        tops = np.array([envelope.max()])
    else:
        tops = envelope[: spans * span].reshape(spans, span).max(axis=1)
    around = [float(np.median(tops[max(0, i - LEVEL_SPANS) : i + LEVEL_SPANS + 1])) for i in range(len(tops))]
    return [around[min(hump // span, len(around) - 1)] for hump in humps.tolist()]


def _farthest(filtered: Samples, place: int, width: int) -> int:
    begin = max(0, place - width)
    return begin + int(np.argmax(np.abs(filtered[begin : place + width + 1])))
