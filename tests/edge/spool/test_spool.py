"""The spool: whole files or none, names that sort, an inbox that trusts nobody."""

import fcntl
import os
import random
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ports.sealing import SealedFile
from edge.spool import Inbox, Outbox, SpoolName, parse, write_atomically
from edge.spool.files import SpoolFailed
from edge.spool.inbox import MOST_BYTES, MOST_FILES


def sealed(first: int = 1, n: int = 1, *, word: str = "vitals", priority: int = 2) -> SealedFile:
    return SealedFile(priority, word, first, n, b"sealed %d" % first)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path)


@given(
    st.builds(
        SpoolName,
        priority=st.integers(0, 9),
        first=st.integers(0, 2**53),
        word=st.sampled_from(["key", "alert", "vitals", "doc", "wave", "audit"]),
        n=st.integers(0, 4096),
        random=st.binary(min_size=8, max_size=8).map(bytes.hex),
    )
)
def test_a_name_is_read_as_it_is_written(name: SpoolName) -> None:
    assert parse(str(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "2-vitals-1-1",
        "2-vitals-1-1-9f0c",
        "2-vitals-1-1-9f0c9f0c9f0c9f0c.tmp",
        ".tmp-2-vitals-1-1-9f0c9f0c9f0c9f0c",
        "2-vitals-01-1-9f0c9f0c9f0c9f0c",
        "2-vitals--1-1-9f0c9f0c9f0c9f0c",
        "2-VITALS-1-1-9f0c9f0c9f0c9f0c",
        "2-vitals-1-1-9F0C9f0c9f0c9f0c",
        "2-vitals-1-1-9f0c9f0c9f0c9f0c\n",
        "2-vitals-\u0661-1-9f0c9f0c9f0c9f0c",
        "../2-vitals-1-1-9f0c9f0c9f0c9f0c",
        "22-vitals-1-1-9f0c9f0c9f0c9f0c",
        "2-vitals-" + "9" * 30 + "-1-9f0c9f0c9f0c9f0c",
    ],
)
def test_anything_else_is_no_name(name: str) -> None:
    assert parse(name) is None


def test_files_come_in_order_of_sending(outbox: Outbox) -> None:
    files = [
        sealed(200),
        sealed(9),
        sealed(100),
        sealed(5, word="audit", priority=5),
        sealed(7, word="alert", priority=1),
        sealed(0, 0, word="key", priority=0),
    ]
    outbox.publish(*(outbox.prepare(file) for file in files))
    assert [(name.word, name.first) for name in outbox.list()] == [
        *(("key", 0), ("alert", 7), ("vitals", 9)),
        *(("vitals", 100), ("vitals", 200), ("audit", 5)),
    ]


def test_a_file_is_in_the_spool_only_once_published(outbox: Outbox, tmp_path: Path) -> None:
    prepared = outbox.prepare(sealed(3, 2))
    assert outbox.list() == []
    [temporary] = tmp_path.iterdir()
    assert temporary.name.startswith(".tmp-")
    assert temporary.read_bytes() == b"sealed 3"
    outbox.publish(prepared)
    assert outbox.list() == [prepared.name]
    assert outbox.read(prepared.name) == b"sealed 3"
    [published] = tmp_path.iterdir()
    assert published.name.startswith("2-vitals-3-2-")
    assert stat.S_IMODE(published.stat().st_mode) & 0o007 == 0
    outbox.remove(prepared.name)
    outbox.remove(prepared.name)
    assert list(tmp_path.iterdir()) == []


def test_what_was_not_committed_is_taken_back(outbox: Outbox, tmp_path: Path) -> None:
    outbox.discard(outbox.prepare(sealed(1)), outbox.prepare(sealed(2)))
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_agent_left_is_swept_at_start(outbox: Outbox) -> None:
    outbox.prepare(sealed(1))
    outbox.publish(kept := outbox.prepare(sealed(2)))
    assert outbox.sweep_temporaries() == 1
    assert outbox.list() == [kept.name]
    assert outbox.sweep_temporaries() == 0


def test_bytes_reach_the_disk_before_the_name_does(
    outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def watched_fsync(descriptor: int) -> None:
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        if not is_directory:
            assert os.fstat(descriptor).st_size > 0, "synced before it was written"
        happened.append("sync directory" if is_directory else "sync file")
        fsync(descriptor)

    def watched_rename(self: Path, target: Path) -> Path:
        happened.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "rename", watched_rename)
    prepared = outbox.prepare(sealed(1))
    assert happened == ["sync file"]
    outbox.publish(prepared)
    assert happened == ["sync file", "rename", "sync directory"]
    happened.clear()
    write_atomically(tmp_path, "link", b"{}")
    assert happened == ["sync file", "rename", "sync directory"]


def test_a_full_disk_leaves_no_file_and_is_said(
    outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(SpoolFailed) as refused:
        outbox.prepare(sealed(1))
    assert refused.value.next_step
    with pytest.raises(SpoolFailed):
        write_atomically(tmp_path, "link", b"{}")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_spool_is_said(tmp_path: Path) -> None:
    outbox, inbox = Outbox(tmp_path / "gone"), Inbox(tmp_path / "gone")
    for action in (outbox.list, inbox.take, outbox.sweep_temporaries, lambda: outbox.prepare(sealed())):
        with pytest.raises(SpoolFailed):
            action()


def test_short_writes_are_continued(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    outbox.publish(prepared := outbox.prepare(sealed(1)))
    monkeypatch.undo()
    assert outbox.read(prepared.name) == b"sealed 1"


def test_a_note_is_replaced_whole(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    assert inbox.link() is None
    for content in (b"{}", b'{"connected": true}'):
        write_atomically(tmp_path, "link", content)
        with (tmp_path / "link").open() as writers:
            fcntl.flock(writers, fcntl.LOCK_EX)  # as the uplink holds it while it lives
            assert inbox.link() == content
        assert inbox.link() is None, "its writer is dead, so nothing in it holds"
    assert [path.name for path in tmp_path.iterdir()] == ["link"]
    assert inbox.take() == []


def test_receipts_are_taken_in_order_and_stay_until_removed(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    names = [f"landed-00ff00ff00ff00ff-1-{rseq:012d}" for rseq in (2, 10, 1)]
    for name in names:
        write_atomically(tmp_path, name, name.encode())
    taken = inbox.take()
    assert [name for name, _ in taken] == sorted(names)
    assert all(content == name.encode() for name, content in taken)
    assert inbox.take() == taken
    for name, _ in taken:
        inbox.remove(name)
    inbox.remove(names[0])
    assert inbox.take() == []
    assert inbox.refused == 0


def test_only_regular_files_of_bounded_size_are_read(tmp_path: Path) -> None:
    directory = tmp_path / "in"
    directory.mkdir()
    (tmp_path / "secret").write_bytes(b"the agent's own")
    (directory / "link-to-secret").symlink_to(tmp_path / "secret")
    (directory / "hard-to-hang-on").symlink_to("/dev/zero")
    os.mkfifo(directory / "pipe")
    (directory / "folder").mkdir()
    (directory / "huge").write_bytes(bytes(MOST_BYTES + 1))
    (directory / "largest").write_bytes(bytes(MOST_BYTES))
    (directory / ".tmp-still-being-written").write_bytes(b"half")
    inbox = Inbox(directory)
    assert [name for name, _ in inbox.take()] == ["largest"]
    assert inbox.refused == 5
    assert sorted(path.name for path in directory.iterdir()) == [".tmp-still-being-written", "largest"]
    assert (tmp_path / "secret").read_bytes() == b"the agent's own"


def test_a_link_note_that_is_a_link_is_no_note(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert Inbox(tmp_path).link() is None


def test_a_flood_is_taken_in_portions(tmp_path: Path) -> None:
    for number in range(MOST_FILES + 5):
        (tmp_path / f"down-{number:05d}").write_bytes(b"x")
    inbox = Inbox(tmp_path)
    first = inbox.take()
    assert len(first) == MOST_FILES
    for name, _ in first:
        inbox.remove(name)
    assert len(inbox.take()) == 5


def test_a_file_that_vanishes_while_taking_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"x")
    real = os.open

    def racing(path: Path, flags: int, *mode: int) -> int:
        if Path(path).name == "b":
            Path(path).unlink()
        return real(path, flags, *mode)

    monkeypatch.setattr(os, "open", racing)
    assert [name for name, _ in Inbox(tmp_path).take()] == ["a", "c"]


def test_random_operations_never_show_half_a_file(tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311  seeded to be repeated
    outbox = Outbox(tmp_path)
    prepared, published = [], set()
    for number in range(400):
        match chance.randrange(4):
            case 0 | 1:
                prepared.append(outbox.prepare(sealed(number)))
            case 2 if prepared:
                outbox.publish(one := prepared.pop(chance.randrange(len(prepared))))
                published.add(one.name)
            case 3 if published:
                outbox.remove(gone := chance.choice(sorted(published)))
                published.discard(gone)
        assert set(outbox.list()) == published
    assert all(outbox.read(name) == b"sealed %d" % name.first for name in published)
