"""Beats of real and made signals, at any rate and gain, and what is no ECG has none."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.signals import ecg_quality, qrs
from edge.signals.ecg_quality import Quality

VECTORS = Path(__file__).parents[2] / "vectors" / "ecg"
RATE = 360.0
GAIN = 200.0
CLEAN = ("mitbih-100-0s", "mitbih-106-60s", "mitbih-116-60s")
WITHIN_S = 0.15


def recording(name: str) -> tuple[np.ndarray, list[int]]:
    raw = np.frombuffer(gzip.decompress((VECTORS / f"{name}.i16.gz").read_bytes()), dtype="<i2")
    with (VECTORS / f"{name}.beats.csv").open() as file:
        return raw, [int(row[0]) for row in list(csv.reader(file))[1:]]


def wrong(found: list[int], reference: list[int], rate: float) -> int:
    """Beats missed and invented."""
    within = WITHIN_S * rate
    missed = sum(all(abs(beat - wanted) > within for beat in found) for wanted in reference)
    return missed + sum(all(abs(beat - wanted) > within for wanted in reference) for beat in found)


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize("rate", [130.0, 250.0, 360.0, 500.0, 1000.0])
def test_the_beats_of_a_real_recording_are_found_at_any_rate(name: str, rate: float) -> None:
    raw, reference = recording(name)
    seconds = len(raw) / RATE
    signal = np.interp(np.arange(0, seconds, 1 / rate), np.arange(len(raw)) / RATE, raw / GAIN)
    wanted = [round(each / RATE * rate) for each in reference]
    found = qrs.beats(signal, rate).tolist()
    assert wrong(found, wanted, rate) <= 1  # a beat cut in two by the edge of the excerpt
    distances = [min(abs(beat - each) for beat in found) / rate * 1000 for each in wanted[1:-1]]
    assert np.mean(distances) <= 15


@pytest.mark.parametrize(("gain", "zero_mv"), [(0.5, 0.0), (2.0, -3.0), (1.0, 40.0)])
def test_amplitude_and_offset_do_not_matter(gain: float, zero_mv: float) -> None:
    raw, reference = recording("mitbih-100-0s")
    found = qrs.beats(raw / GAIN * gain + zero_mv, RATE).tolist()
    assert wrong(found, reference, RATE) <= 1


def test_noise_of_the_mains_and_a_wandering_baseline_hide_no_beat() -> None:
    raw, reference = recording("mitbih-100-0s")
    seconds = np.arange(len(raw)) / RATE
    disturbed = raw / GAIN + 0.2 * np.sin(2 * np.pi * 50 * seconds) + 0.8 * np.sin(2 * np.pi * 0.2 * seconds)
    assert wrong(qrs.beats(disturbed, RATE).tolist(), reference, RATE) <= 1


def test_a_pulse_a_second_is_sixty_a_minute() -> None:
    raw = np.zeros(250 * 20, dtype=np.int16)
    raw[125::250] = 200
    found = qrs.beats(raw / 200.0, 250.0)
    assert found.tolist() == list(range(125, 250 * 20, 250))
    judged = ecg_quality.windows(raw, 200.0, 250.0, found)
    assert ecg_quality.rate_is_reliable(judged, found, len(raw), 250.0)
    rate = qrs.rate_per_min(found, 250.0)
    assert rate is not None
    assert abs(rate - 60) <= 0.5


def test_a_flat_lead_is_off_and_has_neither_beats_nor_rate() -> None:
    raw = np.full(3600, 17, dtype=np.int16)
    found = qrs.beats(raw / GAIN, RATE)
    assert not len(found)
    (window,) = ecg_quality.windows(raw, GAIN, RATE, found)
    assert window.quality is Quality.LEAD_OFF
    assert qrs.rate_per_min(found, RATE) is None


def test_a_lead_that_falls_off_has_no_reliable_rate_any_more() -> None:
    raw, _ = recording("mitbih-100-0s")
    off = np.concatenate((raw[: 30 * 360], np.full(5 * 360, raw[30 * 360], dtype=np.int16)))
    found = qrs.beats(off / GAIN, RATE)
    judged = ecg_quality.windows(off, GAIN, RATE, found)
    assert judged[-1].quality is Quality.LEAD_OFF
    assert not ecg_quality.rate_is_reliable(judged, found, len(off), RATE)


def test_a_lead_at_its_rail_is_saturated() -> None:
    raw, _ = recording("mitbih-100-0s")
    clipped = np.clip(raw, -60, 60).astype(np.int16)
    judged = ecg_quality.windows(clipped, GAIN, RATE, qrs.beats(clipped / GAIN, RATE))
    assert {each.quality for each in judged} == {Quality.SATURATED}


def test_noisy_windows_are_poor_and_clean_ones_good() -> None:
    noisy, _ = recording("mitbih-105-1190s")
    judged = ecg_quality.windows(noisy, GAIN, RATE, qrs.beats(noisy / GAIN, RATE))
    assert sum(each.quality is Quality.POOR for each in judged) >= 5
    clean, _ = recording("mitbih-100-0s")
    judged = ecg_quality.windows(clean, GAIN, RATE, qrs.beats(clean / GAIN, RATE))
    assert all(each.quality is Quality.GOOD and not each.failing for each in judged)


@pytest.mark.parametrize(("spread", "irregular"), [(0.0, False), (0.02, False), (0.25, True)])
def test_only_intervals_that_vary_are_called_irregular(spread: float, *, irregular: bool) -> None:
    chance = np.random.default_rng(7)
    intervals = 300 * (1 + spread * chance.uniform(-1, 1, 60))
    found = np.cumsum(intervals).astype(np.int64)
    assert ecg_quality.intervals_are_irregular(found) is irregular
    assert ecg_quality.intervals_are_irregular(found[:12]) is None


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(0, 3000),
    rate=st.sampled_from([50.0, 125.0, 360.0, 1000.0]),
    seed=st.integers(0, 2**32 - 1),
    height=st.sampled_from([0, 1, 200, 32767]),
)
def test_nothing_in_a_file_brings_it_down(length: int, rate: float, seed: int, height: int) -> None:
    chance = np.random.default_rng(seed)
    raw = chance.integers(-height - 1, height, length, endpoint=True, dtype=np.int16)
    found = qrs.beats(raw / GAIN, rate)
    assert all(np.diff(found) > 0)
    assert all(0 <= each < max(1, length) for each in found)
    for window in ecg_quality.windows(raw, GAIN, rate, found) if length else []:
        assert all(value is None or np.isfinite(value) for value in window.measures.values())
