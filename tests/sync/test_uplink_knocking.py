"""How long an attempt may take."""

from sync.uplink.knocking import CYCLE, REFUSED_PAUSE_S, SHORT_S, SILENT_PAUSE_S, Knocking
from sync.uplink.settings import Patience

PATIENCE = Patience(connect_s=30.0)


def waits(knocking: Knocking, count: int) -> list[float]:
    found: list[float] = []
    for _ in range(count):
        found.append(knocking.wait_s())
        knocking.failed(found[-1])
    return found


def test_the_first_attempts_get_the_whole_time() -> None:
    assert waits(Knocking(PATIENCE), 5) == [30.0] * 5


def test_where_somebody_was_reached_short_attempts_follow_one_another() -> None:
    knocking = Knocking(PATIENCE)
    knocking.opened(0.05)
    found = waits(knocking, 2 * CYCLE)
    assert found == [*[SHORT_S] * (CYCLE - 2), 3 * SHORT_S, 30.0] * 2
    assert knocking.pause_s == SILENT_PAUSE_S


def test_a_long_way_gets_longer_attempts_and_never_more_than_the_whole_time() -> None:
    knocking = Knocking(PATIENCE)
    knocking.opened(2.0)
    assert knocking.wait_s() == 8.0
    knocking.opened(20.0)
    assert knocking.wait_s() == 30.0


def test_who_is_refused_at_once_pauses_longer() -> None:
    knocking = Knocking(PATIENCE)
    knocking.wait_s()
    knocking.failed(0.01)
    assert knocking.pause_s == REFUSED_PAUSE_S
