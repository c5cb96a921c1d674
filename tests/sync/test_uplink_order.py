"""What goes first."""

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from edge.records.fields import Stream
from edge.spool.names import SpoolName
from sync.uplink.order import Waiting, is_urgent, turn

NUMBERS = itertools.count()
OWN = {"key": 0, "alert": 1, "vitals": 2, "doc": 3, "wave": 4, "audit": 5}


def file(word: str, first: int = 1, priority: int | None = None) -> SpoolName:
    return SpoolName(OWN[word] if priority is None else priority, first, word, 1, f"{next(NUMBERS):016x}")


def drained(waiting: Waiting, size: int = 1000) -> list[SpoolName]:
    went: list[SpoolName] = []
    while (name := waiting.choose(lambda _: True)) is not None:
        waiting.remove(name)
        waiting.went(name, size)
        went.append(name)
    return went


def test_what_a_request_attached_goes_with_the_request() -> None:
    photo, other = file("doc", 7, priority=1), file("doc", 3)
    visit, alert, key = file("vitals", 900), file("alert", 800), file("key", 0)
    waiting = Waiting()
    waiting.set([other, visit, photo, alert, key])
    assert drained(waiting) == [key, alert, photo, visit, other]


def test_an_attachment_never_goes_before_its_like() -> None:
    """It has the priority of vitals and a lower number than theirs."""
    photo, visit = file("doc", 1, priority=2), file("vitals", 900)
    waiting = Waiting()
    waiting.set([photo, visit])
    assert drained(waiting) == [visit, photo]


def test_an_attachment_keeps_within_the_window() -> None:
    assert not is_urgent(file("doc", priority=1))
    assert not is_urgent(file("vitals"))
    assert is_urgent(file("alert"))
    assert is_urgent(file("key", 0))


def share_of_waves(went: list[SpoolName]) -> float:
    last = max(at for at, name in enumerate(went) if name.word != "wave")
    return sum(name.word == "wave" for name in went[:last]) / last


def test_waves_get_a_twentieth_however_often_the_link_breaks() -> None:
    waiting = Waiting()
    waiting.set([*(file("vitals", n) for n in range(400)), *(file("wave", n) for n in range(60))])
    went: list[SpoolName] = []
    while len(waiting):
        for _ in range(3):  # a connection carries three files
            name = waiting.choose(lambda _: True)
            if name is not None:
                waiting.remove(name)
                waiting.went(name, 1000)
                went.append(name)
        waiting.set(list(waiting))
    assert 0.04 <= share_of_waves(went) <= 0.06


def test_what_was_sent_while_no_wave_waited_gives_waves_no_claim() -> None:
    waiting = Waiting()
    waiting.set(file("vitals", n) for n in range(500))
    drained(waiting)
    waiting.set([*(file("vitals", n) for n in range(500, 600)), *(file("wave", n) for n in range(50))])
    assert share_of_waves(drained(waiting)) <= 0.06


def test_what_may_not_go_is_passed_over() -> None:
    visit, photo, wave = file("vitals"), file("doc"), file("wave")
    waiting = Waiting()
    waiting.set([visit, photo, wave])
    assert waiting.choose(lambda name: name.word == "doc") == photo
    assert waiting.choose(lambda name: name.word == "wave") == wave
    assert waiting.choose(lambda _: False) is None
    assert len(waiting) == 3


@given(
    words=st.lists(st.sampled_from([s.word for s in Stream]), max_size=60),
    seed=st.integers(0, 1000),
)
def test_everything_goes_once_and_nothing_before_an_alert(words: list[str], seed: int) -> None:
    names = [file(word, at) for at, word in enumerate(words)]
    waiting = Waiting()
    for name in random.Random(seed).sample(names, len(names)):  # noqa: S311  any order will do
        waiting.add(name)
        waiting.add(name)
    went = drained(waiting)
    assert sorted(went, key=turn) == sorted(names, key=turn)
    assert [name.word for name in went[: words.count("alert")]] == ["alert"] * words.count("alert")
    for word in set(words):
        mine = [name.first for name in went if name.word == word]
        assert mine == sorted(mine)
