"""What waits, in bytes and seconds."""

from pathlib import Path

from edge.clock import SystemClock
from edge.spool.names import SpoolName
from sync.uplink.estimates import estimate
from sync.uplink.profiles import PROFILES
from sync.uplink.traffic import Traffic


def name(word: str, priority: int) -> SpoolName:
    return SpoolName(priority, 1, word, 1, "0" * 16)


FILES = [
    (name("key", 0), 100),
    (name("alert", 1), 512),
    (name("vitals", 2), 120_000),
    (name("audit", 5), 20_433),
    (name("wave", 4), 1_000_000),
]


def traffic(directory: Path, rate: float, spent: int) -> Traffic:
    made = Traffic(directory, PROFILES["2g"], 1_000_000, SystemClock())
    made.rate, made.spent = rate, spent
    return made


def test_what_is_urgent_goes_before_the_backlog_and_what_is_held_is_told_apart(tmp_path: Path) -> None:
    told = estimate(FILES, traffic(tmp_path, 2500.0, 800_000), 0.8, "2g")
    assert told["urgent"] == [610, 2]  # 0.8 s there and back, 0.24 s on the line
    assert told["backlog"] == [140_000, 58]  # (612 + 140,433) / 2500 + 0.8 = 57.2
    assert told["held"] == 1_000_000
    assert told["day"] == [800_000, 1_000_000]
    assert (told["rate"], told["profile"]) == (2500, "2g")


def test_nothing_that_waits_takes_no_time(tmp_path: Path) -> None:
    told = estimate([], traffic(tmp_path, 2500.0, 0), 0.8, "2g")
    assert (told["urgent"], told["backlog"], told["held"]) == ([0, 0], [0, 0], 0)


def test_without_a_measured_rate_the_profile_says_what_to_expect(tmp_path: Path) -> None:
    told = estimate(FILES[:2], traffic(tmp_path, 0.0, 0), 0.0, "2g")
    assert told["rate"] == 4000
    assert told["urgent"] == [610, 2]
