from hypothesis import given
from hypothesis import strategies as st

from sync.uplink.pacing import MOST_BYTES, MOST_FILES, START_BYTES, URGENT_BYTES, Window


def test_it_begins_with_two_kilobytes_in_two_files() -> None:
    window = Window()
    assert window.admits(1000, bytes_out=1000, files_out=1)
    assert not window.admits(1100, bytes_out=1000, files_out=1)
    assert not window.admits(10, bytes_out=20, files_out=2)


def test_one_file_always_goes_however_large() -> None:
    assert Window().admits(256_000, bytes_out=0, files_out=0)


def test_an_alert_goes_beyond_a_full_window_but_not_without_end() -> None:
    window = Window()
    full = window.bytes
    assert not window.admits(500, bytes_out=full, files_out=5)
    assert window.admits(500, bytes_out=full, files_out=5, urgent=True)
    assert not window.admits(500, bytes_out=full + URGENT_BYTES, files_out=5, urgent=True)


def test_receipts_without_queueing_open_it_to_its_end() -> None:
    window = Window()
    for second in range(40):
        window.landed(window.bytes, 8, 0.6, float(second))
    assert window.bytes == MOST_BYTES
    assert window.admits(1000, bytes_out=500_000, files_out=MOST_FILES - 1)
    assert not window.admits(1, bytes_out=0, files_out=MOST_FILES)


def test_a_slow_line_keeps_no_more_than_four_seconds_queued() -> None:
    """A line of 5,000 bytes a second and 0.7 s: what is on its way beyond the line's own waits."""
    window, rate, base, now = Window(), 5000.0, 0.7, 0.0
    for _ in range(200):
        waited = max(base, window.bytes / rate)
        now += waited
        window.landed(window.bytes, 4, waited, now)
    assert window.bytes / rate <= 4.0 + base
    assert window.bytes >= rate * base  # and the line stays full


def test_growing_delay_closes_it_once_per_round_trip() -> None:
    window = Window()
    for second in range(10):
        window.landed(window.bytes, 8, 0.1, float(second))
    before = window.bytes
    window.landed(1000, 1, 6.0, 20.0)
    window.landed(1000, 1, 6.0, 20.5)
    assert window.bytes == before // 2
    window.landed(1000, 1, 6.0, 30.0)
    assert window.bytes == before // 4


def test_the_brokers_limit_and_the_centres_advice_hold() -> None:
    window = Window(most_files=3)
    for second in range(20):
        window.landed(window.bytes, 8, 0.1, float(second))
    assert not window.admits(1, bytes_out=3, files_out=3)
    window.advise(5000)
    assert window.bytes == 5000
    window.advise(0)
    assert window.bytes == MOST_BYTES


@given(
    receipts=st.lists(
        st.tuples(st.integers(1, 300_000), st.integers(1, 64), st.floats(1e-3, 600.0)), max_size=60
    )
)
def test_whatever_comes_it_stays_within_its_bounds(receipts: list[tuple[int, int, float]]) -> None:
    window, now = Window(), 0.0
    for size, files, waited in receipts:
        now += waited
        window.landed(size, files, waited, now)
        assert START_BYTES <= window.bytes <= MOST_BYTES
        assert window.admits(1, bytes_out=0, files_out=0)
        assert window.receipt_s > 0
