"""What one connection carries: the file being handed over, those handed over, those without a receipt."""

import dataclasses
from collections.abc import Callable
from typing import Final

from edge.spool.names import SpoolName
from sync.uplink.coverage import Contents, Coverage
from sync.uplink.outgoing import Ready
from sync.uplink.pacing import Mark, Window

MOST_UNANSWERED: Final = 16
MOST_HANDED: Final = 1000


@dataclasses.dataclass(slots=True)
class Sent:
    """One file on its way.

    Attributes:
        at_s: when its last byte was handed to the socket, on the monotonic clock.
        counted: whether it takes room in the window.
        mark: where the window stood when its first byte was.
        after: how many bytes were handed over after it.
        there_s: when the other end's TCP had all of it, as far as that can be told.
    """

    name: SpoolName
    size: int
    contents: Contents
    at_s: float
    counted: bool
    mark: Mark
    after: int = 0
    there_s: float | None = None


class Flight:
    """What happened on one connection so far.

    A file is *sent* when its last byte was taken by the socket of a connection that still stands. The
    broker's PUBACK changes nothing here: a broker may lose what it acknowledged.

    Args:
        window: how much may be on its way.
        unanswered: files that were on their way when an earlier wait for a receipt ended in vain. They
            go again in their turn, but take no room: a file that the centre drops, for whatever reason,
            must not hold up the rest.
    """

    def __init__(self, window: Window, unanswered: frozenset[str] = frozenset()) -> None:
        self.window = window
        self.handed: dict[str, SpoolName] = {}
        self.landed_any = False
        self._unanswered = unanswered
        self._out: dict[str, Sent] = {}
        self._current: Ready | None = None
        self._mark = window.mark(0.0, idle=True)
        self._unsent = 0
        self._moved_s = 0.0
        self._receipt_s = 0.0

    def admits(self, ready: Ready) -> bool:
        """Whether this file may go now."""
        counted = [sent.size for sent in self._out.values() if sent.counted]
        return self.window.admits(
            len(ready.content), bytes_out=sum(counted), files_out=len(counted), urgent=ready.urgent
        )

    def begin(self, ready: Ready, now_s: float) -> None:
        """The socket is being given this file."""
        self._current = ready
        self._mark = self.window.mark(now_s, idle=not self._out)
        self._moved_s = now_s

    def finish(self, now_s: float) -> None:
        """The socket has taken the last byte of it."""
        ready, self._current = self._current, None
        if ready is None:
            return
        text, size = str(ready.name), len(ready.content)
        self.handed[text] = ready.name
        while len(self.handed) > MOST_HANDED:
            del self.handed[next(iter(self.handed))]
        for earlier in self._out.values():
            earlier.after += size
        self._out[text] = Sent(
            ready.name, size, ready.contents, now_s, text not in self._unanswered, self._mark
        )
        self._moved_s = now_s

    def landed(self, coverage: Coverage, now_s: float) -> list[SpoolName]:
        """Learn from a new receipt; returns the files it covers."""
        covered = [sent for sent in self._out.values() if coverage.covers(sent.contents)]
        if covered:
            self.landed_any = True
            self._receipt_s = now_s
            latest = covered[-1]
            self.window.landed(
                sum(sent.size for sent in covered),
                sum(sent.size for sent in self._out.values()),
                latest.mark,
                max(now_s - latest.at_s, 1e-3),
                now_s,
            )
        for sent in covered:
            del self._out[str(sent.name)]
        return [sent.name for sent in covered]

    def forget(self, present: Callable[[SpoolName], bool]) -> None:
        """Drop what the agent has removed from the spool: it has landed, or was sealed again."""
        for text in [text for text, name in self.handed.items() if not present(name)]:
            del self.handed[text]
            self._out.pop(text, None)

    def overdue(self, patience_s: float, unsent: int, now_s: float) -> bool:
        """Whether a receipt should have come by now.

        The wait for a file begins when the other end's TCP has all of it: on a slow link the way there
        is long, and as long as bytes move it is no reason to begin again.

        Args:
            patience_s: how long to wait.
            unsent: bytes the other end's TCP has not acknowledged.
            now_s: the monotonic clock.
        """
        if not self._out and self._current is None:
            return False
        if unsent < self._unsent:
            self._moved_s = now_s
        self._unsent = unsent
        if not self._out:
            return now_s - self._moved_s > patience_s
        for sent in self._out.values():
            if sent.there_s is None and self._current is None and unsent <= sent.after:
                sent.there_s = now_s
        oldest = next(iter(self._out.values()))
        if oldest.there_s is None:
            return now_s - self._moved_s > patience_s
        # While receipts for others come, this one may still be on its way; but not for ever.
        waited_s = now_s - oldest.there_s
        return waited_s > patience_s * 3 or now_s - max(oldest.there_s, self._receipt_s) > patience_s

    def unanswered(self) -> frozenset[str]:
        """What is unanswered once the wait is over: the most urgent, a bounded number."""
        names = [str(sent.name) for sent in sorted(self._out.values(), key=lambda sent: sent.name)]
        names.sort(key=lambda text: text not in self._unanswered)
        return frozenset(names[:MOST_UNANSWERED])
