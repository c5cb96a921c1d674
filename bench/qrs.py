"""Beats found in whole records of the MIT-BIH Arrhythmia Database, against the reference ones.

Read where ``QAFILA_ECG`` names their folder, or where ``../shared/ecg`` is (PhysioNet; Moody & Mark 2001,
Goldberger et al. 2000; ODC-By 1.0). The detector was tuned on 100, 102, 105 and 116; the others are reported
apart. A beat counts as found within 150 ms, over the whole record.
"""

import dataclasses
import gzip
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from edge.signals import qrs

RATE_HZ: Final = 360.0
GAIN: Final = 200.0
WITHIN_S: Final = 0.15
TUNED: Final = (100, 102, 105, 116)
APART: Final = (104, 106, 119, 123)
_HALF_HOUR: Final = 30 * 60.0


@dataclasses.dataclass(frozen=True, slots=True)
class Count:
    """Of one record: beats found, missed and invented, their mean distance, CPU seconds for 30 minutes."""

    found: int
    missed: int
    invented: int
    jitter_ms: float
    cpu_s: float


def run() -> list[dict[str, Any]]:
    """Sensitivity, predictive value, jitter and cost, of the tuned records and of the others."""
    named = os.environ.get("QAFILA_ECG")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "ecg"
    if not folder.is_dir():
        print("the whole recordings are not on this machine: no rows of beats", file=sys.stderr)
        return []
    rows: list[dict[str, Any]] = []
    for name, records in (("tuned on", TUNED), ("untouched", APART), ("all", (*TUNED, *APART))):
        counts = [_count(folder, record) for record in records]
        found = sum(each.found for each in counts)
        missed, invented = sum(each.missed for each in counts), sum(each.invented for each in counts)
        rows += [
            _row(f"sensitivity, {name}", 100 * found / (found + missed), "%", "≥ 99.6"),
            _row(f"positive predictive value, {name}", 100 * found / (found + invented), "%", "≥ 99.4"),
            _row(f"mean jitter, {name}", statistics.mean(each.jitter_ms for each in counts), "ms", "≤ 15"),
            _row(f"CPU of 30 min, {name}", statistics.median(each.cpu_s for each in counts), "s", "≤ 0.2"),
        ]
    return rows


def _row(name: str, value: float, unit: str, goal: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 3), "unit": unit, "goal": goal}


def _count(folder: Path, record: int) -> Count:
    raw = np.frombuffer(gzip.decompress((folder / f"mitbih-{record}.i16.gz").read_bytes()), dtype="<i2")
    lines = (folder / f"mitbih-{record}.beats.csv").read_text().split()[1:]
    reference = [int(line) for line in lines]
    began_s = time.process_time()
    beats = qrs.beats(raw / GAIN, RATE_HZ).tolist()
    cpu_s = time.process_time() - began_s
    distances = matched(beats, reference, WITHIN_S * RATE_HZ)
    return Count(
        found=len(distances),
        missed=len(reference) - len(distances),
        invented=len(beats) - len(distances),
        jitter_ms=1000 / RATE_HZ * statistics.mean(distances),
        cpu_s=cpu_s * _HALF_HOUR / (len(raw) / RATE_HZ),
    )


def matched(beats: list[int], reference: list[int], within: float) -> list[int]:
    """The distances of beats to reference beats, each used once, the nearest first come."""
    left, distances = sorted(beats), list[int]()
    for wanted in reference:
        near = [beat for beat in left[:20] if abs(beat - wanted) <= within]
        if near:
            best = min(near, key=lambda beat: abs(beat - wanted))
            distances.append(abs(best - wanted))
            left.remove(best)
        while left and left[0] < wanted - within:
            left.pop(0)
    return distances
