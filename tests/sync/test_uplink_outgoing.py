import os
from pathlib import Path

import pytest

from edge.records.fields import Stream
from edge.spool import Outbox
from sync.uplink.coverage import Coverage
from sync.uplink.outgoing import Outgoing
from sync.wire.cose import MAX_MESSAGE_BYTES
from tests.sync.uplink_rig import UNIT, Box, CentreKeys, Landed, receipt_of


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(CentreKeys(), tmp_path)


@pytest.fixture
def coverage() -> Coverage:
    return Coverage()


@pytest.fixture
def outgoing(box: Box, coverage: Coverage) -> Outgoing:
    return Outgoing(box.spool_out, UNIT, coverage)


def drain(outgoing: Outgoing) -> list[str]:
    outgoing.refresh()
    names: list[str] = []
    while (ready := outgoing.next()) is not None:
        assert outgoing.next() is ready  # read once, however long it waits
        outgoing.take(ready)
        names.append(str(ready.name))
    return names


def test_what_is_urgent_goes_first_then_in_order(box: Box, outgoing: Outgoing) -> None:
    streams = (Stream.AUDIT, Stream.VITALS, Stream.WAVE, Stream.DOC, Stream.VITALS, Stream.ALERT)
    saved = [box.save(stream) for stream in streams]
    audit, first, wave, doc, second, alert = saved
    # waves have their minimum, so the one that waits goes as soon as something less urgent has gone
    assert drain(outgoing) == [box.key_name, alert, first, wave, second, doc, audit]


def test_waves_keep_a_twentieth_while_vitals_drain(box: Box, outgoing: Outgoing) -> None:
    for _ in range(60):
        box.save(Stream.VITALS)
    for _ in range(20):
        box.save(Stream.WAVE)
    order = [name.split("-")[1] for name in drain(outgoing)][1:]
    while_both_wait = order[: len(order) - order[::-1].index("vitals")]
    share = while_both_wait.count("wave") / len(while_both_wait)
    assert 0.04 <= share <= 0.08


def test_a_later_alert_overtakes(box: Box, outgoing: Outgoing) -> None:
    for _ in range(3):
        box.save()
    outgoing.refresh()
    ready = outgoing.next()
    assert ready is not None
    outgoing.take(ready)
    alert = box.save(Stream.ALERT)
    assert drain(outgoing)[0] == alert


def test_a_change_within_one_tick_of_the_clock_is_seen(box: Box, outgoing: Outgoing) -> None:
    box.save()
    outgoing.refresh()
    seen = box.spool_out.stat()
    late = box.save()
    os.utime(box.spool_out, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert late in drain(outgoing)


def test_what_a_receipt_covers_is_skipped_and_rewinding_brings_the_rest(
    box: Box, outgoing: Outgoing, coverage: Coverage
) -> None:
    first, second = box.save(n=3), box.save(n=3)
    assert drain(outgoing) == [box.key_name, first, second]
    landed = Landed()
    landed.seqs[Stream.VITALS].update(range(1, 5))
    coverage.learn(receipt_of(landed, UNIT, box.epoch, 1))
    outgoing.rewind()
    assert drain(outgoing) == [box.key_name, second]


def test_what_the_agent_removes_is_forgotten(box: Box, outgoing: Outgoing) -> None:
    names = [box.save() for _ in range(3)]
    outgoing.refresh()
    (box.spool_out / names[0]).unlink()
    assert drain(outgoing) == [box.key_name, *names[1:]]
    (box.spool_out / names[1]).unlink()
    outgoing.refresh()
    outgoing.rewind()
    assert drain(outgoing) == [box.key_name, names[2]]


def test_what_is_no_sealed_file_stays_and_is_told_once(
    box: Box, outgoing: Outgoing, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = box.save()
    other = Box(box.centre, tmp_path, unit="van-08")
    strange = other.save()
    for name, content in (
        ("2-vitals-7-1-" + "0" * 16, b"no envelope"),
        ("2-vitals-8-1-" + "0" * 16, b"\x01" * (MAX_MESSAGE_BYTES + 1)),
        (".tmp-2-vitals-9-1-" + "0" * 16, b"unfinished"),
        ("readme", b"a stranger's"),
    ):
        (box.spool_out / name).write_bytes(content)
    (box.spool_out / ("2-vitals-10-1-" + "0" * 16)).symlink_to(box.spool_out / good)
    (box.spool_out / ("2-vitals-11-1-" + "0" * 16)).mkdir()
    os.mkfifo(box.spool_out / ("2-vitals-12-1-" + "0" * 16))
    assert drain(outgoing) == [box.key_name, good]
    outgoing.rewind()
    assert drain(outgoing) == [box.key_name, good]
    told = [(record.__dict__["file"], record.__dict__["reason"]) for record in caplog.records]
    assert (strange, "unit") in told
    assert len(told) == len(set(told)) == 4  # two of the stranger, its key among them, and the two bad ones


def test_a_directory_that_is_not_there_is_an_empty_one(tmp_path: Path, coverage: Coverage) -> None:
    assert drain(Outgoing(tmp_path / "not-yet", UNIT, coverage)) == []


def test_thousands_of_files_are_put_in_order(box: Box, outgoing: Outgoing) -> None:
    for number in range(2000):
        (box.spool_out / f"2-vitals-{number * 3 + 1}-3-{number:016x}").touch()
    outgoing.refresh()
    outgoing.refresh()
    assert len(outgoing._waiting) == 2000
    assert [name.first for name in list(outgoing._waiting)[:3]] == [1, 4, 7]


def test_a_ring_is_heard_once(box: Box, outgoing: Outgoing) -> None:
    assert not outgoing.rung()
    Outbox(box.spool_out).ring()
    assert outgoing.rung()
    assert not outgoing.rung()
    Outbox(box.spool_out).ring()
    assert outgoing.rung()
    assert drain(outgoing) == []
