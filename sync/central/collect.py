"""The collector: from the broker into the landing, and a signed *landed* after each commit.

    verify → one durable transaction for all that came meanwhile → receipts out → acknowledge

It may be killed between any two steps. What was not committed is still in the van's spool; what was
committed and not receipted comes again and is answered again.
"""

import dataclasses
import logging
import threading
from typing import Final

from edge.clock import Clock
from edge.notify import Service
from sync.central import station, trouble
from sync.central.connection import Connection
from sync.central.home import CentreHome
from sync.central.keyset_sender import KeysetSender, KeysetWatch
from sync.central.landing import Lander, Upward
from sync.central.station import Lead, Station
from sync.wire import topics
from sync.wire.enrolment import Broker
from sync.wire.keyset import Use

_LOG: Final = logging.getLogger("qafila.central")

PROCESS: Final = "collect"
GATHER_S: Final = 0.05
"""A message waits at most this long for others to share its commit."""
QUIET_S: Final = 0.003
"""When nothing more comes for this long, the commit is made at once."""
WAIT_S: Final = 0.2


def run(
    home: CentreHome,
    clock: Clock,
    stop: threading.Event,
    *,
    broker: Broker | None = None,
    backoff_max_s: float = 30.0,
) -> None:
    """Collect until told to stop.

    Args:
        home: the centre; of its keys only ``landed`` is read.
        clock: what time receipts say it is.
        stop: set it to end; what came is landed first.
        broker: where to connect instead of the first broker of the settings.
        backoff_max_s: the longest wait between two attempts to reach the broker.

    Raises:
        CentreError: a file is missing, the broker may not be reached, or a collector runs here already.
        CentreDatabaseError: the database cannot be used.
    """
    service = Service(clock.monotonic_s)
    here = dataclasses.replace(station.prepare(home, PROCESS, Use.LANDED, broker), service=service)

    def serve(connection: Connection) -> None:
        with trouble.understood(), here.alone("collector"):
            _collect(here, home, clock, stop, connection, backoff_max_s)

    station.on_database(home, stop, service, serve)


def _collect(
    here: Station,
    home: CentreHome,
    clock: Clock,
    stop: threading.Event,
    connection: Connection,
    backoff_max_s: float,
) -> None:
    settings, writer = here.settings, here.writer
    link = here.link([topics.UP_ALL], backoff_max_s)
    lander = Lander(connection, settings.realm, clock, writer)
    _LOG.info("collector-started", extra={"realm": settings.realm, "generation": settings.generation})
    watch, sender = KeysetWatch(home), KeysetSender(home, connection)
    lead = Lead(connection, "collect", clock)
    spoken_to = 0
    try:
        while not stop.is_set():
            here.service.alive()
            messages = link.poll(WAIT_S, gather_s=GATHER_S, quiet_s=QUIET_S)
            if link.connections != spoken_to and link.connected:
                spoken_to = link.connections
                sender.anew()
                if lead:
                    sender.look(link, clock.monotonic_s())  # before receipts that a new key has signed
                here.publish_recent(link, connection, clock.now().wall_ms, lead)
            if watch.changed(clock.monotonic_s()):
                writer.sign_with(home.read_key(Use.LANDED, settings.realm))
                sender.anew(changed=True)
                if lead:
                    sender.look(link, clock.monotonic_s())
                here.publish_recent(link, connection, clock.now().wall_ms, lead)
            if lead:
                sender.look(link, clock.monotonic_s())
            if messages:
                receipts = lander.land([Upward(message.topic, message.payload) for message in messages])
                here.publish(link, receipts)
                link.acknowledge(messages)
            here.settle(link, connection)
    finally:
        link.close()
        _LOG.info("collector-stopped")
