"""The count of the chaos finds what it is there to find."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from chaos import count as counting
from chaos.count import Count, count
from chaos.faults import WEIGHTS, series
from torture.nurse import Identity

UNIT, EPOCH = "van-01", "ab" * 8
REQUEST = "cd" * 8


class FakeWorker:
    def __init__(self) -> None:
        self.acknowledged: set[Identity] = {(UNIT, EPOCH, "vitals", 2), (UNIT, EPOCH, "vitals", 3)}
        self.told = {REQUEST: frozenset({(UNIT, EPOCH, "vitals", 2), (UNIT, EPOCH, "vitals", 3)})}


class FakeVan:
    worker = FakeWorker()


class FakeCentre:
    """What a centre's database answers."""

    def __init__(self) -> None:
        self.entries: list[tuple[Any, ...]] = [
            (UNIT, EPOCH, "vitals", 1, 1, b"genesis"),
            (UNIT, EPOCH, "vitals", 2, 4, b"systolic"),
            (UNIT, EPOCH, "vitals", 3, 4, b"diastolic"),
        ]
        self.projected = 2
        self.losses: list[tuple[Any, ...]] = []

    def read(self, statement: str) -> list[tuple[Any, ...]]:
        if "FROM losses" in statement:
            return self.losses
        return [(REQUEST, self.projected)] if "GROUP BY" in statement else self.entries


def result(centre: FakeCentre, monkeypatch: pytest.MonkeyPatch, kept: bytes | None = b"systolic") -> Count:
    def keeps(_van: object) -> dict[Identity, tuple[int, bytes | None]]:
        return {(UNIT, EPOCH, "vitals", 2): (4, kept)}

    monkeypatch.setattr(counting, "_kept", keeps)
    return count([FakeVan()], centre)  # type: ignore[list-item]  # all that is looked at


def test_what_is_whole_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    found = result(FakeCentre(), monkeypatch)
    assert found == Count(2, 0, 0, 0, 0, 0, 0)
    assert found.good


def lose_the_last(centre: FakeCentre) -> None:
    centre.entries.pop()


def lose_one_between(centre: FakeCentre) -> None:
    del centre.entries[1]


def make_a_row_twice(centre: FakeCentre) -> None:
    centre.projected = 3


def say_something_else(centre: FakeCentre) -> None:
    centre.entries[1] = (UNIT, EPOCH, "vitals", 2, 4, b"another")


def say_both(centre: FakeCentre) -> None:
    centre.entries.append((UNIT, EPOCH, "vitals", 2, 4, b"another"))


@pytest.mark.parametrize(
    ("breaks", "wrong"),
    [
        (lose_the_last, {"lost": 1}),
        (lose_one_between, {"lost": 1, "unreported": 1}),
        (make_a_row_twice, {"doubled": 1}),
        (say_something_else, {"differing": 1}),
        (say_both, {"conflicts": 1}),
    ],
)
def test_what_is_not_is_counted(
    monkeypatch: pytest.MonkeyPatch, breaks: Callable[[FakeCentre], None], wrong: dict[str, int]
) -> None:
    centre = FakeCentre()
    breaks(centre)
    found = result(centre, monkeypatch)
    assert {name: getattr(found, name) for name in wrong} == wrong
    assert not found.good


def test_a_reported_loss_is_no_unreported_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    centre = FakeCentre()
    lose_one_between(centre)
    centre.losses = [(UNIT, EPOCH, "vitals", 2, 2)]
    found = result(centre, monkeypatch)
    assert (found.unreported, found.lost) == (0, 1)  # told to be saved all the same


def test_what_was_purged_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    found = result(FakeCentre(), monkeypatch, kept=None)
    assert (found.purged, found.differing) == (1, 0)


@pytest.mark.parametrize("rounds", [1, len(WEIGHTS), 30])
def test_every_kind_of_fault_comes_and_a_seed_brings_the_same(rounds: int) -> None:
    once, again = (series(random.Random(7), rounds) for _ in range(2))  # noqa: S311  a seed
    assert once == again
    assert len(once) == rounds
    assert len(set(once)) == min(rounds, len(WEIGHTS))
