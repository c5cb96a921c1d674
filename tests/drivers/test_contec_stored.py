"""What a CMS50 keeps: read, timed, fetched from either generation, and never deleted."""

import asyncio
import datetime
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codec.framing import Frame, Framer
from drivers.decoding import Chunk
from drivers.devices.contec_cms50 import driver as driver_module
from drivers.devices.contec_cms50.codec import (
    OLD_SEND_STORED,
    OLD_STOP_STORED,
    Command,
    Contec,
    Generation,
    Packet,
    command,
    decode,
    stuff,
)
from drivers.devices.contec_cms50.display import decode_chunks
from drivers.devices.contec_cms50.driver import make
from drivers.devices.contec_cms50.memory import FIRST_START, Kept
from drivers.devices.contec_cms50.stored import Download, Segment
from drivers.devices.contec_cms50.unit import Unit
from drivers.kinds import DriverContext
from drivers.simulation.pulse import Pulse
from edge.ports.driver import ClearsMemory, DeviceEvent
from edge.vitals.quantity import Missing, Quantity
from edge.vitals.reading import Reading
from tests.drivers.terminals import simulator

FIVE: Final = bytes.fromhex("8635064A61")
MARKS: Final = bytes.fromhex("F28000F28000F28000")
TIMES: Final = bytes.fromhex("07808080949A838D1280808096808080")
"""User 0, segment 0: 2026-03-13, 22:00:00."""


def unit_with(generation: Generation, *seconds: int, perfusion: bool = False) -> Unit:
    unit = Unit(generation, Pulse(1), seed=1, perfusion=perfusion)
    for each in seconds:
        unit.record(each)
    return unit


class Fetching:
    """A download from a unit, with nothing between them but what a test puts there."""

    def __init__(self, unit: Unit, had: frozenset[bytes] = frozenset()) -> None:
        self.now_s = 0.0
        self.unit = unit
        self.download = Download(unit.generation, had, 0.0)
        self.framer = Framer(Contec(only=unit.generation))
        self.asked: list[bytes] = []
        self.spoil: dict[int, bytes] = {}
        """What comes instead of the n-th bytes that the unit sends by itself."""
        self._sent = 0

    def run(self, seconds: float = 60.0) -> list[Segment]:
        end_s = self.now_s + seconds
        while not self.download.done and self.now_s < end_s:
            for asked in self.download.due(self.now_s):
                self.asked.append(asked)
                self._hear(self.unit.hear(asked, self.now_s))
            self.now_s += 1 / 60
            sent = self.unit.stream(1, self.now_s)
            if sent:
                self._sent += 1
                sent = self.spoil.get(self._sent, sent)
            self._hear(sent)
        assert self.download.done
        self.asked += self.download.due(self.now_s)
        return self.download.segments

    def _hear(self, data: bytes) -> None:
        for event in self.framer.feed(data):
            if not isinstance(event, Frame):
                self.download.lose(self.now_s)
            elif decode(event) is None:
                self.download.hear(event, self.now_s)


def readings(segments: list[Segment]) -> list[Reading]:
    return [reading for segment in segments for reading in segment.readings()]


# ── Bytes ────────────────────────────────────────────────────────────────────────────────────────


def test_seconds_behind_the_beginning_of_their_segment_have_their_time() -> None:
    stored = stuff(Packet.STORED, bytes([97, 65, 97, 66, 96, 131]))
    decoded = decode_chunks([Chunk(TIMES), Chunk(stored), Chunk(stored)])
    assert [reading.at for reading in decoded.readings] == [
        FIRST_START + datetime.timedelta(seconds=second) for second in range(6)
    ]
    assert decoded.refused == ()
    assert all(reading.flags == ("stored",) and reading.stored for reading in decoded.readings)


def test_behind_lost_bytes_no_second_has_a_time() -> None:
    stored = stuff(Packet.STORED, bytes([97, 65, 97, 66, 96, 131]))
    decoded = decode_chunks([Chunk(TIMES + stored + stored[:5] + stored)])
    assert [reading.at is None for reading in decoded.readings] == [False] * 3 + [True] * 3
    assert len(decoded.refused) == 1


@pytest.mark.parametrize("date", ["00 00 13 13 02 0E", "00 00 14 00 01 01", "00 00 14 1A 0D 01"])
def test_a_clock_that_cannot_be_believed_gives_no_time(date: str) -> None:
    packets = stuff(Packet.SEGMENT_DATE, bytes.fromhex(date)) + stuff(
        Packet.SEGMENT_TIME, bytes.fromhex("000009000000")
    )
    (*_, reading) = decode_chunks([Chunk(packets + stuff(Packet.STORED, bytes([97, 65] * 3)))]).readings
    assert reading.at is None
    assert "device-time-implausible" in reading.flags


def test_what_a_five_byte_unit_keeps_stands_between_its_real_time_data() -> None:
    kept = bytes.fromhex("F0CA61F18462F08000F0FF7F")
    stream = FIVE * 2 + MARKS + bytes.fromhex("80800B") + kept + FIVE * 2
    decoded = decode_chunks([Chunk(stream)])
    assert decoded.refused == ()
    told = [
        tuple(str(said.value) if isinstance(said, Quantity) else said.why.value for _, said in reading.values)
        for reading in decoded.readings
        if reading.stored
    ]
    assert told == [("97", "74"), ("98", "132"), ("not-measured", "not-measured"), ("invalid", "127")]
    assert all(reading.at is None for reading in decoded.readings)
    assert len(decoded.readings) == 8


streams: Final = st.lists(
    st.sampled_from([FIVE, MARKS, MARKS[:3], MARKS + bytes.fromhex("80800B"), bytes.fromhex("F0CA61"), TIMES])
    | st.binary(max_size=8),
    max_size=12,
).map(b"".join)


@given(
    stream=streams, cuts=st.lists(st.integers(0, 200), max_size=20), only=st.sampled_from([None, *Generation])
)
def test_any_chunking_gives_the_same_events(stream: bytes, cuts: list[int], only: Generation | None) -> None:
    framer = Framer(Contec(only))
    whole = [*framer.feed(stream), *framer.finish()]
    framer = Framer(Contec(only))
    edges = sorted({0, *(place % (len(stream) + 1) for place in cuts), len(stream)})
    pieces = [event for start, end in itertools.pairwise(edges) for event in framer.feed(stream[start:end])]
    assert [*pieces, *framer.finish()] == whole
    assert b"".join(event.raw for event in whole) == stream


# ── Fetching ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("perfusion", [False, True])
def test_all_segments_of_a_nine_byte_unit_come_oldest_first(perfusion: bool) -> None:
    fetching = Fetching(unit_with(Generation.NINE_BYTE, 31, 12, 7, perfusion=perfusion))
    segments = fetching.run()
    assert [len(segment.seconds) for segment in segments] == [31, 12, 7]
    told = readings(segments)
    times = [reading.at for reading in told if reading.at is not None]
    assert len(times) == len(told) == 28 + 11 + 7  # every tenth second has no reading
    assert times == sorted(times)
    assert times[0] == FIRST_START
    assert times[-1] == FIRST_START + datetime.timedelta(hours=2, seconds=6)
    assert {len(reading.values) for reading in told} == {3 if perfusion else 2}
    assert len({reading.record for reading in told}) == len(told)
    assert all(not isinstance(said, Missing) for reading in told for _, said in reading.values[:2])
    assert fetching.download.whole == {segment.key for segment in segments}
    assert fetching.asked[0] == command(Command.STOP)
    assert fetching.asked[-1] == command(Command.START)


def test_all_that_a_five_byte_unit_keeps_comes_without_a_time() -> None:
    fetching = Fetching(unit_with(Generation.FIVE_BYTE, 31, 12))
    (segment,) = fetching.run()
    told = readings([segment])
    assert len(segment.seconds) == 43
    assert len(told) == 28 + 11
    assert {reading.at for reading in told} == {None}
    assert {reading.flags for reading in told} == {("stored", "time-unknown")}
    assert len({reading.record for reading in told}) == len(told)
    assert fetching.asked == [OLD_SEND_STORED, OLD_STOP_STORED]


@pytest.mark.parametrize("generation", list(Generation))
def test_a_unit_that_keeps_nothing_is_soon_done(generation: Generation) -> None:
    fetching = Fetching(unit_with(generation))
    assert fetching.run() == []
    assert fetching.now_s < 2.5


@pytest.mark.parametrize("generation", list(Generation))
def test_nothing_is_ever_deleted(generation: Generation) -> None:
    unit = unit_with(generation, 5, 5)
    fetching = Fetching(unit)
    fetching.run()
    assert len(unit.memory.segments) == 2
    assert not any(asked[:3] == bytes.fromhex("7D81AE") for asked in fetching.asked)
    assert not isinstance(make(DriverContext("o", "/nowhere")), ClearsMemory)


@pytest.mark.parametrize("generation", list(Generation))
def test_what_was_had_is_known_again_and_not_fetched_or_not_kept(generation: Generation) -> None:
    unit = unit_with(generation, 20, 10)
    first = Fetching(unit)
    first.run()
    again = Fetching(unit, frozenset(first.download.whole))
    assert again.run() == []
    second = Fetching(unit)
    assert [reading.record for reading in readings(second.run())] == [
        reading.record for reading in readings(first.download.segments)
    ]


@pytest.mark.parametrize("generation", list(Generation))
def test_what_is_recorded_later_leaves_the_records_before_as_they_are(generation: Generation) -> None:
    before = readings(Fetching(unit_with(generation, 20)).run())
    after = readings(Fetching(unit_with(generation, 20, 10)).run())
    assert [reading.record for reading in after[: len(before)]] == [reading.record for reading in before]
    assert len(after) > len(before)


def test_a_transfer_that_lost_bytes_is_asked_for_again() -> None:
    unit = unit_with(Generation.NINE_BYTE, 900)
    fetching = Fetching(unit)
    fetching.spoil[2] = b"\x0f\x80\xe1\x0f\x00"
    (segment,) = fetching.run()
    assert len(segment.seconds) == 900
    assert fetching.download.whole == {segment.key}
    assert fetching.asked.count(command(Command.SEND_STORED, 0, 0)) == 2


def test_what_is_lost_each_time_is_missing_and_asked_for_again_the_next_time() -> None:
    unit = unit_with(Generation.NINE_BYTE, 900)
    fetching = Fetching(unit)
    fetching.spoil = {4: b"\xff\x00", 6: b"\xff\x00"}  # in the middle, and then at the beginning
    (segment,) = fetching.run()
    assert 200 < len(segment.seconds) < 250
    assert fetching.download.whole == set()
    expected = [reading.at for reading in readings([segment])]
    assert expected == sorted(at for at in expected if at)  # those before the loss, with their times


def test_a_transfer_that_is_too_short_gives_no_second_a_time() -> None:
    fetching = Fetching(unit_with(Generation.NINE_BYTE, 900))
    fetching.spoil = {3: b"", 17: b""}  # whole packets, so that nothing looks wrong
    assert fetching.run() == []
    assert fetching.download.whole == set()


def test_a_unit_that_stops_answering_is_left_in_peace() -> None:
    class Deaf(Unit):
        def hear(self, data: bytes, now_s: float) -> bytes:
            del data, now_s
            return b""

    for generation in Generation:
        fetching = Fetching(Deaf(generation, Pulse(1), seed=1))
        assert fetching.run() == []
        assert fetching.now_s < 3


def test_a_length_that_is_none_is_no_memory() -> None:
    download = Download(Generation.FIVE_BYTE, frozenset(), 0.0)
    assert download.due(0.0) == [OLD_SEND_STORED]
    for raw in (*[bytes.fromhex("F28000")] * 3, bytes.fromhex("80800A"), bytes.fromhex("F0CA61")):
        download.hear(Frame(raw), 0.1)
    assert download.due(0.2) == [OLD_STOP_STORED]
    assert (download.done, download.segments) == (True, [])


def test_a_day_fits_and_more_than_a_unit_can_hold_is_not_waited_for() -> None:
    unit = Unit(Generation.NINE_BYTE, Pulse(1), seed=1)
    unit.memory.segments.append(Kept(FIRST_START, (b"\x61\x41",) * 600_000))
    unit.record(3)
    (segment,) = Fetching(unit).run(600)
    assert len(segment.seconds) == 3


# ── In a session ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("generation", ["new", "old"])
async def test_a_unit_without_a_finger_is_asked_for_what_it_keeps_and_goes_on(
    tmp_path: Path, generation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_module, "IDLE_S", 0.5)
    options = ("--generation", generation, "--stored", "30", "--stored", "20", "--speed", "5", "--no-pi")
    driver = make(DriverContext("o", str(tmp_path / "port")))
    for again in (False, True):  # the second time all is known, and nothing is handed on twice
        told: list[Reading] = []
        with simulator(tmp_path / "port", *options) as unit:
            async with asyncio.timeout(60), driver.session() as events:
                live = 0
                async for event in events:
                    if not isinstance(event, Reading):
                        continue
                    if event.stored:
                        told.append(event)
                    live = 0 if event.stored else live + 1
                    if live == 20:
                        break
                unit.say("finger on")
                while True:
                    event = await anext(events)
                    if isinstance(event, Reading) and isinstance(event.values[0][1], Quantity):
                        break
        assert event.stored is False
        times = [reading.at for reading in told]
        if again:
            assert told == []
        else:
            assert len(told) == 27 + 18
            assert times == ([None] * 45 if generation == "old" else sorted(at for at in times if at))


async def test_a_unit_on_a_finger_is_not_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_module, "IDLE_S", 0.3)
    options = ("--stored", "30", "--finger", "on", "--speed", "5")
    with simulator(tmp_path / "port", *options):
        async with asyncio.timeout(60), make(DriverContext("o", str(tmp_path / "port"))).session() as events:
            told = [event async for event in _first(events, 30)]
    assert not any(reading.stored for reading in told)


async def _first(events: AsyncIterator[DeviceEvent], count: int) -> AsyncIterator[Reading]:
    async for event in events:
        if isinstance(event, Reading):
            yield event
            count -= 1
            if not count:
                return
