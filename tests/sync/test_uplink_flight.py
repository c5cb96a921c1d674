from pathlib import Path

import pytest

from edge.records.fields import Stream
from sync.uplink.coverage import Coverage
from sync.uplink.flight import MOST_UNANSWERED, Flight
from sync.uplink.outgoing import Outgoing, Ready
from sync.uplink.pacing import Window
from tests.sync.uplink_rig import UNIT, Box, CentreKeys, Landed, receipt_of

PATIENCE_S = 10.0


class Bench:
    """A box, its spool and one flight over it."""

    def __init__(self, directory: Path) -> None:
        self.box = Box(CentreKeys(), directory)
        self.coverage = Coverage()
        self.outgoing = Outgoing(directory, UNIT, self.coverage)
        self.flight = Flight(Window())

    def fetch(self) -> Ready:
        self.outgoing.refresh()
        ready = self.outgoing.next()
        assert ready is not None
        self.outgoing.take(ready)
        return ready

    def send(self, now_s: float) -> Ready:
        ready = self.fetch()
        self.flight.begin(ready, now_s)
        self.flight.finish(now_s)
        return ready

    def land(self, seqs: range, now_s: float) -> list[str]:
        landed = Landed()
        landed.seqs[Stream.VITALS].update(seqs)
        assert self.box.session is not None
        landed.sessions.append(self.box.session.id)
        self.coverage.learn(receipt_of(landed, UNIT, self.box.epoch, len(seqs) + 1))
        return [str(name) for name in self.flight.landed(self.coverage, now_s)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_file_is_sent_when_its_last_byte_was_taken_and_not_before(bench: Bench) -> None:
    bench.box.begin_session()
    ready = bench.fetch()
    bench.flight.begin(ready, 1.0)
    assert not bench.flight.handed
    bench.flight.finish(2.0)
    assert list(bench.flight.handed) == [str(ready.name)]


def test_a_receipt_clears_what_it_covers_and_measures_the_way(bench: Bench) -> None:
    first, second = bench.box.save(n=3), bench.box.save(n=3)
    for now_s in (1.0, 1.1, 1.2):
        bench.send(now_s)
    covered = bench.land(range(1, 6), 1.9)
    assert covered == [bench.box.key_name, first]
    assert bench.flight.window.receipt_s == pytest.approx(0.8)
    assert second in bench.flight.handed
    assert bench.flight.unanswered() == {second}


def test_nothing_on_its_way_is_never_overdue(bench: Bench) -> None:
    assert not bench.flight.overdue(PATIENCE_S, 0, 1e6)


def test_the_wait_begins_when_the_other_end_has_it_all(bench: Bench) -> None:
    bench.box.begin_session()
    bench.send(0.0)
    for tenth in range(600):  # a minute on a line that takes 10 bytes each tenth of a second
        assert not bench.flight.overdue(PATIENCE_S, 6000 - tenth * 10, tenth / 10)
    assert not bench.flight.overdue(PATIENCE_S, 0, 60.0)
    assert not bench.flight.overdue(PATIENCE_S, 0, 69.9)
    assert bench.flight.overdue(PATIENCE_S, 0, 70.1)


def test_a_line_that_takes_nothing_is_overdue(bench: Bench) -> None:
    bench.box.begin_session()
    bench.send(0.0)
    assert not bench.flight.overdue(PATIENCE_S, 1300, 9.9)
    assert bench.flight.overdue(PATIENCE_S, 1300, 10.1)


def test_a_file_that_does_not_even_reach_the_socket_is_overdue(bench: Bench) -> None:
    bench.box.begin_session()
    bench.flight.begin(bench.fetch(), 0.0)
    assert not bench.flight.overdue(PATIENCE_S, 500, 9.9)
    assert bench.flight.overdue(PATIENCE_S, 500, 10.1)


def test_a_trickle_into_a_hole_does_not_keep_it_alive(bench: Bench) -> None:
    """Somebody acknowledges every byte on the way and nobody ever answers."""
    for _ in range(10):
        bench.box.save(n=1)
    noticed = None
    for second in range(40):
        if second % 4 == 0:
            bench.send(float(second))
        if bench.flight.overdue(PATIENCE_S, 0, second + 0.5) and noticed is None:
            noticed = second
    assert noticed is not None
    assert noticed <= 11


def test_receipts_for_others_give_a_file_more_time_but_not_for_ever(bench: Bench) -> None:
    bench.box.save(n=1)
    bench.send(0.0)  # the key message
    bench.send(0.0)
    bench.land(range(0), 0.5)  # the key has landed, the batch has not
    overdue_at = None
    for second in range(1, 60):
        bench.box.save(n=1)
        bench.send(float(second))
        bench.land(range(2, second + 2), second + 0.2)
        if overdue_at is None and bench.flight.overdue(PATIENCE_S, 0, second + 0.5):
            overdue_at = second
    assert overdue_at is not None
    assert PATIENCE_S < overdue_at <= 3 * PATIENCE_S + 2


def test_what_went_unanswered_takes_no_room_the_next_time(bench: Bench) -> None:
    names = [bench.box.save(n=3, size=200) for _ in range(5)]
    for _ in range(3):
        bench.send(0.0)
    unanswered = bench.flight.unanswered()
    assert unanswered == {bench.box.key_name, *names[:2]}
    bench.flight = Flight(Window(), unanswered)
    bench.outgoing.rewind()
    sent: list[str] = []
    for _ in range(6):
        ready = bench.outgoing.next()
        assert ready is not None
        if not bench.flight.admits(ready):
            break
        sent.append(str(bench.send(1.0).name))
    assert set(sent[:3]) == unanswered
    assert len(sent) > 3  # and others go beside them


def test_only_so_many_may_be_unanswered(bench: Bench) -> None:
    for _ in range(MOST_UNANSWERED + 5):
        bench.box.save(n=1)
        bench.send(0.0)
    assert len(bench.flight.unanswered()) == MOST_UNANSWERED


def test_what_the_agent_has_removed_is_no_longer_waited_for(bench: Bench) -> None:
    name = bench.box.save(n=1)
    bench.send(0.0)
    bench.send(0.0)
    for path in bench.box.spool_out.iterdir():
        path.unlink()
    bench.outgoing.refresh()
    bench.flight.forget(bench.outgoing.has)
    assert name not in bench.flight.handed
    assert not bench.flight.overdue(PATIENCE_S, 0, 1e6)
