"""How fast bytes are decoded: every kind on its own vectors, and a long stream as the agent hears it.

A vector is decoded by a call of its own, as ``devices decode`` does it, so a stream pays for its framer
each time; the long stream of the Contec shows what is left of that.

No goal stands in the design for it. For scale: a five-byte unit sends 300 bytes a second, a nine-byte
unit 540, and the fastest serial device planned for, 250 samples a second of ECG, about 8,000.
"""

import time
from typing import Any, Final

from drivers.codec.framing import Frame, Framer
from drivers.decoding import Chunk
from drivers.devices.contec_cms50.codec import Contec, Generation, decode
from drivers.devices.contec_cms50.display import Display
from drivers.devices.contec_cms50.unit import Unit
from drivers.registry import KINDS
from drivers.simulation.pulse import Pulse
from tests.drivers.mutations import seeds_of

PACKETS: Final = 100_000
PIECE: Final = 256
MEASURED_S: Final = 0.2


def _stream(generation: Generation, *, noisy: bool) -> bytes:
    unit = Unit(generation, Pulse(7), seed=7)
    unit.finger = True
    unit.noisy = noisy
    if generation is Generation.NINE_BYTE:
        unit.hear(bytes.fromhex("7D81A1808080808080"), 0)
    return unit.stream(PACKETS, 0)


def _megabytes_a_second(stream: bytes) -> float:
    framer, display = Framer(Contec()), Display()
    start_s = time.perf_counter()
    for at in range(0, len(stream), PIECE):
        for event in framer.feed(stream[at : at + PIECE]):
            report = decode(event) if isinstance(event, Frame) else None
            if isinstance(event, Frame) and report is not None:
                display.packet(event, report)
            else:
                display.gap()
    return len(stream) / (time.perf_counter() - start_s) / 1e6


def _each_kind(kind: str) -> dict[str, Any]:
    decode_kind = KINDS[kind].decode
    good = [
        chunks
        for seed in seeds_of(kind)
        if not decode_kind(chunks := [Chunk(seed.raw, seed.characteristic)]).refused
    ]
    size = sum(len(chunk.data) for chunks in good for chunk in chunks)

    def bytes_a_second() -> float:
        rounds, start_s = 0, time.perf_counter()
        while time.perf_counter() - start_s < MEASURED_S:
            rounds += 1
            for chunks in good:
                decode_kind(chunks)
        return rounds * size / (time.perf_counter() - start_s)

    return {
        "name": f"decode {kind}, {len(good)} vectors of {size / len(good):.0f} bytes, one by one",
        "value": round(max(bytes_a_second() for _ in range(3)) / 1e3, 1),
        "unit": "kB/s",
        "goal": "",
    }


def run() -> list[dict[str, Any]]:
    """Rows for the table of ``make bench``."""
    return [_each_kind(kind) for kind in KINDS] + [
        {
            "name": f"decode contec-cms50 {generation.value}, {'a bad cable' if noisy else 'a good cable'}",
            "value": round(max(_megabytes_a_second(stream) for _ in range(3)), 2),
            "unit": "MB/s",
            "goal": "",
        }
        for generation in Generation
        for noisy in (False, True)
        for stream in [_stream(generation, noisy=noisy)]
    ]
