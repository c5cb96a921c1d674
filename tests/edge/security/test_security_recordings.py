"""A recording opens where it was made, whole or not at all, and says when it was cut short."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.security.recordings import (
    SUPERVISOR,
    About,
    RecordingRefused,
    Sealed,
    Writer,
    about_of,
    unwrap,
)

KEY = bytes(range(32))
ABOUT = About("van-07", "cuff-1", "sig-bp", 1_795_334_400_000, SUPERVISOR)
SECRET = b"120 over 80 over and over"


def file_of(*chunks: bytes, last: bool = True) -> bytes:
    writer = Writer(ABOUT, KEY)
    made = writer.start
    for number, chunk in enumerate(chunks, 1):
        made += writer.chunk(chunk, last=last and number == len(chunks))
    return made


def inside(content: bytes, key: bytes = KEY) -> tuple[bytes, bool]:
    sealed = Sealed.of_file(content)
    return sealed.open(unwrap(sealed.head, key))


@given(chunks=st.lists(st.binary(max_size=200), min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_what_goes_in_comes_out(chunks: list[bytes]) -> None:
    assert inside(file_of(*chunks)) == (b"".join(chunks), True)


def test_it_says_of_itself_what_a_shelf_label_would() -> None:
    content = file_of(SECRET)
    sealed = Sealed.of_file(content)
    assert sealed.about == about_of(sealed.head) == ABOUT
    assert SECRET not in content
    assert file_of(SECRET) != content


def test_a_recording_cut_short_opens_as_far_as_it_goes() -> None:
    whole = file_of(b"one", b"two", b"three")
    assert inside(file_of(b"one", b"two", last=False)) == (b"onetwo", False)
    assert inside(whole[:-1]) == (b"onetwo", False)
    start = len(Writer(ABOUT, KEY).start)
    seen = {inside(whole[:end]) for end in range(start, len(whole))}
    assert seen == {(b"", False), (b"one", False), (b"onetwo", False)}


def outcome(content: bytes) -> tuple[bytes, bool] | str:
    try:
        return inside(content)
    except RecordingRefused as refused:
        return refused.stable_code


def test_every_change_of_a_byte_is_found() -> None:
    whole = file_of(b"one", b"two")
    refused = {"not-a-recording", "recording-newer", "recording-foreign", "recording-damaged"}
    cut = {(b"", False), (b"one", False)}  # a length that leads beyond the end: as if it were cut there
    seen: set[tuple[bytes, bool] | str] = set()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        seen.add(outcome(bytes(changed)))
    assert refused <= seen <= refused | cut


def test_chunks_that_are_moved_or_added_are_found() -> None:
    writer = Writer(ABOUT, KEY)
    one, two = writer.chunk(b"one"), writer.chunk(b"two", last=True)
    for order in ((two, one), (one, one, two), (one, two, two), (two,)):
        with pytest.raises(RecordingRefused) as refused:
            inside(writer.start + b"".join(order))
        assert refused.value.stable_code == "recording-damaged"


def test_another_unit_cannot_open_it_and_who_may_cannot_be_changed() -> None:
    sealed = Sealed.of_file(file_of(SECRET))
    with pytest.raises(RecordingRefused) as refused:
        unwrap(sealed.head, bytes(32))
    assert refused.value.stable_code == "recording-foreign"
    other = Writer(dataclasses.replace(ABOUT, opens="technician"), KEY).start
    assert len(other) > 0
    forged = sealed.head.replace(b"jsupervisor", b"jtechnician")
    assert about_of(forged).opens == "technician"
    with pytest.raises(RecordingRefused):
        unwrap(forged, KEY)


@pytest.mark.parametrize("content", [b"", b"QFREC", b"QFREC\x01\x00\x00\x00\x05abc", b"PK\x03\x04" * 9])
def test_another_file_is_no_recording(content: bytes) -> None:
    with pytest.raises(RecordingRefused) as refused:
        Sealed.of_file(content)
    assert refused.value.stable_code == "not-a-recording"


@given(head=st.binary(max_size=80))
@settings(max_examples=200)
def test_any_head_is_refused(head: bytes) -> None:
    with pytest.raises(RecordingRefused) as refused:
        about_of(head)
    assert refused.value.stable_code == "not-a-recording"
