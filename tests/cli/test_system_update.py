"""Updates: what is refused, what is taken back, and that a machine always has a version to start."""

import contextlib
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.system import release
from cli.system.release import UpdateRefused
from cli.system.slots import Slots, SystemRefused, UpdateUnwell
from edge.errors import QafilaError
from tests.cli.releases import FakeHost, bundle, files, machine, manifest, packed

CHANGES = {
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.symlink",
    "os.link",
    "os.truncate",
    "os.chmod",
}


class Cut(BaseException):
    """The plug is pulled: nothing that the process does from here on reaches the disk."""


class Plug:
    """Counts what changes the disk, and at a number ends it. A hook stays, so one serves all tests."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.seen = 0

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.left is None:
            return
        if event == "open":
            if not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return
        elif event not in CHANGES:
            return
        self.seen += 1
        if self.seen > self.left:
            raise Cut


PLUG = Plug()
sys.addaudithook(PLUG.hook)


@contextlib.contextmanager
def cut_after(changes: int) -> Iterator[None]:
    PLUG.left, PLUG.seen = changes, 0
    try:
        yield
    finally:
        PLUG.left = None


@pytest.fixture(autouse=True)
def _no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sync", lambda: None)  # all disks of the machine; a test of ours needs none


def starts(base: Path) -> str:
    """What the machine would start now, by the very link that the units name."""
    done = subprocess.run(
        [base / "current/bin/qafila", "version"], capture_output=True, text=True, check=True
    )
    return done.stdout.split()[1]


def left_over(base: Path) -> set[str]:
    return {path.name for path in base.iterdir()} - {"a", "b", "package", "current", "previous", "number"}


def test_an_update_that_is_well_stays_and_its_number_counts(tmp_path: Path) -> None:
    base, host = machine(tmp_path / "opt"), FakeHost()
    brought = Slots(base, host).update(bundle(tmp_path / "u", 3))
    assert (brought.version, starts(base)) == ("0.3.0", "0.3.0")
    assert Slots(base, host).show() == {"version": "0.3.0", "number": 3, "previous": "0.2.0", "trial": None}
    assert Slots(base, host).highest() == 3
    assert host.took == ["b"]
    assert left_over(base) == set()
    assert (base / "b/bin/python3").readlink() == Path("/usr/bin/python3")
    assert (base / "b/lib/module.py").stat().st_mode & 0o777 == 0o644


def test_one_that_is_not_well_is_taken_back(tmp_path: Path) -> None:
    base, host = machine(tmp_path / "opt"), FakeHost(ails="other-version-runs")
    with pytest.raises(UpdateUnwell, match=r"0\.2\.0 runs again"):
        Slots(base, host).update(bundle(tmp_path / "u", 3))
    assert starts(base) == "0.2.0"
    assert host.took == ["b", "a"]  # the units of the one before are put back too
    assert Slots(base, host).highest() == 0  # and it may come again, mended under its number
    assert left_over(base) == set()


def odd(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname = kind, size, target
    return made


def flipped(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-20] ^= 1
    path.write_bytes(raw)


def other_word(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"number": 3', b'"number": 9', 1))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: bundle(path, 2), "update-older"),
        (lambda path: bundle(path, 1), "update-older"),
        (lambda path: bundle(path, 3, private=b"\x08" * 32), "update-forged"),
        (lambda path: other_word(bundle(path, 3)), "update-forged"),
        (lambda path: flipped(bundle(path, 3)), "update-unreadable"),
        (lambda path: os.truncate(bundle(path, 3), 900), "update-unreadable"),
        (lambda path: os.truncate(bundle(path, 3), 30), "update-unreadable"),
        (lambda path: path.write_bytes(bundle(path, 3).read_bytes() + b"more"), "update-unreadable"),
        (lambda path: path.write_bytes(b""), "update-unreadable"),
        (lambda path: path.write_bytes(os.urandom(5000)), "update-unreadable"),
        (lambda path: bundle(path, 3, architecture="riscv64"), "update-other-machine"),
        (lambda path: bundle(path, 3, python="3.9"), "update-other-machine"),
        (lambda path: bundle(path, 3, floor=0), "update-unreadable"),
        (lambda path: bundle(path, 3, says="0.9.9"), "update-does-not-start"),
        (lambda path: bundle(path, 3, unpacked=10), "update-unusual"),
        (lambda path: bundle(path, 3, odd("../outside", size=1)), "update-unusual"),
        (lambda path: bundle(path, 3, odd("/tmp/outside", size=1)), "update-unusual"),  # noqa: S108  never made
        (lambda path: bundle(path, 3, odd("lib/link", tarfile.SYMTYPE, target="/etc")), "update-unusual"),
        (
            lambda path: bundle(path, 3, odd("lib/hard", tarfile.LNKTYPE, target="/etc/passwd")),
            "update-unusual",
        ),
        (lambda path: bundle(path, 3, odd("lib/pipe", tarfile.FIFOTYPE)), "update-unusual"),
        (lambda path: bundle(path, 3, odd("bin/qafila", size=1)), "update-unusual"),
        (lambda _path: None, "update-refused"),
    ],
)
def test_what_is_refused_changes_nothing(make: Callable[[Path], object], code: str, tmp_path: Path) -> None:
    base = machine(tmp_path / "opt")
    (base / "number").write_text("2")
    make(tmp_path / "u")
    before = everything(base)
    with pytest.raises(QafilaError) as refused:
        Slots(base, FakeHost()).update(tmp_path / "u")
    assert refused.value.stable_code == code
    assert refused.value.next_step
    assert everything(base) == before


def everything(base: Path) -> dict[str, object]:
    return {
        str(path.relative_to(base)): path.readlink() if path.is_symlink() else path.read_bytes()
        for path in sorted(base.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_one_whose_files_are_of_another_release_is_refused(tmp_path: Path) -> None:
    base = machine(tmp_path / "opt")
    content = packed(files(4))
    (tmp_path / "u").write_bytes(release.write(manifest(3), b"\x07" * 32, content))
    with pytest.raises(UpdateRefused, match="another release"):
        Slots(base, FakeHost()).update(tmp_path / "u")
    assert left_over(base) == set()


@pytest.mark.parametrize(("visit", "code"), [(True, "visit-open"), (None, "visit-unknown")])
def test_never_under_an_open_visit(visit: bool | None, code: str, tmp_path: Path) -> None:
    base = machine(tmp_path / "opt")
    before = everything(base)
    slots = Slots(base, FakeHost(visit=visit))
    with pytest.raises(SystemRefused) as refused:
        slots.update(bundle(tmp_path / "u", 3))
    assert refused.value.stable_code == code
    with pytest.raises(SystemRefused) as refused:
        slots.roll_back()
    assert refused.value.stable_code == code
    assert everything(base) == before


def test_going_back_there_and_back_again(tmp_path: Path) -> None:
    base, host = machine(tmp_path / "opt"), FakeHost()
    Slots(base, host).update(bundle(tmp_path / "u", 3))
    assert [each.version for each in Slots(base, host).roll_back()] == ["0.3.0", "0.2.0"]
    assert starts(base) == "0.2.0"
    with pytest.raises(UpdateRefused, match="not newer"):  # an old update is no way around
        Slots(base, host).update(bundle(tmp_path / "u", 3))
    Slots(base, host).roll_back()
    assert starts(base) == "0.3.0"


def test_never_back_below_the_floor_and_not_to_nothing(tmp_path: Path) -> None:
    base, host = machine(tmp_path / "opt"), FakeHost()
    Slots(base, host).update(bundle(tmp_path / "u", 3, floor=3))
    with pytest.raises(SystemRefused, match="may not be gone back to"):
        Slots(base, host).roll_back()
    alone = machine(tmp_path / "alone", previous=None)
    with pytest.raises(SystemRefused, match="no version before"):
        Slots(alone, host).roll_back()
    with pytest.raises(SystemRefused, match="not installed"):
        _ = Slots(tmp_path / "nowhere", host).current


@pytest.mark.parametrize("ails", ["", "agent-unreachable"], ids=["well", "unwell"])
@pytest.mark.parametrize("previous", [1, None], ids=["second", "first"])
def test_cut_anywhere_the_machine_starts_a_version_that_works(
    ails: str, previous: int | None, tmp_path: Path
) -> None:
    """At every change of the disk; then booted, which settles; then the update is given again."""
    update = bundle(tmp_path / "u", 3)
    seen: set[str] = set()
    for changes in range(1000):
        base = machine(tmp_path / f"opt-{changes}", previous=previous)
        whole = True
        with cut_after(changes):
            try:
                Slots(base, FakeHost(ails=ails)).update(update)
            except Cut:
                whole = False
            except UpdateUnwell:
                pass
        seen.add(starts(base))
        if (base / "trial").exists():  # the service that settles is started by this very path
            assert os.access(base / "previous/bin/qafila", os.X_OK)
        Slots(base, FakeHost(ails=ails)).settle()
        assert not (base / "trial").exists()
        if ails:
            assert starts(base) == "0.2.0"
        elif starts(base) != "0.3.0":
            Slots(base, FakeHost()).update(update)
        assert starts(base) == ("0.2.0" if ails else "0.3.0")
        assert left_over(base) == set()
        if whole:
            break
    assert changes > 20
    assert seen == {"0.2.0", "0.3.0"}


def test_cut_anywhere_on_the_way_back_it_goes_on(tmp_path: Path) -> None:
    base, changes = tmp_path, 0
    for changes in range(200):
        base = machine(tmp_path / f"opt-{changes}")
        whole = True
        with cut_after(changes):
            try:
                Slots(base, FakeHost()).roll_back()
            except Cut:
                whole = False
        Slots(base, FakeHost()).settle()
        assert starts(base) in {"0.1.0", "0.2.0"}
        assert left_over(base) == set()
        assert Slots(base, FakeHost()).show()["previous"] is not None  # there is always a way back
        if whole:
            break
    assert changes > 5
    assert starts(base) == "0.1.0"


def test_one_that_hangs_every_boot_is_given_up(tmp_path: Path) -> None:
    """The check itself is cut short each time, as by a watchdog of the machine."""

    class Hangs(FakeHost):
        def what_ails(self, tree: Path, version: str) -> str:
            del tree, version
            raise Cut

    base = machine(tmp_path / "opt")
    with pytest.raises(Cut):
        Slots(base, Hangs()).update(bundle(tmp_path / "u", 3))
    with pytest.raises(Cut):
        Slots(base, Hangs()).settle()
    assert Slots(base, Hangs()).settle() == "cut-short-too-often"
    assert starts(base) == "0.2.0"


def test_two_at_once_are_one(tmp_path: Path) -> None:
    base = machine(tmp_path / "opt")

    class Meanwhile(FakeHost):
        def visit_open(self) -> bool | None:
            with pytest.raises(SystemRefused, match="under way"):
                Slots(base, FakeHost()).update(tmp_path / "u")
            return False

    Slots(base, Meanwhile()).update(bundle(tmp_path / "u", 3))
    assert starts(base) == "0.3.0"
