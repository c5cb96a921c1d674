"""A key that is not the one units were told of is noticed before anything is signed or opened with it."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sync.central import collect, explode
from sync.central.home import CentreError
from sync.wire import keys
from tests.sync.central_world import Centre, make_centre

RUNS: dict[str, Callable[[Centre, threading.Event], None]] = {
    "collect": lambda centre, stop: collect.run(centre.home, centre.clock, stop),
    "explode": lambda centre, stop: explode.run(centre.home, centre.clock, stop),
}


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return make_centre(tmp_path)


@pytest.fixture
def stop() -> threading.Event:
    """Set: a process that starts well ends at once."""
    event = threading.Event()
    event.set()
    return event


def test_the_keys_it_was_made_with_are_good(centre: Centre, stop: threading.Event) -> None:
    for run in RUNS.values():
        run(centre, stop)


@pytest.mark.parametrize(
    ("word", "name", "other"),
    [
        ("collect", "collect/landed.key", keys.make_signing),
        ("explode", "explode/opened.key", keys.make_signing),
        ("explode", "explode/seal-to.key", keys.make_sealing),
        ("explode", "explode/seal-to.key", keys.make_signing),
        ("collect", "collect/landed.key", lambda: b""),
        ("explode", "explode/opened.key", lambda: bytes(31)),
    ],
)
def test_another_key_is_refused_at_the_start(
    centre: Centre, stop: threading.Event, word: str, name: str, other: Callable[[], bytes]
) -> None:
    (centre.home.directory / name).write_bytes(other())
    with pytest.raises(CentreError) as refused:
        RUNS[word](centre, stop)
    assert refused.value.stable_code == "centre-key-wrong"
    assert name in refused.value.sentence
    assert refused.value.next_step


def test_a_key_of_another_use_is_another_key(centre: Centre, stop: threading.Event) -> None:
    centre.home.landed_key.write_bytes(centre.home.opened_key.read_bytes())
    with pytest.raises(CentreError) as refused:
        collect.run(centre.home, centre.clock, stop)
    assert refused.value.stable_code == "centre-key-wrong"
