"""The disk of the torture: keeps what was synced, and nothing of the rest that it promised to lose."""

import random
from pathlib import Path

import pytest

from torture.disk import Disk, Luck
from torture.trace import (
    Cut,
    Made,
    NamesSynced,
    Operation,
    Removed,
    Renamed,
    Said,
    Step,
    Synced,
    TraceNotUnderstood,
    Wrote,
    read_trace,
)

HOME = Path("/van")


def left(tmp_path: Path, luck: Luck, *operations: Operation, seed: int = 0) -> dict[str, bytes]:
    """What is below ``store`` after these operations, each ended before the next began."""
    disk = Disk({"/van/store/old": (1, b"old.")})
    for line, operation in enumerate(operations):
        disk.take(Step(line, line, operation))
    disk.write_out(HOME, tmp_path, ("store",), luck, random.Random(seed))  # noqa: S311  a seed
    return {path.name: path.read_bytes() for path in (tmp_path / "store").iterdir()}


def test_what_was_not_synced_is_gone_and_what_was_is_kept(tmp_path: Path) -> None:
    found = left(tmp_path, Luck.GONE, Wrote(1, 0, b"new!"), Synced(1, 1), Wrote(1, 0, b"lost"))
    assert found == {"old": b"new!"}


def test_a_sync_promises_nothing_of_what_had_not_ended(tmp_path: Path) -> None:
    disk = Disk({"/van/store/old": (1, b"old.")})
    disk.take(Step(begun=0, ended=5, operation=Wrote(1, 0, b"late")))
    disk.take(Step(begun=2, ended=3, operation=Synced(1, begun=2)))
    disk.write_out(HOME, tmp_path, ("store",), Luck.GONE, random.Random(0))  # noqa: S311  a seed
    assert (tmp_path / "store" / "old").read_bytes() == b"old."


@pytest.mark.parametrize(
    ("last", "names"),
    [
        ((), {"old"}),
        ((NamesSynced("/van/other", 9),), {"old"}),
        ((NamesSynced("/van/store", 9),), {"new"}),
    ],
)
def test_names_are_kept_by_a_sync_of_their_directory(
    tmp_path: Path, last: tuple[Operation, ...], names: set[str]
) -> None:
    made = (
        Made("/van/store/.tmp", 2),
        Wrote(2, 0, b"whole"),
        Synced(2, 2),
        Renamed("/van/store/.tmp", "/van/store/new"),
        Removed("/van/store/old"),
        *last,
    )
    assert set(left(tmp_path, Luck.GONE, *made)) == names


def test_with_all_luck_everything_is_there(tmp_path: Path) -> None:
    found = left(tmp_path, Luck.KEPT, Wrote(1, 4, b"more"), Cut(1, 6), Wrote(1, 8, b"x"))
    assert found == {"old": b"old.mo\0\0x"}


def test_a_torn_write_is_torn_at_sectors(tmp_path: Path) -> None:
    new = b"\xff" * 4096
    seen: set[bytes] = set()
    for seed in range(40):
        content = left(tmp_path / str(seed), Luck.TORN, Wrote(1, 0, new), seed=seed)["old"]
        whole = content.ljust(4096, b"\0")
        sectors = [whole[at : at + 512] for at in range(512, 4096, 512)]
        assert set(sectors) <= {b"\xff" * 512, bytes(512)}
        seen.add(content)
    assert len(seen) > 5


TRACE = """\
7 openat(AT_FDCWD<@/@>, "@/van/store/new@", O_RDWR|O_CREAT|O_EXCL, 0600) = 5<@/van/store/new@>
7 write(5<@/van/store/new@>, "@head@", 4) = 4
8 sendto(9<@socket:[1]@>, "@{"re":"a","ok":{"saved":[["van-07","00","vitals",2]]}}\n@", 56 <unfinished ...>
7 pwrite64(5<@/van/store/new@>, "@body@", 4, 4 <unfinished ...>
8 <... sendto resumed>)             = 56
7 <... pwrite64 resumed>)           = 4
7 fsync(5<@/van/store/new@>)   = 0
7 openat(AT_FDCWD<@/@>, "@/etc/passwd@", O_RDONLY) = 6<@/etc/passwd@>
7 unlink("@/van/store/gone@")  = -1 ENOENT (No such file or directory)
7 fsync(4<@/van/store@>)       = 0
"""


def traced(tmp_path: Path, text: str) -> list[Step]:
    parts = text.split("@")
    coded = (
        "".join(f"\\x{byte:02x}" for byte in part.encode()) if number % 2 else part
        for number, part in enumerate(parts)
    )
    (tmp_path / "trace").write_text("".join(coded))
    return read_trace(tmp_path / "trace", HOME, {})


def test_a_trace_is_read_in_the_order_of_effects(tmp_path: Path) -> None:
    steps = traced(tmp_path, TRACE)
    assert [type(step.operation).__name__ for step in steps] == [
        "Made", "Wrote", "Said", "Wrote", "Synced", "NamesSynced",
    ]  # fmt: skip
    assert [step.operation.offset for step in steps if isinstance(step.operation, Wrote)] == [0, 4]
    assert (steps[3].begun, steps[3].ended) == (3, 5)
    assert steps[2].operation == Said(frozenset({("van-07", "00", "vitals", 2)}))


def test_a_call_that_the_model_does_not_know_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(TraceNotUnderstood):
        traced(tmp_path, '7 linkat(AT_FDCWD<@/@>, "@/van/store/a@", AT_FDCWD<@/@>, "@/b@", 0) = 0\n')
