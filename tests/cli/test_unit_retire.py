"""`qafila unit retire` and `central retire`: nothing is lost by mistake, and nothing opens afterwards."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from cli import retiring
from edge.config import Places
from edge.security.slot_file import copies_of
from sync.wire import retirement
from tests.cli.test_commands import agent
from tests.cli.test_trust_commands import asked, enrolled, told
from tests.cli.units import PIN, qafila_here

WHO = ("--user", "fatima", "--pin-stdin")


class Cut(BaseException):
    """The power went."""


def by_stick(van: Path, centre: Path, stick: Path) -> None:
    """What the unit has sealed goes to the centre, and its receipts come back."""
    stick.mkdir(exist_ok=True)
    told(van, "store", "courier-out", str(stick))
    told(centre, "central", "import", str(stick))
    told(centre, "central", "explode", "--once")
    told(centre, "central", "export-receipts", str(stick))
    told(van, "store", "courier-in", str(stick))


def retire(van: Path, file: Path, *more: str) -> Any:  # noqa: ANN401  as wide as JSON
    words = ("unit", "retire", str(file), *WHO, "--reason", "van sold", "--confirm", "van-07", *more)
    return asked(van, *words, stdin=f"{PIN}\n")


@pytest.fixture
def worked(tmp_path: Path) -> tuple[Path, Path]:
    """A unit that has worked, its agent stopped, and its centre, which has nothing of it yet."""
    van, centre = enrolled(tmp_path)
    with agent(van):
        asked(van, "sync", "now", *WHO, stdin=f"{PIN}\n")
    return van, centre


def test_a_unit_is_retired_once_all_is_received(worked: tuple[Path, Path], tmp_path: Path) -> None:
    van, centre = worked
    places, file = Places.at(van), tmp_path / "van-07.retired"
    assert retire(van, file) == "not-received-yet"
    assert not file.exists()
    by_stick(van, centre, tmp_path / "stick")
    words = ("unit", "retire", str(file), *WHO, "--reason", "van sold")
    assert asked(van, *words, "--confirm", "van-08", stdin=f"{PIN}\n") == "not-confirmed"
    assert asked(van, *words[:-1], " ", "--confirm", "van-07", stdin=f"{PIN}\n") == "reason-refused"
    assert places.database.exists()
    done = retire(van, file)
    assert (done["unit"], done["given_up"]) == ("van-07", 0)
    assert done["received"] == done["entries"] > 4
    assert not any(
        path.exists() for path in (*copies_of(places.slots), places.device_secret, places.database)
    )
    assert not list(places.uplink.iterdir())
    assert not places.config.exists()
    at_centre = asked(centre, "central", "retire", str(file), "--by", "hakim")
    assert (at_centre["given_up"], at_centre["connection"]) == (0, True)
    assert asked(centre, "central", "retire", str(file), "--by", "hakim") == at_centre
    assert asked(centre, "central", "units")[0]["revoked"] == "retired"
    request = van / "retired" / "request.cbor"
    again = asked(centre, "central", "enrol", str(request), "--out", str(tmp_path / "again"))
    assert again == "unit-revoked"
    # Given once more it says the same, and writes the statement again where it is not there.
    file.rename(tmp_path / "kept")
    assert retire(van, file)["entries"] == done["entries"]
    assert file.read_bytes() == (tmp_path / "kept").read_bytes()


def test_what_is_given_up_is_told_on_both_sides(worked: tuple[Path, Path], tmp_path: Path) -> None:
    van, centre = worked
    file, stick = tmp_path / "van-07.retired", tmp_path / "stick"
    stick.mkdir()
    assert retire(van, file) == "not-received-yet"  # and everything is sealed now
    told(van, "store", "courier-out", str(stick))
    done = retire(van, file, "--force")
    assert done["given_up"] == done["entries"] > 0
    short = qafila_here("central", "retire", str(file), "--by", "hakim", "--json", home=centre)
    assert short.returncode == 1
    assert json.loads(short.stdout)["given_up"] == done["entries"]
    # A stick that was written before still brings it, although the unit is revoked.
    told(centre, "central", "import", str(stick))
    told(centre, "central", "explode", "--once")
    assert asked(centre, "central", "retire", str(file), "--by", "hakim")["given_up"] == 0


def test_the_centre_takes_only_what_the_unit_signed(worked: tuple[Path, Path], tmp_path: Path) -> None:
    van, centre = worked
    by_stick(van, centre, tmp_path / "stick")
    file = tmp_path / "van-07.retired"
    retire(van, file)
    raw = file.read_bytes()
    for at in range(0, len(raw), 7):
        changed = tmp_path / "changed"
        changed.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        refused = asked(centre, "central", "retire", str(changed), "--by", "hakim")
        assert isinstance(refused, str), at
        assert refused.startswith("retirement-") or refused == "unit-unknown", refused
    assert asked(centre, "central", "units")[0]["revoked"] is None


def cutting(monkeypatch: pytest.MonkeyPatch, at: int) -> Callable[[], int]:
    """Have the power go at the ``at``-th step that changes a file; gives how many there were."""
    steps = 0

    def cut(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*words: Any, **named: Any) -> Any:  # noqa: ANN401  whatever the real one takes
            nonlocal steps
            steps += 1
            if steps == at:
                raise Cut
            return real(*words, **named)

        return step

    for name in ("write_new_file", "write_private", "overwrite_private", "sync_directory"):
        monkeypatch.setattr(retiring, name, cut(getattr(retiring, name)))
    for name in ("unlink", "rename"):
        monkeypatch.setattr(Path, name, cut(getattr(Path, name)))
    monkeypatch.setattr(shutil, "move", cut(shutil.move))
    return lambda: steps


def test_cut_short_anywhere_it_ends_in_the_same_place(
    worked: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    van, _ = worked
    cuts = 0
    while True:
        cuts += 1
        copy, file = tmp_path / f"van-{cuts}", tmp_path / f"retired-{cuts}"
        shutil.copytree(van, copy, ignore=shutil.ignore_patterns("*.sock"))
        places = Places.at(copy)
        with monkeypatch.context() as patched, mock.patch("edge.security.process.harden"):
            count = cutting(patched, cuts)
            try:
                retiring.retire(places, "fatima", PIN, file, reason="van sold", force=True)
            except Cut:
                pass
            else:
                break
            assert count() == cuts
        if not places.database.exists():
            assert not any(path.exists() for path in copies_of(places.slots)), cuts
        done = retire(copy, file, "--force")
        assert isinstance(done, dict), (cuts, done)
        assert retirement.unchecked(file.read_bytes()).given_up == done["entries"]
        left = {path for path in (places.store, places.uplink, places.spool_out) for path in path.iterdir()}
        assert left <= {places.agent_lock}, cuts
        assert not places.config.exists()
    assert cuts > 15
