"""Previews: what is taken, what begins them anew, and that nothing is drawn that was not there."""

import array
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.signals.preview import Preview, thin
from edge.signals.recording import Chunk, Gap, Marked
from edge.vitals.reading import Flaw


def chunk(*leads: list[int], gaps: tuple[Gap, ...] = (), flaws: tuple[Marked, ...] = ()) -> Chunk:
    return Chunk(tuple(array.array("i", lead) for lead in leads), 0.0, gaps, flaws, None)


@given(
    samples=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=60),
    factor=st.integers(min_value=1, max_value=7),
)
def test_each_mean_lies_between_what_it_is_of(samples: list[int], factor: int) -> None:
    thinned = thin(samples, factor)
    assert len(thinned) == len(samples) // factor
    for number, mean in enumerate(thinned):
        block = samples[number * factor : (number + 1) * factor]
        assert min(block) <= mean <= max(block)
        assert abs(2 * factor * mean - 2 * sum(block)) <= factor


@pytest.mark.parametrize(
    ("leads", "lead"), [(("I", "II", "V1"), 1), (("V1", "I"), 1), (("V1", "V2"), 0), ((None,), 0), ((), 0)]
)
def test_the_lead_that_doctors_look_at_first(leads: tuple[str | None, ...], lead: int) -> None:
    assert Preview.of(leads, Decimal(130)).lead == lead


@pytest.mark.parametrize(("rate", "factor"), [(25, 1), (130, 1), (199, 1), (250, 2), (500, 5), (1000, 10)])
def test_it_is_thinned_to_a_hundred_a_second_or_a_little_more(rate: int, factor: int) -> None:
    preview = Preview.of(("II",), Decimal(rate))
    assert preview.factor == factor
    for number in range(1, 12):
        preview = preview.after(chunk([5] * rate), number)
    assert preview.whole
    assert len(preview.samples) == 10 * rate // factor
    assert preview.thinned_rate == Decimal(rate) / factor


def test_it_begins_behind_a_gap_and_behind_a_flaw_of_its_lead() -> None:
    off = (Marked(0, Flaw.LEAD_OFF, 3, 2),)
    other = (Marked(1, Flaw.LEAD_OFF, 3, 2),)
    preview = Preview.of(("II", "V1"), Decimal(100))
    one = preview.after(chunk([1] * 400, [0] * 400, flaws=other), 1)
    assert (one.chunk, len(one.samples)) == (1, 400)
    assert one.after(chunk([2] * 400, [0] * 400, flaws=off), 2).samples == ()
    assert one.after(chunk([2] * 400, [0] * 400, gaps=(Gap(7, 40),)), 2).samples == ()
    anew = one.after(chunk([2] * 400, [0] * 400, gaps=(Gap(0, 40),)), 2)
    assert (anew.chunk, anew.samples) == (2, (2,) * 400)
    more = anew.after(chunk([3] * 400, [0] * 400), 3).after(chunk([4] * 400, [0] * 400), 4)
    assert (more.chunk, more.whole, more.samples) == (2, True, (2,) * 400 + (3,) * 400 + (4,) * 200)
    assert more.after(chunk([5] * 400, [0] * 400, flaws=off), 5) == more
