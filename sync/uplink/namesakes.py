"""Whether somebody else connects under this unit's name: a copy of its card, or a second uplink.

A broker has one connection under one name and closes the older without a word why. What tells is `state`,
which every connection says under a name of its own: one that is none of ours is somebody else's.
"""

import json
import logging
from collections import deque
from typing import Final

from sync.uplink import sentences

_LOG: Final = logging.getLogger("qafila.uplink")
MOST_NAMES: Final = 256
"""So many connections of its own it knows again."""


MOST_BYTES: Final = 4096
LATELY_S: Final = 3600.0
"""For so long the note of the link says it."""


class Namesakes:
    """Knows the connections of this process, and tells of another one, once."""

    def __init__(self) -> None:
        self._ours: deque[str] = deque(maxlen=MOST_NAMES)
        self._met_s: float | None = None
        self._seen = False

    def ours(self, connection: str) -> None:
        self._ours.append(connection)

    def lately(self, now_s: float) -> bool:
        """Whether somebody else was met within the last hour."""
        return self._met_s is not None and now_s < self._met_s + LATELY_S

    def meet(self, payload: bytes, now_s: float) -> None:
        """Take a `state` of this unit's; what is retained until one of ours is is an earlier run's."""
        if len(payload) > MOST_BYTES:
            return
        try:
            name = json.loads(payload).get("connection")
        except (ValueError, AttributeError, RecursionError):
            return
        if name in self._ours:
            self._seen = True  # so what was retained is replaced
            return
        if not self._seen or len(self._ours) <= 1:
            return
        first, self._met_s = self._met_s is None, now_s
        if first:
            _LOG.warning("another connection", extra=sentences.said(sentences.LINK, "broker-taken-over"))
