"""The longest time without the centre, from its signed times alone and over every restart."""

from pathlib import Path

import pytest

from sync.uplink.outages import DAY_MS, NAME, Outages, longest_ms

BEGIN_MS = 1_760_000_000_000
HOUR_MS = 3_600_000


def test_the_longest_gap_between_two_receipts_is_kept(tmp_path: Path) -> None:
    outages = Outages(tmp_path)
    outages.begin(0.0)
    outages.hear(BEGIN_MS, 1.0)
    assert outages.longest_ms == 0, "before the first receipt nobody waited for one"
    outages.begin(5 * 86_400.0)
    outages.hear(BEGIN_MS + 5 * DAY_MS, 5 * 86_400.0 + 1)
    outages.hear(BEGIN_MS + 5 * DAY_MS + HOUR_MS, 5 * 86_400.0 + 3601)
    outages.hear(BEGIN_MS + DAY_MS, 5 * 86_400.0 + 3602)  # an old one, once more
    assert outages.longest_ms == longest_ms(tmp_path) == 5 * DAY_MS


def test_a_restart_and_a_box_without_a_clock_change_nothing(tmp_path: Path) -> None:
    Outages(tmp_path).hear(BEGIN_MS, 1.0)
    again = Outages(tmp_path)  # switched off for 20 days; its monotonic clock begins anew
    again.begin(3.0)
    again.hear(BEGIN_MS + 20 * DAY_MS, 4.0)
    assert Outages(tmp_path).longest_ms == longest_ms(tmp_path) == 20 * DAY_MS


def test_a_receipt_kept_at_the_broker_does_not_halve_an_outage(tmp_path: Path) -> None:
    outages = Outages(tmp_path)
    outages.hear(BEGIN_MS, 1.0)
    outages.begin(100.0)
    outages.hear(BEGIN_MS + 10 * DAY_MS, 101.0)
    outages.hear(BEGIN_MS + 20 * DAY_MS, 130.0)
    assert outages.longest_ms == 20 * DAY_MS


def test_a_link_that_flaps_and_one_that_stands_for_weeks_are_no_outage(tmp_path: Path) -> None:
    outages = Outages(tmp_path)
    for hour in range(24 * 21):
        if hour < 24:
            outages.begin(hour * 3600.0)
        outages.hear(BEGIN_MS + hour * HOUR_MS, hour * 3600.0 + 1)
    assert 0 < outages.longest_ms <= 2 * HOUR_MS


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"[]", b"{", b"\xff", b'{"heard_ms": 1}', b'{"heard_ms": "1", "longest_ms": 2}'),
        *(b'{"heard_ms": -1, "longest_ms": 2}', b'{"heard_ms": 1, "longest_ms": true}'),
    ],
)
def test_a_damaged_note_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    assert longest_ms(tmp_path) == Outages(tmp_path).longest_ms == 0


def test_a_full_disk_costs_only_the_note(tmp_path: Path) -> None:
    outages = Outages(tmp_path / "gone")
    outages.hear(BEGIN_MS, 1.0)
    outages.hear(BEGIN_MS + 3 * DAY_MS, 7200.0)
    assert (outages.longest_ms, longest_ms(tmp_path / "gone")) == (3 * DAY_MS, 0)
    (tmp_path / "gone").mkdir()
    outages.hear(BEGIN_MS + 3 * DAY_MS + 1, 7201.0)
    assert longest_ms(tmp_path / "gone") == 3 * DAY_MS
    assert [path.name for path in (tmp_path / "gone").iterdir()] == [NAME]
