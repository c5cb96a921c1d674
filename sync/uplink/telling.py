"""What the log hears of the link: each trouble once, until the link has been good for something."""

import logging
from typing import Final

from sync.uplink.connection import LinkDown, Protocol
from sync.uplink.settings import Broker

_LOG: Final = logging.getLogger("qafila.uplink")
_UP: Final = "up"
OVERDUE: Final = "receipt-overdue"


class Telling:
    """Remembers what was told."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    @property
    def of_overdue(self) -> bool:
        """Whether the last that was told of receipts is that none come."""
        return OVERDUE in self._told

    def up(self, broker: Broker, protocol: Protocol) -> None:
        """A broker has accepted us."""
        if _UP not in self._told:
            self._told.add(_UP)
            _LOG.info("link up", extra={"broker": broker.name, "protocol": str(protocol)})

    def good(self) -> None:
        """The connection is good for something: from now on every trouble is news again."""
        if self.of_overdue:
            _LOG.info("receipts come again")
        self._told = {_UP}

    def down(self, broker: Broker, down: LinkDown) -> None:
        """Tell a trouble once, not at every attempt, nor each time a link flaps."""
        code = down.stable_code
        if code not in self._told:
            self._told = (self._told | {code}) - {_UP}
            _LOG.warning(
                down.sentence,
                extra={"code": code, "broker": broker.name, "reason": down.reason, "next": down.next_step},
            )
