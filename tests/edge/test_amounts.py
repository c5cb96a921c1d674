"""Bytes and seconds in words."""

import dataclasses

import pytest

from edge.agent.link import Waiting
from edge.i18n.amounts import duration, size, waits
from edge.i18n.catalogue import load

SAY = load("en")
DIRE = load("fr")
NOTHING = Waiting(0, 0, 0, 0, 0, 4000, "2g", 0, 50_000_000)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 B"), (99, "99 B"), (100, "0.1 kB"), (610, "0.6 kB"), (1000, "1 kB"), (9_940, "9.9 kB"),
        (9_960, "10 kB"), (140_000, "140 kB"), (994_000, "994 kB"), (1_000_000, "1 MB"),
        (2_100_000, "2.1 MB"), (50_000_000, "50 MB"), (3_200_000_000, "3.2 GB"),
    ],
)  # fmt: skip
def test_sizes(number: int, words: str) -> None:
    assert size(SAY, number) == words


def test_sizes_in_french() -> None:
    assert size(DIRE, 2_100_000) == "2,1 Mo"
    assert size(DIRE, 99) == "99 o"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "1 s"), (1, "1 s"), (44, "44 s"), (58, "1 min"), (100, "2 min"), (3_300, "55 min"),
        (3_500, "1 h"), (7_300, "2 h"), (86_000, "1 d"), (800_000, "9 d"),
    ],
)  # fmt: skip
def test_durations(seconds: int, words: str) -> None:
    assert duration(SAY, seconds) == words


def test_what_waits_is_one_line() -> None:
    both = dataclasses.replace(
        NOTHING, urgent_bytes=610, urgent_s=1, backlog_bytes=140_000, backlog_s=58
    )  # fmt: skip
    assert waits(SAY, both, connected=True) == "urgent 0.6 kB, about 1 s; backlog 140 kB, about 1 min"
    assert waits(SAY, both, connected=False).endswith("about 1 min; once there is a link")
    assert waits(DIRE, both, connected=True) == "urgent 0,6 ko, environ 1 s; en attente 140 ko, environ 1 min"
    assert waits(SAY, NOTHING, connected=False) == "nothing waits"


def test_what_the_day_keeps_back_is_said() -> None:
    held = dataclasses.replace(NOTHING, held_bytes=2_100_000, spent_bytes=50_000_000)
    said = "2.1 MB wait for tomorrow: today\u2019s 50 MB are used"
    assert waits(SAY, held, connected=True) == said
