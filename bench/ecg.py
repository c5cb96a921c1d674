"""Every recording at hand through the chest strap's path: resampled, framed, decoded, followed.

The shipped excerpt is always there. The whole records of the MIT-BIH and PTB databases (PhysioNet; Moody
& Mark 2001, Bousseljot et al. 1995, Goldberger et al. 2000; ODC-By 1.0) are replayed where
``QAFILA_ECG`` names their folder, or where ``../shared/ecg`` is.
"""

import array
import gzip
import os
import sys
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from drivers.devices.polar_h10.codec import EcgFrame, decode_ecg, encode_ecg
from drivers.devices.polar_h10.readings import Strip
from drivers.simulation.ecg import Heart, resampled

RATE: Final = 130
FRAME_SAMPLES: Final = 73
LONGEST_S: Final = 120
"""Of each record; the path has no memory that a longer one would show."""
_FRAME_NS: Final = FRAME_SAMPLES * 1_000_000_000 // RATE


def run() -> list[dict[str, Any]]:
    """Seconds of ECG through frame, decoder and strip in a second of CPU; each sample compared."""
    rows = [_row("shipped excerpt", Heart(RATE).microvolts)]
    for name, recorded, rate, microvolts_per_unit in _records():
        samples = resampled(recorded, Fraction(RATE, rate))
        rows.append(_row(name, [round(microvolts_per_unit * sample) for sample in samples]))
    if len(rows) == 1:
        print("the whole recordings are not on this machine: only the shipped excerpt", file=sys.stderr)
    return rows


def _row(name: str, microvolts: Sequence[int]) -> dict[str, Any]:
    whole = len(microvolts) - len(microvolts) % FRAME_SAMPLES
    pieces = [tuple(microvolts[at : at + FRAME_SAMPLES]) for at in range(0, whole, FRAME_SAMPLES)]
    frames = [encode_ecg(EcgFrame((number + 1) * _FRAME_NS, piece)) for number, piece in enumerate(pieces)]
    strip = Strip()
    began = time.process_time()
    waves = [strip.frame(decode_ecg(frame)) for frame in frames]
    took_s = time.process_time() - began
    assert all(wave is not None and tuple(wave.samples) == piece and not wave.gap
               for wave, piece in zip(waves, pieces, strict=True)), name  # fmt: skip
    return {"name": f"{name}, decoded", "value": whole / RATE / took_s, "unit": "s ECG/CPU s", "goal": ""}


def _records() -> Iterator[tuple[str, Sequence[int], int, float]]:
    """Name, samples of one lead, rate, microvolts a unit; at most two minutes of each."""
    folder = Path(os.environ.get("QAFILA_ECG", Path(__file__).parents[2] / "shared" / "ecg"))
    for path in sorted(folder.glob("*.i16.gz")):
        values = array.array("h", gzip.decompress(path.read_bytes()))
        if sys.byteorder == "big":
            values.byteswap()
        if path.name.startswith("ptb"):
            yield path.name.removesuffix(".i16.gz"), values[::12][: LONGEST_S * 1000], 1000, 0.5
        else:
            yield path.name.removesuffix(".i16.gz"), values[: LONGEST_S * 360], 360, 5.0
