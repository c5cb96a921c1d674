from pathlib import Path

import pytest

from edge.records.fields import Stream
from sync.uplink import sentences
from sync.uplink.coverage import Coverage, read_contents
from sync.uplink.incoming import MOST_FILES, Incoming
from sync.wire import receipts, topics
from tests.sync.uplink_rig import REALM, UNIT, Box, CentreKeys, Landed, receipt_of

LANDED = topics.receipt(UNIT, "landed")
OPENED = topics.receipt(UNIT, "opened")


@pytest.fixture
def centre() -> CentreKeys:
    return CentreKeys(generations=(1, 2))


@pytest.fixture
def box(centre: CentreKeys, tmp_path: Path) -> Box:
    (tmp_path / "out").mkdir()
    return Box(centre, tmp_path / "out")


@pytest.fixture
def spool_in(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def incoming(centre: CentreKeys, spool_in: Path) -> Incoming:
    return Incoming(spool_in, UNIT, centre.keyset, Coverage())


def sign(box: Box, rseq: int, level: str = "landed", realm: str = REALM, **more: object) -> bytes:
    landed = Landed()
    landed.seqs[Stream.VITALS].update(range(1, rseq + 1))
    receipt = receipt_of(landed, str(more.pop("unit", UNIT)), box.epoch, rseq, level=level, **more)
    return receipts.sign(receipt, box.centre.signing[level], realm)


def names(spool_in: Path) -> list[str]:
    return sorted(path.name for path in spool_in.iterdir())


def test_receipts_are_written_under_names_that_sort(box: Box, incoming: Incoming, spool_in: Path) -> None:
    landed, opened = sign(box, 7), sign(box, 3, "opened")
    assert incoming.take(LANDED, landed) is not None
    assert incoming.take(OPENED, opened) is not None
    incoming.flush()
    assert names(spool_in) == [
        f"landed-{box.epoch.hex()}-1-000000000007",
        f"opened-{box.epoch.hex()}-1-000000000003",
    ]
    assert (spool_in / names(spool_in)[0]).read_bytes() == landed


def test_only_the_newest_of_a_line_is_kept(box: Box, incoming: Incoming, spool_in: Path) -> None:
    for rseq in (3, 5, 4, 5):
        incoming.take(LANDED, sign(box, rseq))
        incoming.flush()
    incoming.take(LANDED, sign(box, 1, generation=2))
    incoming.flush()
    epoch = box.epoch.hex()
    assert names(spool_in) == [f"landed-{epoch}-1-000000000005", f"landed-{epoch}-2-000000000001"]


def test_many_between_two_writes_cost_one(box: Box, incoming: Incoming, spool_in: Path) -> None:
    for rseq in range(1, 30):
        incoming.take(LANDED, sign(box, rseq))
    incoming.flush()
    assert names(spool_in) == [f"landed-{box.epoch.hex()}-1-000000000029"]


def flipped(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


def test_what_may_not_be_believed_is_counted_told_once_and_never_written(
    box: Box, incoming: Incoming, spool_in: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = Box(CentreKeys(), box.spool_out)
    for _ in range(3):
        incoming.take(LANDED, flipped(sign(box, 1)))
        incoming.take(LANDED, sign(other, 1))
        incoming.take(LANDED, sign(box, 1, realm="production"))
        incoming.take(LANDED, sign(box, 1, unit="van-08"))
        incoming.take(LANDED, sign(box, 1, level="opened"))
        incoming.take(LANDED, sign(box, 1, generation=9))
        incoming.take(LANDED, b"\x01nonsense")
        incoming.take(LANDED, b"\x01" * 20_000)
        incoming.take("qafila/v1/van-08/receipt/landed", sign(box, 1))
        incoming.take("elsewhere", sign(box, 1))
    incoming.flush()
    assert names(spool_in) == []
    assert incoming.refused == {
        "signature": 3, "kid": 3, "realm": 3, "unit": 3, "level": 3,
        "generation": 3, "form": 3, "too-large": 3, "topic": 6,
    }  # fmt: skip
    told = {record.__dict__["code"]: vars(record) for record in caplog.records}
    assert len(caplog.records) == len(told)
    assert set(told) == set(incoming.refused)
    for code, record in told.items():
        assert (record["sentence"], record["next"]) == sentences.REFUSED[code]


def test_what_was_left_unread_still_covers_after_a_restart(
    box: Box, centre: CentreKeys, incoming: Incoming, spool_in: Path
) -> None:
    name = box.save(n=3)
    incoming.take(LANDED, sign(box, 3))
    incoming.flush()
    (spool_in / ".tmp-0011-landed-x").write_bytes(b"unfinished")
    stale = spool_in / f"landed-{box.epoch.hex()}-1-000000000002"
    stale.write_bytes(sign(box, 2))
    coverage = Coverage()
    again = Incoming(spool_in, UNIT, centre.keyset, coverage)
    again.recall()
    assert names(spool_in) == [f"landed-{box.epoch.hex()}-1-000000000003"]
    contents = read_contents((box.spool_out / name).read_bytes(), UNIT)
    # the head in this receipt is none of the box's, so only what lies before it is covered
    assert not coverage.covers(contents)
    again.take(LANDED, sign(box, 4))
    assert coverage.covers(contents)
    again.flush()
    assert names(spool_in) == [f"landed-{box.epoch.hex()}-1-000000000004"]


def test_what_comes_down_is_one_file_however_often_it_comes(incoming: Incoming, spool_in: Path) -> None:
    for _ in range(3):
        incoming.take(topics.down(UNIT), b"sealed advice")
    incoming.take(topics.down(UNIT), b"x" * 300_000)
    assert len(names(spool_in)) == 1
    assert (spool_in / names(spool_in)[0]).read_bytes() == b"sealed advice"


def test_a_flood_fills_a_thousand_files_and_no_more(
    box: Box, incoming: Incoming, spool_in: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(MOST_FILES - 2):
        (spool_in / f"down-{number:016x}").touch()
    for number in range(50):
        incoming.take(topics.down(UNIT), str(number).encode())
    assert len(names(spool_in)) == MOST_FILES
    (told,) = (vars(record) for record in caplog.records)
    assert (told["code"], told["sentence"], told["next"]) == ("spool-full", *sentences.FILES["spool-full"])
    incoming.take(LANDED, sign(box, 1))
    incoming.flush()
    assert len(names(spool_in)) == MOST_FILES
    (spool_in / f"down-{0:016x}").unlink()  # the agent has read one
    incoming.flush()
    assert f"landed-{box.epoch.hex()}-1-000000000001" in names(spool_in)


def test_keys_have_one_use(box: Box, incoming: Incoming) -> None:
    landed = Landed()
    receipt = receipt_of(landed, UNIT, box.epoch, 1, level="landed")
    forged = receipts.sign(receipt, box.centre.signing["opened"], REALM)
    assert incoming.take(LANDED, forged) is None
    assert incoming.refused == {"signature": 1}
