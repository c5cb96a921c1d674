"""A day's bytes: counted across connections, restarts and wrong clocks, and what may still go."""

import dataclasses
import socket
from pathlib import Path

import pytest

from edge.clock import ClockQuality, Moment
from edge.spool.names import SpoolName
from sync.uplink.profiles import PROFILES
from sync.uplink.traffic import DAY_MS, STEP_BYTES, Traffic, carried

TODAY_MS = 20_000 * DAY_MS + 7_200_000


@dataclasses.dataclass
class Clock:
    wall_ms: int = TODAY_MS
    running_s: float = 1000.0

    def now(self) -> Moment:
        return Moment(self.wall_ms, b"boot----", int(self.running_s * 1000), ClockQuality.NONE)

    def monotonic_s(self) -> float:
        return self.running_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(directory: Path, clock: Clock, day_bytes: int = 1_000_000) -> Traffic:
    return Traffic(directory, PROFILES["2g"], day_bytes, clock)


def name(word: str, priority: int) -> SpoolName:
    return SpoolName(priority, 1, word, 1, "0" * 16)


def test_each_connection_counts_from_nothing(tmp_path: Path, clock: Clock) -> None:
    traffic = made(tmp_path, clock)
    for total in (100, 100, 250):
        traffic.count(total)
    traffic.begin()
    traffic.count(40)
    assert traffic.spent == 290


def test_what_was_counted_survives_a_good_end_exactly(tmp_path: Path, clock: Clock) -> None:
    traffic = made(tmp_path, clock)
    traffic.count(123_456)
    traffic.rate = 4321.0
    traffic.close()
    again = made(tmp_path, clock)
    assert (again.spent, again.expected_rate) == (123_456, 4321.0)


def test_a_killed_process_has_counted_too_much_and_never_too_little(tmp_path: Path, clock: Clock) -> None:
    traffic = made(tmp_path, clock)
    for total in range(0, 200_000, 700):
        traffic.count(total)
        assert total <= made(tmp_path, clock).spent <= total + STEP_BYTES + 700


def test_another_day_is_another_budget(tmp_path: Path, clock: Clock) -> None:
    traffic = made(tmp_path, clock)
    traffic.count(900_000)
    clock.wall_ms += DAY_MS
    traffic.count(900_010)
    assert traffic.spent == 10
    traffic.close()
    clock.wall_ms += DAY_MS
    assert made(tmp_path, clock).spent == 0


def test_a_clock_that_is_not_set_gives_no_second_budget(tmp_path: Path, clock: Clock) -> None:
    traffic = made(tmp_path, clock)
    traffic.count(900_000)
    traffic.close()
    clock.wall_ms, clock.running_s = 0, 5.0  # another boot, without a clock
    traffic = made(tmp_path, clock)
    assert traffic.spent == 900_000


def test_a_clock_that_was_ahead_keeps_nothing_back_for_longer_than_a_day(
    tmp_path: Path, clock: Clock
) -> None:
    clock.wall_ms = TODAY_MS + 4000 * DAY_MS
    traffic = made(tmp_path, clock)
    traffic.count(900_000)
    clock.wall_ms = TODAY_MS
    for hour in range(26):
        clock.running_s += 3600
        traffic.count(900_000)
        assert (traffic.spent == 0) == (hour >= 23)


def test_what_may_wait_waits_waves_first_and_alerts_never(tmp_path: Path, clock: Clock) -> None:
    traffic = made(tmp_path, clock)
    files = {
        "key": name("key", 0), "alert": name("alert", 1), "its photo": name("doc", 1),
        "values": name("vitals", 2), "document": name("doc", 3), "wave": name("wave", 4),
        "audit": name("audit", 5),
    }  # fmt: skip

    def going(spent: int) -> set[str]:
        traffic.spent = spent
        return {word for word, file in files.items() if traffic.may(file)}

    everything = set(files)
    assert going(699_999) == everything
    assert going(700_000) == everything - {"wave"}
    assert going(900_000) == everything - {"wave", "document", "audit"}
    assert going(1_000_000) == {"key", "alert", "its photo"}
    assert going(10**12) == {"key", "alert", "its photo"}


def test_without_a_bound_everything_goes(tmp_path: Path, clock: Clock) -> None:
    traffic = made(tmp_path, clock, 0)
    traffic.count(10**12)
    assert traffic.may(name("wave", 4))


@pytest.mark.parametrize("text", ["", "{}", "null", '{"day": "x"}', "[" * 5000])
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, clock: Clock, text: str) -> None:
    (tmp_path / "traffic.json").write_text(text)
    traffic = made(tmp_path, clock)
    assert traffic.spent == 0
    assert traffic.expected_rate == PROFILES["2g"].rate


def test_a_disk_that_takes_nothing_stops_nothing(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").touch()
    traffic = made(tmp_path / "file", clock)
    traffic.count(50_000)
    assert traffic.spent == 50_000


def test_the_kernel_counts_headers_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as near:
            far, _ = server.accept()
            with far:
                before = carried(near)
                near.sendall(bytes(1000))
                far.recv(1000)
                assert carried(near) - before >= 1000 + 52
        assert carried(near) == 0  # closed
    assert carried(None) == 0
