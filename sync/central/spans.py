"""What has landed of a stream, as the fewest ranges that cover it; kept in the database.

A batch may cover any dense range, overlap others, come twice or in any order: the ranges grow together.
Their number is the number of gaps, so the cost of one more batch does not grow with the journal.
"""

import dataclasses
from typing import Final

from edge.audit.chain import VISIBLE_HEAD_BYTES, first_head
from edge.ports.sealing import StreamReceipt
from edge.records.fields import Stream
from sync.central.database import Connection

MAX_MISSING: Final = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Journal:
    """One stream of one epoch of one unit, as the tables name it."""

    unit: str
    epoch: str
    stream: str

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.unit, self.epoch, self.stream)

    @property
    def stream_number(self) -> Stream:
        return Stream[self.stream.upper()]

    def first_head(self, realm: str) -> bytes:
        """The head before the first entry, 32 bytes."""
        return first_head(realm, self.unit, bytes.fromhex(self.epoch), self.stream_number)


def add(connection: Connection, journal: Journal, first: int, last: int, head: bytes) -> None:
    """Cover one more range. Where two batches end at one number, the head that was there stays."""
    touching = connection.execute(
        "SELECT first, last, head FROM spans WHERE unit = ? AND epoch = ? AND stream = ?"
        " AND first <= ? AND last >= ? ORDER BY last",
        (*journal.key, last + 1, first - 1),
    ).fetchall()
    if touching:
        furthest = touching[-1]
        if len(touching) == 1 and furthest[0] <= first and furthest[1] >= last:
            return
        first = min(first, *(span[0] for span in touching))
        if furthest[1] >= last:
            last, head = furthest[1], furthest[2]
        connection.executemany(
            "DELETE FROM spans WHERE unit = ? AND epoch = ? AND stream = ? AND first = ?",
            [(*journal.key, span[0]) for span in touching],
        )
    connection.execute("INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?)", (*journal.key, first, last, head))


def state(connection: Connection, journal: Journal, realm: str) -> StreamReceipt:
    """How far the stream has landed, with the gaps behind that (the first eight)."""
    furthest = connection.execute(
        "SELECT last FROM spans WHERE unit = ? AND epoch = ? AND stream = ? ORDER BY first DESC LIMIT 1",
        journal.key,
    ).fetchone()
    ranges = connection.execute(
        "SELECT first, last, head FROM spans WHERE unit = ? AND epoch = ? AND stream = ?"
        " ORDER BY first LIMIT ?",
        (*journal.key, MAX_MISSING + 1),
    ).fetchall()
    through, head = 0, journal.first_head(realm)
    if ranges and ranges[0][0] == 1:
        _, through, head = ranges.pop(0)
    missing: list[tuple[int, int]] = []
    after = through
    for first, last, _ in ranges[:MAX_MISSING]:
        missing.append((after + 1, first - 1))
        after = last
    return StreamReceipt(through, head[:VISIBLE_HEAD_BYTES], furthest[0] if furthest else 0, tuple(missing))
