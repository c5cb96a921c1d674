import dataclasses
import heapq
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.uplink.pacing import MOST_BYTES, MOST_FILES, START_BYTES, URGENT_BYTES, Mark, Window


@dataclasses.dataclass
class Line:
    """A line of so many bytes a second, and how long a receipt takes beside, with enough to send.

    Attributes:
        lost_every: so many files, the last of which is sent again a round trip later, and those behind it
            wait for it, as in TCP.
        out: bytes on their way, after each receipt.
        delivered: bytes that receipts have covered.
    """

    rate: float
    beside_s: float
    size: int
    window: Window = dataclasses.field(default_factory=Window)
    lost_every: int = 0
    now_s: float = 0.0
    free_s: float = 0.0
    delivered: int = 0
    out: list[int] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self._way: list[tuple[float, int, float, Mark]] = []
        self._numbers = itertools.count()
        self._latest_s = 0.0

    def run(self, seconds: float) -> float:
        """Let it work; returns which share of the line was used."""
        end_s, before = self.now_s + seconds, self.delivered
        while self.now_s < end_s:
            self._send()
            self.now_s, _, sent_s, mark = heapq.heappop(self._way)
            self.delivered += self.size
            out = (len(self._way) + 1) * self.size
            self.out.append(out)
            self.window.landed(self.size, out, mark, self.now_s - sent_s, self.now_s)
        return (self.delivered - before) / self.rate / seconds

    def _send(self) -> None:
        while self.window.admits(
            self.size, bytes_out=len(self._way) * self.size, files_out=len(self._way)
        ):  # fmt: skip
            mark = self.window.mark(self.now_s, idle=not self._way)
            self.free_s = max(self.free_s, self.now_s) + self.size / self.rate
            number = next(self._numbers)
            lost = self.lost_every and number % self.lost_every == self.lost_every - 1
            there_s = self.free_s + self.beside_s * (2 if lost else 1)
            self._latest_s = max(self._latest_s, there_s)
            heapq.heappush(self._way, (self._latest_s, number, self.now_s, mark))


def opened(most_files: int = MOST_FILES) -> Window:
    """A window that a fast line has opened to its end."""
    window = Window(most_files)
    for second in range(10):
        mark = window.mark(float(second), idle=True)
        window.landed(window.bytes, window.bytes, mark, 0.001, second + 0.001)
    return window


def test_it_begins_with_two_kilobytes_in_two_files() -> None:
    window = Window()
    assert window.admits(1000, bytes_out=1000, files_out=1)
    assert not window.admits(1100, bytes_out=2048, files_out=1)
    assert not window.admits(10, bytes_out=20, files_out=2)


def test_with_a_rate_that_is_known_it_begins_with_a_second_of_it() -> None:
    window = Window(rate=20_000.0)
    assert window.bytes == 20_000
    assert window.admits(1000, bytes_out=15_000, files_out=10)
    assert Window(rate=1e9).bytes < MOST_BYTES


def test_one_file_always_goes_however_large() -> None:
    assert Window().admits(256_000, bytes_out=0, files_out=0)
    assert not Window().admits(256_000, bytes_out=10, files_out=1)


def test_an_alert_goes_beyond_a_full_window_but_not_without_end() -> None:
    window = Window()
    full = window.bytes
    assert not window.admits(500, bytes_out=full, files_out=5)
    assert window.admits(500, bytes_out=full, files_out=5, urgent=True)
    assert not window.admits(500, bytes_out=full + URGENT_BYTES, files_out=5, urgent=True)


def test_a_fast_line_opens_it_to_its_end() -> None:
    window = opened()
    assert window.bytes == MOST_BYTES
    assert window.admits(1000, bytes_out=500_000, files_out=MOST_FILES - 1)
    assert not window.admits(1, bytes_out=0, files_out=MOST_FILES)


@pytest.mark.parametrize(
    ("rate", "beside_s", "size"),
    [
        (5_000.0, 0.7, 2_700),
        (5_000.0, 0.7, 600),
        (1_200.0, 1.5, 1_300),
        (64_000.0, 0.6, 2_700),
        (20_000.0, 3.0, 2_700),
        (1_000_000.0, 0.05, 30_000),
    ],
)
def test_it_fills_the_line_and_keeps_little_more_on_its_way(rate: float, beside_s: float, size: int) -> None:
    line = Line(rate, beside_s, size)
    line.run(30)
    assert line.run(60) >= 0.9
    queued_s = (max(line.out) - 2 * size) / rate - beside_s
    assert queued_s <= 2.5
    assert line.window.rate == pytest.approx(rate, rel=0.15)


@pytest.mark.parametrize("lost_every", [4, 7, 12])
def test_what_arrives_at_once_behind_a_lost_packet_was_no_quicker(lost_every: int) -> None:
    line = Line(5_000.0, 0.7, 2_700, lost_every=lost_every)
    for _ in range(60):
        line.run(2)
        assert line.window.rate <= 5_000.0 * 1.1


def test_what_an_alert_waits_behind_falls_when_the_line_becomes_slow() -> None:
    line = Line(60_000.0, 0.6, 2_700)
    line.run(30)
    line.rate = 6_000.0
    line.run(30)
    line.out.clear()
    line.run(30)
    assert max(line.out) / line.rate <= 4.0


def test_a_centre_that_becomes_slow_does_not_close_it_for_ever() -> None:
    """Receipts that come ten seconds later are no queue on the line."""
    line = Line(20_000.0, 0.1, 2_700)
    line.run(20)
    line.beside_s = 10.0
    line.run(300)
    assert line.run(60) >= 0.3


def test_nothing_to_send_is_no_slow_line() -> None:
    line = Line(50_000.0, 0.5, 2_700)
    line.run(20)
    before = line.window.rate
    for second in range(100, 140, 2):
        mark = line.window.mark(float(second), idle=True)
        line.window.landed(300, 300, mark, 0.5, second + 0.5)
    assert line.window.rate == before


def test_the_brokers_limit_and_the_centres_advice_hold() -> None:
    window = opened(3)
    assert not window.admits(1, bytes_out=3, files_out=3)
    window.advise(5000)
    assert window.bytes == 5000
    window.advise(0)
    assert window.bytes == MOST_BYTES


@given(
    receipts=st.lists(
        st.tuples(st.integers(1, 300_000), st.integers(1, 64), st.floats(1e-3, 600.0), st.booleans()),
        max_size=60,
    )
)
def test_whatever_comes_it_stays_within_its_bounds(receipts: list[tuple[int, int, float, bool]]) -> None:
    window, now = Window(), 0.0
    for size, more, waited, idle in receipts:
        mark = window.mark(now, idle=idle)
        now += waited
        window.landed(size, size * more, mark, waited, now)
        assert START_BYTES <= window.bytes <= MOST_BYTES
        assert window.admits(1, bytes_out=0, files_out=0)
        assert window.receipt_s > 0
        assert window.rate > 0
