"""A courier stick in the hands of somebody who means harm: nothing is followed, opened or waited for."""

import os
import resource
import signal
import socket
import time
from pathlib import Path

import pytest

from edge.spool import stick
from edge.spool.stick import FOLDER, Folder, Odd, Side, StickRefused

UNIT = "van-07"


def up(place: Path) -> Path:
    return place / FOLDER / UNIT / "up"


def refusal(place: Path, *, make: bool = True) -> str:
    with pytest.raises(StickRefused) as refused, stick.folder(place, UNIT, Side.UP, make=make):
        pass
    assert refused.value.next_step
    return refused.value.stable_code


def test_what_is_written_is_read_again_and_replaced_whole(tmp_path: Path) -> None:
    with stick.folder(tmp_path, UNIT, Side.UP, make=True) as folder:
        assert folder is not None
        folder.write("a", b"first")
        folder.write("a", b"second, longer")
        folder.sync()
        assert folder.read("a", 100) == b"second, longer"
        assert folder.read("b", 100) is None
        assert list(folder.names()) == ["a"]
    assert (up(tmp_path) / "a").read_bytes() == b"second, longer"
    assert stick.units(tmp_path) == [UNIT]


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    with stick.folder(tmp_path, UNIT, Side.UP) as folder:
        assert folder is None
    assert stick.units(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_stick_that_is_not_there_says_so(tmp_path: Path) -> None:
    assert refusal(tmp_path / "absent") == "stick-missing"
    (tmp_path / "file").write_bytes(b"")
    assert refusal(tmp_path / "file") == "stick-missing"
    with pytest.raises(StickRefused):
        stick.units(tmp_path / "absent")


def test_only_regular_files_of_bounded_size_are_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"of this host")
    up(tmp_path).mkdir(parents=True)
    at = up(tmp_path)
    (at / "link").symlink_to(secret)
    (at / "loop").symlink_to("loop")
    (at / "zero").symlink_to("/dev/zero")
    os.mkfifo(at / "pipe")
    (at / "folder").mkdir()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(at / "socket"))
    listener.close()
    with (at / "sparse").open("wb") as file:
        file.truncate(10**12)
    (at / "good").write_bytes(b"x" * 50)
    odd = ["link", "loop", "zero", "pipe", "folder", "socket"]
    if os.geteuid() == 0:
        try:
            os.mknod(at / "device", 0o600 | 0o020000, os.makedev(1, 5))
            odd.append("device")
        except OSError:
            pass  # a container without that power
    started = time.monotonic()
    with stick.folder(tmp_path, UNIT, Side.UP) as folder:
        assert folder is not None
        assert {name: folder.read(name, 100) for name in odd} == dict.fromkeys(odd, Odd.NO_FILE)
        assert folder.read("sparse", 100) is Odd.TOO_LARGE
        assert folder.read("good", 49) is Odd.TOO_LARGE
        assert folder.read("good", 50) == b"x" * 50
        assert folder.read("x" * 300, 100) is Odd.UNREADABLE
        assert sorted(folder.names()) == sorted([*odd, "sparse", "good"])
    assert time.monotonic() - started < 5, "it waited for something"


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_no_folder_is_reached_through_a_link(tmp_path: Path, depth: int) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place = tmp_path / "stick"
    way = [place / FOLDER, place / FOLDER / UNIT, place / FOLDER / UNIT / "up"]
    way[depth].parent.mkdir(parents=True)
    way[depth].symlink_to(elsewhere)
    assert refusal(place) == "stick-odd"
    assert refusal(place, make=False) == "stick-odd"
    assert list(elsewhere.iterdir()) == []
    way[depth].unlink()
    way[depth].write_bytes(b"a file")
    assert refusal(place) == "stick-odd"
    if depth == 1:
        assert stick.units(place) == []


def test_a_link_is_written_over_and_never_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    up(tmp_path).mkdir(parents=True)
    (up(tmp_path) / "a").symlink_to(victim)
    with stick.folder(tmp_path, UNIT, Side.UP) as folder:
        assert folder is not None
        folder.write("a", b"sealed")
        (up(tmp_path) / "b").mkdir()
        with pytest.raises(StickRefused):
            folder.write("b", b"sealed")
        assert sorted(folder.names()) == ["a", "b"], "a temporary file stayed"
    assert victim.read_bytes() == b"untouched"
    assert (up(tmp_path) / "a").read_bytes() == b"sealed"


def test_names_come_one_after_the_other_however_many_there_are(tmp_path: Path) -> None:
    up(tmp_path).mkdir(parents=True)
    first = up(tmp_path) / "0"
    first.write_bytes(b"")
    for number in range(1, 10_000):
        os.link(first, up(tmp_path) / str(number))
    with stick.folder(tmp_path, UNIT, Side.UP) as folder:
        assert folder is not None
        names = folder.names()
        assert not isinstance(names, list)
        assert sum(1 for _ in names) == 10_000


def test_folders_that_are_no_units_are_left_out(tmp_path: Path) -> None:
    root = tmp_path / FOLDER
    for name in ("van-08", "..hidden", "VAN-09", "x" * 200, "van\n07", "\u202evan"):
        (root / name).mkdir(parents=True)
    (root / "van-10").write_bytes(b"")
    assert stick.units(tmp_path) == ["van-08"]


def test_a_stick_with_a_folder_for_everybody_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stick, "MOST_UNITS", 3)
    for number in range(4):
        (tmp_path / FOLDER / f"van-{number}").mkdir(parents=True)
    with pytest.raises(StickRefused) as refused:
        stick.units(tmp_path)
    assert refused.value.stable_code == "stick-too-much"


def test_a_full_stick_keeps_what_it_had(tmp_path: Path) -> None:
    """In a process of its own, which may write no file of more than 1,000 bytes."""
    with stick.folder(tmp_path, UNIT, Side.UP, make=True) as folder:
        assert folder is not None
        folder.write("a", b"before")
        child = os.fork()
        if child == 0:
            os._exit(_write_too_much(folder))
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7
        assert list(folder.names()) == ["a"]
        assert folder.read("a", 100) == b"before"


def _write_too_much(folder: Folder) -> int:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        folder.write("a", b"x" * 5000)
    except StickRefused as refused:
        return 7 if refused.stable_code == "stick-full" else 8
    return 9


def test_a_stick_that_gives_back_something_else_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(descriptor: int, content: bytes) -> None:
        os.write(descriptor, content[:-1] + b"?")

    with stick.folder(tmp_path, UNIT, Side.UP, make=True) as folder:
        assert folder is not None
        monkeypatch.setattr(stick, "_write_all", lose)
        with pytest.raises(StickRefused) as refused:
            folder.write("a", b"sealed")
        assert refused.value.stable_code == "stick-lies"
        assert list(folder.names()) == []
