"""What devices say becomes chunks: nothing made up, nothing joined that does not follow."""

import dataclasses
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.signals.recording import (
    LONGEST_OPEN_S,
    MOST_MARKS,
    MOST_SAMPLES,
    Chunk,
    Gap,
    Marked,
    Recording,
    fits,
)
from edge.vitals.codes import Code
from edge.vitals.quantity import Unit
from edge.vitals.reading import Flaw, Flawed, Wave

RATE = Decimal(10)


def wave(samples: list[int], lead: str | None = None, **more: object) -> Wave:
    made = Wave(Code.ECG, lead, Unit.MICROVOLT, RATE, samples)
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]  # fields of a Wave


def cut_all(recording: Recording, at_s: float) -> list[Chunk]:
    chunks: list[Chunk] = []
    while recording.full(at_s):
        chunk = recording.cut()
        assert chunk is not None
        chunks.append(chunk)
    return chunks


def rest(recording: Recording) -> list[Chunk]:
    chunks: list[Chunk] = []
    while chunk := recording.cut():
        chunks.append(chunk)
    return chunks


def samples_of(chunks: list[Chunk], lead: int = 0) -> list[int]:
    return [sample for chunk in chunks for sample in chunk.leads[lead]]


def flaws_of(chunks: list[Chunk], lead: int) -> set[tuple[Flaw, int]]:
    """Every flawed sample of a lead by its place in the whole recording."""
    found: set[tuple[Flaw, int]] = set()
    begins = 0
    for chunk in chunks:
        for each in chunk.flaws:
            assert each.count > 0
            assert 0 <= each.first <= each.first + each.count <= chunk.samples
            if each.lead == lead:
                found |= {(each.flaw, begins + at) for at in range(each.first, each.first + each.count)}
        begins += chunk.samples
    return found


def gaps_of(chunks: list[Chunk]) -> list[int]:
    found: list[int] = []
    begins = 0
    for chunk in chunks:
        assert all(0 <= gap.index < chunk.samples for gap in chunk.gaps)
        found += [begins + gap.index for gap in chunk.gaps]
        begins += chunk.samples
    return found


@st.composite
def rounds(draw: st.DrawFn) -> list[list[Wave]]:
    """Rounds of one to three leads; gaps come to all leads of a round."""
    leads = [("I", "II", "III")[at] for at in range(draw(st.integers(1, 3)))]
    made: list[list[Wave]] = []
    for _ in range(draw(st.integers(1, 12))):
        count = draw(st.integers(1, 40))
        gap = draw(st.booleans())
        stretch: list[Wave] = []
        for lead in leads:
            samples = draw(st.lists(st.integers(-99, 99), min_size=count, max_size=count))
            first = draw(st.integers(0, count - 1))
            flaws = (Flawed(draw(st.sampled_from(Flaw)), first, draw(st.integers(1, count - first))),)
            stretch.append(wave(samples, lead, gap=gap, flaws=flaws if draw(st.booleans()) else ()))
        made.append(stretch)
    return made


@given(played=rounds())
@settings(max_examples=200)
def test_every_sample_gap_and_flaw_is_where_the_device_said(played: list[list[Wave]]) -> None:
    recording = Recording(played[0][0])
    chunks: list[Chunk] = []
    at_s = 100.0
    for stretch in played:
        at_s += len(stretch[0].samples) / 10
        for each in stretch:
            assert recording.takes(each)
            recording.add(each, at_s)
            chunks += cut_all(recording, at_s)
    chunks += rest(recording)
    assert all(chunk.samples <= 100 for chunk in chunks)
    starts: list[int] = []
    total = 0
    for stretch in played:
        if stretch[0].gap and total:
            starts.append(total)
        total += len(stretch[0].samples)
    assert gaps_of(chunks) == starts
    for place in range(len(played[0])):
        said = [sample for stretch in played for sample in stretch[place].samples]
        assert samples_of(chunks, place) == said
        flawed: set[tuple[Flaw, int]] = set()
        begins = 0
        for stretch in played:
            for flaw in stretch[place].flaws:
                flawed |= {(flaw.flaw, begins + flaw.first + at) for at in range(flaw.count)}
            begins += len(stretch[place].samples)
        assert flaws_of(chunks, place) == flawed


def test_a_chunk_is_ten_seconds_and_the_next_begins_where_it_ended() -> None:
    recording = Recording(wave([0] * 30))
    chunks: list[Chunk] = []
    for number in range(1, 11):
        recording.add(wave([number] * 30), 1000 + 3.0 * number)
        chunks += cut_all(recording, 1000 + 3.0 * number)
    assert [chunk.samples for chunk in chunks] == [100, 100, 100]
    assert [chunk.first_s for chunk in chunks] == [1000.0, 1010.0, 1020.0]
    assert recording.empty


def test_a_chunk_that_hardly_fills_is_closed_by_time() -> None:
    recording = Recording(wave([1]))
    recording.add(wave([1]), 0.0)
    assert not recording.full(LONGEST_OPEN_S - 0.2)
    assert recording.full(LONGEST_OPEN_S)


def test_a_gap_is_as_long_as_the_clock_of_the_device_says() -> None:
    recording = Recording(wave([1] * 5))
    recording.add(wave([1] * 5, device_s=7.0), 1.0)
    recording.add(wave([1] * 5, device_s=9.5, gap=True), 1.2)  # arrived late and at once: says nothing
    [chunk] = rest(recording)
    assert chunk.gaps == (Gap(5, 2000),)


@pytest.mark.parametrize("device_s", [7.0, 3.0, 1e9], ids=["stood still", "set back", "set ahead"])
def test_a_clock_that_was_set_says_nothing_of_a_gap(device_s: float) -> None:
    recording = Recording(wave([1] * 5))
    recording.add(wave([1] * 5, device_s=7.0), 1.0)
    recording.add(wave([1] * 5, device_s=device_s, gap=True), 3.5)
    [chunk] = rest(recording)
    assert chunk.gaps == (Gap(5, 2000),)


def test_without_a_clock_a_gap_is_as_long_as_nothing_arrived() -> None:
    recording = Recording(wave([1] * 5))
    recording.add(wave([1] * 5), 1.0)
    recording.add(wave([1] * 5, gap=True), 4.5)
    [chunk] = rest(recording)
    assert chunk.gaps == (Gap(5, 3000),)


def test_the_first_stretch_has_nothing_before_it_to_be_lost() -> None:
    recording = Recording(wave([1], gap=True))
    recording.add(wave([1], gap=True), 1.0)
    [chunk] = rest(recording)
    assert chunk.gaps == ()


def test_after_a_pause_nothing_is_joined() -> None:
    recording = Recording(wave([1]))
    recording.add(wave([1]), 1.0)
    recording.pause()
    recording.add(wave([2]), 9.1)
    [chunk] = rest(recording)
    assert chunk.gaps == (Gap(1, 8000),)


def test_a_gap_before_an_empty_stretch_comes_with_the_next() -> None:
    recording = Recording(wave([1]))
    recording.add(wave([1]), 1.0)
    recording.add(wave([], gap=True), 2.0)
    recording.add(wave([2]), 3.0)
    [chunk] = rest(recording)
    assert [gap.index for gap in chunk.gaps] == [1]


def test_what_was_not_kept_leaves_a_gap() -> None:
    recording = Recording(wave([1] * 20))
    recording.add(wave([1] * 20), 2.0)
    [lost] = rest(recording)
    recording.lost(lost)
    recording.add(wave([2] * 20), 4.0)
    [chunk] = rest(recording)
    assert chunk.gaps == (Gap(0, 2000),)


def test_what_was_not_kept_leaves_a_gap_in_what_has_come_already() -> None:
    recording = Recording(wave([1] * 70))
    recording.add(wave([1] * 70), 7.0)
    recording.add(wave([2] * 70), 14.0)
    lost = recording.cut()
    assert lost is not None
    recording.lost(lost)
    [chunk] = rest(recording)
    assert chunk.gaps == (Gap(0, 10_000),)


def test_leads_that_get_out_of_step_end_the_recording() -> None:
    recording = Recording(wave([1] * 8, "I"))
    for lead in ("I", "II"):
        recording.add(wave([1] * 8, lead), 1.0)
    recording.add(wave([1] * 8, "I"), 2.0)
    assert recording.takes(wave([1] * 8, "I"))
    recording.add(wave([1] * 8, "I"), 3.0)
    assert not recording.takes(wave([1] * 8, "I"))
    assert recording.takes(wave([1] * 8, "II"))


def test_a_lead_that_comes_later_is_another_recording() -> None:
    recording = Recording(wave([1], "I"))
    recording.add(wave([1], "I"), 1.0)
    assert recording.takes(wave([1], "II"))
    recording.add(wave([1], "I"), 2.0)
    assert not recording.takes(wave([1], "II"))


def test_a_device_may_send_a_whole_lead_before_the_next() -> None:
    recording = Recording(wave([1] * 100, "I"))
    for number, lead in enumerate(("I", "II", "III")):
        assert recording.takes(wave([number] * 100, lead))
        recording.add(wave([number] * 100, lead), 10.0)
        assert not recording.full(10.1)
    [chunk] = rest(recording)
    assert [set(lead) for lead in chunk.leads] == [{0}, {1}, {2}]


@pytest.mark.parametrize(
    "other",
    [
        wave([1], rate=Decimal(11)),
        wave([1], unit=Unit.NONE),
        wave([1], step=Decimal(2)),
        wave([1], code=Code.PLETH),
    ],
    ids=["rate", "unit", "step", "code"],
)
def test_another_scale_is_another_recording(other: Wave) -> None:
    recording = Recording(wave([1]))
    recording.add(wave([1]), 1.0)
    assert not recording.takes(other)
    assert recording.takes(wave([1], rate=Decimal("10.3")))  # it has measured itself


def test_a_device_that_stammers_gets_shorter_chunks() -> None:
    recording = Recording(wave([1], rate=Decimal(1000)))
    closed = 0
    for number in range(3 * MOST_MARKS):
        recording.add(wave([1], gap=True, rate=Decimal(1000)), number / 100)
        for chunk in cut_all(recording, number / 100):
            assert len(chunk.gaps) <= MOST_MARKS
            closed += 1
    assert closed == 2


def test_many_leads_at_a_high_rate_get_shorter_chunks() -> None:
    names = [str(number) for number in range(16)]
    recording = Recording(wave([0] * 900, names[0], rate=Decimal(1000)))
    chunks: list[Chunk] = []
    for number in range(10):
        for name in names:
            recording.add(wave([0] * 900, name, rate=Decimal(1000)), number * 0.9)
            chunks += cut_all(recording, number * 0.9)
    assert chunks
    assert all(16 * chunk.samples <= MOST_SAMPLES for chunk in chunks)


def test_a_chunk_with_every_lead_off_says_nothing() -> None:
    off = (Flawed(Flaw.LEAD_OFF, 0, 4),)
    recording = Recording(wave([0] * 4, "I", flaws=off))
    recording.add(wave([0] * 4, "I", flaws=off), 1.0)
    recording.add(wave([0] * 4, "II", flaws=off), 1.0)
    [chunk] = rest(recording)
    assert chunk.says_nothing
    assert chunk.flaws == (Marked(0, Flaw.LEAD_OFF, 0, 4), Marked(1, Flaw.LEAD_OFF, 0, 4))
    assert not dataclasses.replace(chunk, flaws=chunk.flaws[:1]).says_nothing
    saturated = (chunk.flaws[0], Marked(1, Flaw.SATURATED, 0, 4))
    assert not dataclasses.replace(chunk, flaws=saturated).says_nothing


def test_only_what_fits_into_32_bits_is_kept() -> None:
    assert fits([])
    assert fits([-(1 << 31), (1 << 31) - 1])
    assert not fits([0, 1 << 31])
    assert not fits([-(1 << 31) - 1])
