"""The contract of every codec, on the smallest grammar there is: ``A``, a digit, so many bytes, ``Z``."""

import itertools
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from drivers.codec.framing import LONGEST_GARBAGE, MORE, TOO_SHORT, Frame, Framer, Garbage, Look, Outcome

FRAME: Final = b"A2xyZ"


class Tiny:
    """Frames hold up to nine bytes, so that a shorter frame may stand inside the ruins of a longer one."""

    def look(self, stream: bytes, at: int) -> Look:
        if stream[at] != ord("A"):
            return Look(Outcome.GARBAGE)
        if at + 1 == len(stream):
            return MORE
        length = 3 + stream[at + 1] - ord("0")
        if not 3 <= length <= 12:
            return Look(Outcome.GARBAGE, 1)
        if at + length > len(stream):
            return MORE
        if stream[at + length - 1] != ord("Z"):
            return Look(Outcome.GARBAGE, 1)
        return Look(Outcome.FRAME, length)


def cut(stream: bytes, *cuts: int) -> list[Frame | Garbage]:
    framer = Framer(Tiny())
    edges = sorted({0, *(place % (len(stream) + 1) for place in cuts), len(stream)})
    events: list[Frame | Garbage] = []
    for start, end in itertools.pairwise(edges):
        events += framer.feed(stream[start:end])
    return [*events, *framer.finish()]


def test_frames_come_out_as_soon_as_they_are_whole() -> None:
    framer = Framer(Tiny())
    assert framer.feed(FRAME[:-1]) == []
    assert framer.feed(FRAME[-1:]) == [Frame(FRAME)]


def test_garbage_between_frames_is_one_stretch() -> None:
    assert cut(b"??" + FRAME + b"A.!" + FRAME) == [
        Garbage(b"??", "not-a-frame"),
        Frame(FRAME),
        Garbage(b"A.!", "not-a-frame"),
        Frame(FRAME),
    ]


def test_a_frame_inside_the_ruins_of_a_longer_one_is_found_at_the_end() -> None:
    assert cut(b"A9." + FRAME) == [Garbage(b"A9.", TOO_SHORT), Frame(FRAME)]


def test_an_end_may_be_asked_for_twice() -> None:
    framer = Framer(Tiny())
    framer.feed(b"A5..")
    assert framer.finish() == [Garbage(b"A5..", TOO_SHORT)]
    assert framer.finish() == []


def test_after_an_end_the_framer_begins_anew() -> None:
    framer = Framer(Tiny())
    framer.feed(FRAME[:2])
    framer.finish()
    assert framer.feed(FRAME) == [Frame(FRAME)]


def test_endless_garbage_is_handed_on_in_pieces_and_never_kept() -> None:
    framer = Framer(Tiny())
    events = [event for _ in range(1000) for event in framer.feed(b"?" * 7)]
    assert all(event == Garbage(b"?" * LONGEST_GARBAGE, "not-a-frame") for event in events)
    assert 7000 - len(events) * LONGEST_GARBAGE < LONGEST_GARBAGE


streams: Final = st.lists(
    st.sampled_from([FRAME, b"A0Z", b"A9.........Z", b"A9", b"A", b"Z", b"?" * 70]) | st.binary(max_size=6),
    max_size=12,
).map(b"".join)


@given(stream=streams, cuts=st.lists(st.integers(0, 10_000), max_size=30))
def test_any_chunking_gives_the_same_events(stream: bytes, cuts: list[int]) -> None:
    assert cut(stream, *cuts) == cut(stream)


@given(stream=streams)
def test_one_byte_at_a_time_gives_the_same_events(stream: bytes) -> None:
    assert cut(stream, *range(len(stream))) == cut(stream)


@given(stream=streams)
def test_every_byte_comes_out_once_in_order(stream: bytes) -> None:
    assert b"".join(event.raw for event in cut(stream)) == stream
