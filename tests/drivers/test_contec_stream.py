"""Streams of Contec packets: any chunking, any noise, two generations that must not be mixed up."""

import itertools
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from drivers.codec.framing import Frame, Framer, Garbage, StreamEvent
from drivers.devices.contec_cms50.codec import Contec, Generation, decode, generation_of
from drivers.devices.contec_cms50.unit import Picture, encode
from edge.vitals.quantity import Missing, MissingReason, Quantity

FIVE: Final = bytes.fromhex("8635064A61")
NINE: Final = bytes.fromhex("01E085B396C1E1FFFF")
ANSWER: Final = bytes.fromhex("0C80")


def cut(stream: bytes, *cuts: int, only: Generation | None = None) -> list[StreamEvent]:
    framer = Framer(Contec(only))
    edges = sorted({0, *(place % (len(stream) + 1) for place in cuts), len(stream)})
    events: list[StreamEvent] = []
    for start, end in itertools.pairwise(edges):
        events += framer.feed(stream[start:end])
    return [*events, *framer.finish()]


def frames(events: list[StreamEvent]) -> list[bytes]:
    return [event.raw for event in events if isinstance(event, Frame)]


# ── The two generations ──────────────────────────────────────────────────────────────────────────


def test_the_first_packet_says_which_generation_it_is() -> None:
    grammar = Contec()
    framer = Framer(grammar)
    assert grammar.generation is None
    framer.feed(NINE)
    assert grammar.generation is Generation.NINE_BYTE


def test_a_whole_packet_of_the_other_generation_is_refused_as_such() -> None:
    assert cut(FIVE * 3 + NINE + FIVE) == [
        *[Frame(FIVE)] * 3,
        Garbage(NINE, "other-generation"),
        Frame(FIVE),
    ]
    assert cut(NINE * 3 + FIVE + NINE) == [
        *[Frame(NINE)] * 3,
        Garbage(FIVE, "other-generation"),
        Frame(NINE),
    ]


def test_five_packets_of_the_other_generation_in_a_row_make_the_stream_one_of_theirs() -> None:
    assert frames(cut(FIVE + NINE * 8)) == [FIVE] + [NINE] * 3
    assert frames(cut(NINE + FIVE * 8)) == [NINE] + [FIVE] * 3


def test_four_are_not_enough_and_a_good_packet_forgives_them() -> None:
    assert frames(cut((FIVE + NINE * 4) * 5)) == [FIVE] * 5
    assert frames(cut((NINE + FIVE * 4) * 5)) == [NINE] * 5


def test_as_many_stray_bytes_as_five_packets_have_let_go_too() -> None:
    assert frames(cut(NINE + b"\xff" * 44 + FIVE + NINE)) == [NINE, NINE]
    assert frames(cut(NINE + b"\xff" * 45 + FIVE)) == [NINE, FIVE]
    assert frames(cut(FIVE + b"\x7f" * 24 + NINE + FIVE)) == [FIVE, FIVE]
    assert frames(cut(FIVE + b"\x7f" * 25 + NINE)) == [FIVE, NINE]


def test_a_port_whose_generation_is_known_never_takes_another() -> None:
    assert frames(cut(FIVE * 20 + NINE, only=Generation.NINE_BYTE)) == [NINE]
    assert frames(cut(NINE * 20 + FIVE, only=Generation.FIVE_BYTE)) == [FIVE]


def test_noise_in_front_of_a_nine_byte_packet_does_not_swallow_its_first_byte() -> None:
    noise = bytes.fromhex("A5112233")  # with the 01 behind it, it looks like a five-byte packet
    assert frames(cut(NINE + noise + NINE)) == [NINE, NINE]


# ── Properties ───────────────────────────────────────────────────────────────────────────────────

pictures: Final = st.builds(
    Picture,
    saturation=st.integers(0, 0x7F),
    pulse=st.integers(0, 0xFF),
    perfusion=st.none() | st.integers(0, 0xFFFE),
    pleth=st.integers(0, 0x7F),
    beat=st.booleans(),
    signal=st.integers(0, 8),
    bar=st.integers(0, 15),
    finger_out=st.booleans(),
    searching=st.booleans(),
    low=st.booleans(),
)
packets: Final = st.builds(encode, st.sampled_from(Generation), pictures)
streams: Final = st.lists(
    packets
    | packets.flatmap(lambda packet: st.integers(0, len(packet)).map(lambda length: packet[:length]))
    | st.just(ANSWER)
    | st.binary(max_size=12)
    | st.binary(min_size=60, max_size=80),
    max_size=15,
).map(b"".join)


@given(stream=streams, cuts=st.lists(st.integers(0, 10_000), max_size=40))
def test_any_chunking_gives_the_same_events(stream: bytes, cuts: list[int]) -> None:
    assert cut(stream, *cuts) == cut(stream)


@given(stream=streams)
def test_one_byte_at_a_time_gives_the_same_events(stream: bytes) -> None:
    assert cut(stream, *range(len(stream))) == cut(stream)


@given(stream=streams)
def test_every_byte_comes_out_once_in_order(stream: bytes) -> None:
    assert b"".join(event.raw for event in cut(stream)) == stream


@given(generation=st.sampled_from(Generation), picture=pictures)
def test_what_the_simulator_writes_is_read_back(generation: Generation, picture: Picture) -> None:
    raw = encode(generation, picture)
    assert generation_of(raw[0]) is generation
    report = decode(Frame(raw))
    assert report is not None
    assert (report.pleth, report.beat, report.signal) == (picture.pleth, picture.beat, picture.signal)
    dropping = generation is Generation.FIVE_BYTE
    assert (report.saturation_dropping if dropping else report.saturation_low) is picture.low
    if picture.finger_out or picture.searching:
        why = MissingReason.SENSOR_OFF if picture.finger_out else MissingReason.SEARCHING
        assert report.saturation == report.pulse == Missing(why)
        return
    if isinstance(report.saturation, Quantity):
        assert int(report.saturation.value) == picture.saturation <= 100
    else:
        assert picture.saturation in {0, *range(101, 128)}
    if isinstance(report.pulse, Quantity):
        assert int(report.pulse.value) == picture.pulse
    else:
        assert picture.pulse in {0, 0xFF}
    if isinstance(report.perfusion, Quantity):
        assert int(report.perfusion.value * 100) == picture.perfusion


@given(
    generation=st.sampled_from(Generation),
    picture=pictures,
    noise=st.binary(max_size=200),
    before=st.integers(0, 3),
)
def test_a_known_generation_is_in_step_again_after_two_packets(
    generation: Generation, picture: Picture, noise: bytes, before: int
) -> None:
    packet = encode(generation, picture)
    events = cut(packet * before + noise + packet * 4, only=generation)
    assert events[-2:] == [Frame(packet), Frame(packet)]


@given(picture=pictures, lost=st.integers(1, 8), other=pictures)
def test_bytes_lost_inside_a_nine_byte_packet_mix_no_two_packets(
    picture: Picture, lost: int, other: Picture
) -> None:
    first, second = encode(Generation.NINE_BYTE, picture), encode(Generation.NINE_BYTE, other)
    assert frames(cut(first[:-lost] + second, only=Generation.NINE_BYTE)) == [second]
    assert frames(cut(first + second[lost:] + first, only=Generation.NINE_BYTE)) == [first, first]


@given(picture=pictures, lost=st.integers(1, 4), other=pictures)
def test_bytes_lost_inside_a_five_byte_packet_mix_no_two_packets(
    picture: Picture, lost: int, other: Picture
) -> None:
    """What is left may look like a stored record, for which nobody asked: never like a packet."""
    first, second = encode(Generation.FIVE_BYTE, picture), encode(Generation.FIVE_BYTE, other)
    live = [
        raw for raw in frames(cut(first[:-lost] + second * 2, only=Generation.FIVE_BYTE)) if len(raw) == 5
    ]
    assert live in ([second], [second] * 2)
    assert first[0] >= 0xF0 or len(live) == 2
    assert frames(cut(first + second[lost:] + first, only=Generation.FIVE_BYTE)) == [first, first]


def test_a_rest_that_looks_like_a_stored_record_costs_one_packet() -> None:
    off = Picture(saturation=0, pulse=0, perfusion=None, pleth=0, beat=True, signal=0, bar=0,
                  finger_out=True, searching=False, low=True)  # fmt: skip
    first, second = encode(Generation.FIVE_BYTE, off), bytes.fromhex("8000000000")
    assert frames(cut(first[:1] + second * 2, only=Generation.FIVE_BYTE)) == [b"\xf0\x80\x00", second]
