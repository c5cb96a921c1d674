"""The bare loop: a hundred thousand inputs for every kind there is; the long run asks for ten million.

No error that is not a refusal, no number that is none, no input that takes long, nothing that stays in
memory. ``QAFILA_FUZZ_KINDS`` names the kinds to be tried, with commas between; all without it.
"""

import gc
import os
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

import pytest

from drivers.decoding import Chunk, Decoded, Refused
from drivers.kinds import Medium
from drivers.registry import KINDS
from edge.vitals.codes import Code
from edge.vitals.quantity import Quantity, Unit
from edge.vitals.reading import Reading, Wave
from tests.drivers.mutations import RANDOM_BYTES, inputs, seeds_of

INPUTS: Final = int(os.environ.get("QAFILA_FUZZ_INPUTS", "100000"))
SEED: Final = int(os.environ.get("QAFILA_FUZZ_SEED", "20260314"))
TRIED: Final = [kind for kind in os.environ.get("QAFILA_FUZZ_KINDS", "").split(",") if kind]
SLOWEST_S: Final = 0.05
WARM_UP: Final = 500
"""Calls after which whatever is made once has been made: imported, cached, compiled."""
WATCHED: Final = 5_000
"""Inputs whose memory is watched; watching takes four times as long, so it is not done for all."""
GROWTH_BYTES: Final = 1_000_000 * WATCHED // 100_000
"""As much as makes a megabyte in a hundred thousand inputs."""
BLOCKS: Final = 1_000_000 // 512
"""And all inputs together leave no more than so many objects behind, the largest of which has 512 bytes.

Resident memory is no measure here: it moves by megabytes with the holes in the heap, while what is
allocated stays the same.
"""


FIRST_YEAR: Final = 2020
"""Before it no device of ours was set, so an earlier date is no date."""
LARGEST_SFLOAT: Final = 2048 * 10**7 * 8
"""The largest number that SFLOAT can say, of kPa in mmHg; whoever shifts bits wrongly is soon beyond it."""
LARGEST: Final = {Code.GLUCOSE: 2048 * 10**7 * 10**5}
"""And of kg/L in mg/dL."""


class Outcome(NamedTuple):
    """What a loop has seen."""

    slowest_s: float
    blocks: int
    readings: int
    refused: int


def hammer(decode: Callable[[Sequence[Chunk]], Decoded], tries: Iterable[list[Chunk]]) -> Outcome:
    """Decode everything, and check what must hold for any input."""
    slowest_s, readings, refused = 0.0, 0, 0
    before = 0
    for number, chunks in enumerate(tries):
        if number == WARM_UP:
            gc.collect()
            before = sys.getallocatedblocks()
        start_s = time.thread_time()
        decoded = decode(chunks)
        decoded.as_json("any")
        slowest_s = max(slowest_s, time.thread_time() - start_s)
        readings += len(decoded.readings)
        refused += len(decoded.refused)
        for reading in decoded.readings:
            check_reading(reading)
        for wave in decoded.waves:
            check_wave(wave)
    gc.collect()
    return Outcome(slowest_s, sys.getallocatedblocks() - before if before else 0, readings, refused)


def kept_bytes(decode: Callable[[Sequence[Chunk]], Decoded], tries: Sequence[list[Chunk]]) -> int:
    """What stays in memory, once everything that is made only once has been made."""
    for chunks in tries:
        decode(chunks).as_json("any")
    gc.collect()
    tracemalloc.start()
    try:
        for chunks in tries:
            decode(chunks).as_json("any")
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def check_reading(reading: Reading) -> None:
    assert reading.at is None or reading.at.year >= FIRST_YEAR
    for code, measured in reading.values:
        if isinstance(measured, Quantity):
            assert abs(measured.value) <= LARGEST.get(code, LARGEST_SFLOAT)
            assert code is not Code.OXYGEN_SATURATION or 0 <= measured.value <= 100
    for interval in reading.intervals_ms:
        assert interval.is_finite()
        assert interval >= 0


def check_wave(wave: Wave) -> None:
    assert wave.rate > 0
    assert all(-(2**31) <= sample < 2**31 for sample in wave.samples)


def checked(kind: str) -> Callable[[Sequence[Chunk]], Decoded]:
    """The codec of a kind, whose refusals must be of the bytes it was given."""
    stream = KINDS[kind].transport is Medium.SERIAL
    decode = KINDS[kind].decode

    def check(chunks: Sequence[Chunk]) -> Decoded:
        decoded = decode(chunks)
        end = 0
        total = sum(len(chunk.data) for chunk in chunks)
        for refused in decoded.refused:
            assert refused.code
            assert refused.offset >= 0
            assert refused.offset + refused.length <= total
            if stream:
                assert refused.offset >= end
                assert refused.length > 0
            end = refused.offset + refused.length
        return decoded

    return check


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """What other tests have left in memory is not searched while this one measures its own time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.fuzz
@pytest.mark.timeout(240 if INPUTS <= 100_000 else 0)
@pytest.mark.parametrize("kind", TRIED or list(KINDS))
def test_nothing_a_device_sends_raises_takes_long_or_stays_in_memory(kind: str) -> None:
    seen = hammer(checked(kind), inputs(kind, SEED, INPUTS))
    assert seen.slowest_s <= SLOWEST_S
    assert seen.blocks <= BLOCKS
    assert kept_bytes(KINDS[kind].decode, list(inputs(kind, SEED + 1, WATCHED))) <= GROWTH_BYTES
    assert seen.refused > INPUTS / 50  # the inputs were bad
    assert seen.readings > INPUTS / 50 or kind == "nmea-gps"  # and not only bad; places are no readings


# ── The loop itself ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_vectors_to_begin_with(kind: str) -> None:
    assert len(seeds_of(kind)) >= 10


def test_checksums_are_found_and_put_right_again() -> None:
    sentence = next(seed for seed in seeds_of("nmea-gps") if seed.raw.startswith(b"$GPRMC,093000.00,A"))
    changed = bytearray(sentence.raw.replace(b"093000", b"093001"))
    assert [refused.code for refused in KINDS["nmea-gps"].decode([Chunk(bytes(changed))]).refused]
    for repair in sentence.repairs:
        repair(changed)
    assert not KINDS["nmea-gps"].decode([Chunk(bytes(changed))]).refused
    for kind in ("nonin", "suntech-nibp", "creative-pc300", "viatom-pc60fw", "wellue-o2ring"):
        seeds = seeds_of(kind)
        assert sum(bool(seed.repairs) for seed in seeds) > len(seeds) / 3, kind


def test_the_same_seed_gives_the_same_inputs() -> None:
    assert list(inputs("sig-bp", 7, 500)) == list(inputs("sig-bp", 7, 500))
    assert list(inputs("sig-bp", 7, 500)) != list(inputs("sig-bp", 8, 500))
    assert sum(len(chunks) for chunks in inputs("sig-bp", 7, 501)) == 501


def some(count: int) -> list[list[Chunk]]:
    return [[Chunk(bytes(RANDOM_BYTES))]] * count


def test_the_loop_notices_an_error_that_is_no_refusal() -> None:
    def decode(chunks: Sequence[Chunk]) -> Decoded:
        return Decoded(refused=(Refused(0, chunks[0].data[999], "never"),))

    with pytest.raises(IndexError):
        hammer(decode, some(1))


def test_the_loop_notices_what_takes_long() -> None:
    def decode(_chunks: Sequence[Chunk]) -> Decoded:
        give_up_s = time.thread_time() + 2 * SLOWEST_S
        while time.thread_time() < give_up_s:
            pass
        return Decoded()

    assert hammer(decode, some(1)).slowest_s > SLOWEST_S


@pytest.mark.parametrize(("size", "many"), [(1_000, False), (40, True)])
def test_the_loop_notices_what_stays_in_memory(size: int, many: bool) -> None:
    kept: list[bytes] = []

    def decode(_chunks: Sequence[Chunk]) -> Decoded:
        kept.append(bytes(size + len(kept) % 7))
        return Decoded()

    if many:
        assert hammer(decode, some(4_000)).blocks > BLOCKS
    assert kept_bytes(decode, some(1_000)) > GROWTH_BYTES - 10_000


def test_the_loop_notices_a_saturation_that_is_none() -> None:
    over = Quantity(Decimal(127), Unit.PERCENT)
    with pytest.raises(AssertionError):
        hammer(lambda _: Decoded((Reading(((Code.OXYGEN_SATURATION, over),)),)), some(1))
