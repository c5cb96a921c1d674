"""How fast streams are decoded: bytes in, readings and pleth out, a hundred thousand packets of each kind.

No goal stands in the design for it. For scale: a five-byte unit sends 300 bytes a second, a nine-byte
unit 540, and the fastest serial device planned for, 250 samples a second of ECG, about 8,000.
"""

import time
from typing import Any, Final

from drivers.codec.framing import Frame, Framer
from drivers.devices.contec_cms50.codec import Contec, Generation, decode
from drivers.devices.contec_cms50.display import Display
from drivers.devices.contec_cms50.unit import Unit
from drivers.simulation.pulse import Pulse

PACKETS: Final = 100_000
PIECE: Final = 256


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


def run() -> list[dict[str, Any]]:
    """Rows for the table of ``make bench``."""
    return [
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
