"""The exploder: from the landing into rows, and a signed *opened* after each commit.

    open, hash, compare → one durable transaction for rows, chain and receipt → receipts out

It may be killed between any two steps: what was not committed is opened again from the landing, and the
last receipts are published again when it is back. It subscribes to nothing and takes nothing from the
broker.
"""

import dataclasses
import logging
import threading
from typing import Final

from edge.clock import Clock
from edge.notify import Service
from sync.central import database, erasing, station, trouble
from sync.central.broker import Link
from sync.central.certificate_sender import CertificateSender
from sync.central.database import Connection
from sync.central.down_sender import DownSender
from sync.central.exclusive import exclusive
from sync.central.exploder import KEY_GRACE_MS, Exploder
from sync.central.home import CentreHome
from sync.central.keyset_sender import KeysetWatch
from sync.central.receipts import ReceiptWriter
from sync.central.retention import Retention
from sync.central.station import Lead, Station
from sync.wire import topics
from sync.wire.enrolment import Broker
from sync.wire.keyset import Use

_LOG: Final = logging.getLogger("qafila.central")

PROCESS: Final = "explode"
WAIT_S: Final = 0.02
"""How often the landing is looked at; a look costs microseconds."""


def once(home: CentreHome, clock: Clock) -> int:
    """Open what has landed and end; gives how many receipts were written. No broker is needed.

    They are kept in the database: `qafila central export-receipts` carries them back, or the exploder sends
    them when it runs with a broker.

    Raises:
        CentreError: a file is missing, or an exploder runs here already.
        CentreDatabaseError: the database cannot be used.
    """
    settings = home.read_settings()
    writer = ReceiptWriter(
        Use.OPENED.value, settings.realm, settings.generation, home.read_key(Use.OPENED, settings.realm)
    )
    seal_to = home.read_seal_to_keys(settings.realm)
    lock = home.key_file(Use.OPENED).with_suffix(".lock")
    with trouble.understood(), exclusive(lock, "exploder"):
        connection = database.connect(home.database)
        try:
            # A stick brings what it brings: a batch without its key message is asked for again at once.
            exploder = Exploder(connection, settings.realm, clock, seal_to, writer, key_grace_ms=0)
            written = len(exploder.round())
            while exploder.pending:
                written += len(exploder.round())
            return written
        finally:
            connection.close()


def run(
    home: CentreHome,
    clock: Clock,
    stop: threading.Event,
    *,
    broker: Broker | None = None,
    backoff_max_s: float = 30.0,
    key_grace_ms: int = KEY_GRACE_MS,
) -> None:
    """Explode until told to stop; without a broker too, whose absence only delays receipts.

    Args:
        home: the centre; of its keys ``opened`` and ``seal-to`` are read.
        clock: what time receipts say it is.
        stop: set it to end; the round at work is finished.
        broker: where to connect instead of the first broker of the settings.
        backoff_max_s: the longest wait between two attempts to reach the broker.
        key_grace_ms: how long a batch waits for its key message before its range is asked for again.

    Raises:
        CentreError: a file is missing, the broker may not be reached, or an exploder runs here already.
        CentreDatabaseError: the database cannot be used.
    """
    service = Service(clock.monotonic_s)
    here = dataclasses.replace(station.prepare(home, PROCESS, Use.OPENED, broker), service=service)

    def serve(connection: Connection) -> None:
        with trouble.understood(), here.alone("exploder"):
            _explode(here, home, clock, stop, connection, backoff_max_s, key_grace_ms)

    station.on_database(home, stop, service, serve)


def _explode(
    here: Station,
    home: CentreHome,
    clock: Clock,
    stop: threading.Event,
    connection: Connection,
    backoff_max_s: float,
    key_grace_ms: int,
) -> None:
    settings, writer = here.settings, here.writer
    seal_to = home.read_seal_to_keys(settings.realm)
    link = here.link((), backoff_max_s)
    exploder = Exploder(connection, settings.realm, clock, seal_to, writer, key_grace_ms=key_grace_ms)
    _LOG.info("exploder-started", extra={"realm": settings.realm, "generation": settings.generation})
    retention = Retention(connection)
    watch, certificates = KeysetWatch(home), CertificateSender(home)
    downs = DownSender(home, connection, clock)
    sent: dict[str, int] = {}
    seen: object = None
    spoken_to = 0
    lead = Lead(connection, "explode", clock)
    try:
        while not stop.is_set():
            here.service.alive()
            if watch.changed(clock.monotonic_s()):
                writer.sign_with(home.read_key(Use.OPENED, settings.realm))
                exploder.open_with(home.read_seal_to_keys(settings.realm))
                downs.new_keys()
                here.publish_recent(link, connection, clock.now().wall_ms, lead)
            mark = connection.change_mark()
            if mark != seen or exploder.pending:
                seen = mark
                here.publish(link, exploder.round())
                downs.wake()
                if lead:
                    _publish_orders(link, connection, sent)
            if lead:
                retention.look(clock.now().wall_ms)
                certificates.look(link, clock.monotonic_s())
                downs.look(link)
            link.poll(0.0 if exploder.pending else WAIT_S)
            if link.connections != spoken_to and link.connected:
                spoken_to = link.connections
                certificates.anew()
                downs.anew()
                here.publish_recent(link, connection, clock.now().wall_ms, lead)
                sent.clear()
                if lead:
                    _publish_orders(link, connection, sent)
            here.settle(link, connection)
    finally:
        link.close()
        _LOG.info("exploder-stopped")


def _publish_orders(link: Link, connection: Connection, sent: dict[str, int]) -> None:
    """Send what is to go down to each unit, and has not been sent on this connection."""
    for unit, number, raw in erasing.outgoing(connection):
        if sent.get(unit) != number:
            link.publish(("orders", unit), topics.down(unit), raw)
            sent[unit] = number
