"""Stretches of samples that mean nothing: where they are, and that the samples stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.vitals.reading import Flaw, Flawed, flawed_where, saturated


@pytest.mark.parametrize(
    ("wrong", "stretches"),
    [
        ([], []),
        ([False, False], []),
        ([True], [(0, 1)]),
        ([False, True, True], [(1, 2)]),
        ([True, False, True], [(0, 1), (2, 1)]),
    ],
)
def test_stretches_are_found(wrong: list[bool], stretches: list[tuple[int, int]]) -> None:
    assert flawed_where(Flaw.LEAD_OFF, wrong) == tuple(
        Flawed(Flaw.LEAD_OFF, first, count) for first, count in stretches
    )


@given(st.lists(st.booleans(), max_size=60))
def test_stretches_hold_every_wrong_sample_and_no_other(wrong: list[bool]) -> None:
    held = [False] * len(wrong)
    end = -1
    for each in flawed_where(Flaw.LEAD_OFF, wrong):
        assert each.first > end  # in order, and never side by side
        end = each.first + each.count
        for at in range(each.first, end):
            held[at] = True
    assert held == wrong


def test_a_converter_at_either_end_is_saturated_and_next_to_it_is_not() -> None:
    samples = [0, 127, 127, 126, -128, -127]
    assert saturated(samples, -128, 127) == (Flawed(Flaw.SATURATED, 1, 2), Flawed(Flaw.SATURATED, 4, 1))
