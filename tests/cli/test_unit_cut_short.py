"""Enrolling a box that loses its power, its stick or its clock: the same commands end in the same place."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from cli import unit_setup
from cli.files import FileRefused, write_new_file
from edge.clock import ClockQuality, Moment, SystemClock
from edge.config import Places
from edge.errors import QafilaError
from sync.central import setup
from sync.central.home import CentreHome
from tests.cli.units import PIN, make_unit, qafila_here


class Cut(BaseException):
    """The power went."""


def cut_at(patched: pytest.MonkeyPatch, at: int) -> None:
    """Have the power go before the ``at``-th thing that is made durable."""
    steps = 0

    def cut(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*words: Any, **named: Any) -> Any:  # noqa: ANN401  whatever the real one takes
            nonlocal steps
            steps += 1
            if steps == at:
                raise Cut
            return real(*words, **named)

        return step

    for name in ("fsync", "rename", "replace", "mkdir"):
        patched.setattr(os, name, cut(getattr(os, name)))


@pytest.fixture
def centre(tmp_path: Path) -> CentreHome:
    made = CentreHome(tmp_path / "centre" / "central")
    setup.init(made, "training", own=setup.Mosquitto("127.0.0.1"))
    return made


def steps(home: Path, stick: Path, centre: CentreHome) -> Iterator[tuple[str, Callable[[], object]]]:
    places, request, bundle = Places.at(home), stick / "request", stick / "bundle"
    made = {"realm": "training", "unit": "van-07", "user": "fatima", "pin": PIN}

    def init() -> None:
        if not places.config.exists():  # as `unit init` asks before it does anything
            unit_setup.make_unit(places, **made)

    yield "init", init
    yield "csr", lambda: unit_setup.copy_request(places, request)

    def answer() -> None:
        raw = setup.enrol(centre, request.read_bytes(), SystemClock())[1]
        if not bundle.exists() or not bundle.stat().st_size:
            write_new_file(bundle, raw)

    yield "answer", answer
    yield "enrol", lambda: unit_setup.install_bundle(places, bundle)


@pytest.mark.parametrize("which", ["init", "csr", "answer", "enrol"])
def test_cut_short_at_any_step_it_ends_enrolled(
    which: str, tmp_path: Path, centre: CentreHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step of one command is cut once; what came before it is done once, and copied."""
    monkeypatch.setattr("edge.security.process.harden", lambda: None)
    home, stick = tmp_path / "van", tmp_path / "stick"
    home.mkdir()
    stick.mkdir()
    for name, work in steps(home, stick, centre):
        if name == which:
            break
        work()
    cuts = 0
    while True:
        cuts += 1
        van, medium = tmp_path / f"van-{cuts}", tmp_path / f"stick-{cuts}"
        shutil.copytree(home, van)
        shutil.copytree(stick, medium)
        there = CentreHome(tmp_path / f"centre-{cuts}" / "central")
        shutil.copytree(centre.directory, there.directory)
        todo = dict(steps(van, medium, there))
        with monkeypatch.context() as patched:
            cut_at(patched, cuts)
            try:
                todo[which]()
            except Cut:
                pass
            else:
                break
        for name in list(todo)[list(todo).index(which) :]:
            todo[name]()
        about = unit_setup.describe(Places.at(van))
        assert about["enrolled"], (which, cuts)
        assert (
            about["fingerprint"] == unit_setup.copy_request(Places.at(van), medium / "request")["fingerprint"]
        )
    assert cuts > 2


def test_a_stick_that_was_pulled_half_way_changes_nothing(tmp_path: Path, centre: CentreHome) -> None:
    """Whatever of the bundle is on it: refused in one sentence, until it is whole."""
    places = Places.at(make_unit(tmp_path / "van"))
    whole = setup.enrol(centre, (places.pinned / "request.cbor").read_bytes(), SystemClock())[1]
    file = tmp_path / "bundle"
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        file.write_bytes(whole[:length])
        with pytest.raises(QafilaError) as error:
            unit_setup.install_bundle(places, file)
        assert (error.value.stable_code, bool(error.value.next_step)) == ("bundle-refused", True)
        assert unit_setup.installed(places) is None
    file.write_bytes(whole)
    unit_setup.install_bundle(places, file)


def test_what_was_left_half_written_is_written_again_and_nothing_else_is(tmp_path: Path) -> None:
    file = tmp_path / "van-07.request"
    file.touch()
    (tmp_path / ".van-07.request.part").write_bytes(b"the first ha")
    write_new_file(file, b"whole")
    assert file.read_bytes() == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == ["van-07.request"]
    with pytest.raises(FileRefused):
        write_new_file(file, b"other")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo"):
        with pytest.raises(FileRefused) as error:
            write_new_file(tmp_path / name, b"other")
        assert error.value.stable_code == "file-exists"
    assert file.read_bytes() == b"whole"
    assert not (tmp_path / "nowhere").exists()


def test_a_full_stick_is_told_and_holds_nothing_afterwards(tmp_path: Path) -> None:
    van, stick = make_unit(tmp_path / "van"), tmp_path / "stick"
    stick.mkdir()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "cli.main",
            "unit",
            "csr",
            str(stick / "request"),
            "--json",
            "--home",
            str(van),
        ],
        capture_output=True,
        text=True,
        check=False,
        # a file may grow to 100 bytes: the kernel refuses the rest, as a full medium does
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "file-refused"
    assert list(stick.iterdir()) == []
    assert qafila_here("unit", "csr", str(stick / "request"), home=van).returncode == 0


def test_a_box_whose_clock_stands_in_1970_is_enrolled(tmp_path: Path, centre: CentreHome) -> None:
    begin = Moment(3_600_000, bytes(8), 0, ClockQuality.NONE)
    with mock.patch.object(SystemClock, "now", return_value=begin):
        places = Places.at(make_unit(tmp_path / "van"))
    bundle = tmp_path / "bundle"
    bundle.write_bytes(setup.enrol(centre, (places.pinned / "request.cbor").read_bytes(), SystemClock())[1])
    with mock.patch.object(SystemClock, "now", return_value=begin):
        unit_setup.install_bundle(places, bundle)
        assert unit_setup.describe(places)["enrolled"]


def test_a_half_enrolled_box_says_what_is_missing(tmp_path: Path, centre: CentreHome) -> None:
    van, other = make_unit(tmp_path / "van"), Places.at(make_unit(tmp_path / "other", unit="van-08"))
    refused = qafila_here("uplink", "--json", home=van)
    assert json.loads(refused.stdout)["error"]["code"] == "not-enrolled"
    file = tmp_path / "bundle"
    file.write_bytes(setup.enrol(centre, (other.pinned / "request.cbor").read_bytes(), SystemClock())[1])
    refused = qafila_here("unit", "enrol", str(file), "--json", home=van)
    assert json.loads(refused.stdout)["error"]["code"] == "bundle-refused"
    assert not json.loads(qafila_here("unit", "show", "--json", home=van).stdout)["enrolled"]
    again = qafila_here(
        *(
            "unit",
            "init",
            "--realm",
            "training",
            "--id",
            "van-07",
            "--user",
            "fatima",
            "--pin-stdin",
            "--json",
        ),
        stdin=f"{PIN}\n",
        home=van,
    )
    assert json.loads(again.stdout)["error"]["code"] == "unit-exists"
