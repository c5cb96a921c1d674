"""The virtual patient: everything it says fits together, and does not hang on who asks when."""

import dataclasses
import itertools
import statistics
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.simulation import oxygen
from drivers.simulation.patient import Course, Patient
from drivers.simulation.retimed import moved
from drivers.simulation.trend import Steps, Sway, Trend
from drivers.simulation.vitals import TRANSIT_S, Rhythm, Snapshot, Steady

WELL: Final = Course(
    systolic=((0, 122),),
    diastolic=((0, 78),),
    pulse=((0, 72),),
    breaths=((0, 15),),
    temperature=((0, 36.8),),
    saturation_on_air=((0, 97.5),),
    oxygen_flow=((0, 0),),
    perfusion=((0, 3),),
    glucose=((0, 96),),
)
MINUTES: Final = range(60, 3600, 60)


def average(patient: Patient, what: Callable[[Snapshot], float]) -> float:
    return statistics.mean(what(patient.now(at_s)) for at_s in MINUTES)


def patient(seed: int = 7, **changes: Any) -> Patient:  # noqa: ANN401  any part of a course
    return Patient(dataclasses.replace(WELL, **changes), seed)


# ── One person, whoever asks ─────────────────────────────────────────────────────────────────────


@settings(max_examples=30, deadline=None)
@given(moments=st.lists(st.floats(0, 4000), min_size=1, max_size=8), rhythm=st.sampled_from(Rhythm))
def test_what_is_said_of_a_moment_does_not_hang_on_what_was_asked_before(
    moments: list[float], rhythm: Rhythm
) -> None:
    one, other = patient(rhythm=rhythm), patient(rhythm=rhythm)
    forward = [(one.now(at), one.pleth(at), one.beats(at, at + 3)) for at in moments]
    backward = [(other.now(at), other.pleth(at), other.beats(at, at + 3)) for at in reversed(moments)]
    assert forward == backward[::-1]


def test_another_seed_is_another_person() -> None:
    assert patient(1).now(100) != patient(2).now(100)
    assert patient(1).beats(0, 10) != patient(2).beats(0, 10)


def test_a_day_can_be_asked_for_at_once() -> None:
    assert 40 < patient().now(86_400).pulse < 110


def test_pace_hurries_the_course_and_neither_beats_nor_breaths() -> None:
    getting_worse = dataclasses.replace(WELL, pulse=((0, 70), (1200, 120)))
    slow, fast = Patient(getting_worse, 7), Patient(getting_worse, 7, pace=4)
    assert slow.now(1300).pulse == pytest.approx(fast.now(325).pulse, abs=8)
    assert slow.now(300).pulse < 90
    assert fast.now(300).pulse > 110
    assert len(fast.beats(300, 360)) == pytest.approx(fast.now(360).pulse, abs=6)


# ── What hangs together ──────────────────────────────────────────────────────────────────────────


@settings(max_examples=100, deadline=None)
@given(
    at_s=st.floats(0, 5000),
    systolic=st.floats(40, 250),
    pulse_pressure=st.floats(0, 100),
    rhythm=st.sampled_from(Rhythm),
)
def test_the_mean_lies_between_the_pressures(
    at_s: float, systolic: float, pulse_pressure: float, rhythm: Rhythm
) -> None:
    found = patient(
        systolic=((0, systolic),), diastolic=((0, systolic - pulse_pressure),), rhythm=rhythm
    ).now(at_s)
    assert found.diastolic < found.mean < found.systolic
    assert found.mean == pytest.approx(found.diastolic + (found.systolic - found.diastolic) / 3)


@pytest.mark.parametrize("rhythm", Rhythm)
@pytest.mark.parametrize("rate", [45, 72, 140])
def test_the_pulse_is_the_rate_of_the_beats(rate: int, rhythm: Rhythm) -> None:
    someone = patient(pulse=((0, rate),), rhythm=rhythm)
    for at_s in (30, 300, 1000):
        beats = someone.beats(at_s - 60, at_s)[-13:]
        assert someone.now(at_s).pulse == pytest.approx(60 * 12 / (beats[-1] - beats[0]))
    assert average(someone, lambda found: found.pulse) == pytest.approx(rate, rel=0.05)


@pytest.mark.parametrize(("per_degree", "more"), [(7.2, 2.2 * 7.2), (10, 22)])
def test_each_degree_of_fever_makes_the_heart_faster(per_degree: float, more: float) -> None:
    cool = patient(pulse_per_degree=per_degree, breaths_per_degree=2.0)
    hot = patient(pulse_per_degree=per_degree, breaths_per_degree=2.0, temperature=((0, 39.2),))
    assert average(hot, lambda found: found.pulse) - average(
        cool, lambda found: found.pulse
    ) == pytest.approx(more, abs=0.8)
    assert average(hot, lambda found: found.respiratory_rate) - average(
        cool, lambda found: found.respiratory_rate
    ) == pytest.approx(2.2 * 2, abs=0.6)


def test_cold_does_not_count_as_fever_of_the_other_sign() -> None:
    assert average(patient(temperature=((0, 34.0),)), lambda found: found.pulse) == pytest.approx(72, abs=1)


# Table 1 of Severinghaus 1979: standard human blood, mmHg and percent.
@pytest.mark.parametrize(
    ("oxygen_mmhg", "percent"), [(40, 74.69), (50, 85.08), (60, 90.85), (80, 95.84), (100, 97.49)]
)
def test_the_dissociation_curve_is_the_published_one(oxygen_mmhg: float, percent: float) -> None:
    assert oxygen.saturation_at(oxygen_mmhg) == pytest.approx(percent, abs=0.35)


@given(saturation=st.floats(40, 99.5))
def test_the_curve_and_its_inverse_undo_each_other(saturation: float) -> None:
    assert oxygen.saturation_at(oxygen.arterial_mmhg(saturation)) == pytest.approx(saturation)


@given(on_air=st.floats(50, 99.9), less=st.floats(0, 15), more=st.floats(0, 15), co2=st.floats(25, 80))
def test_more_oxygen_never_lowers_a_saturation_nor_goes_beyond_a_hundred(
    on_air: float, less: float, more: float, co2: float
) -> None:
    low, high = sorted((less, more))
    first = oxygen.saturation(on_air, low, carbon_dioxide_mmhg=co2)
    second = oxygen.saturation(on_air, high, carbon_dioxide_mmhg=co2)
    assert min(on_air, oxygen.HIGHEST) <= first <= second <= oxygen.HIGHEST


def test_oxygen_takes_its_time_to_the_finger() -> None:
    someone = patient(saturation_on_air=((0, 84),), oxygen_flow=((0, 0), (100, 2)))
    before, soon, later = (someone.now(at_s).spo2 for at_s in (99, 110, 400))
    assert before == pytest.approx(84, abs=1.5)
    assert before + 0.5 < soon < later - 2
    assert later == pytest.approx(oxygen.saturation(84, 2), abs=1.5)


def test_moving_is_told_as_long_as_it_lasts() -> None:
    someone = patient(moving=((10, 10),))
    assert [someone.now(at_s).moving for at_s in (9.9, 10, 19.9, 20)] == [False, True, True, False]


# ── The waves ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rhythm", Rhythm)
@pytest.mark.parametrize("rate_per_minute", [50, 75, 130, 170])
@pytest.mark.parametrize("rate", [125, 130, 360, 500])
def test_the_r_waves_of_the_ecg_stand_on_the_beats(rate: int, rate_per_minute: int, rhythm: Rhythm) -> None:
    someone = patient(pulse=((0, rate_per_minute),), rhythm=rhythm)
    samples = someone.ecg(rate, 0, 20 * rate)
    reach = round(0.1 * rate)
    for beat in someone.beats(1, 19):
        place = round(beat * rate)
        around = samples[place - reach : place + reach + 1]
        assert max(around) > 500
        assert abs(around.index(max(around)) - reach) <= max(1, rate * 0.012)


def test_the_samples_of_an_ecg_are_the_same_in_one_piece_or_in_many() -> None:
    one, other = patient(), patient()
    whole = one.ecg(130, 260, 390)
    assert whole == tuple(
        itertools.chain.from_iterable(other.ecg(130, first, 13) for first in range(260, 650, 13))
    )


def p_wave_microvolts(someone: Patient) -> float:
    """How far the average beat rises where a P wave stands, over what is right before the QRS."""
    rate = 250
    samples = someone.ecg(rate, 0, 120 * rate)
    windows = [
        samples[round((beat - 0.2) * rate) : round((beat - 0.2) * rate) + rate // 10]
        for before, beat in itertools.pairwise(someone.beats(1, 119))
        if beat - before > 0.7  # the T wave before it is over by then
    ]
    mean: list[float] = [statistics.fmean(column) for column in zip(*windows, strict=True)]
    return max(mean) - min(mean)


def test_fibrillating_atria_make_no_p_wave() -> None:
    sinus, fibrillating = (p_wave_microvolts(patient(rhythm=rhythm)) for rhythm in Rhythm)
    assert sinus > 60
    assert fibrillating < 35


def test_fibrillation_is_irregularly_irregular_and_a_sinus_follows_the_breath() -> None:
    def intervals(rhythm: Rhythm) -> list[float]:
        beats = patient(rhythm=rhythm).beats(0, 600)
        return [after - before for before, after in itertools.pairwise(beats)]

    def variation(each: list[float]) -> float:
        return statistics.stdev(each) / statistics.mean(each)

    def memory(each: list[float]) -> float:
        return statistics.correlation(each[:-1], each[1:])

    sinus, fibrillating = intervals(Rhythm.SINUS), intervals(Rhythm.ATRIAL_FIBRILLATION)
    assert variation(sinus) < 0.06
    assert 0.18 < variation(fibrillating) < 0.26
    assert memory(sinus) > 0.3
    assert abs(memory(fibrillating)) < 0.12


def test_the_pulse_wave_comes_after_its_beat_and_once_for_each() -> None:
    someone = patient()
    for beat, following in itertools.pairwise(someone.beats(5, 25)):
        places = [beat + TRANSIT_S + (following - beat) * part / 50 for part in range(50)]
        wave = [someone.pleth(at_s) for at_s in places]
        assert 0 <= min(wave) < 0.12
        assert 0.7 < max(wave) <= 1
        assert 5 <= wave.index(max(wave)) <= 13


@given(interval_s=st.floats(0.28, 3), recorded_s=st.floats(0.6, 1.2), parts=st.lists(st.floats(0, 1)))
def test_time_never_runs_backwards_within_a_beat(
    interval_s: float, recorded_s: float, parts: list[float]
) -> None:
    places = [moved(part * interval_s, interval_s, recorded_s) for part in sorted(parts)]
    assert places == sorted(places)
    assert moved(0, interval_s, recorded_s) == 0
    assert moved(interval_s, interval_s, recorded_s) == pytest.approx(recorded_s)


# ── The parts ────────────────────────────────────────────────────────────────────────────────────


@given(
    knots=st.lists(st.tuples(st.floats(0, 1000), st.floats(-50, 50)), min_size=1, unique_by=lambda k: k[0]),
    at_s=st.floats(-10, 1100),
)
def test_a_trend_stays_between_the_numbers_it_is_given(knots: list[tuple[float, float]], at_s: float) -> None:
    knots.sort()
    trend = Trend(knots)
    numbers = [number for _, number in knots]
    assert min(numbers) - 1e-9 <= trend.at(at_s) <= max(numbers) + 1e-9
    assert [trend.at(at) for at, _ in knots] == numbers


def test_a_step_comes_through_with_its_lag() -> None:
    steps = Steps([(0, 1.0), (100, 3.0)], lag_s=10)
    assert steps.at(100) == 1
    assert steps.at(110) == pytest.approx(1 + 2 * 0.632, abs=0.01)
    assert steps.at(300) == pytest.approx(3)


def test_a_sway_has_the_deviation_it_is_given() -> None:
    swings = [Sway("7 pressure", 2.0, (9, 70)).at(at_s) for at_s in range(0, 50_000, 7)]
    assert statistics.stdev(swings) == pytest.approx(2, rel=0.1)
    assert abs(statistics.mean(swings)) < 0.2
    assert max(map(abs, swings)) <= 6.4


def test_who_stands_still_shows_what_was_set_and_beats_so() -> None:
    still = Steady(Snapshot(pulse=90, spo2=93))
    assert still.now(5) == Snapshot(at_s=5, pulse=90, spo2=93)
    assert len(still.beats(0, 60)) == 90
    assert max(still.ecg(130, 0, 130)) > 500
