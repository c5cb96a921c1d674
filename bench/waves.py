"""Waveforms: how small, how fast, and whether a day of recording leaves memory as it was.

The whole records of the MIT-BIH and PTB databases (PhysioNet; Moody & Mark 2001, Bousseljot et al. 1995,
Goldberger et al. 2000; ODC-By 1.0) are read where ``QAFILA_ECG`` names their folder, or where
``../shared/ecg`` is; without them those rows are left out and the reason is said.
"""

import array
import asyncio
import gc
import gzip
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from bench import wave_wire
from drivers.simulation.ecg import Heart
from edge.agent.audience import Audience
from edge.agent.commit import OpenStore, StoreRoom
from edge.agent.ledger import Ledger
from edge.agent.recorder import Recorder
from edge.agent.sealing import Sealing
from edge.agent.visit import Visit
from edge.clock import Moment, SystemClock
from edge.records.fields import Field, Kind, Stream
from edge.signals import wavecodec
from edge.signals.recording import CHUNK_S
from edge.spool import Outbox
from edge.store.store import Store
from edge.vitals.codes import Code
from edge.vitals.quantity import Unit
from edge.vitals.reading import Wave

INDEPENDENT: Final = (0, 1, 6, 7, 8, 9, 10, 11)
"""Of the twelve leads those that are measured (I, II, V1 to V6); the other four are their sums."""
DAY_S: Final = int(os.environ.get("QAFILA_BENCH_DAY_S", str(24 * 3600)))
SETTLED_S: Final = DAY_S // 2
"""By then the store has outgrown SQLite's page cache (8 MiB), which fills once and then stays."""
MIB: Final = 1024 * 1024
_PATIENT, _ENCOUNTER = b"p" * 16, b"e" * 16


def run() -> list[dict[str, Any]]:
    """Ratios, speeds, and a day."""
    with ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn")
    ) as fresh:  # its memory is the day's alone
        a_day = fresh.submit(_day).result()
    return [*_ratios(), *_speed(), *wave_wire.rows(), *a_day]


# ── how small, how fast ──────────────────────────────────────────────────────────────────────────


def _ratios() -> list[dict[str, Any]]:
    folder = Path(os.environ.get("QAFILA_ECG", Path(__file__).parents[2] / "shared" / "ecg"))
    rows: list[dict[str, Any]] = []
    ptb = folder / "ptb-s0010-12lead.i16.gz"
    if ptb.exists():
        leads = _ptb(ptb)
        eight = [leads[lead] for lead in INDEPENDENT]
        rows += [
            _ratio("PTB s0010, 8 leads 500 Hz 2.5 µV", eight, 500, "≥ 3.4"),
            _ratio("PTB s0010, 12 leads 500 Hz 2.5 µV", leads, 500, ""),
        ]
    for path in sorted(folder.glob("mitbih-*.i16.gz")):
        goal = "≥ 3.9" if path.name.startswith("mitbih-100") else ""
        rows.append(_ratio(f"MIT-BIH {path.name[7:10]}, 1 lead 360 Hz 5 µV", [_numbers(path)], 360, goal))
    if not rows:
        print("the whole recordings are not on this machine: no ratios of them", file=sys.stderr)
    return rows


def _numbers(path: Path) -> "array.array[int]":
    values: array.array[int] = array.array("h", gzip.decompress(path.read_bytes()))
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _ptb(path: Path) -> list[list[int]]:
    """The record averaged from 1 kHz to 500 Hz, one count in 2.5 µV; it has 2,000 counts a millivolt."""
    values = _numbers(path)
    leads = [values[lead::12] for lead in range(12)]
    return [
        [round(Fraction(lead[at] + lead[at + 1], 10)) for at in range(0, len(lead) - 1, 2)] for lead in leads
    ]


def _ratio(name: str, leads: Sequence[Sequence[int]], rate: int, goal: str) -> dict[str, Any]:
    raw = kept = 0
    for at in range(0, len(leads[0]) - CHUNK_S * rate + 1, CHUNK_S * rate):
        chunk = [list(lead[at : at + CHUNK_S * rate]) for lead in leads]
        encoded = wavecodec.encode(chunk)
        assert [list(lead) for lead in wavecodec.decode(encoded)] == chunk, name
        raw += 2 * len(chunk) * len(chunk[0])
        kept += len(encoded)
    return _row(f"{name}, against int16", raw / kept, ": 1", goal)


def _speed() -> list[dict[str, Any]]:
    """Twelve leads at 500 a second, ten seconds at a time, from the shipped excerpt."""
    beat = Heart(500).microvolts
    leads = [[sample // (lead + 1) for sample in beat[: 500 * CHUNK_S]] for lead in range(12)]
    chunk = wavecodec.encode(leads)
    raw_mb = 2 * 12 * len(leads[0]) / 1e6
    seconds = len(leads[0]) / 500
    rows: list[dict[str, Any]] = []
    works: dict[str, Callable[[], object]] = {
        "encoded": lambda: wavecodec.encode(leads),
        "decoded": lambda: wavecodec.decode(chunk),
    }
    for word, work in works.items():
        took_s = _cpu_s(work)
        rows += [
            _row(f"12-lead ECG at 500 Hz, {word}", raw_mb / took_s, "MB/CPU s", ""),
            _row(f"12-lead ECG at 500 Hz, {word}", seconds / took_s, "s ECG/CPU s", ""),
        ]
    return rows


def _cpu_s(work: Callable[[], object]) -> float:
    """CPU seconds of the best of some runs."""
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


# ── a day ────────────────────────────────────────────────────────────────────────────────────────


class _Clock:
    """A day in some minutes."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._begin = SystemClock().now()

    def now(self) -> Moment:
        gone_ms = round(self.now_s * 1000)
        begin = self._begin
        return Moment(begin.wall_ms + gone_ms, begin.boot, begin.monotonic_ms + gone_ms, begin.quality)

    def monotonic_s(self) -> float:
        return self.now_s


def _day() -> list[dict[str, Any]]:
    return asyncio.run(_a_day())


async def _a_day() -> list[dict[str, Any]]:
    """A strap's ECG and an oximeter's pleth, recorded and stored from morning to morning."""
    with tempfile.TemporaryDirectory() as directory:
        path, clock, room = Path(directory) / "qafila.db", _Clock(), StoreRoom()
        key = os.urandom(32)
        Store.create(path, key, unit="van-07", realm="training", moment=clock.now()).close()

        def make() -> OpenStore:
            store = Store.open(path, key)
            _visit(store)
            sealing = Sealing(store, Outbox(Path(directory)), batch=200, session_s=1e9, audit_s=1e9)
            return OpenStore(store, sealing, key)

        await room.open(make)
        audience = Audience()
        recorder = Recorder(Ledger(room, clock, audience, os.urandom), audience, clock, production=False)
        sources = (
            _Source("strap-1", Code.ECG, 130, Heart(130).microvolts),
            _Source("oximeter-1", Code.PLETH, 60),
        )
        visit = Visit(_ENCOUNTER, _PATIENT, "amina")
        cpu_s, settled = time.process_time(), 0.0
        for second in range(1, DAY_S + 1):
            clock.now_s = float(second)
            for source in sources:
                recorder.hear(source.device, source.second(), visit, simulated=True)
            if second % CHUNK_S == 0:
                await recorder._write()  # noqa: SLF001  what its own task does, a day of it without waiting
            if second == SETTLED_S:
                settled = _pss_mib()
        await recorder.finish()
        grown = _pss_mib() - settled
        cpu_s = time.process_time() - cpu_s
        room.end()
        stored_mb = _size_mb(path)
    hours = DAY_S / 3600
    return [
        _row(f"memory grown in the second half of {hours:g} h of waves", grown, "MiB", "≤ 2"),
        _row("store grown by ECG at 130 Hz and pleth", stored_mb / hours, "MB/h", ""),
        _row("recording and storing both", 100 * cpu_s / DAY_S, "% of a core", ""),
    ]


def _row(name: str, value: float, unit: str, goal: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "goal": goal}


def _size_mb(database: Path) -> float:
    return sum(file.stat().st_size for file in database.parent.glob(database.name + "*")) / 1e6


class _Source:
    """One device that says a second of wave at a time."""

    def __init__(self, device: str, code: Code, rate: int, samples: Sequence[int] = ()) -> None:
        self.device = device
        self._code = code
        self._rate = rate
        self._samples = samples or [50 + (at * 7919) % 41 for at in range(6007)]
        self._at = 0

    def second(self) -> Wave:
        taken = [self._samples[(self._at + at) % len(self._samples)] for at in range(self._rate)]
        self._at += self._rate
        unit = Unit.MICROVOLT if self._code is Code.ECG else Unit.NONE
        return Wave(self._code, None, unit, Decimal(self._rate), taken)


def _visit(store: Store) -> None:
    with store.write() as tx:
        tx.append(Stream.VITALS, Kind.PATIENT, {Field.FAMILY: "Benali"}, patient=_PATIENT)
        tx.append(Stream.VITALS, Kind.ENCOUNTER_OPENED, {Field.ENCOUNTER: _ENCOUNTER}, patient=_PATIENT)


def _pss_mib() -> float:
    """Proportional set size of this process."""
    gc.collect()
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / MIB
    raise AssertionError("the kernel does not say")
