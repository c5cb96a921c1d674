"""What collector and exploder share: who they are, whom they sign for, and how receipts go out."""

import dataclasses
import ssl
from collections.abc import Sequence
from pathlib import Path

from sync.central import authorities
from sync.central.broker import Link, client_id
from sync.central.home import CentreHome, Settings
from sync.central.receipts import ReceiptWriter, SignedReceipt
from sync.wire import topics
from sync.wire.enrolment import Broker
from sync.wire.keyset import Use


@dataclasses.dataclass(frozen=True, slots=True)
class Station:
    """A process of the centre before it works.

    Attributes:
        place: where the broker is.
        name: what the broker calls this process.
        lock: held while it runs; there is one of its kind in a centre.
        tls: what it connects with, where the broker is reached with TLS.
    """

    settings: Settings
    place: Broker
    writer: ReceiptWriter
    name: str
    lock: Path
    tls: ssl.SSLContext | None = None

    def link(self, topics: Sequence[str], backoff_max_s: float) -> Link:
        """The process's connection to the broker, which is made when it is first asked for something."""
        return Link(
            *(self.place.host, self.place.port, self.name, topics),
            backoff_max_s=backoff_max_s,
            tls=self.tls,
        )

    def publish(self, link: Link, receipts: list[SignedReceipt]) -> None:
        for receipt in receipts:
            topic = topics.receipt(receipt.unit, self.writer.level)
            link.publish((receipt.unit, receipt.epoch), topic, receipt.raw)


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
    return Station(
        settings,
        place,
        ReceiptWriter(use.value, settings.realm, settings.generation, private),
        client_id(process, settings.realm, private),
        home.key_file(use).with_suffix(".lock"),
        authorities.context(home, process) if place.tls else None,
    )
