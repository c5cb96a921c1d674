"""A hundred thousand inputs, random and made by mutating good ones; the long run asks for more."""

import os
import random
import time
import tracemalloc
from collections.abc import Iterator
from typing import Final

import pytest

from drivers.codec.framing import LONGEST_GARBAGE, Frame, Framer
from drivers.decoding import Chunk
from drivers.devices.contec_cms50.codec import PACKET_LENGTHS, Contec, Generation, Report, decode, stuff
from drivers.devices.contec_cms50.display import Display, decode_chunks
from drivers.devices.contec_cms50.unit import Picture, encode
from edge.vitals.quantity import Quantity

INPUTS: Final = int(os.environ.get("QAFILA_FUZZ_INPUTS", "100000"))
SEED: Final = int(os.environ.get("QAFILA_FUZZ_SEED", "20260314"))
SLOWEST_S: Final = 0.05
HELD_BACK: Final = 2 * 9 + LONGEST_GARBAGE


def good(chance: random.Random) -> bytes:
    if chance.random() < 0.2:
        kind = chance.choice(list(PACKET_LENGTHS))
        return stuff(kind, chance.randbytes(PACKET_LENGTHS[kind] - 2))
    picture = Picture(
        saturation=chance.randrange(128),
        pulse=chance.randrange(256),
        perfusion=chance.choice([None, chance.randrange(0xFFFF)]),
        pleth=chance.randrange(128),
        beat=chance.random() < 0.1,
        finger_out=chance.random() < 0.1,
        searching=chance.random() < 0.1,
    )
    return encode(chance.choice(list(Generation)), picture)


def mutated(chance: random.Random) -> bytes:
    stream = bytearray(b"".join(good(chance) for _ in range(chance.randrange(1, 5))))
    for _ in range(chance.randrange(4)):
        place = chance.randrange(len(stream) + 1)
        match chance.randrange(4):
            case 0:
                stream[place:place] = chance.randbytes(chance.randrange(1, 10))
            case 1:
                del stream[place : place + chance.randrange(1, 10)]
            case 2 if place < len(stream):
                stream[place] ^= 1 << chance.randrange(8)
            case _:
                stream[place:place] = stream[max(0, place - 9) : place]
    return bytes(stream)


def inputs(seed: int, count: int) -> Iterator[tuple[bytes, int]]:
    """Bytes, and the size of the pieces in which they come."""
    chance = random.Random(seed)  # noqa: S311  a seed makes a failure repeatable
    for _ in range(count):
        data = chance.randbytes(chance.randrange(40)) if chance.random() < 0.5 else mutated(chance)
        yield data, chance.randrange(1, 40)


class Listener:
    """A stream that never ends, fed one input after the other."""

    def __init__(self, only: Generation | None) -> None:
        self.framer = Framer(Contec(only))
        self.display = Display()
        self.held = 0

    def hear(self, data: bytes, piece: int) -> None:
        for at in range(0, len(data), piece):
            self.held += len(data[at : at + piece])
            for event in self.framer.feed(data[at : at + piece]):
                self.held -= len(event.raw)
                report = decode(event) if isinstance(event, Frame) else None
                if isinstance(event, Frame) and report is not None:
                    self.display.packet(event, report)
                    self.check(report)
                else:
                    self.display.gap()
        assert 0 <= self.held <= HELD_BACK

    @staticmethod
    def check(report: Report) -> None:
        assert 0 <= report.pleth <= 127
        for measured, most in ((report.saturation, 100), (report.pulse, 254), (report.perfusion, 656)):
            assert not isinstance(measured, Quantity) or 0 <= measured.value <= most


@pytest.mark.fuzz
@pytest.mark.timeout(120 if INPUTS <= 100_000 else 0)
def test_nothing_a_device_sends_raises_an_error_or_takes_long() -> None:
    listeners = [Listener(None), *(Listener(only) for only in Generation)]
    slowest_s = 0.0
    for number, (data, piece) in enumerate(inputs(SEED, INPUTS)):
        start_s = time.thread_time()
        decoded = decode_chunks([Chunk(data)])
        decoded.as_json("contec-cms50")
        listeners[number % len(listeners)].hear(data, piece)
        slowest_s = max(slowest_s, time.thread_time() - start_s)
        assert sum(r.length for r in decoded.refused) + sum(len(r.raw) for r in decoded.readings) <= len(data)
    assert slowest_s <= SLOWEST_S


@pytest.mark.fuzz
def test_nothing_a_device_sends_stays_in_memory() -> None:
    listener = Listener(None)
    for data, piece in inputs(SEED + 1, 1_000):
        listener.hear(data, piece)
    tracemalloc.start()
    try:
        for data, piece in inputs(SEED + 2, 10_000):
            listener.hear(data, piece)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 50_000
    assert peak < 100_000
