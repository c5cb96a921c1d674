"""What a tired technician meets at the command line: one sentence, a code, the next step, an exit status."""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.config import Places
from edge.security import device_secret
from edge.security.slots import Slots
from edge.store.store import Store
from tests.cli.units import PIN, make_unit, qafila_here


def qafila(*words: str, stdin: str = "", home: Path | None = None) -> "subprocess.CompletedProcess[str]":
    where = [] if home is None else ["--home", str(home)]
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words, *where],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def error_of(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    error: dict[str, Any] = json.loads(done.stdout)["error"]
    assert error["sentence"]
    assert error["next"]
    assert f"(code: {error['code']})" in done.stderr
    assert "Traceback" not in done.stderr
    return error


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_unit(tmp_path / "van 07, ça roule", user="Fatima")


@contextmanager
def agent(home: Path) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "agent", "--home", str(home)], stderr=subprocess.DEVNULL
    )
    try:
        give_up = time.monotonic() + 60
        while not Places.at(home).socket.exists() and time.monotonic() < give_up:
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.parametrize(
    "words",
    [
        ("frobnicate",),
        ("devices", "decode"),
        ("demo", "--broker", "foo"),
        ("unit", "init", "--realm", "training"),
        ("devices", "decode", "contec-cms50", "zz"),
    ],
)
def test_a_mistake_of_use_is_one_sentence_and_exit_2(words: tuple[str, ...]) -> None:
    done = qafila(*words, "--json")
    assert done.returncode == 2
    error_of(done)


def test_without_a_terminal_a_pin_is_not_asked_for(tmp_path: Path) -> None:
    unit = ("--realm", "training", "--id", "van-07", "--user", "fatima")
    done = qafila("unit", "init", *unit, "--json", home=tmp_path / "van")
    assert done.returncode == 1
    assert error_of(done)["code"] == "pin-missing"
    assert not (tmp_path / "van").exists()


def test_a_new_pin_is_asked_for_twice_where_nobody_sees_it(tmp_path: Path) -> None:
    """A slip on a hidden PIN would make a store that nobody can ever open."""
    reading, slave = pty.openpty()
    process = subprocess.Popen(
        [
            sys.executable, "-m", "cli.main", "unit", "init", "--realm", "training", "--id", "van-07",
            "--user", "fatima", "--home", str(tmp_path / "van"),
        ],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    shown = b""
    try:
        for typed in (b"482913\n", b"482914\n", b"482913\n", b"482913\n"):
            # Only a prompt ends so; the sentence about a slip has a colon too, and what is typed
            # between it and the prompt is thrown away with the echo.
            asked = b""
            while not asked.endswith(b": "):
                asked += os.read(reading, 4096)
            shown += asked
            os.write(reading, typed)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(reading)
    assert b"482913" not in shown


@pytest.mark.parametrize("running", [False, True])
def test_verify_says_the_same_with_and_without_an_agent(home: Path, *, running: bool) -> None:
    places = Places.at(home)
    key = Slots.load(places.slots, device_secret.read(places.device_secret)).unlock("fatima", PIN)
    store = Store.open(places.database, key)
    store._connection.execute("DROP TRIGGER journal_is_never_edited")
    store._connection.execute("UPDATE journal SET kind = 2 WHERE stream = 0 AND seq = 1")
    store.close()
    words = ("store", "verify", "--user", "fatima", "--pin-stdin")
    if running:
        with agent(home):
            told, machine = (qafila(*words, *more, stdin=PIN + "\n", home=home) for more in ((), ("--json",)))
    else:
        told, machine = (qafila(*words, *more, stdin=PIN + "\n", home=home) for more in ((), ("--json",)))
    assert told.returncode == machine.returncode == 1
    assert "(edited)" in told.stdout
    answer = json.loads(machine.stdout)
    assert answer["damage"] == "edited"
    assert answer["first_bad"] == {"stream": "alert", "seq": 1}


@pytest.mark.parametrize("running", [False, True])
def test_a_name_nobody_could_sign_in_under_is_refused_either_way(home: Path, *, running: bool) -> None:
    words = ("users", "add", "ليلى", "--by", "fatima", "--pin-stdin", "--json")
    if running:
        with agent(home):
            done = qafila(*words, stdin=f"{PIN}\n739164\n", home=home)
    else:
        done = qafila(*words, stdin=f"{PIN}\n739164\n", home=home)
    assert done.returncode == 1
    assert error_of(done)["code"] == "user-name"


def test_a_nurse_is_added_and_may_not_verify(home: Path) -> None:
    added = qafila_here(
        "users", "add", "Zoé", "--by", "fatima", "--pin-stdin", stdin=f"{PIN}\n739164\n", home=home
    )
    assert added.returncode == 0, added.stderr
    listed = qafila_here(
        "users", "list", "--by", "fatima", "--pin-stdin", "--json", stdin=PIN + "\n", home=home
    )
    assert [each["user"] for each in json.loads(listed.stdout)] == ["fatima", "zoe"]
    refused = qafila_here(
        "store", "verify", "--user", "zoe", "--pin-stdin", "--json", stdin="739164\n", home=home
    )
    assert refused.returncode == 1
    assert error_of(refused)["code"] == "not-allowed"


def test_a_folder_that_takes_no_files_is_said(tmp_path: Path) -> None:
    (tmp_path / "van").write_text("not a folder")
    unit = ("--realm", "training", "--id", "van-07", "--user", "fatima", "--pin-stdin")
    done = qafila("unit", "init", *unit, "--json", stdin=PIN + "\n", home=tmp_path / "van")
    assert done.returncode == 1
    assert error_of(done)["code"] == "home-refused"


def test_a_unit_is_made_once_and_says_who_it_is(home: Path) -> None:
    again = ("--realm", "training", "--id", "van-07", "--user", "fatima", "--pin-stdin", "--json")
    assert error_of(qafila_here("unit", "init", *again, stdin=PIN + "\n", home=home))["code"] == "unit-exists"
    shown = json.loads(qafila_here("unit", "show", "--json", home=home).stdout)
    assert (shown["unit"], shown["realm"], shown["enrolled"]) == ("van-07", "training", False)


def test_a_request_never_overwrites_another_file(home: Path, tmp_path: Path) -> None:
    request = tmp_path / "van.request"
    assert qafila_here("unit", "csr", str(request), home=home).returncode == 0
    assert qafila_here("unit", "csr", str(request), home=home).returncode == 0
    (tmp_path / "mine").write_text("somebody's letter")
    refused = qafila_here("unit", "csr", str(tmp_path / "mine"), "--json", home=home)
    assert error_of(refused)["code"] == "file-exists"
    assert (tmp_path / "mine").read_text() == "somebody's letter"


def test_a_bundle_for_another_unit_is_refused_and_nothing_changes(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    make_unit(other, unit="van-08", user="omar")
    assert qafila_here("unit", "csr", str(tmp_path / "o.request"), home=other).returncode == 0
    centre = ("central", "init", "--realm", "training", "--broker", "127.0.0.1:1883")
    assert qafila_here(*centre, home=tmp_path / "c").returncode == 0
    bundle = tmp_path / "o.bundle"
    enrol = ("central", "enrol", str(tmp_path / "o.request"), "--out", str(bundle))
    assert qafila_here(*enrol, home=tmp_path / "c").returncode == 0
    refused = qafila_here("unit", "enrol", str(bundle), "--json", home=home)
    assert error_of(refused)["code"] == "bundle-refused"
    assert json.loads(qafila_here("unit", "show", "--json", home=home).stdout)["enrolled"] is False
    assert qafila_here("unit", "enrol", str(bundle), home=other).returncode == 0
    assert qafila("uplink", "--json", home=home).returncode == 1
