"""Streams of the second wave: any chunking, any noise, both ends of every codec."""

import datetime
import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Final, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codec import crc8
from drivers.codec.creative import LONGEST, CreativeFrames, encode, message
from drivers.codec.creative_oximetry import encode_parameters, parameters
from drivers.codec.framing import Frame, Framer, Grammar, StreamEvent
from drivers.codec.gatt_time import DateTime
from drivers.codec.strip import Strip, on_the_skin
from drivers.codec.sync import to_next
from drivers.devices.berry_bci import codec as berry
from drivers.devices.creative_pc300 import codec as pc300
from drivers.devices.healthypi import codec as healthypi
from drivers.devices.healthypi.codec import FAKE_PRESSURE, Kind, OpenView
from drivers.devices.omron_hem import codec as omron
from drivers.devices.omron_hem import records
from drivers.devices.viatom_pc60fw import codec as pc60fw
from drivers.devices.wellue_o2ring import codec as o2ring
from edge.ports.driver import DeviceMisbehaved
from edge.vitals.codes import Code
from edge.vitals.quantity import Missing, Quantity

T = TypeVar("T")
u8: Final = st.integers(0, 255)
u16: Final = st.integers(0, 0xFFFF)
s16: Final = st.integers(-(2**15), 2**15 - 1)
s32: Final = st.integers(-(2**31), 2**31 - 1)

berry_packets: Final = st.builds(
    berry.Packet,
    saturation=st.integers(0, 127),
    pulse=u8,
    pleth=st.integers(0, 127),
    beat=st.booleans(),
    signal=st.integers(0, 15),
    bar=st.integers(0, 15),
    unplugged=st.booleans(),
    no_signal=st.booleans(),
    searching=st.booleans(),
    no_finger=st.booleans(),
)
sensors: Final = st.builds(o2ring.Sensors, u8, u16, st.integers(0, 2**32 - 1), u8, u8, u8, u8, u8)
boards: Final = st.one_of(
    st.tuples(s16, s16, s32, s32, u16, u8, u8, u8, u8).map(lambda n: healthypi.encode(Kind.V4, *n)),
    st.tuples(s32, s32, u8, s32, s32, s16, u8, u8, u8).map(lambda n: healthypi.encode(Kind.V5, *n)),
    st.tuples(*[s32] * 12, u8, u8).map(lambda n: healthypi.encode(Kind.V5_ECG, *n)),
    st.tuples(*[s16] * 8, s16, u8).map(lambda n: healthypi.encode(Kind.V5_PPG, *n)),
    st.tuples(s16, s16, u16, u16).map(lambda n: healthypi.encode(Kind.ADS1292R, *n)),
)
creatives: Final = st.builds(encode, u8, u8, st.binary(max_size=LONGEST - 2))
replies: Final = sensors.map(o2ring.encode_sensors) | st.builds(
    o2ring.Reply, u8, u16, st.binary(max_size=40)
).map(o2ring.encode_reply)

GRAMMARS: Final[dict[str, tuple[Callable[[], Grammar], st.SearchStrategy[bytes]]]] = {
    "berry": (berry.Packets, berry_packets.map(berry.encode)),
    "creative": (lambda: CreativeFrames({}), creatives),
    "o2ring": (o2ring.Replies, replies),
    "openview": (OpenView, boards),
}
HELD: Final = {"berry": 4, "creative": 4 + LONGEST, "o2ring": o2ring.LONGEST + 8, "openview": 57}
"""So many bytes at most wait to become a frame."""


def cut(grammar: Grammar, stream: bytes, *cuts: int) -> list[StreamEvent]:
    framer = Framer(grammar)
    edges = sorted({0, *(place % (len(stream) + 1) for place in cuts), len(stream)})
    events: list[StreamEvent] = []
    for start, end in itertools.pairwise(edges):
        events += framer.feed(stream[start:end])
    return [*events, *framer.finish()]


def frames(events: list[StreamEvent]) -> list[bytes]:
    return [event.raw for event in events if isinstance(event, Frame)]


def outcome(ask: Callable[..., T], *arguments: object) -> T | str:
    """What came of it, or the code for which it was refused."""
    try:
        return ask(*arguments)
    except DeviceMisbehaved as error:
        return error.stable_code


@st.composite
def spoiled(draw: st.DrawFn, good: st.SearchStrategy[bytes]) -> bytes:
    """Frames, parts of frames and noise."""
    parts = draw(st.lists(good | st.tuples(good, st.integers(0, 80)).map(_front) | st.binary(max_size=20)))
    return b"".join(parts)


def _front(given: tuple[bytes, int]) -> bytes:
    return given[0][: given[1]]


@pytest.mark.parametrize("name", GRAMMARS)
@given(data=st.data())
def test_where_a_stream_is_cut_changes_nothing_and_no_byte_is_lost(name: str, data: st.DataObject) -> None:
    make, good = GRAMMARS[name]
    stream = data.draw(spoiled(good))
    whole = cut(make(), stream)
    assert cut(make(), stream, *data.draw(st.lists(st.integers(0, 5000), max_size=30))) == whole
    assert cut(make(), stream, *range(len(stream))) == whole
    assert b"".join(event.raw for event in whole) == stream


@pytest.mark.parametrize("name", GRAMMARS)
@given(data=st.data())
def test_what_is_held_back_is_bounded(name: str, data: st.DataObject) -> None:
    make, good = GRAMMARS[name]
    stream = data.draw(spoiled(good))
    framer = Framer(make())
    given_up = 0
    for at in range(len(stream)):
        given_up += sum(len(event.raw) for event in framer.feed(stream[at : at + 1]))
        assert at + 1 - given_up <= HELD[name] + 64  # a stretch of garbage is handed on at 64


@pytest.mark.parametrize("name", GRAMMARS)
@given(data=st.data())
def test_in_step_again_after_any_noise_with_nothing_false_between(name: str, data: st.DataObject) -> None:
    """As many good frames as a false beginning can swallow are enough; after them every one is found."""
    make, good = GRAMMARS[name]
    noise = data.draw(st.binary(max_size=100))
    frame = data.draw(good)
    enough = HELD[name] // len(frame) + 2
    events = cut(make(), frame + noise + frame * (enough + 2))
    assert frames(events)[-2:] == [frame, frame]
    if name in {"creative", "o2ring"}:
        # a checksum of eight bits lets one damaged frame in 256 through; noise alone seldom looks like any
        assert len([each for each in frames(events) if each != frame]) <= 1


@given(packet=berry_packets)
def test_a_bci_packet_comes_back(packet: berry.Packet) -> None:
    assert berry.decode(Frame(berry.encode(packet))) == packet


@given(said=sensors)
def test_what_a_ring_feels_comes_back(said: o2ring.Sensors) -> None:
    (raw,) = frames(cut(o2ring.Replies(), o2ring.encode_sensors(said)))
    reply = o2ring.reply(Frame(raw))
    assert o2ring.is_sensors(reply)
    assert o2ring.decode_sensors(reply.data) == said


@given(
    records_=st.lists(st.builds(o2ring.Record, u8, u8, st.booleans(), u8, st.booleans()), max_size=20),
    every_s=st.sampled_from(o2ring.INTERVALS_S),
)
def test_a_file_comes_back_and_no_part_of_it_does(records_: list[o2ring.Record], every_s: int) -> None:
    file = o2ring.File(DateTime(2026, 3, 14, 9, 30, 15), every_s if records_ else 0, tuple(records_))
    raw = o2ring.encode_file(file)
    assert o2ring.decode_file(raw) == file
    for length in range(len(raw)):
        part = outcome(o2ring.decode_file, raw[:length])
        if isinstance(part, o2ring.File):  # half the lines over the same time: a file of the other interval
            assert part.every_s == 2 * every_s
            assert part.records == file.records[: len(part.records)]
        else:
            assert part == "bad-file"


@given(token=u8, type_=u8, data=st.binary(max_size=LONGEST - 2))
def test_a_creative_frame_comes_back(token: int, type_: int, data: bytes) -> None:
    (raw,) = frames(cut(CreativeFrames({}), encode(token, type_, data)))
    assert message(Frame(raw)) == (token, type_, data)


@given(saturation=u8, pulse=u16, tenths=u8, status=u8)
def test_no_oximeter_number_outlives_its_status(
    saturation: int, pulse: int, tenths: int, status: int
) -> None:
    data = encode_parameters((saturation, pulse, tenths))[:4] + bytes((status,))
    values = dict(parameters(data))
    if status & 0x06:
        assert all(isinstance(measured, Missing) for measured in values.values())
        return
    sent = {
        Code.OXYGEN_SATURATION: (saturation, 1 <= saturation <= 100, Decimal(saturation)),
        Code.PULSE_OXIMETER: (pulse, 1 <= pulse <= 300, Decimal(pulse)),
        Code.PERFUSION_INDEX: (tenths, tenths > 0, Decimal(tenths) / 10),
    }
    for code, (_, is_number, value) in sent.items():
        measured = values[code]
        assert isinstance(measured, Quantity) is is_number
        assert not isinstance(measured, Quantity) or measured.value == value


@given(said=st.builds(pc300.Pressures, st.integers(0, 0x7FFF), u8, u8, u8, st.booleans()))
def test_pressures_come_back(said: pc300.Pressures) -> None:
    (raw,) = frames(cut(pc300.frames(), pc300.encode_pressures(said)))
    assert pc300.decode_pressures(message(Frame(raw)).data) == said


@given(
    number=u8,
    samples=st.lists(st.integers(-2048, 2047), min_size=25, max_size=25),
    lead_off=st.booleans(),
)
def test_an_ecg_comes_back(number: int, samples: list[int], lead_off: bool) -> None:
    said = pc300.Ecg(number, tuple(samples), fine=True, lead_off=lead_off)
    (raw,) = frames(cut(pc300.frames(), pc300.encode_ecg(said)))
    assert pc300.decode_ecg(message(Frame(raw)).data) == said


@given(said=st.builds(pc300.Temperature, st.sampled_from(pc300.State), st.booleans(), u16))
def test_a_temperature_comes_back(said: pc300.Temperature) -> None:
    (raw,) = frames(cut(pc300.frames(), pc300.encode_temperature(said)))
    assert pc300.decode_temperature(message(Frame(raw)).data) == said


@given(level=st.integers(0, 3), values=st.tuples(u8, u16, u8))
def test_the_battery_of_a_pc60fw_comes_back(level: int, values: tuple[int, int, int]) -> None:
    for raw in (pc60fw.encode_battery(level), pc60fw.encode_oximetry(values, level=level)):
        assert frames(cut(pc60fw.frames(), raw)) == [raw]
        assert pc60fw.battery(message(Frame(raw))) == level


# ── OpenView has no checksum ─────────────────────────────────────────────────────────────────────


@given(frame=boards, lost=st.integers(5, 60), before=st.integers(1, 3))
def test_a_byte_lost_from_a_frame_costs_that_frame_alone(frame: bytes, lost: int, before: int) -> None:
    at = 5 + lost % (len(frame) - 7)
    damaged = frame[:at] + frame[at + 1 :]
    assert frames(cut(OpenView(), frame * before + damaged + frame * 6))[before:] in (
        [frame] * 6,
        [frame] * 5,  # where what is left of it reaches into the next
    )


@given(frame=boards, place=st.integers(5, 60), byte=u8, before=st.integers(1, 3))
def test_a_byte_added_to_a_frame_costs_that_frame_alone(
    frame: bytes, place: int, byte: int, before: int
) -> None:
    at = 5 + place % (len(frame) - 7)
    damaged = frame[:at] + bytes((byte,)) + frame[at:]
    if damaged[: len(frame)] == frame:
        return  # nothing was changed but what follows
    found = frames(cut(OpenView(), frame * before + damaged + frame * 6))[before:]
    assert [each for each in found if each != frame] == [] or damaged[
        len(frame) - 2 : len(frame)
    ] == b"\0\x0b"


@given(numbers=st.tuples(s16, s16, s32, s32, u16, u8, u8, u8, u8), fake=st.binary(min_size=2, max_size=2))
def test_the_constants_of_a_v4_change_nothing(numbers: tuple[int, ...], fake: bytes) -> None:
    raw = healthypi.encode(Kind.V4, *numbers)
    other = raw[:22] + fake + raw[24:]
    assert raw[22:24] == FAKE_PRESSURE
    assert healthypi.decode(Frame(raw)) == healthypi.decode(Frame(other))


def test_a_board_that_changes_its_end_is_believed_the_fifth_time() -> None:
    full = healthypi.encode(Kind.ADS1292R, 1, 2, 70, 15)
    short = healthypi.encode(Kind.ADS1292R, 1, 2, 70, 15, short=True)
    assert frames(cut(OpenView(), full + short * 7)) == [full, short, short, short]
    assert frames(cut(OpenView(), (full + short * 4) * 3)) == [full] * 3
    assert frames(cut(OpenView(), short * 2 + full * 6)) == [short, short, full, full]


# ── Omron's memory ───────────────────────────────────────────────────────────────────────────────

kept: Final = st.builds(
    records.Record,
    systolic=st.integers(25, 280),
    diastolic=u8,
    pulse=u8,
    at=st.datetimes(
        min_value=datetime.datetime(2000, 1, 1),  # noqa: DTZ001  a cuff's clock has no zone
        max_value=datetime.datetime(2063, 12, 31),  # noqa: DTZ001  as above
    ).map(DateTime.of),
    moved=st.booleans(),
    irregular=st.booleans(),
)


@given(record=kept, layout=st.sampled_from([records.BIG, records.LITTLE]))
def test_a_record_comes_back(record: records.Record, layout: records.Layout) -> None:
    raw = records.encode_record(record, layout)
    assert len(raw) == layout.size
    assert records.decode_record(raw, layout) == record


@given(raw=st.binary(max_size=20), layout=st.sampled_from([records.BIG, records.LITTLE]))
def test_any_slot_is_a_record_nothing_or_refused(raw: bytes, layout: records.Layout) -> None:
    record = outcome(records.decode_record, raw, layout)
    assert (record is None) == (raw == b"\xff" * layout.size)
    if isinstance(record, records.Record):
        assert 2000 <= records.time_of(record).year <= 2063
    else:
        assert record in {None, "bad-record"}


@given(type_=st.sampled_from(omron.Type), address=u16, data=st.binary(max_size=56))
def test_a_packet_comes_back_over_its_channels(type_: omron.Type, address: int, data: bytes) -> None:
    said = omron.Packet(type_ | 0x8000, address, data)
    parts = omron.padded(omron.encode_packet(said))
    assert {len(part) for part in parts} == {omron.CHANNEL_BYTES}
    for order in (list(enumerate(parts)), list(enumerate(parts))[::-1]):
        assembler = omron.Assembler()
        found = [assembler.take(channel, part) for channel, part in order]
        assert found == [*[None] * (len(parts) - 1), said]
        assert not assembler.waiting


@given(raw=st.lists(st.tuples(st.integers(0, 5), st.binary(max_size=20)), max_size=40))
def test_no_value_on_any_channel_makes_anything_but_a_packet_or_a_refusal(
    raw: list[tuple[int, bytes]],
) -> None:
    assembler = omron.Assembler()
    for channel, value in raw:
        packet = outcome(assembler.take, channel, value)
        if isinstance(packet, omron.Packet):
            assert len(packet.data) <= 56
        else:
            assert packet in {None, "bad-checksum", "bad-length", "channel-out-of-order", "frame-too-short"}


@pytest.mark.parametrize("model", records.MODELS, ids=lambda model: model.name)
def test_every_block_of_a_model_is_read_once_and_its_layout_is_known(model: records.Model) -> None:
    blocks = model.blocks()
    assert len(blocks) == len(set(blocks))
    assert len(blocks) * model.layout.block == len(model.users) * model.count * model.layout.size
    assert {records.layout_at(block, model.layout.block) for block in blocks} == {model.layout}


def test_no_stretch_of_memory_is_whole_records_of_both_layouts() -> None:
    for length in range(1, 57):
        for address in range(0x1000):
            found = {model.layout for model in records.MODELS if model.has(address, length)}
            assert len(found) <= 1


# ── Shared parts ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("checksum", "expected"), [(crc8.maxim, 0xA1), (crc8.ccitt, 0xF4)], ids=["maxim", "ccitt"]
)
def test_a_checksum_is_that_of_the_catalogue(checksum: Callable[[bytes], int], expected: int) -> None:
    """The check values of CRC-8/MAXIM-DOW and CRC-8/SMBUS in Greg Cook's catalogue."""
    assert checksum(b"123456789") == expected
    assert checksum(b"123456789" + bytes((expected,))) == 0


@given(
    raw=st.lists(st.sampled_from(b"\xaa\x55\x0a\xfa\x00"), min_size=1, max_size=30).map(bytes),
    sync=st.sampled_from([b"\xaa\x55", b"\x0a\xfa", b"\x55"]),
)
def test_nothing_that_may_begin_a_frame_is_given_up(raw: bytes, sync: bytes) -> None:
    length = to_next(raw, 0, len(raw), sync)
    assert 1 <= length <= len(raw)
    given_up, left = raw[1:length], raw[length:]
    assert sync not in raw[1 : length + len(sync) - 1]
    assert not left or left.startswith(sync) or sync.startswith(left)
    assert not any(given_up[at:] + left == sync[: len(given_up[at:] + left)] for at in range(len(given_up)))


@given(
    parts=st.lists(
        st.tuples(st.lists(st.integers(-9, 9), max_size=5), st.booleans(), st.booleans()), max_size=20
    ),
    size=st.integers(1, 12),
)
def test_every_sample_of_a_strip_comes_out_once_in_order_and_marked(
    parts: list[tuple[list[int], bool, bool]], size: int
) -> None:
    strip = Strip(Code.ECG, None, Decimal(125), size)
    waves = []
    for samples, off, lost in parts:
        waves += strip.lost() if lost else []
        waves += strip.add(samples, off=off)
    waves += strip.end()
    assert [sample for wave in waves for sample in wave.samples] == [
        sample for samples, _, _ in parts for sample in samples
    ]
    assert [sample for wave in on_the_skin(waves) for sample in wave.samples] == [
        sample for samples, off, _ in parts if not off for sample in samples
    ]
    assert sum(wave.gap for wave in waves) <= sum(lost for _, _, lost in parts)


def test_garbage_in_a_strip_is_a_gap_before_what_follows() -> None:
    strip = Strip(Code.ECG, None, Decimal(125), 10)
    strip.add([1, 2])
    (before,) = strip.lost()
    strip.add([3])
    (after,) = strip.end()
    assert (before.gap, after.gap) == (False, True)
