"""Whether somebody else connects under this unit's name, said to the centre in a signed alert.

Only the uplink sees it, and its note is a hint that nobody signs. So it moves nothing: the alert says what
was noted, goes ahead of everything else, and comes a few times a day at most, whatever the note says.
"""

from typing import Final

from edge.agent import payloads
from edge.agent.commit import OpenStore
from edge.agent.link import Link
from edge.clock import Moment
from edge.records.fields import Kind, Stream

TAKEN_OVER: Final = "broker-taken-over"
"""What the uplink's note says while it is so."""
SECOND_SESSION: Final = "second-session"
"""The code of the alert."""
AGAIN_S: Final = 6 * 3600.0


class Rivals:
    """Remembers when it was said last."""

    def __init__(self) -> None:
        self._said_s: float | None = None

    def look(self, opened: OpenStore, link: Link, moment: Moment, now_s: float) -> None:
        """Say it, if the note does and it was not said lately. Runs in the store's thread.

        Raises:
            StoreError: it is not saved; the next look tries again.
        """
        if link.code != TAKEN_OVER or (self._said_s is not None and now_s < self._said_s + AGAIN_S):
            return
        said = payloads.stamp(moment, None) | payloads.alert(SECOND_SESSION, None, None)
        opened.commit(lambda tx: tx.append(Stream.ALERT, Kind.ALERT, said))
        self._said_s = now_s
