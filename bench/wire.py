"""Bytes and time of sealing: what an entry costs on the wire, before MQTT, TLS and TCP.

The entries are those of `bench.vanday`; raw frames are not among them. A session is a day of 45 visits
under one unlock, so its key message is shared by all entries of that day.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from bench import vanday
from edge.audit.chain import Entry
from edge.ports.sealing import Tips
from edge.records.fields import Stream
from sync.wire import batches, keys
from sync.wire.batches import Author
from sync.wire.cose import Purpose
from sync.wire.sessions import SessionKey

VISITS_A_DAY: Final = 45
DAYS: Final = 4
TIPS: Final = Tips((12, 4_000, 1, 1, 900), bytes(16))
SESSION_KEY: Final = bytes(32)


def run() -> list[dict[str, Any]]:
    """The rows of `make bench`."""
    private = keys.make_signing()
    author = Author(vanday.UNIT, vanday.REALM, bytes(8), private)
    centre = keys.make_sealing()
    key_message, session_id = batches.make_key_message(
        author, TIPS, SESSION_KEY, [keys.sealing_public(centre)]
    )
    session = SessionKey(SESSION_KEY, session_id)

    def seal(entries: Sequence[Entry]) -> bytes:
        return batches.seal_batch(author, entries, TIPS, session)

    rows: list[dict[str, Any]] = []
    for who, known in (("new patients", 0.0), ("half of them known", 0.5)):
        journal = [entry for day in range(DAYS) for entry in _day(day, known)]
        a_day = len(journal) // DAYS
        for n in (1, 6, 13, 200):
            each = _bytes_per_entry(seal, journal, n)
            rows.append(_row(f"sealed, batches of {n}, {who}", each, "B/entry"))
            if n == 200:
                name = f"same, with the session over {a_day} entries"
                rows.append(_row(name, each + len(key_message) / a_day, "B/entry", "≤ 15"))
    rows.append(_row("key message of a session, hybrid", len(key_message), "B"))
    return [*rows, *_times(seal, _day(0, 0.0), keys.signing_public(private))]


def _day(seed: int, known: float) -> list[Entry]:
    return vanday.entries(VISITS_A_DAY, seed, known=known)


def _bytes_per_entry(seal: Callable[[Sequence[Entry]], bytes], journal: Sequence[Entry], n: int) -> float:
    """In full batches; whatever is left at the end would flatter nobody."""
    starts = range(0, len(journal) - n + 1, n)
    sealed = sum(len(seal(_dense(journal[start : start + n]))) for start in starts)
    return sealed / (n * len(starts))


def _dense(entries: Sequence[Entry]) -> list[Entry]:
    """Days come one after another; their sequence numbers, which do not travel one by one, go on."""
    first = entries[0].seq
    return [
        Entry(Stream.VITALS, first + i, entry.kind, entry.payload, entry.leaf, entry.head)
        for i, entry in enumerate(entries)
    ]


def _times(
    seal: Callable[[Sequence[Entry]], bytes], journal: Sequence[Entry], public: bytes
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for n in (1, 13, 200):
        parts = [_dense(journal[start : start + n]) for start in range(0, len(journal) - n + 1, n)]
        sealed: list[bytes] = []
        began = time.process_time()
        sealed = [seal(part) for part in parts]
        between = time.process_time()
        for raw in sealed:
            batches.open_batch(batches.verify(raw, public, vanday.REALM, Purpose.UP), SESSION_KEY)
        ended = time.process_time()
        entries = n * len(parts)
        rows.append(_row(f"seal, batches of {n}", 1e6 * (between - began) / entries, "µs CPU/entry"))
        rows.append(
            _row(f"verify and open, batches of {n}", 1e6 * (ended - between) / entries, "µs CPU/entry")
        )
    return rows


def _row(name: str, value: float, unit: str, goal: str = "") -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "goal": goal}
