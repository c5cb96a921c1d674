"""What collector and exploder share: who they are, whom they sign for, and how receipts go out."""

import contextlib
import dataclasses
import logging
import secrets
import ssl
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from edge.clock import Clock
from edge.notify import Service
from sync.central import authorities, database, sentences
from sync.central.broker import Link, client_id
from sync.central.connection import Connection
from sync.central.exclusive import exclusive
from sync.central.home import CentreHome, Settings
from sync.central.receipts import RESENT_FOR_MS, ReceiptWriter, SignedReceipt
from sync.central.trouble import CentreDatabaseError
from sync.wire import topics
from sync.wire.enrolment import Broker
from sync.wire.keyset import Use

_LOG: Final = logging.getLogger("qafila.central")
SHARED: Final = "$share/qafila-centre/"
"""Before a topic: of all that subscribe to it so, the broker gives each message to one."""
_OWN_MS: Final = 600_000
"""How far back one of several sends receipts again when it is back: its own may have been under way."""
_LOOK_S: Final = 2.0
_BACKOFF_MAX_S: Final = 10.0


class Lead:
    """One of several processes does what is to be done once; when it is gone another takes over."""

    def __init__(self, connection: Connection, what: str, clock: Clock) -> None:
        self._connection = connection
        self._what = what
        self._clock = clock
        self._holds = False
        self._looked_s = float("-inf")

    def __bool__(self) -> bool:
        """Whether it is this one."""
        now_s = self._clock.monotonic_s()
        if not self._holds and now_s - self._looked_s >= _LOOK_S:
            self._looked_s = now_s
            self._holds = self._connection.try_claim(self._what)
        return self._holds


@dataclasses.dataclass(frozen=True, slots=True)
class Station:
    """A process of the centre before it works.

    Attributes:
        place: where the broker is.
        name: what the broker calls this process.
        lock: held while it runs, where there is one of its kind in a centre; None where there are several.
        tls: what it connects with, where the broker is reached with TLS.
        service: hears that the process is ready and that it lives; by itself nobody does.
    """

    settings: Settings
    place: Broker
    writer: ReceiptWriter
    name: str
    lock: Path | None
    tls: ssl.SSLContext | None = None
    service: Service = dataclasses.field(default_factory=lambda: Service(lambda: 0.0, {}))
    sent: dict[tuple[str, str], bytes] = dataclasses.field(default_factory=dict[tuple[str, str], bytes])
    """Receipts that another's may have overtaken."""

    def link(self, topics: Sequence[str], backoff_max_s: float) -> Link:
        """The process's connection to the broker, which is made when it is first asked for something."""
        return Link(
            *(self.place.host, self.place.port, self.name),
            topics if self.lock else [f"{SHARED}{topic}" for topic in topics],
            backoff_max_s=backoff_max_s,
            tls=self.tls,
            lasting=self.lock is not None,
        )

    def alone(self, what: str) -> contextlib.AbstractContextManager[None]:
        """Hold the lock of its kind, where there is one.

        Raises:
            CentreError: another process holds it, or it cannot be made.
        """
        return contextlib.nullcontext() if self.lock is None else exclusive(self.lock, what)

    def publish(self, link: Link, receipts: list[SignedReceipt]) -> None:
        for receipt in receipts:
            topic = topics.receipt(receipt.unit, self.writer.level)
            link.publish((receipt.unit, receipt.epoch), topic, receipt.raw)
            if self.lock is None:
                self.sent[receipt.unit, receipt.epoch] = receipt.raw

    def publish_recent(self, link: Link, connection: Connection, now_ms: int, lead: Lead) -> None:
        """Say again what may not have arrived: the connection is new, or the key is."""
        within_ms = RESENT_FOR_MS if lead else _OWN_MS
        self.publish(link, self.writer.recent(connection, now_ms, within_ms))

    def settle(self, link: Link, connection: Connection) -> None:
        """See that of every unit the newest receipt stays with the broker.

        Two of us may publish for one unit, and the broker keeps what comes last. So once it has confirmed
        ours we look: if there is a newer one by then, it is said again; one that is written later is also
        published later than ours.
        """
        if not self.sent or not link.quiet:
            return
        published = dict(self.sent)
        self.sent.clear()
        newest = [self.writer.last(connection, unit, epoch) for unit, epoch in published]
        self.publish(link, [each for each in newest if each and published[each.unit, each.epoch] != each.raw])


def prepare(home: CentreHome, process: str, use: Use, broker: Broker | None) -> Station:
    """Read settings and the process's own signing key, and check both before anything is done.

    Args:
        home: the centre.
        process: its word in the broker's log.
        use: of the key it signs receipts with; of all keys only that one is read.
        broker: where to connect instead of the first broker of the settings.

    Raises:
        CentreError: a file is missing, is not the one the keyset names, or the broker may not be reached.
    """
    settings = home.read_settings()
    place = settings.reachable(broker)
    private = home.read_key(use, settings.realm)
    name = client_id(process, settings.realm, private)
    several = database.address(home.database) is not None
    return Station(
        settings,
        place,
        ReceiptWriter(use.value, settings.realm, settings.generation, private),
        f"{name}-{secrets.token_hex(4)}" if several else name,
        None if several else home.key_file(use).with_suffix(".lock"),
        authorities.context(home, process) if place.tls else None,
    )


def on_database(
    home: CentreHome, stop: threading.Event, service: Service, serve: Callable[[Connection], None]
) -> None:
    """Serve on a connection to the database; where PostgreSQL goes away meanwhile, again once it is back.

    Raises:
        CentreDatabaseError: it cannot be used, or not at the first time.
    """
    served = away = False
    wait_s = 0.25
    while not (stop.is_set() and served):
        try:
            with contextlib.closing(database.connect(home.database)) as connection:
                if away:
                    _LOG.info("database-back")
                served, away, wait_s = True, False, 0.25
                serve(connection)
                return
        except CentreDatabaseError as error:
            if not served or error.stable_code not in sentences.DATABASE:
                raise
            if not away:
                _LOG.warning("database-away", extra=sentences.said(sentences.DATABASE, error.stable_code))
            away = True
        service.alive()
        stop.wait(wait_s)
        wait_s = min(wait_s * 2, _BACKOFF_MAX_S)
