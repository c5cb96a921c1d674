"""The whole link on this machine: store, seal, uplink, Mosquitto, land, open, receipts; no TLS yet.

For each batch size a fresh unit and centre, the entries sealed ahead, the processes started with the
link closed; the clock runs from the opening of the link until the centre's tables hold every entry.
Bytes are those the link cutter forwarded from the van to the broker and back: MQTT with its
acknowledgements, receipts, envelopes and the session's key message; without TCP/IP headers.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlcipher3 import dbapi2

from bench.vanday import payloads
from cli.rehearsal import broker as rehearsal_broker
from edge.config import Places
from edge.records.fields import Field, Kind, Payload, Stream
from edge.security import device_secret
from edge.security.slots import Slots
from edge.spool import Outbox
from edge.store.store import Store
from sync.boxend.pinned import read_bundle
from sync.boxend.sealer import BoxSealer

PIN: Final = "482913"
SIZES: Final = ((1, 400), (6, 2_400), (200, 20_000))
"""Batch size, and how many entries are sent at that size."""
LONGEST_S: Final = 300.0


def run() -> list[dict[str, Any]]:
    """Bytes an entry and entries a second for each batch size."""
    rows: list[dict[str, Any]] = []
    for batch, entries in SIZES:
        rows += _measure(batch, entries)
    return rows


def _measure(batch: int, entries: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        home = Path(folder)
        places = Places.at(home)
        broker_port, link_port = rehearsal_broker.free_port(), rehearsal_broker.free_port()
        enrolled(home, broker_port, link_port)
        vitals = fill(places, batch, entries)
        stack.enter_context(_process(rehearsal_broker.command("mosquitto", broker_port, home), home))
        _until(lambda: rehearsal_broker.listening(broker_port), "the broker")
        cutter = stack.enter_context(
            _process([sys.executable, "-m", "cli.rehearsal.link_cutter",
                      "--to", str(broker_port), "--listen", str(link_port)], home)
        )  # fmt: skip
        _hear(cutter)
        _tell(cutter, "cut")
        for words in (["central", "collect"], ["central", "explode"], ["uplink", "--backoff-max", "0.5"]):
            stack.enter_context(_process([sys.executable, "-m", "cli.main", *words, "--home", folder], home))
        time.sleep(3)
        _tell(cutter, "open")
        began = time.perf_counter()
        opened_s = _until(lambda: _opened(places) >= vitals, "the centre", poll_s=0.05) - began
        time.sleep(2)  # the last receipts come back
        counts = _tell(cutter, "stats")
        both = counts["up"] + counts["down"]
        goal = "≤ 15" if batch == 200 else ""
        what = f"batches of {batch}, {vitals:,} entries"
        return [
            {
                "name": f"{what}: to the centre's rows",
                "value": vitals / opened_s,
                "unit": "entries/s",
                "goal": "",
            },
            {"name": f"{what}: up", "value": counts["up"] / vitals, "unit": "B/entry", "goal": goal},
            {"name": f"{what}: up and down", "value": both / vitals, "unit": "B/entry", "goal": ""},
        ]


def enrolled(home: Path, broker_port: int, link_port: int) -> None:
    """Make a unit and a centre that know one another."""
    request, bundle = home / "unit.request", home / "unit.bundle"
    unit = ["--realm", "training", "--id", "bench-1", "--user", "bench", "--pin-stdin"]
    link = ["--broker", f"127.0.0.1:{link_port}"]
    _qafila(home, "unit", "init", *unit)
    _qafila(home, "unit", "csr", str(request))
    _qafila(home, "central", "init", "--realm", "training", "--broker", f"127.0.0.1:{broker_port}")
    _qafila(home, "central", "enrol", str(request), "--out", str(bundle), *link)
    _qafila(home, "unit", "enrol", str(bundle))


def fill(places: Places, batch: int, entries: int, *, sealed: bool = True) -> int:
    """Commit visits as the agent would, a visit a transaction, then seal everything in batches.

    Returns:
        How many entries stand in the stream of vitals.
    """
    key = Slots.load(places.slots, device_secret.read(places.device_secret)).unlock("bench", PIN)
    store = Store.open(places.database, key)
    try:
        for visit in _visits(entries):
            with store.write() as tx:
                for kind, payload in visit:
                    tx.append(Stream.VITALS, kind, {k: v for k, v in payload.items() if k != Field.SALT})
        if not sealed:
            return store.tips().seqs[Stream.VITALS]
        pinned = read_bundle(
            (places.pinned / "bundle.cbor").read_bytes(), (places.pinned / "request.cbor").read_bytes()
        )
        sealer = BoxSealer(
            pinned.unit, pinned.realm, store.epoch, store.identity().sign_private, pinned.keyset
        )
        outbox, tips = Outbox(places.spool_out), store.tips()
        outbox.publish(outbox.prepare(sealer.key_message(tips)))
        for stream, tip in zip(Stream, tips.seqs, strict=True):
            for first in range(1, tip + 1, batch):
                file = sealer.seal(store.entries(stream, first, min(tip, first + batch - 1)), tips)
                outbox.publish(outbox.prepare(file))
        return tips.seqs[Stream.VITALS]
    finally:
        store.close()


def _visits(entries: int) -> Iterator[list[tuple[Kind, Payload]]]:
    visit: list[tuple[Kind, Payload]] = []
    for kind, payload in islice(payloads(entries), entries - 1):
        if kind is Kind.PATIENT and visit:
            yield visit
            visit = []
        visit.append((kind, payload))
    yield visit


def _opened(places: Places) -> int:
    connection = dbapi2.connect(f"file:{places.central / 'central.db'}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM entries WHERE stream = 'vitals'").fetchone()[0])
    finally:
        connection.close()


@contextmanager
def _process(command: list[str], home: Path) -> Iterator["subprocess.Popen[str]"]:
    with (home / "bench.log").open("a") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def _hear(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


def _tell(process: "subprocess.Popen[str]", word: str) -> dict[str, Any]:
    assert process.stdin is not None
    process.stdin.write(word + "\n")
    process.stdin.flush()
    return _hear(process)


def _until(ready: Any, who: str, poll_s: float = 0.02) -> float:  # noqa: ANN401  any callable
    limit = time.perf_counter() + LONGEST_S
    while not ready():
        if time.perf_counter() > limit:
            raise RuntimeError(f"{who} did not come to its end in {LONGEST_S:.0f} s")
        time.sleep(poll_s)
    return time.perf_counter()


def _qafila(home: Path, *words: str) -> None:
    command = [sys.executable, "-m", "cli.main", *words, "--home", str(home)]
    done = subprocess.run(command, input=PIN + "\n", text=True, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"qafila {' '.join(words)}: {done.stderr.strip()}")
