"""A backlog at the centre: what an entry costs to open when a thousand wait, and when a million do.

One unit, one stream, batches of 200, everything landed before the exploder begins; into PostgreSQL where it
is installed, else into SQLite. Counted is processor time, the exploder's and that of its connection's server
process, so that other work on the machine changes little. A million entries take some minutes to seal.
"""

import contextlib
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.vanday import REALM, UNIT, payloads
from cli.rehearsal import cluster
from cli.rehearsal.cluster import Cluster
from edge import cbor
from edge.audit import chain
from edge.audit.chain import Entry
from edge.clock import SystemClock
from edge.ports.sealing import Tips
from edge.records.fields import Field, Kind, Payload, Stream
from sync.boxend.sealer import BoxSealer
from sync.central import database, setup
from sync.central.database import Connection
from sync.central.exploder import Exploder
from sync.central.home import CentreHome, read_file
from sync.central.landing import Lander, Upward
from sync.central.postgres import PostgresConnection
from sync.central.receipts import ReceiptWriter
from sync.wire import enrolment, keys, topics
from sync.wire.enrolment import Broker

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
BATCH: Final = 200
GROUP: Final = 32
SETTINGS: Final = ("shared_buffers=256MB", "max_wal_size=2GB")


def run() -> list[dict[str, Any]]:
    """Processor time an entry for each length of the queue."""
    rows: list[dict[str, Any]] = []
    spent: list[float] = []
    with tempfile.TemporaryDirectory(prefix="qafila-bench-") as folder, contextlib.ExitStack() as stack:
        running = None
        if cluster.programs() is not None:
            running = stack.enter_context(Cluster(durable=True, settings=SETTINGS))
        for size in SIZES:
            place = None if running is None else running.new_space()
            spent.append(opened_s(Path(folder) / str(size), place, size) / size * 1e6)
            where = "SQLite" if place is None else "PostgreSQL"
            rows.append(_row(f"{size:,} queued: processor time an entry, {where}", spent[-1], "µs", ""))
    rows.append(_row("the same, longest queue against shortest", spent[-1] / spent[0], "ratio", "≤ 1.5"))
    return rows


def _row(name: str, value: float, unit: str, goal: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 2), "unit": unit, "goal": goal}


def opened_s(directory: Path, place: str | None, size: int) -> float:
    """Seconds of processor time to open so many entries that have landed."""
    home = CentreHome(directory)
    setup.init(home, REALM, (Broker("127.0.0.1", 1883, tls=False),), place=place)
    connection = database.connect(home.database)
    try:
        writer = ReceiptWriter("landed", REALM, 1, read_file(home.landed_key))
        lander = Lander(connection, REALM, SystemClock(), writer)
        messages = sealed(home, size)
        while some := list(itertools.islice(messages, GROUP)):
            lander.land(some)
        writer = ReceiptWriter("opened", REALM, 1, read_file(home.opened_key))
        exploder = Exploder(connection, REALM, SystemClock(), read_file(home.seal_to_key), writer)
        before_s = time.process_time() + _server_s(connection)
        exploder.round()
        while exploder.pending:
            exploder.round()
        took_s = time.process_time() + _server_s(connection) - before_s
        (kept,) = connection.execute("SELECT count(*) FROM entries").fetchone()
        assert kept == size
        return took_s
    finally:
        connection.close()


def sealed(home: CentreHome, size: int, unit: str = UNIT) -> Iterator[Upward]:
    """What a unit that this centre enrols has to send: the key message, then its entries in batches."""
    sign, epoch = keys.make_signing(), os.urandom(chain.EPOCH_BYTES)
    recv = keys.sealing_public(keys.make_sealing())
    setup.enrol(home, enrolment.make_request(unit, REALM, sign, recv, 1), SystemClock())
    tips = Tips((1, size, 1, 1, 1), bytes(16))
    sealer = BoxSealer(unit, REALM, epoch, sign, home.read_keyset(REALM))
    yield Upward(topics.up(unit, "key"), sealer.key_message(tips).content)
    journal = itertools.islice(_journal(unit, epoch), size)
    while entries := list(itertools.islice(journal, BATCH)):
        file = sealer.seal(entries, tips)
        yield Upward(topics.up(unit, file.word), file.content)


def _journal(unit: str, epoch: bytes) -> Iterator[Entry]:
    """The vitals of a van that never stops working."""
    begun: Payload = {Field.SALT: os.urandom(chain.SALT_BYTES)}
    secrets: dict[object, bytes] = {}
    head = chain.first_head(REALM, unit, epoch, Stream.VITALS)
    for seq, (kind, fields) in enumerate(itertools.chain([(Kind.GENESIS, begun)], payloads(10**9)), 1):
        if isinstance(brought := fields.get(Field.SALT), bytes):
            secrets = {None: secrets.get(None, brought), fields.get(Field.PATIENT): brought}
        payload = cbor.encode(fields)
        leaf = chain.leaf(secrets[fields.get(Field.PATIENT)], epoch, Stream.VITALS, seq, payload)
        head = chain.next_head(head, Stream.VITALS, seq, kind, leaf)
        yield Entry(Stream.VITALS, seq, kind, payload, leaf, head)


def _server_s(connection: Connection) -> float:
    """Processor time of the server's process that serves us; nothing where there is none."""
    if not isinstance(connection, PostgresConnection):
        return 0.0
    return int(Path(f"/proc/{connection.raw.info.backend_pid}/schedstat").read_text().split()[0]) / 1e9
