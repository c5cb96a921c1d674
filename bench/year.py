"""A year of a van in one store: sixty patients a day, an ECG each; the last days against the first.

Days in between are saved in one transaction each. Then visits go in turn into this store and into one of
four days, each visit a transaction of its own, as at the agent, with thirty seconds of the shipped ECG in
three chunks. Nothing is purged: it is the store of a unit whose link has been down all the year.
``QAFILA_BENCH_DAYS`` sets how many days (365).
"""

import hashlib
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from bench.vanday import REALM, UNIT, payloads
from drivers.simulation.ecg import Heart
from edge.clock import SystemClock
from edge.records.fields import Field, Kind, Payload, Source, Stream
from edge.signals import wavecodec
from edge.store import Store, Transaction

DAYS: Final = int(os.environ.get("QAFILA_BENCH_DAYS", "365"))
A_DAY: Final = 60
_YOUNG_DAYS: Final = 4
_MEASURED: Final = 4 * A_DAY
_RATE: Final = 130
_CHUNK: Final = 10 * _RATE
_CHUNKS: Final = 3
_LOOKED: Final = 100

_Visit = list[tuple[Kind, Payload]]


def run() -> list[dict[str, Any]]:
    """Every figure of this room."""
    with tempfile.TemporaryDirectory(prefix="qafila-bench-") as directory:
        heart, key = _Strips(), os.urandom(32)
        young, old = (
            Store.create(Path(directory) / name, key, unit=UNIT, realm=REALM, moment=SystemClock().now())
            for name in ("young.db", "old.db")
        )
        early, late = (_visits(days * A_DAY + _MEASURED) for days in (_YOUNG_DAYS, DAYS))
        _fill(young, itertools.islice(early, _YOUNG_DAYS * A_DAY), heart)
        began = time.perf_counter()
        _fill(old, itertools.islice(late, DAYS * A_DAY), heart)
        filled_s = time.perf_counter() - began
        rows = _compare((young, old), (early, late), heart)
        assert old.verify().valid
        young.close()
        old.close()
        path = Path(directory) / "old.db"
        opened_ms = [_timed(lambda: Store.open(path, key).close()) for _ in range(20)]
        size = path.stat().st_size
    return [
        *rows,
        _row(f"open and close after {DAYS} days, p50", statistics.median(opened_ms), "ms"),
        _row("size a day", size / DAYS / 1e6, "MB"),
        _row("days written a second, one transaction each", DAYS / filled_s, "1/s"),
    ]


def _row(name: str, value: float, unit: str, goal: str = "") -> dict[str, Any]:
    return {"name": name, "value": round(value, 3), "unit": unit, "goal": goal}


class _Strips:
    """Ten seconds of the excerpt, encoded, wherever they begin."""

    def __init__(self) -> None:
        microvolts = Heart(_RATE).microvolts
        starts = range(0, len(microvolts) - _CHUNK, _CHUNK)
        self._encoded = [wavecodec.encode([microvolts[at : at + _CHUNK]]) for at in starts]
        self._taken = 0

    def next(self) -> bytes:
        self._taken += 1
        return self._encoded[self._taken % len(self._encoded)]


def _visits(count: int) -> Iterator[_Visit]:
    visit: _Visit = []
    for kind, payload in payloads(count):
        visit.append((kind, payload))
        if kind is Kind.ENCOUNTER_CLOSED:
            yield visit
            visit = []


def _save(tx: Transaction, visit: _Visit, heart: _Strips) -> None:
    *before, closed = visit
    for kind, payload in before:
        tx.append(Stream.VITALS, kind, payload)
    _save_ecg(tx, closed[1], heart)
    tx.append(Stream.VITALS, *closed)


def _save_ecg(tx: Transaction, visit: Payload, heart: _Strips) -> None:
    waveform, patient = os.urandom(16), visit[Field.PATIENT]
    assert isinstance(patient, bytes)
    begun: Payload = {
        Field.WAVEFORM: waveform,
        Field.ENCOUNTER: visit[Field.ENCOUNTER],
        Field.CODE: "ecg",
        Field.DEVICE: "strap-1",
        Field.SOURCE: int(Source.SIMULATED),
        Field.LEADS: ["I"],
        Field.WAVE_UNIT: "uV",
        Field.STEP: [1, 0],
        Field.RATE: [_RATE, 0],
        Field.WALL_MS: visit[Field.WALL_MS],
    }
    tx.append(Stream.WAVE, Kind.WAVEFORM, begun, patient=patient)
    for number in range(1, _CHUNKS + 1):
        data = heart.next()
        facts: Payload = {
            Field.WAVEFORM: waveform,
            Field.CHUNK: number,
            Field.SAMPLES: _CHUNK,
            Field.HASH: hashlib.sha256(data).digest(),
            Field.SIZE: len(data),
            Field.FIRST_MS: 10_000 * number,
        }
        entry = tx.append(Stream.WAVE, Kind.WAVE_CHUNK, facts, patient=patient)
        tx.keep_samples(entry, data)
    ended: Payload = {Field.WAVEFORM: waveform, Field.COUNT: _CHUNKS, Field.ENDED: "whole"}
    tx.append(Stream.WAVE, Kind.WAVEFORM_ENDED, ended, patient=patient)


def _fill(store: Store, visits: Iterator[_Visit], heart: _Strips) -> None:
    while day := list(itertools.islice(visits, A_DAY)):
        with store.write() as tx:
            for visit in day:
                _save(tx, visit, heart)


def _compare(
    stores: tuple[Store, Store], visits: tuple[Iterator[_Visit], Iterator[_Visit]], heart: _Strips
) -> list[dict[str, Any]]:
    """The same work in turn on both, so that what else the machine does slows both."""
    names = [each.family[:4] for each in stores[0].patients(_LOOKED)]
    saved: tuple[list[float], list[float]] = ([], [])
    found: tuple[list[float], list[float]] = ([], [])
    read: tuple[list[float], list[float]] = ([], [])
    for number in range(_MEASURED):
        for which in (0, 1) if number % 2 else (1, 0):
            visit = next(visits[which])
            saved[which].append(_timed(_save_durably, stores[which], visit, heart))
            found[which].append(_timed(stores[which].find_patients, names[number % len(names)]))
            read[which].append(_timed(_read, stores[which], visit[0][1][Field.PATIENT]))
    early, late = (statistics.median(each[A_DAY:]) for each in saved)
    return [
        _row(f"visit with ECG saved, p50 after {_YOUNG_DAYS} days", early, "ms"),
        _row(f"visit with ECG saved, p50 after {DAYS} days", late, "ms"),
        _row("the same, last days against first", late / early, "ratio", "≤ 1.5"),
        _row(f"patient read, p50 after {_YOUNG_DAYS} days", statistics.median(read[0]), "ms"),
        _row(f"patient read, p50 after {DAYS} days", statistics.median(read[1]), "ms"),
        _row(
            "the same, last against first",
            statistics.median(read[1]) / statistics.median(read[0]),
            "ratio",
            "≤ 1.5",
        ),
        _row(f"patients of a name found, p50 after {DAYS} days", statistics.median(found[1]), "ms", "≤ 10"),
    ]


def _save_durably(store: Store, visit: _Visit, heart: _Strips) -> None:
    with store.write() as tx:
        _save(tx, visit, heart)


def _read(store: Store, patient: bytes) -> None:
    for each in store.encounters_of(patient):
        store.observations(each.encounter)
        store.waveforms_of(each.encounter)


def _timed(work: Callable[..., object], *words: object) -> float:
    begin = time.perf_counter()
    work(*words)
    return (time.perf_counter() - begin) * 1000
