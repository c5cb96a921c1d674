"""A new device secret and a new key: the old ones open nothing any more, wherever the change is cut short."""

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cli import secret_renewal
from cli.unit_secret import load_slots
from edge.config import Places, load
from edge.security import device_secret, process
from edge.security.errors import DeviceSecretWrong, SecurityError
from edge.security.slot_file import copies_of
from edge.security.slots import Slots
from edge.store import rekey
from edge.store.errors import StoreError
from edge.store.store import Store
from tests.cli.test_commands import agent, error_of
from tests.cli.units import PIN, make_unit, qafila_here
from torture import scratch

SAMI = "739154"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = make_unit(tmp_path / "van")
    added = qafila_here(
        *("users", "add", "sami", "--role", "nurse", "--by", "fatima", "--pin-stdin"),
        stdin=f"{PIN}\n{SAMI}\n",
        home=made,
    )
    assert added.returncode == 0, added.stderr
    return made


@pytest.fixture
def memory() -> Iterator[Path]:
    """Where many units are made one after the other: a killed process loses nothing there either."""
    with tempfile.TemporaryDirectory(dir=scratch.fast()) as folder:
        yield Path(folder)


def renew(home: Path, file: Path, *words: str) -> Any:  # noqa: ANN401  as wide as JSON
    done = qafila_here(
        *("unit", "renew-secret", str(file), "--user", "fatima", *words, "--pin-stdin", "--json"),
        stdin=PIN + "\n",
        home=home,
    )
    return json.loads(done.stdout) if done.returncode == 0 else error_of(done)["code"]


class Before:
    """What somebody took along who is to be kept out."""

    def __init__(self, home: Path) -> None:
        places = Places.at(home)
        self.secret = device_secret.read(places.device_secret)
        self.key = Slots.load(places.slots, self.secret).unlock("sami", SAMI)

    def opens_nothing(self, home: Path) -> None:
        places = Places.at(home)
        with pytest.raises(DeviceSecretWrong):
            Slots.load(places.slots, self.secret)
        for copy in copies_of(places.slots):
            alone = home / "alone"
            alone.mkdir(exist_ok=True)
            shutil.copy(copy, alone / "slots")
            with pytest.raises(SecurityError):
                Slots.load(alone / "slots", self.secret)
        with pytest.raises(StoreError):
            Store.open(places.database, self.key)


def opens(home: Path, user: str, pin: str) -> bool:
    places = Places.at(home)
    slots = load_slots(places, load(places.config))
    try:
        store = Store.open(places.database, slots.unlock(user, pin))
    except SecurityError:
        return False
    with_generation = store.slots_generation == slots.generation
    valid = store.verify().valid
    store.close()
    return valid and with_generation


def test_the_old_medium_and_the_old_key_open_nothing_and_nobodys_pin_changes(
    home: Path, tmp_path: Path
) -> None:
    before = Before(home)
    new, second = tmp_path / "new" / "device.secret", tmp_path / "second" / "device.secret"
    new.parent.mkdir()
    second.parent.mkdir()
    done = renew(home, new, "--copy", str(second), "--remove", "sami")
    assert done == {
        "device_secret": str(new),
        "device_secret_copy": str(second),
        "former": [str(Places.at(home).device_secret)],
        "removed": "sami",
    }
    before.opens_nothing(home)
    assert opens(home, "fatima", PIN)
    assert not opens(home, "sami", SAMI)
    new.unlink()
    assert opens(home, "fatima", PIN), "the second copy is no copy"
    shown = json.loads(qafila_here("unit", "show", "--json", home=home).stdout)
    assert shown["notes"] == []


def test_what_is_not_a_new_medium_is_refused_and_nothing_changes(home: Path, tmp_path: Path) -> None:
    places = Places.at(home)
    text, slots = places.config.read_bytes(), places.slots.read_bytes()
    strange = tmp_path / "device.secret"
    strange.write_text("somebody else's")
    assert renew(home, places.device_secret) == "secret-not-renewed"
    assert renew(home, strange) == "device-secret-exists"
    assert renew(home, Path("/proc/device.secret")) == "security-not-saved"
    assert renew(home, tmp_path / "not-mounted" / "device.secret") == "security-not-saved"
    assert not (tmp_path / "not-mounted").exists(), "a folder on the card, where a medium should be"
    for copy in (tmp_path / "new", strange):
        assert renew(home, tmp_path / "new", "--copy", str(copy)) == "secret-copy-refused"
    assert (
        renew(home, tmp_path / "new", "--copy", str(tmp_path / "not-mounted" / "copy"))
        == "security-not-saved"
    )
    assert renew(home, tmp_path / "new", "--remove", "nobody") == "no-such-user"
    assert renew(home, tmp_path / "new", "--remove", "fatima") == "last-supervisor"
    with agent(home):
        assert renew(home, tmp_path / "new") == "agent-running"
    assert (places.config.read_bytes(), places.slots.read_bytes()) == (text, slots)
    assert strange.read_text() == "somebody else's"
    assert opens(home, "fatima", PIN)


def test_a_second_copy_that_fails_does_not_hide_that_the_secret_is_new(home: Path, tmp_path: Path) -> None:
    done = qafila_here(
        *("unit", "renew-secret", str(tmp_path / "new"), "--copy", "/proc/device.secret", "--user", "fatima"),
        "--pin-stdin",
        stdin=PIN + "\n",
        home=home,
    )
    assert done.returncode == 1
    assert "Destroy what holds the old one" in done.stdout
    assert "qafila unit copy-secret" in done.stdout
    assert "lies on the same disk as the store" in done.stdout
    assert "security-not-saved" in done.stderr
    assert opens(home, "fatima", PIN)


def test_killed_at_any_step_it_opens_and_the_same_command_goes_on(
    home: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    before = Before(home)
    nth, ended = 0, False
    seen: set[bool] = set()
    while not ended:
        there = shutil.copytree(home, memory / f"van-{nth}")
        new = there / "new" / "device.secret"
        new.parent.mkdir()
        ended = _killed(partial(renew_here, there, new), nth)
        if ended or nth % 8 == 0:  # the same command that goes on opens it, too
            assert opens_settled(there), f"killed at step {nth}"
        under_new = new.exists() and load_slots(Places.at(there), load(Places.at(there).config)).is_under(
            device_secret.read(new)
        )
        seen.add(under_new)
        if ended:
            break
        done = renew(there, new)
        assert not isinstance(done, str) or (under_new and done == "secret-not-renewed"), (
            f"step {nth}: {done}"
        )
        before.opens_nothing(there)
        assert opens(there, "sami", SAMI)
        assert load(Places.at(there).config).security.device_secret_copy is None
        shutil.rmtree(there)
        nth += 1
    assert nth > 20
    assert seen == {False, True}


def test_the_new_medium_alone_is_not_enough_until_it_is_done_and_no_key_is_lost(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slots under the new secret, their second copy under the old, and only the old medium in."""
    places, new = Places.at(home), tmp_path / "new" / "device.secret"
    new.parent.mkdir()
    old = places.slots.read_bytes()

    def cut_short(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(rekey, "finish", cut_short)
        with pytest.raises(KeyboardInterrupt):
            renew_here(home, new)
    copies_of(places.slots)[1].write_bytes(old)
    hidden = new.rename(tmp_path / "in a pocket")
    with pytest.raises(DeviceSecretWrong):
        load_slots(places, load(places.config))
    hidden.rename(new)
    assert opens_settled(home)
    assert renew(home, new)["device_secret"] == str(new)


def renew_here(home: Path, file: Path) -> None:
    secret_renewal.renew(Places.at(home), "fatima", PIN, file, None)


def opens_settled(home: Path) -> bool:
    """As the agent opens it: a change of the key that was cut short is settled."""
    done = qafila_here(
        *("store", "verify", "--user", "fatima", "--pin-stdin", "--json"), stdin=PIN + "\n", home=home
    )
    return done.returncode == 0 and json.loads(done.stdout)["valid"]


def _killed(work: Callable[[], None], nth: int) -> bool:
    """Do it in a process that is killed before its n-th step; whether it came to its end."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            return False
        assert os.WEXITSTATUS(status) == 0
        return True
    try:
        left = nth

        def step() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        def fsync(_: int) -> None:
            step()  # a kill loses nothing that was written

        def heard(event: str, _: object) -> None:
            if event in {"os.rename", "os.remove", "os.mkdir"}:
                step()

        process.harden = lambda: True
        os.fsync = fsync  # type: ignore[assignment]  # in this process only
        sys.addaudithook(heard)
        work()
        os._exit(0)
    finally:
        os._exit(1)
