"""How many bytes may be on their way without a receipt.

Enough to fill the link, and few enough that an alert does not queue behind seconds of bulk: what lies in
somebody's queue arrives no sooner, and everything sent later waits behind it.

What receipts cover in how much time is the rate of the link; the quickest of them says how long the way
there and back is when nothing queues. Their product fills the link, and `_queue_s` more keeps it full.
A packet that is lost costs another round trip, queue included, so the queue is kept well below the four
seconds that an alert may wait.
"""

import dataclasses
from collections import deque
from typing import Final

START_BYTES: Final = 2048
START_FILES: Final = 2
MOST_START_BYTES: Final = 64 * 1024
MOST_BYTES: Final = 1024 * 1024
MOST_FILES: Final = 64
URGENT_BYTES: Final = 16 * 1024
"""What keys and alerts may take beyond a full window."""
_QUEUE_S: Final = (0.7, 2.0)
_QUEUE_SHARE: Final = 0.7
"""Of the shortest round trip, within those bounds."""
_SLOWER_S: Final = 4.0
_SLOWER_SAMPLES: Final = 8
"""So many receipts in a row that came so much later, with hardly anything on its way, are the way itself."""
_UP: Final = 1.0
_DOWN: Final = 0.25


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """Where the counting of receipts stood when a file was handed over.

    Attributes:
        delivered: bytes that receipts had covered.
        at_s: when the latest of them came.
        from_s: when the latest file that it covers was sent.
    """

    delivered: int
    at_s: float
    from_s: float


class Window:
    """The bytes and files that may be unreceipted on one connection.

    Args:
        most_files: what the broker allows (MQTT 5 Receive Maximum).
        rate: bytes a second that an earlier connection carried, 0 when none is known.

    Attributes:
        receipt_s: how long receipts take, smoothed; 0 until one has come.
        rate: bytes a second that receipts have covered while there was enough to send; 0 until known.
    """

    def __init__(self, most_files: int = MOST_FILES, rate: float = 0.0) -> None:
        # A second's worth of what it was: the link may be another one by now.
        self._bytes = max(START_BYTES, min(MOST_START_BYTES, int(rate)))
        self._files = START_FILES if self._bytes == START_BYTES else MOST_FILES
        self._most_files = max(1, min(MOST_FILES, most_files))
        self._advice = MOST_BYTES
        self._base_s: float | None = None
        self._late: deque[float] = deque(maxlen=_SLOWER_SAMPLES)
        self._delivered = 0
        self._delivered_s = 0.0
        self._sent_s = 0.0
        self.receipt_s = 0.0
        self.rate = 0.0

    @property
    def bytes(self) -> int:
        return min(self._bytes, self._advice)

    def admits(self, size: int, *, bytes_out: int, files_out: int, urgent: bool = False) -> bool:
        """Whether a file may go while so many bytes and files are on their way.

        One always may, or a file larger than the window would never go; and the last may exceed it, or a
        window that holds one file and a half would never find out that the link carries two.
        """
        if files_out >= self._most_files:
            return False
        if files_out == 0:
            return True
        if urgent:
            return bytes_out + size <= self.bytes + URGENT_BYTES
        return files_out < self._files and bytes_out < self.bytes and size <= self.bytes

    def advise(self, most_bytes: int) -> None:
        """Take the centre's word for how much it is ready to take; 0 is none."""
        self._advice = max(most_bytes, START_BYTES) if most_bytes else MOST_BYTES

    def mark(self, now_s: float, *, idle: bool) -> Mark:
        """A file goes now; ``idle`` when nothing else is on its way."""
        if idle:
            # The line had nothing to carry: that time says nothing of it.
            self._delivered_s = self._sent_s = now_s
        return Mark(self._delivered, self._delivered_s, self._sent_s)

    def landed(self, size: int, out: int, sent: Mark, waited_s: float, now_s: float) -> None:
        """Learn from a receipt.

        Args:
            size: bytes it covers.
            out: bytes that were on their way, those among them.
            sent: of the file that was handed over last among those.
            waited_s: how long ago that was.
            now_s: the monotonic clock.
        """
        self.receipt_s = waited_s if not self.receipt_s else self.receipt_s * 0.75 + waited_s * 0.25
        self._delivered += size
        # Behind a lost packet many arrive at once: they were no quicker than they were sent.
        took_s = max(now_s - sent.at_s, now_s - waited_s - sent.from_s, 1e-3)
        found = (self._delivered - sent.delivered) / took_s
        self._delivered_s, self._sent_s = now_s, now_s - waited_s
        if found > self.rate:
            self.rate += (found - self.rate) * (_UP if self.rate else 1.0)
        elif 2 * out >= self._bytes:  # with less on its way it was the box that had nothing to send
            self.rate += (found - self.rate) * _DOWN
        self._learn_way(waited_s)
        assert self._base_s is not None  # noqa: S101  just learnt
        queue_s = min(max(self._base_s * _QUEUE_SHARE, _QUEUE_S[0]), _QUEUE_S[1])
        wanted = int(self.rate * (self._base_s + queue_s))
        self._bytes = max(START_BYTES, min(MOST_BYTES, wanted))
        self._files = self._most_files

    def _learn_way(self, way_s: float) -> None:
        if self._base_s is None or way_s <= self._base_s:
            self._base_s = way_s
            self._late.clear()
        elif self._bytes > START_BYTES or way_s < self._base_s + _SLOWER_S:
            self._late.clear()
        else:
            self._late.append(way_s)
            if len(self._late) == _SLOWER_SAMPLES:
                self._base_s = min(self._late)
                self._late.clear()
