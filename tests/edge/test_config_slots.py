"""Two slots for the centre's configurations: whatever happens in between, one of the two holds, whole."""

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.config import Places, effective, write_initial
from edge.config.keeper import MOST_STARTS, begin
from edge.config.slots import STATE, Document, Slots


def document(number: int) -> Document:
    return Document(number, f"{number:032x}", f"[locks]\nscreen_s = {number}\n", {})


@pytest.fixture
def places(tmp_path: Path) -> Places:
    made = Places.at(tmp_path)
    write_initial(made, "van-07", "training")
    return made


def holds(places: Places) -> int:
    """The seconds that hold: a document's number, or 120 of the unit's own."""
    return effective(places).config.locks.screen_s


def test_kept_tried_left_and_replaced(places: Places) -> None:
    slots = Slots(places.configuration)
    assert holds(places) == 120
    slots.try_out(document(30), needs_receipt=True)
    assert holds(places) == 30
    slots.go_back("no-receipt")
    assert holds(places) == 120
    slots.try_out(document(31), needs_receipt=True)
    slots.keep()
    slots.try_out(document(32), needs_receipt=False)
    slots.try_out(document(33), needs_receipt=False)
    assert holds(places) == 33
    slots.go_back("no-receipt")
    assert holds(places) == 31
    slots.go_back("again")  # nothing is on trial
    state = slots.state()
    assert (holds(places), state.highest) == (31, 33)
    outcomes = [(int(message, 16), outcome) for message, outcome in state.reports]
    assert outcomes == [(30, "no-receipt"), (31, "applied"), (32, "replaced"), (33, "no-receipt")]
    slots.reported(*state.reports[0])
    assert len(slots.state().reports) == 3


class PowerCut(Exception):
    """Nothing is written from here on."""


STEPS: list[Callable[[Slots], None]] = [
    lambda slots: slots.try_out(document(41), needs_receipt=True),
    lambda slots: slots.keep(),
    lambda slots: slots.try_out(document(42), needs_receipt=True),
    lambda slots: slots.try_out(document(43), needs_receipt=True),
    lambda slots: slots.go_back("no-receipt"),
]
AFTER = [120, 41, 41, 42, 43, 41]
"""What holds before the first step and after each."""


@pytest.mark.parametrize("cut", range(9))
@pytest.mark.parametrize("half", [False, True])
def test_a_power_cut_at_any_write_leaves_what_held_before_or_after(
    places: Places, cut: int, half: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the file that was being written is left half-way under its temporary name."""
    left, write = cut, Slots._write

    def until_cut(self: Slots, name: str, content: dict[str, object]) -> None:
        nonlocal left
        if left == 0:
            if half:
                (places.configuration / ".tmp-half").write_bytes(b'{"vers')
            raise PowerCut
        left -= 1
        write(self, name, content)

    monkeypatch.setattr(Slots, "_write", until_cut)
    slots = Slots(places.configuration)
    done = 0
    with contextlib.suppress(PowerCut):
        for step in STEPS:
            step(slots)
            done += 1
    assert done < len(STEPS), "the power went before the end"
    monkeypatch.setattr(Slots, "_write", write)
    # While 42 is replaced by 43 in one slot, what was kept before them holds for a moment.
    assert holds(places) in {AFTER[done], AFTER[min(done + 1, 5)]} | ({41} if done == 3 else set())
    begin(places)
    assert list(places.configuration.glob(".tmp-*")) == []


def test_an_agent_that_fails_under_a_trial_goes_back_and_one_that_ends_does_not(places: Places) -> None:
    slots = Slots(places.configuration)
    slots.try_out(document(30), needs_receipt=False)
    for _ in range(2 * MOST_STARTS):
        assert begin(places).locks.screen_s == 30
        slots.ended()
    for _ in range(MOST_STARTS - 1):
        assert begin(places).locks.screen_s == 30
    assert begin(places).locks.screen_s == 120
    assert [outcome for _, outcome in slots.state().reports] == ["restarts"]


def test_what_does_not_go_with_the_units_own_file_any_more_is_left(places: Places) -> None:
    slots = Slots(places.configuration)
    slots.try_out(dataclasses.replace(document(30), text="[locks]\nscreen_s = 3600\n"), needs_receipt=False)
    assert holds(places) == 3600
    text = places.config.read_text().replace('realm = "training"', 'realm = "production"')
    places.config.write_text(text)
    assert effective(places).unfit
    assert begin(places).locks.screen_s == 120
    assert [outcome for _, outcome in slots.state().reports] == ["unfit"]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"version": 2}', b"\xff\xfe", b'"' + b"[" * 10])
@pytest.mark.parametrize("name", [STATE, "a.json"])
def test_a_damaged_file_holds_nothing_and_the_units_own_does(
    places: Places, name: str, damage: bytes
) -> None:
    slots = Slots(places.configuration)
    slots.try_out(document(30), needs_receipt=False)
    slots.keep()
    (places.configuration / name).write_bytes(damage)
    assert begin(places).locks.screen_s == 120
    slots.try_out(document(31), needs_receipt=False)
    assert holds(places) == 31


def test_what_only_the_unit_can_know_is_never_the_centres(places: Places) -> None:
    for text in ('[security]\ndevice_secret = "x"\n', '[[device]]\nkey = "a"\nkind = "nonin"\nport = "/x"\n'):
        Slots(places.configuration).try_out(dataclasses.replace(document(30), text=text), needs_receipt=False)
        assert effective(places).unfit
