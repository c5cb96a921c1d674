"""The store: a whole visit saved, opening, unlocking, verifying; encrypted and plain side by side."""

import contextlib
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench.vanday import REALM, UNIT, payloads
from edge import cbor
from edge.audit import chain
from edge.clock import SystemClock
from edge.records.fields import Field, Kind, Payload, Stream
from edge.security import slots
from edge.store import Store, Transaction, sqlite
from edge.store.base import Whose
from edge.store.connection import SETTINGS
from edge.store.creation import begin_epoch
from edge.store.schema import DDL

_VISITS: Final = 600
_WARM_UP: Final = 50
_VERIFIED: Final = 40_000
_MILLION: Final = 1_000_000

_Statement = tuple[str, tuple[object, ...]]
_Visit = list[tuple[Kind, Payload]]


def run() -> list[dict[str, Any]]:
    """Every figure of this room."""
    with tempfile.TemporaryDirectory(prefix="qafila-bench-") as directory:
        root = Path(directory)
        return [
            *_saving(root),
            *_same_statements(root),
            *_opening(root),
            *_unlocking(root),
            *_verifying(root),
            *_verifying_a_million(root),
        ]


def _row(name: str, value: float, unit: str, goal: str = "") -> dict[str, Any]:
    return {"name": name, "value": round(value, 3), "unit": unit, "goal": goal}


def _visits(count: int) -> Iterator[_Visit]:
    visit: _Visit = []
    for kind, payload in payloads(count):
        visit.append((kind, payload))
        if kind is Kind.ENCOUNTER_CLOSED:
            yield visit
            visit = []


def _save(tx: Transaction, visit: _Visit) -> None:
    for kind, payload in visit:
        tx.append(Stream.VITALS, kind, payload)


def _saving(root: Path) -> list[dict[str, Any]]:
    """The call the agent makes: chain, CBOR, rows, journal, commit; in turn on a store and a plain file."""
    whose = Whose(UNIT, REALM)
    plain = _side(root / "saving-plain.db", None)
    for statement in DDL:
        plain.execute(statement)
    moment = SystemClock().now()
    stores = [
        Store.create(root / "saving.db", os.urandom(32), unit=UNIT, realm=REALM, moment=moment),
        Store(plain, whose, begin_epoch(plain, whose, moment, None)),
    ]
    times_ms: list[list[float]] = [[], []]
    for round_, visit in enumerate(_visits(_VISITS)):
        for each in (0, 1) if round_ % 2 else (1, 0):
            start = time.perf_counter()
            with stores[each].write() as tx:
                _save(tx, visit)
            times_ms[each].append((time.perf_counter() - start) * 1000)
    for store in stores:
        store.close()
    encrypted_ms, plain_ms = (sorted(times[_WARM_UP:]) for times in times_ms)
    p50, plain_p50 = statistics.median(encrypted_ms), statistics.median(plain_ms)
    return [
        _row("durable visit save, 13 entries, p50", p50, "ms"),
        _row(
            "durable visit save, 13 entries, p99", encrypted_ms[int(len(encrypted_ms) * 0.99)], "ms", "≤ 20"
        ),
        _row("the same into plain SQLite, p50", plain_p50, "ms"),
        _row("visit saves per second against plain SQLite", plain_p50 / p50, "ratio", "≥ 0.8"),
    ]


class _Recording:
    """A connection that writes down what it is asked."""

    def __init__(self, connection: sqlite.Connection) -> None:
        self._connection = connection
        self.statements: list[_Statement] = []
        self.close = connection.close
        self.set_authorizer = connection.set_authorizer

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> sqlite.Cursor:
        self.statements.append((sql, tuple(parameters)))
        return self._connection.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Sequence[Sequence[object]], /) -> sqlite.Cursor:
        self.statements += [(sql, tuple(each)) for each in parameters]
        return self._connection.executemany(sql, parameters)


def _same_statements(root: Path) -> list[dict[str, Any]]:
    """The statements of those visits, replayed in turn on an encrypted and on a plain file."""
    recording = _Recording(sqlite.connect(f"{(root / 'recording.db').as_uri()}?mode=rwc"))
    for statement in DDL:
        recording.execute(statement)
    whose = Whose(UNIT, REALM)
    epoch = begin_epoch(recording, whose, SystemClock().now(), None)
    setup, visits = recording.statements, []
    store = Store(recording, whose, epoch)
    for visit in _visits(_VISITS):
        recording.statements = []
        with store.write() as tx:
            _save(tx, visit)
        visits.append(recording.statements)
    store.close()

    sides = [_side(root / "encrypted.db", os.urandom(32)), _side(root / "plain.db", None)]
    times_ms: list[list[float]] = [[], []]
    for side in sides:
        for sql, values in setup:
            side.execute(sql, values)
    for round_, statements in enumerate(visits):
        for each in (0, 1) if round_ % 2 else (1, 0):
            start = time.perf_counter()
            for sql, values in statements:
                sides[each].execute(sql, values).fetchall()
            times_ms[each].append((time.perf_counter() - start) * 1000)
    for side in sides:
        side.close()
    encrypted, plain = (statistics.median(times[_WARM_UP:]) for times in times_ms)
    return [
        _row("their SQL statements alone on SQLCipher, p50", encrypted, "ms"),
        _row("their SQL statements alone on plain SQLite, p50", plain, "ms"),
        _row("the statements alone against plain SQLite", plain / encrypted, "ratio", "≥ 0.8"),
    ]


def _side(path: Path, key: bytes | None) -> sqlite.Connection:
    connection = sqlite.connect(f"{path.as_uri()}?mode=rwc")
    if key is not None:
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    for name, value in SETTINGS:
        connection.execute(f"PRAGMA {name} = {value}")
    return connection


def _opening(root: Path) -> list[dict[str, Any]]:
    key = os.urandom(32)
    path = root / "opening.db"
    Store.create(path, key, unit=UNIT, realm=REALM, moment=SystemClock().now()).close()
    times_ms = []
    for _ in range(50):
        start = time.perf_counter()
        Store.open(path, key).close()
        times_ms.append((time.perf_counter() - start) * 1000)
    return [_row("open and close with the key, p50", statistics.median(times_ms), "ms")]


def _unlocking(root: Path) -> list[dict[str, Any]]:
    key, secret = os.urandom(32), os.urandom(32)
    made = slots.create(
        root / "slots",
        unit=UNIT,
        user="amina",
        name="Amina",
        role="nurse",
        pin="482913",
        key=key,
        device_secret=secret,
    )
    times_ms = []
    for _ in range(5):
        start = time.perf_counter()
        assert made.unlock("amina", "482913") == key
        times_ms.append((time.perf_counter() - start) * 1000)
    return [_row("unlock by PIN (Argon2id), p50", statistics.median(times_ms), "ms", "≤ 500")]


def _verifying(root: Path) -> list[dict[str, Any]]:
    path, key = root / "verifying.db", os.urandom(32)
    with contextlib.closing(
        Store.create(path, key, unit=UNIT, realm=REALM, moment=SystemClock().now())
    ) as store:
        every = payloads(_VERIFIED // 13)
        while part := list(itertools.islice(every, 5000)):
            with store.write() as tx:
                _save(tx, part)
        start = time.perf_counter()
        result = store.verify()
        took_s = time.perf_counter() - start
        assert result.valid
        total = sum(result.entries.values())
        size = (path.stat().st_size + path.with_name(path.name + "-wal").stat().st_size) / total
    return [
        _row("entries verified", total / took_s, "1/s", "≥ 200000"),
        _row("bytes on disk per entry, rows and indexes included", size, "B"),
    ]


def _verifying_a_million(root: Path) -> list[dict[str, Any]]:
    """A journal of a million entries, two years of a van: one morning's over and over, without their rows."""
    path, key = root / "million.db", os.urandom(32)
    store = Store.create(path, key, unit=UNIT, realm=REALM, moment=SystemClock().now())
    with contextlib.closing(store):
        _write_journal(store._connection, store.epoch, _MILLION)  # noqa: SLF001  faster than any agent would
        start, used = time.perf_counter(), time.process_time()
        result = store.verify()
        took_s, used_s = time.perf_counter() - start, time.process_time() - used
        assert result.valid
        assert sum(result.entries.values()) >= _MILLION
        start = time.perf_counter()
        assert not store.bad_pages()
        pages_s = time.perf_counter() - start
        megabytes = path.stat().st_size / 1e6
    return [
        _row("a million entries verified", took_s, "s", "≤ 5"),
        _row("a million entries verified, processor", used_s, "s"),
        _row("all pages of that store checked", megabytes / pages_s, "MB/s"),
    ]


def _write_journal(connection: sqlite.Connection, epoch: bytes, count: int) -> None:
    """Entries of vitals, chained as the store chains them."""
    morning = [(int(kind), payload, cbor.encode(payload)) for kind, payload in payloads(500)]
    stream = Stream.VITALS
    [(tip, head)] = connection.execute("SELECT tip, head FROM streams WHERE stream = ?", (stream,)).fetchall()
    [(own,)] = connection.execute("SELECT secret FROM epochs").fetchall()
    patients = {patient for _, payload, _ in morning if (patient := payload.get(Field.PATIENT))}
    secrets: dict[object, bytes] = {patient: os.urandom(32) for patient in patients} | {None: own}

    def rows() -> Iterator[tuple[object, ...]]:
        nonlocal tip, head
        for _, (kind, payload, raw) in zip(range(count), itertools.cycle(morning), strict=False):
            patient = payload.get(Field.PATIENT)
            tip += 1
            leaf = chain.leaf(secrets[patient], epoch, stream, tip, raw)
            head = chain.next_head(head, stream, tip, kind, leaf)
            yield (1, int(stream), tip, kind, patient, raw, leaf, head)

    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT INTO patient_chains (patient, secret, epoch) VALUES (?, ?, 1)",
        [(patient, secret) for patient, secret in secrets.items() if patient is not None],
    )
    every = rows()
    while part := list(itertools.islice(every, 10_000)):
        connection.executemany(
            "INSERT INTO journal (epoch, stream, seq, kind, patient, payload, leaf, head)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            part,
        )
    connection.execute("UPDATE streams SET tip = ?, head = ? WHERE stream = ?", (tip, head, stream))
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
