"""A hundred thousand values for each Bluetooth kind, random and made by mutating good ones."""

import gc
import os
import random
import time
from collections.abc import Iterator, Sequence
from typing import Final

import pytest

from drivers.codec import uuids
from drivers.decoding import Chunk
from drivers.registry import KINDS
from edge.vitals.codes import Code
from edge.vitals.quantity import Quantity

INPUTS: Final = int(os.environ.get("QAFILA_FUZZ_INPUTS", "100000"))
SEED: Final = int(os.environ.get("QAFILA_FUZZ_SEED", "20260314"))
SLOWEST_S: Final = 0.05
MORE: Final = 40

GOOD: Final[dict[str, Sequence[tuple[str | None, bytes]]]] = {
    "sig-bp": (
        (None, bytes.fromhex("1E79005100 5E00EA07030E09051E44000100 00")),
        (None, bytes.fromhex("01A1F06BF07DF0")),
        (None, bytes.fromhex("16FF07FF07FF07EA07030E090702FF070200")),
        (uuids.INTERMEDIATE_CUFF_PRESSURE, bytes.fromhex("009800FF07FF07")),
        (uuids.BLOOD_PRESSURE_FEATURE, bytes.fromhex("0700")),
    ),
    "polar-h10": (
        (None, bytes.fromhex("0000601962C3515208000C0000DDFFFFA304006EFEFF000000")),
        (None, bytes.fromhex("0000601962C351520800") + bytes(219)),
        (uuids.HEART_RATE_MEASUREMENT, bytes.fromhex("104852034803")),
        (uuids.POLAR_CONTROL_POINT, bytes.fromhex("F001000000000182000101 0E00")),
        (uuids.POLAR_CONTROL_POINT, bytes.fromhex("0F0500")),
    ),
}


def value(chance: random.Random, good: Sequence[tuple[str | None, bytes]]) -> Chunk:
    characteristic, raw = chance.choice(good)
    if chance.random() < 0.4:
        return Chunk(chance.randbytes(chance.randrange(MORE)), characteristic)
    changed = bytearray(raw)
    for _ in range(chance.randrange(4)):
        place = chance.randrange(len(changed) + 1)
        match chance.randrange(4):
            case 0:
                changed[place:place] = chance.randbytes(chance.randrange(1, 10))
            case 1:
                del changed[place : place + chance.randrange(1, 10)]
            case 2 if place < len(changed):
                changed[place] ^= 1 << chance.randrange(8)
            case _:
                del changed[place:]
    return Chunk(bytes(changed), characteristic)


def whole_bytes(quantity: Quantity, code: Code) -> bool:
    """No number is beyond what the format can say: a special mantissa would be, at exponent 0."""
    return abs(quantity.value) <= (65535 if code is Code.HEART_RATE else 2048 * 10**7 * 8)


def check(kind: str, chunks: list[Chunk]) -> None:
    decoded = KINDS[kind].decode(chunks)
    decoded.as_json(kind)
    sizes = {len(chunk.data) for chunk in chunks}
    assert all(refused.length in sizes for refused in decoded.refused)
    assert len(decoded.readings) + len(decoded.refused) <= len(chunks)
    for reading in decoded.readings:
        for code, measured in reading.values:
            assert not isinstance(measured, Quantity) or whole_bytes(measured, code)
        assert reading.at is None or reading.at.year >= 2020
    for wave in decoded.waves:
        assert all(-(2**23) <= sample < 2**23 for sample in wave.samples)
        assert wave.rate > 0


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """What other tests have left in memory is not searched while this one measures its own time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.fuzz
@pytest.mark.timeout(120 if INPUTS <= 100_000 else 0)
@pytest.mark.parametrize("kind", GOOD)
def test_nothing_a_device_sends_raises_an_error_or_takes_long(kind: str) -> None:
    chance = random.Random(SEED)  # noqa: S311  a seed makes a failure repeatable
    slowest_s = 0.0
    left = INPUTS
    while left > 0:
        chunks = [value(chance, GOOD[kind]) for _ in range(min(left, chance.randrange(1, 5)))]
        left -= len(chunks)
        start_s = time.thread_time()
        check(kind, chunks)
        slowest_s = max(slowest_s, time.thread_time() - start_s)
    assert slowest_s <= SLOWEST_S
