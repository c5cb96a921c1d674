"""What is kept of a continuous display."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from edge.agent.settle import MOVES_AT_MOST, STEADY_FOR_S, Placing, Seen
from edge.vitals.codes import Code
from edge.vitals.quantity import Missing, MissingReason, Quantity, Unit
from edge.vitals.reading import Mode, Reading
from tests.edge.agent.agent_world import finger_off, shown, steady


def see_all(readings: list[Reading]) -> list[Seen]:
    placing = Placing()
    return [placing.see(reading, 0.0) for reading in readings]


def test_six_steady_seconds_and_not_a_second_less() -> None:
    assert [seen.steady for seen in see_all(steady(97, 72, seconds=9))] == [False] * 6 + [True] * 3


def test_the_first_reading_of_a_finger_begins_a_placing() -> None:
    seen = see_all([*steady(97, 72, seconds=2), finger_off(2), finger_off(3), *steady(97, 72, 4, 2)])
    assert [s.began for s in seen] == [True, False, False, False, True, False]


def test_a_finger_changed_between_two_readings_is_not_noticed_but_six_new_seconds_are_asked() -> None:
    seen = see_all([*steady(97, 72, seconds=5), *steady(88, 110, 5, 7)])
    assert [s.steady for s in seen] == [False] * 11 + [True]


def test_saturation_may_move_by_two_and_pulse_by_six() -> None:
    readings = [shown(97 + second % 2 * 2, 70 + second % 2 * 6, second) for second in range(7)]
    assert see_all(readings)[-1].steady
    for spoiled in (shown(100, 70, 3), shown(97, 77, 3)):
        assert not see_all([*readings[:3], spoiled, *readings[4:]])[-1].steady


def test_an_unreliable_or_missing_reading_starts_the_seconds_again_but_not_the_placing() -> None:
    searching = Reading(
        ((Code.OXYGEN_SATURATION, Missing(MissingReason.SEARCHING)),), mode=Mode.CONTINUOUS, device_s=3.0
    )
    flags = ("low-signal", "questionable", "erratic-signal")
    for spoiled in (*(shown(97, 72, 3, flag) for flag in flags), searching):
        seen = see_all([*steady(97, 72, seconds=3), spoiled, *steady(97, 72, 4, 7)])
        assert [s.steady for s in seen] == [False] * 10 + [True]
        assert [s.began for s in seen] == [True] + [False] * 10


def test_device_time_that_jumps_either_way_starts_the_seconds_again() -> None:
    for jump in (-50.0, 60.0):
        seen = see_all([*steady(97, 72, 100, 5), *steady(97, 72, 100 + jump, 7)])
        assert [s.steady for s in seen] == [False] * 11 + [True]


def test_readings_closer_than_a_second_are_fine_and_a_flood_without_time_is_cut() -> None:
    assert see_all([shown(97, 72, n / 4) for n in range(25)])[-1].steady
    placing = Placing()
    for _ in range(20_000):
        placing.see(shown(97, 72, 1.0), 0.0)
    assert len(placing._window) <= 4096


def test_a_device_that_is_asked_every_two_seconds_becomes_steady_and_one_that_is_seldom_heard_never() -> None:
    assert [seen.steady for seen in see_all([shown(97, 72, n * 2.1) for n in range(5)])] == [False] * 3 + [
        True
    ] * 2
    assert not any(seen.steady for seen in see_all([shown(97, 72, n * 3.1) for n in range(9)]))


readings = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(94, 99)),
        st.integers(60, 75),
        st.floats(0.0, 4.0),
        st.sampled_from([(), ("low-signal",), ("beat",)]),
    ),
    max_size=40,
)


@given(readings)
def test_whatever_a_device_shows_steady_means_six_seconds_within_the_limits(
    raw: list[tuple[int | None, int, float, tuple[str, ...]]],
) -> None:
    at_s, sequence = 0.0, []
    for spo2, pulse, step_s, flags in raw:
        at_s += step_s
        sequence.append((at_s, shown(spo2, pulse, at_s, *flags)))
    placing = Placing()
    for index, (now_s, reading) in enumerate(sequence):
        if not placing.see(reading, 0.0).steady:
            continue
        start = max(i for i, (then_s, _) in enumerate(sequence) if then_s <= now_s - STEADY_FOR_S)
        window = [r for _, r in sequence[start : index + 1]]
        assert now_s - sequence[start][0] >= STEADY_FOR_S
        for code in (Code.OXYGEN_SATURATION, Code.PULSE_OXIMETER):
            numbers = [dict(r.values)[code] for r in window]
            assert all(isinstance(number, Quantity) for number in numbers)
            column = [number.value for number in numbers if isinstance(number, Quantity)]
            assert max(column) - min(column) <= MOVES_AT_MOST[code]
        assert not any("low-signal" in r.flags for r in window)


def test_a_device_without_time_is_timed_by_arrival() -> None:
    placing = Placing()
    reading = Reading(
        ((Code.HEART_RATE, Quantity(Decimal(70), Unit.PER_MINUTE)),), mode=Mode.CONTINUOUS, device_s=None
    )
    assert [placing.see(reading, float(n)).steady for n in range(7)] == [False] * 6 + [True]
