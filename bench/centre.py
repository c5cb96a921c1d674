"""The centre: how fast sealed batches land durably, and how fast they become rows.

Real batches of a van's mornings at 200 entries, real files, synchronous=FULL, receipts signed; without a
broker. Landing is measured with one batch for each commit and with thirty-two, as a collector gathers
them under load.
"""

import contextlib
import dataclasses
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from unittest import mock

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
from sync.central.exploder import Exploder
from sync.central.home import CentreHome, read_file
from sync.central.landing import Lander, Upward
from sync.central.plan import Plan
from sync.central.receipts import ReceiptWriter, SignedReceipt
from sync.wire import enrolment, keys, topics
from sync.wire.enrolment import Broker
from sync.wire.keyset import Keyset

_VISITS: Final = 1_600
_BATCH: Final = 200
_GROUP: Final = 32


def run() -> list[dict[str, Any]]:
    """Every figure of this room."""
    with tempfile.TemporaryDirectory(prefix="qafila-bench-") as directory:
        one, many = (_centre(Path(directory) / name) for name in ("one", "many"))
        size = sum(len(message.payload) for message in many.messages) / many.entries
        return [
            _landing(one, 1),
            _landing(many, _GROUP),
            *_exploding(many),
            _row("sealed size, for scale", size, "B/entry"),
            *_on_postgres(Path(directory)),
        ]


@dataclasses.dataclass(frozen=True, slots=True)
class _Loaded:
    """A centre and what one unit is about to send it."""

    home: CentreHome
    messages: list[Upward]
    entries: int


def _on_postgres(directory: Path) -> list[dict[str, Any]]:
    """The same into a private PostgreSQL with everything on the disk that a commit promises."""
    if cluster.programs() is None:
        return []
    with Cluster(durable=True, settings=("shared_buffers=256MB", "max_wal_size=2GB")) as running:
        centre = _centre(directory / "rows", running.new_space())
        landed = _landing(centre, _GROUP)
        with _time_in_commits() as spent:
            opened, processor = _exploding(centre)
    rows = _row("of it, from opened to rows and receipt", centre.entries / spent[0], "entries/s")
    for row in (landed, opened, processor, rows):
        row["name"] = f"PostgreSQL: {row['name']}"
    return [landed, opened | {"goal": "≥ 50000"}, processor, rows]


@contextlib.contextmanager
def _time_in_commits() -> Iterator[list[float]]:
    """Seconds that rounds spend between the first statement of their commit and its return."""
    commit, spent = Plan.commit, [0.0]

    def timed(plan: Plan, *arguments: Any) -> list[SignedReceipt]:  # noqa: ANN401  as commit has them
        begin = time.monotonic()
        try:
            return commit(plan, *arguments)
        finally:
            spent[0] += time.monotonic() - begin

    with mock.patch.object(Plan, "commit", timed):
        yield spent


def _centre(directory: Path, place: str | None = None) -> _Loaded:
    home = CentreHome(directory)
    setup.init(home, "training", (Broker("127.0.0.1", 1883, tls=False),), place=place)
    journal, messages = _sealed(home)
    return _Loaded(home, messages, len(journal))


def _row(name: str, value: float, unit: str, goal: str = "") -> dict[str, Any]:
    return {"name": name, "value": round(value, 2), "unit": unit, "goal": goal}


def _landing(centre: _Loaded, group: int) -> dict[str, Any]:
    home, messages = centre.home, centre.messages
    connection = database.connect(home.database)
    writer = ReceiptWriter("landed", REALM, 1, read_file(home.landed_key))
    lander = Lander(connection, REALM, SystemClock(), writer)
    begin = time.monotonic()
    for first in range(0, len(messages), group):
        lander.land(messages[first : first + group])
    taken = time.monotonic() - begin
    connection.close()
    return _row(f"landed, {group} batches of {_BATCH} a commit", centre.entries / taken, "entries/s")


def _exploding(centre: _Loaded) -> list[dict[str, Any]]:
    home, entries = centre.home, centre.entries
    connection = database.connect(home.database)
    writer = ReceiptWriter("opened", REALM, 1, read_file(home.opened_key))
    exploder = Exploder(connection, REALM, SystemClock(), read_file(home.seal_to_key), writer)
    wall, cpu = time.monotonic(), time.process_time()
    exploder.round()
    while exploder.pending:
        exploder.round()
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    (kept,) = connection.execute("SELECT count(*) FROM entries").fetchone()
    assert kept == entries
    connection.close()
    return [
        _row("opened, hashed and committed as rows", entries / wall, "entries/s"),
        _row("processor time of it", cpu / entries * 100_000, "s/100,000"),
    ]


def _sealed(home: CentreHome) -> tuple[list[Entry], list[Upward]]:
    """Mornings of one unit that this centre has enrolled, sealed at 200; the key message first."""
    keyset: Keyset = home.read_keyset(REALM)
    sign, epoch = keys.make_signing(), os.urandom(chain.EPOCH_BYTES)
    recv = keys.sealing_public(keys.make_sealing())
    setup.enrol(home, enrolment.make_request(UNIT, REALM, sign, recv, 1), SystemClock())
    journal = _journal(epoch)
    tips = Tips((1, len(journal), 1, 1, 1), bytes(16))
    sealer = BoxSealer(UNIT, REALM, epoch, sign, keyset)
    messages = [Upward(topics.up(UNIT, "key"), sealer.key_message(tips).content)]
    for first in range(0, len(journal), _BATCH):
        sealed = sealer.seal(journal[first : first + _BATCH], tips)
        messages.append(Upward(topics.up(UNIT, sealed.word), sealed.content))
    return journal, messages


def _journal(epoch: bytes) -> list[Entry]:
    begun: Payload = {Field.SALT: os.urandom(chain.SALT_BYTES)}
    secrets: dict[object, object] = {}
    head = chain.first_head(REALM, UNIT, epoch, Stream.VITALS)
    journal: list[Entry] = []
    for seq, (kind, fields) in enumerate([(Kind.GENESIS, begun), *payloads(_VISITS)], 1):
        secret = secrets.setdefault(fields.get(Field.PATIENT), fields.get(Field.SALT))
        assert isinstance(secret, bytes)
        payload = cbor.encode(fields)
        leaf = chain.leaf(secret, epoch, Stream.VITALS, seq, payload)
        head = chain.next_head(head, Stream.VITALS, seq, kind, leaf)
        journal.append(Entry(Stream.VITALS, seq, kind, payload, leaf, head))
    return journal
