"""A fresh process reads a store, as the first one after a power cut does.

`Readers` forks each reader from a clean server that has never opened a store, so nothing a store said
before can be remembered; two work side by side.
"""

import collections
import dataclasses
import hashlib
import multiprocessing
from collections.abc import Generator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

from edge import cbor
from edge.errors import QafilaError
from edge.records.fields import Field, Kind, Stream
from edge.spool.names import parse
from edge.store import Store
from edge.store.errors import translated
from edge.store.rekey import open_settled
from sync.wire.batches import verify
from sync.wire.cose import Purpose
from torture.nurse import ALERT, Identity

SIDE_BY_SIDE: Final = 2
_EVERY_SEQ: Final = 2**62


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What a reader found.

    Attributes:
        entries: each entry of care with a digest of what it says.
        doubled: how many requests have been done twice.
        refused: the code with which the store refused to be opened or read, or "".
        wrong: what cannot be after any fault: a chain that does not verify, a spool ahead of its store, a
            file of the spool that is not whole.
        rows: a digest of every row of every table.
        rotten: pages that do not carry the mark with which they were written.
        gone: how many entries of all streams were purged or erased.
    """

    entries: dict[Identity, bytes] = dataclasses.field(default_factory=dict[Identity, bytes])
    doubled: int = 0
    refused: str = ""
    wrong: str = ""
    rows: bytes = b""
    rotten: int = 0
    gone: int = 0


@contextmanager
def readers() -> Generator["Readers"]:
    """Readers, each a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torture.fresh"])
    with ProcessPoolExecutor(SIDE_BY_SIDE, mp_context=context, max_tasks_per_child=1) as pool:
        yield Readers(pool)


class Readers:
    """Hands stores to fresh processes; made by `readers`."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def read(self, home: Path, key: bytes) -> "Future[Found]":
        return self._pool.submit(read, home, key)


def read(home: Path, key: bytes) -> Found:
    """Open the store of a home and read everything."""
    try:
        store = open_settled(home / "store" / "qafila.db", key)
    except QafilaError as error:
        return Found(refused=error.stable_code)
    try:
        return _read(store, home / "spool" / "out")
    except QafilaError as error:
        return Found(refused=error.stable_code)
    finally:
        store.close()


def _read(store: Store, spool: Path) -> Found:
    verified = store.verify()
    wrong = "" if verified.valid else f"the chain does not verify: {verified}"
    tips: dict[str, int] = {}
    found: dict[Identity, bytes] = {}
    marks: collections.Counter[object] = collections.Counter()
    gone = 0
    for stream in Stream:
        entries = store.entries(stream, 1, _EVERY_SEQ)
        tips[stream.word] = len(entries)
        gone += sum(entry.payload is None for entry in entries)
        if stream not in {Stream.ALERT, Stream.VITALS}:
            continue
        for entry in entries:
            payload = entry.payload
            if payload is None:  # purged or erased, as a later entry says, or the chain does not verify
                found[store.unit, store.epoch.hex(), stream.word, entry.seq] = b""
                continue
            found[store.unit, store.epoch.hex(), stream.word, entry.seq] = hashlib.sha256(payload).digest()
            said = cast("dict[int, cbor.Value]", cbor.decode(payload))
            marks[_mark(entry.kind, said) or (stream, entry.seq)] += 1
    doubled = sum(count - 1 for count in marks.values())
    wrong = wrong or _spool_wrong(spool, tips, store.identity().sign_public, store.realm)
    return Found(found, doubled, "", wrong, *_rows(store), gone)


def _rows(store: Store) -> tuple[bytes, int]:
    """A digest of all that the tables hold, and how many pages are rotten, read by anyone or not."""
    digest = hashlib.sha256()
    connection = store._connection  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  all tables
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    with translated():
        for (name,) in names:
            for row in connection.execute(f'SELECT * FROM "{name}"'):  # noqa: S608  a name from the schema
                digest.update(repr(row).encode())
        rotten = connection.execute("PRAGMA cipher_integrity_check").fetchall()
    return digest.digest(), len(rotten)


def _mark(kind: Kind, said: dict[int, cbor.Value]) -> object:
    """What only one entry may say, or None where any number of entries may say the same."""
    if kind is Kind.PATIENT:
        return kind, said[Field.FAMILY]
    if kind in {Kind.ENCOUNTER_OPENED, Kind.ENCOUNTER_CLOSED}:
        return kind, said[Field.ENCOUNTER]
    if kind is Kind.OBSERVATION:
        return kind, said[Field.ENCOUNTER], said[Field.CODE], str(said[Field.VALUE])
    if kind is Kind.ALERT and said[Field.ALERT_CODE] == ALERT:
        return kind, said[Field.ENCOUNTER]
    return None


def _spool_wrong(directory: Path, tips: dict[str, int], public: bytes, realm: str) -> str:
    """A file that has its name in the spool is whole, and holds only what was committed before."""
    for path in directory.iterdir() if directory.is_dir() else ():
        name = parse(path.name)
        if name is None:
            continue
        if name.n and name.first + name.n - 1 > tips[name.word]:
            return f"the spool is ahead of the store: {path.name}, and the stream ends at {tips[name.word]}"
        try:
            verify(path.read_bytes(), public, realm, Purpose.UP if name.n else Purpose.KEY)
        except QafilaError as error:
            return f"a file of the spool is not whole: {path.name} (code: {error.stable_code})"
    return ""
