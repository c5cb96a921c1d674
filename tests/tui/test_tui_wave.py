"""The wave: every sample drawn, only what changed sent, bursts made even."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.tui_world import ecg
from tui.glyphs import Level, drawable
from tui.widgets.playout import LONGEST_BACKLOG_S, Playout
from tui.widgets.sweep import CHUNK_CELLS, Sweep

LEVELS = st.sampled_from([Level.BRAILLE, Level.BOX, Level.ASCII])


def picture(sweep: Sweep) -> list[str]:
    return [sweep.row(y) for y in range(sweep.height)]


@given(
    samples=st.lists(st.integers(-32768, 32767), max_size=400),
    width=st.integers(0, 40),
    height=st.integers(0, 10),
    cuts=st.lists(st.integers(1, 50), min_size=1, max_size=20),
    dots=st.floats(0.05, 5),
    level=LEVELS,
)
def test_however_samples_come_the_picture_is_whole_and_what_changed_is_told(
    samples: list[int], width: int, height: int, cuts: list[int], dots: float, level: Level
) -> None:
    sweep = Sweep(width, height, level, least_span=100)
    shown = [list(row) for row in picture(sweep)]
    rest = iter(samples)
    for cut in itertools.islice(itertools.cycle(cuts), 400):
        piece = list(itertools.islice(rest, cut))
        if not piece:
            break
        sweep.push(piece, dots)
        for y, chunk in sweep.take_touched():
            start = chunk * CHUNK_CELLS
            shown[y][start : start + CHUNK_CELLS] = sweep.chunk(y, chunk)
    assert ["".join(row) for row in shown] == picture(sweep)
    assert all(len(row) == width for row in picture(sweep))


def test_a_spike_of_one_sample_is_as_high_in_every_column() -> None:
    """With one sample taken for each column, an R wave would change its height from beat to beat."""
    for offset in range(12):
        sweep = Sweep(20, 4, Level.BRAILLE, least_span=10)
        flat = [0] * 60
        flat[20 + offset] = 1000
        sweep.push(flat, 0.25)
        assert sweep.row(0).strip(), f"lost at sample {20 + offset}"


def test_the_bar_ahead_of_the_cursor_is_empty() -> None:
    sweep = Sweep(30, 4, Level.BRAILLE, least_span=10)
    sweep.push(ecg(2000), 0.5)
    ahead = [(sweep.cursor + i) % 30 for i in range(1, 4)]
    assert all(sweep.row(y)[x] == " " for y in range(4) for x in ahead)


def test_few_changes_touch_few_chunks() -> None:
    sweep = Sweep(116, 8, Level.BRAILLE, least_span=1500)
    sweep.push(ecg(1000), 0.6)
    sweep.take_touched()
    sweep.push(ecg(9, 1000), 0.6)
    assert len(sweep.take_touched()) <= 12


def test_without_braille_the_line_is_joined() -> None:
    sweep = Sweep(8, 3, Level.BOX, least_span=2)
    sweep.push([0, 0, 0, 2, 2, 0, 0], 1.0)
    drawn = "\n".join(picture(sweep))
    assert set(drawn) <= set(" ─│╭╮╰╯╴╶╵╷├┤┬┴┼\n")
    assert "╭" in drawn
    assert "╯" in drawn
    assert drawable(drawn, Level.ASCII).isascii()


@given(
    bursts=st.lists(st.integers(1, 80), min_size=5, max_size=40),
    gap=st.floats(0.02, 0.6),
)
def test_playout_keeps_every_sample_in_order(bursts: list[int], gap: float) -> None:
    playout, given_, drawn, now_s = Playout(130.0), 0, list[int](), 0.0
    for burst in bursts:
        playout.feed(range(given_, given_ + burst), now_s)
        given_ += burst
        for _ in range(4):
            now_s += gap / 4
            drawn += playout.due(now_s)
    assert drawn == sorted(drawn)
    assert len(set(drawn)) == len(drawn)
    if given_ <= 130 * LONGEST_BACKLOG_S:
        assert drawn == list(range(len(drawn)))


def test_bursts_of_half_a_second_are_drawn_evenly() -> None:
    """73 samples every 0.56 s, as a chest strap sends them; frames of 1/15 s."""
    playout = Playout(130.0)
    counts: list[int] = []
    for frame in range(15 * 20):
        now_s = frame / 15
        if frame % 8 == 0:  # 0.53 s
            playout.feed(range(69), now_s)
        counts.append(len(playout.due(now_s)))
    steady = counts[60:]
    assert max(steady) <= 13, "8.7 a frame are due"
    assert steady.count(0) == 0


def test_a_backlog_is_dropped_not_shown_late() -> None:
    playout = Playout(100.0)
    playout.feed(range(10_000), 0.0)
    playout.due(0.0)
    assert playout.due(0.1)[0] == 10_000 - 100 * LONGEST_BACKLOG_S


@pytest.mark.parametrize("level", list(Level))
def test_no_samples_is_an_empty_picture(level: Level) -> None:
    assert set("".join(picture(Sweep(9, 2, level, least_span=1)))) == {" "}
