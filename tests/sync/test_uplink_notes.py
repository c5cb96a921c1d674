import fcntl
import json
import os
from pathlib import Path

import pytest

from edge.clock import ClockQuality, Moment
from sync.uplink.notes import FORGET_MS, BrokerNotes, LinkNote


class FakeClock:
    def __init__(self) -> None:
        self.wall_ms = 1_760_000_000_000

    def now(self) -> Moment:
        return Moment(self.wall_ms, bytes(8), 0, ClockQuality.NONE)

    def monotonic_s(self) -> float:
        return 0.0


def test_an_older_broker_is_remembered_across_runs_for_a_day(tmp_path: Path) -> None:
    clock = FakeClock()
    BrokerNotes(tmp_path, clock).remember("127.0.0.1:1883", speaks_5=False)
    notes = BrokerNotes(tmp_path, clock)
    assert not notes.speaks_5("127.0.0.1:1883")
    assert notes.speaks_5("127.0.0.1:1884")
    clock.wall_ms += FORGET_MS
    assert notes.speaks_5("127.0.0.1:1883")


def test_a_clock_set_back_does_not_keep_it_old_for_ever(tmp_path: Path) -> None:
    clock = FakeClock()
    BrokerNotes(tmp_path, clock).remember("a:1", speaks_5=False)
    clock.wall_ms = 0
    assert BrokerNotes(tmp_path, clock).speaks_5("a:1")


def test_a_broker_that_has_learnt_is_forgotten(tmp_path: Path) -> None:
    notes = BrokerNotes(tmp_path, FakeClock())
    notes.remember("a:1", speaks_5=False)
    notes.remember("a:1", speaks_5=True)
    assert BrokerNotes(tmp_path, FakeClock()).speaks_5("a:1")


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a:1": "x"}', b"\xff"])
def test_damaged_notes_are_no_notes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "brokers.json").write_bytes(content)
    assert BrokerNotes(tmp_path, FakeClock()).speaks_5("a:1")


def test_notes_that_cannot_be_written_cost_only_the_memory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    notes = BrokerNotes(tmp_path / "file", FakeClock())
    notes.remember("a:1", speaks_5=False)
    assert not notes.speaks_5("a:1")


def write(note: LinkNote, *, connected: bool = True, sent: tuple[str, ...] = ()) -> None:
    note.write(
        connected=connected, since_ms=1, connection="c", sent=sent, broker="mqtt5", code="", waiting={}
    )


def writer_lives(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def test_the_link_note_is_replaced_whole_and_only_when_it_changes(tmp_path: Path) -> None:
    note = LinkNote(tmp_path)
    write(note, sent=("2-vitals-1-3-00",))
    first = (tmp_path / "link").stat().st_ino
    write(note, sent=("2-vitals-1-3-00",))
    assert (tmp_path / "link").stat().st_ino == first
    write(note, connected=False)
    assert (tmp_path / "link").stat().st_ino != first
    assert [path.name for path in tmp_path.iterdir()] == ["link"]
    assert json.loads((tmp_path / "link").read_text())["connected"] is False
    note.close()


def test_its_lock_says_whether_its_writer_lives(tmp_path: Path) -> None:
    note = LinkNote(tmp_path)
    for number in range(3):
        write(note, sent=(str(number),))
        assert writer_lives(tmp_path / "link")
    note.close()
    assert not writer_lives(tmp_path / "link")


def test_it_names_at_most_a_thousand_files(tmp_path: Path) -> None:
    note = LinkNote(tmp_path)
    write(note, sent=tuple(str(number) for number in range(1500)))
    assert json.loads((tmp_path / "link").read_text())["sent"][-1] == "1499"
    assert len(json.loads((tmp_path / "link").read_text())["sent"]) == 1000
    note.close()
