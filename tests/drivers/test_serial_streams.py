"""Streams of the serial kinds: any chunking, any noise, no byte lost, back in step soon."""

import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codec.framing import Frame, Framer, Grammar, StreamEvent
from drivers.decoding import Chunk
from drivers.devices.nmea_gps.codec import Nmea, checksum, sentence
from drivers.devices.nmea_gps.fixes import decode_chunks as decode_gps
from drivers.devices.nmea_gps.unit import angle
from drivers.devices.nonin.codec import NO_HEART_RATE, NO_SATURATION, Format, Nonin
from drivers.devices.nonin.display import Display
from drivers.devices.nonin.display import decode_chunks as decode_nonin
from drivers.devices.nonin.unit import Picture, encode_packet, encode_slow
from drivers.devices.suntech_nibp.codec import State, Suntech, encode_pressure, encode_result, encode_state
from edge.vitals.place import Position
from edge.vitals.quantity import Missing, MissingReason, Quantity
from edge.vitals.reading import Reading, Wave

GRAMMARS: Final[dict[str, Callable[[], Grammar]]] = {
    "nonin": Nonin,
    "nonin recording": lambda: Nonin(recording=True),
    "suntech": Suntech,
    "nmea": Nmea,
}


def cut(grammar: Callable[[], Grammar], stream: bytes, *cuts: int) -> list[StreamEvent]:
    framer = Framer(grammar())
    edges = sorted({0, *(place % (len(stream) + 1) for place in cuts), len(stream)})
    events: list[StreamEvent] = []
    for start, end in itertools.pairwise(edges):
        events += framer.feed(stream[start:end])
    return [*events, *framer.finish()]


def frames(events: list[StreamEvent]) -> list[bytes]:
    return [event.raw for event in events if isinstance(event, Frame)]


pictures: Final = st.builds(
    Picture,
    heart_rate=st.integers(0, 511),
    saturation=st.integers(0, 127),
    disconnected=st.booleans(),
    alarm=st.booleans(),
    out_of_track=st.booleans(),
    artifact=st.booleans(),
    low_perfusion=st.booleans(),
    marginal_perfusion=st.booleans(),
    low_battery=st.booleans(),
    smartpoint=st.booleans(),
)
plethora: Final = {
    Format.TWO: st.lists(st.integers(0, 255), min_size=25, max_size=25),
    Format.SEVEN: st.lists(st.integers(0, 65535), min_size=25, max_size=25),
}
slow: Final = st.builds(encode_slow, st.sampled_from([Format.ONE, Format.EIGHT]), pictures)
fast: Final = st.sampled_from([Format.TWO, Format.SEVEN]).flatmap(
    lambda format_: st.builds(encode_packet, st.just(format_), pictures, plethora[format_])
)
answers: Final = st.one_of(
    st.builds(encode_state, st.sampled_from(State)),
    st.builds(encode_pressure, st.integers(-1, 300)),
    st.builds(encode_result, *[st.integers(0, 0xFFFF)] * 4, st.integers(0, 255)),
)
sentences: Final = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="$*"), max_size=60
).map(sentence)
pieces: Final = {"nonin": slow | fast, "nonin recording": slow | fast, "suntech": answers, "nmea": sentences}


def streams(good: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    broken = good.flatmap(lambda piece: st.integers(0, len(piece)).map(lambda length: piece[:length]))
    repeated = st.tuples(good, st.integers(1, 6)).map(lambda pair: pair[0] * pair[1])
    noise = st.binary(max_size=12) | st.binary(min_size=60, max_size=80)
    return st.lists(good | broken | repeated | noise, max_size=8).map(b"".join)


@pytest.mark.parametrize("name", GRAMMARS)
@given(data=st.data(), cuts=st.lists(st.integers(0, 10_000), max_size=40))
def test_any_chunking_gives_the_same_events(name: str, data: st.DataObject, cuts: list[int]) -> None:
    stream = data.draw(streams(pieces[name]))
    whole = cut(GRAMMARS[name], stream)
    assert cut(GRAMMARS[name], stream, *cuts) == whole
    assert cut(GRAMMARS[name], stream, *range(len(stream))) == whole
    assert b"".join(event.raw for event in whole) == stream


# ── Nonin ────────────────────────────────────────────────────────────────────────────────────────


@given(
    picture=pictures,
    pleth=st.lists(st.integers(0, 255), min_size=25, max_size=25),
    format_=st.sampled_from(Format),
)
def test_what_a_nonin_unit_writes_is_read_back(picture: Picture, pleth: list[int], format_: Format) -> None:
    if format_ in {Format.TWO, Format.SEVEN}:
        stream = encode_packet(format_, picture, pleth)
    else:
        stream = encode_slow(format_, picture) * 3
    decoded = decode_nonin([Chunk(stream)])
    assert decoded.refused == ()
    saturation, pulse = (measured for _, measured in decoded.readings[-1].values)
    off = picture.disconnected and format_ is not Format.EIGHT
    off = off or (picture.alarm and format_ is not Format.ONE)
    if off:
        assert saturation == pulse == Missing(MissingReason.SENSOR_OFF)
        return
    if isinstance(pulse, Quantity):
        assert int(pulse.value) == picture.heart_rate
    else:
        assert picture.heart_rate in {0, NO_HEART_RATE}
    if isinstance(saturation, Quantity):
        assert int(saturation.value) == picture.saturation <= 100
    else:
        assert picture.saturation in {0, *range(101, NO_SATURATION + 1)}


@pytest.mark.parametrize("format_", [Format.TWO, Format.SEVEN])
@given(noise=st.binary(max_size=100), pictures=st.tuples(pictures, pictures))
def test_after_noise_the_second_packet_is_whole_and_no_two_are_mixed(
    format_: Format, noise: bytes, pictures: tuple[Picture, Picture]
) -> None:
    one, other = (encode_packet(format_, picture, list(range(25))) for picture in pictures)
    decoded = decode_nonin([Chunk(one + noise + other * 3)])
    raws = [reading.raw for reading in decoded.readings if "packet-cut" not in reading.flags]
    assert raws[-2:] == [other, other]
    assert set(raws) <= {one, other}


@pytest.mark.parametrize("format_", [Format.ONE, Format.EIGHT])
@given(noise=st.binary(max_size=30), picture=pictures)
def test_a_slow_format_is_in_step_again_after_two_frames(
    format_: Format, noise: bytes, picture: Picture
) -> None:
    frame = encode_slow(format_, picture)
    assert frames(cut(Nonin, frame * 4 + noise + frame * 8))[-4:] == [frame] * 4


@given(picture=pictures, other=pictures, added=st.binary(min_size=1, max_size=1), place=st.integers(1, 2))
def test_a_byte_added_to_a_slow_frame_shifts_no_number(
    picture: Picture, other: Picture, added: bytes, place: int
) -> None:
    good, spoilt = encode_slow(Format.ONE, other), encode_slow(Format.ONE, picture)
    stream = good * 3 + spoilt[:place] + added + spoilt[place:] + good * 3
    wrong = [raw for raw in frames(cut(Nonin, stream)) if raw not in {good, spoilt}]
    # A byte with bit 7 begins a frame, and the rest of the spoilt one may complete it: nothing can tell.
    assert not wrong or added[0] >= 0x80


@pytest.mark.parametrize("format_", [Format.TWO, Format.SEVEN])
def test_a_wave_says_where_samples_are_missing(format_: Format) -> None:
    packet = encode_packet(format_, Picture(), list(range(25)))
    display, framer, waves = Display(), Framer(Nonin()), list[Wave]()
    for event in framer.feed(packet * 2 + packet[:52] + packet * 3):
        told = display.frame(event) if isinstance(event, Frame) else display.gap()
        waves += [each for each in told if isinstance(each, Wave)]
    assert [(len(wave.samples), wave.gap) for wave in waves] == [
        (25, False), (25, False), (10, False), (25, True), (25, False), (25, False),
    ]  # fmt: skip


def test_a_reading_a_second_and_at_once_when_the_finger_leaves() -> None:
    on = encode_packet(Format.TWO, Picture(), [0] * 25)
    off = encode_packet(Format.TWO, Picture(NO_HEART_RATE, NO_SATURATION, alarm=True), [0] * 25)
    display, framer, readings = Display(), Framer(Nonin()), list[Reading]()
    for event in framer.feed(on * 7 + off * 4):
        assert isinstance(event, Frame)
        readings += [each for each in display.frame(event) if isinstance(each, Reading)]
    assert [(reading.device_s, isinstance(reading.values[0][1], Quantity)) for reading in readings] == [
        (1 / 3, True), (4 / 3, True), (7 / 3, True), (8 / 3, False), (11 / 3, False),
    ]  # fmt: skip


def test_a_counter_that_counts_tells_of_packets_lost_whole() -> None:
    display, framer, gaps = Display(), Framer(Nonin()), list[bool]()
    for counter in (1, 2, 3, 4, 5, 7, 8):
        for event in framer.feed(encode_packet(Format.TWO, Picture(), [0] * 25, counter)):
            assert isinstance(event, Frame)
            gaps += [each.gap for each in display.frame(event) if isinstance(each, Wave)]
    assert gaps == [False, False, False, False, False, True, False]


def test_a_counter_that_does_not_count_tells_of_nothing() -> None:
    display, framer, gaps = Display(), Framer(Nonin()), list[bool]()
    for counter in (1, 9, 3, 3, 250, 7, 8):
        for event in framer.feed(encode_packet(Format.TWO, Picture(), [0] * 25, counter)):
            assert isinstance(event, Frame)
            gaps += [each.gap for each in display.frame(event) if isinstance(each, Wave)]
    assert not any(gaps)


# ── SunTech and NMEA ─────────────────────────────────────────────────────────────────────────────


@given(noise=st.binary(max_size=70), answer=answers)
def test_a_module_is_understood_again_after_noise(noise: bytes, answer: bytes) -> None:
    assert frames(cut(Suntech, noise + answer * 40))[-2:] == [answer, answer]


@given(answer=answers, bit=st.integers(0, 200))
def test_a_bit_that_fell_over_makes_no_other_answer(answer: bytes, bit: int) -> None:
    spoilt = bytearray(answer)
    spoilt[bit // 8 % len(answer)] ^= 1 << bit % 8
    assert answer not in frames(cut(Suntech, bytes(spoilt)))
    assert all(len(raw) < len(answer) for raw in frames(cut(Suntech, bytes(spoilt))))


@given(noise=st.binary(max_size=70), text=sentences)
def test_a_receiver_is_understood_again_after_noise(noise: bytes, text: bytes) -> None:
    assert frames(cut(Nmea, noise + text * 3))[-6:] == [text[:-2], b"\r", b"\n"] * 2


@given(
    latitude=st.decimals(-90, 90, places=6),
    longitude=st.decimals(-180, 180, places=6),
    bit=st.integers(0, 7),
    place=st.integers(0, 1000),
)
def test_a_bit_that_fell_over_moves_nobody(
    latitude: Decimal, longitude: Decimal, bit: int, place: int
) -> None:
    where = f"{angle(latitude, 2, 'NS')},{angle(longitude, 3, 'EW')}"
    good = sentence(f"GPRMC,093000.00,A,{where},0.42,118.3,140326,,,A")
    (told,) = decode_gps([Chunk(good)]).places
    assert isinstance(told.position, Position)
    assert abs(told.position.latitude - latitude) < 1e-6
    assert abs(told.position.longitude - longitude) < 1e-6
    spoilt = bytearray(good[:-2])
    spoilt[place % len(spoilt)] ^= 1 << bit
    for other in decode_gps([Chunk(bytes(spoilt))]).places:
        assert other.position == told.position  # only the digits of the sum can be written in another case


def test_the_sum_is_the_exclusive_or() -> None:
    assert checksum(b"GPGSV,1,1,00") == 0x79


@pytest.mark.parametrize("format_", [Format.TWO, Format.SEVEN])
def test_a_packet_is_never_made_of_two(format_: Format) -> None:
    """The end of one and the first frame of the next are lost: as many frames are left as a packet has."""
    one = encode_packet(format_, Picture(heart_rate=72), [0] * 25)
    other = encode_packet(format_, Picture(heart_rate=180), [0] * 25)
    stream = one[:50] + b"\x00\x00" + other[5:] + one
    display, framer, readings = Display(), Framer(Nonin()), list[Reading]()
    for event in framer.feed(stream):
        told = display.frame(event) if isinstance(event, Frame) else display.gap()
        readings += [each for each in told if isinstance(each, Reading)]
    assert {reading.raw for reading in readings} == {one}
    assert {reading.raw for reading in decode_nonin([Chunk(stream)]).readings} == {one}


def rmc(second: int) -> bytes:
    return sentence(f"GPRMC,0930{second:02d},A,3335.0412,N,00735.2301,W,0.4,1.0,140326,,,A")


@pytest.mark.parametrize(
    ("seconds", "counted"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4]),
        ([1, 3, 5, 7], [1, 1, 1, 1]),
        ([1, 1, 2, 2, 3], [1, 1, 2, 2, 3]),
        ([5, 4, 5, 6], [1, 1, 2, 3]),
        ([1, 2, 50, 51, 52], [1, 2, 1, 2, 3]),
    ],
)
def test_seconds_count_while_they_follow_one_another(seconds: list[int], counted: list[int]) -> None:
    places = decode_gps([Chunk(rmc(second)) for second in seconds]).places
    assert [place.valid_s for place in places] == counted
    assert [place.steady_utc is not None for place in places] == [number >= 3 for number in counted]


def test_a_second_without_a_fix_begins_the_count_anew() -> None:
    lost = sentence("GPRMC,093003,V,,,,,,,140326,,,N")
    places = decode_gps([Chunk(rmc(1) + rmc(2) + lost + rmc(4) + rmc(5))]).places
    assert [place.valid_s for place in places] == [1, 2, 0, 1, 2]
