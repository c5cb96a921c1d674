"""The measured rate is near the true one, and its uncertainty says how near."""

import random

import pytest

from edge.signals.rate import RateMeter


def _measured(
    seed: int, true_rate: float, seconds: int, *, frame: int = 73, late_s: float = 0.03, stalls: bool = False
) -> tuple[float, float]:
    """A device with a crystal of its own; frames late by a random time, as over the air."""
    chance = random.Random(seed)  # noqa: S311  a seed makes a failure repeatable
    meter = RateMeter()
    last_s = 0.0
    for number in range(1, int(seconds * true_rate / frame)):
        late = chance.expovariate(1 / late_s)
        if stalls and chance.random() < 0.02:
            late += 0.4
        last_s = max(last_s, 500 + number * frame / true_rate + late)
        meter.heard(frame, last_s)
    rate = meter.rate()
    assert rate is not None
    return rate.per_s, rate.uncertainty_per_s


@pytest.mark.parametrize("true_rate", [59.4, 129.98, 130.6, 500.01])
@pytest.mark.parametrize("stalls", [False, True])
def test_the_true_rate_lies_within_the_uncertainty(true_rate: float, stalls: bool) -> None:
    inside = 0
    for seed in range(100):
        found, uncertainty = _measured(seed, true_rate, 60, stalls=stalls)
        inside += abs(found - true_rate) <= 3 * uncertainty
    assert inside >= 96


def test_a_longer_look_is_a_better_one() -> None:
    _, after_ten = _measured(1, 130.6, 12)
    found, after_ten_minutes = _measured(1, 130.6, 600)
    assert after_ten_minutes < after_ten / 20
    assert found == pytest.approx(130.6, rel=1e-4)
    assert after_ten < 130.6 * 0.02


def test_a_gap_does_not_count_as_time() -> None:
    meter = RateMeter()
    at_s = 0.0
    for stretch in range(5):
        for _ in range(20):
            at_s += 1.0
            meter.heard(100, at_s)
        at_s += 7.0 + stretch
        meter.gap()
    rate = meter.rate()
    assert rate is not None
    assert rate.per_s == pytest.approx(100, abs=1e-6)
    assert rate.over_s == pytest.approx(5 * 19)


def test_too_little_gives_no_rate() -> None:
    meter = RateMeter()
    assert meter.rate() is None
    for second in range(4):
        meter.heard(100, second)
        assert meter.rate() is None
    meter.gap()
    meter.heard(100, 10)
    assert meter.rate() is None


def test_everything_at_once_gives_no_rate() -> None:
    meter = RateMeter()
    for _ in range(1000):
        meter.heard(100, 5.0)
    assert meter.rate() is None


def test_an_exact_device_is_known_no_better_than_the_clock() -> None:
    meter = RateMeter()
    for second in range(60):
        meter.heard(100, float(second))
    rate = meter.rate()
    assert rate is not None
    assert 0.001 * 100 / 60 <= rate.uncertainty_per_s < 0.01


def test_it_is_the_textbook_fit_of_all_stretches_with_one_slope() -> None:
    """Ordinary least squares of arrival on samples, a constant for each stretch; every second at most."""
    chance = random.Random(5)  # noqa: S311  a seed makes a failure repeatable
    meter = RateMeter()
    stretches: list[list[tuple[int, float]]] = []
    at_s = 0.0
    for length in (9, 4, 30):
        stretch: list[tuple[int, float]] = []
        samples = 0
        for _ in range(length):
            at_s += chance.uniform(0.3, 0.9)
            samples += 50
            meter.heard(50, at_s)
            if not stretch or at_s - stretch[-1][1] >= 1.0:
                stretch.append((samples, at_s))
        stretches.append(stretch)
        meter.gap()
        at_s += 5
    nn = ns = ss = over_s = 0.0
    for stretch in stretches:
        mean_n = sum(n for n, _ in stretch) / len(stretch)
        mean_s = sum(s for _, s in stretch) / len(stretch)
        nn += sum((n - mean_n) ** 2 for n, _ in stretch)
        ns += sum((n - mean_n) * (s - mean_s) for n, s in stretch)
        ss += sum((s - mean_s) ** 2 for _, s in stretch)
        over_s += stretch[-1][1] - stretch[0][1]
    slope = ns / nn
    variance = (ss - slope * ns) / (sum(map(len, stretches)) - len(stretches) - 1)
    rate = meter.rate()
    assert rate is not None
    assert rate.per_s == pytest.approx(1 / slope)
    assert rate.uncertainty_per_s == pytest.approx((variance / nn) ** 0.5 / slope**2)
    assert rate.over_s == pytest.approx(over_s)
