"""Seals what is due and has it lie at the broker, one retained message under each number."""

import logging
from typing import Final

from edge.clock import Clock
from sync.central import outbox
from sync.central.broker import Link
from sync.central.database import Connection
from sync.central.home import CentreHome
from sync.wire import topics
from sync.wire.keyset import Keyset, Use

LOOK_S: Final = 0.25
"""How often the outbox is looked at, at most."""
_LOG: Final = logging.getLogger("qafila.central")


class DownSender:
    """Remembers what was sent on this connection.

    It reads the keys of the uses that lie here for it; without one, what that key signs is sealed by whoever
    has it (`qafila central reply`), and again for another epoch only by them.
    """

    def __init__(self, home: CentreHome, connection: Connection, clock: Clock) -> None:
        self._home = home
        self._connection = connection
        self._clock = clock
        self._looked_s = float("-inf")
        self._due = True
        self._sent: dict[tuple[str, int], bool] = {}
        self._keys: tuple[Keyset, dict[Use, bytes]] | None = None

    def anew(self) -> None:
        """The connection is another: the broker may have forgotten everything."""
        self._sent.clear()
        self._due = True

    def new_keys(self) -> None:
        """The keyset is another, and perhaps the keys that lie here."""
        self._keys = None
        self._due = True

    def wake(self) -> None:
        """Something was committed, here or elsewhere."""
        self._due = True

    def look(self, link: Link) -> None:
        """Seal and send what is due."""
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s < LOOK_S:
            return
        self._looked_s = now_s
        if link.quiet:
            self._note_taken_back()
        if not self._due:
            return
        self._due = False
        if self._keys is None:
            self._keys = self._home.read_down_keys()
        sealed = outbox.seal_due(self._connection, *self._keys, self._clock.now().wall_ms)
        if sealed:
            _LOG.info("down-sealed", extra={"messages": sealed})
        for unit, dseq, raw in outbox.outgoing(self._connection):
            if self._sent.get((unit, dseq)) != bool(raw):
                self._sent[unit, dseq] = bool(raw)
                link.publish(("down", unit, dseq), topics.down(unit, dseq), bytes(raw))

    def _note_taken_back(self) -> None:
        empty = [place for place, full in self._sent.items() if not full]
        if empty:
            outbox.taken_back(self._connection, empty)
            for place in empty:
                del self._sent[place]
