"""How many bytes may be on their way without a receipt.

Enough to fill the link, and few enough that an alert does not queue behind seconds of bulk.

The window opens while receipts come back without queueing and closes when they do not: what lies in
somebody's queue arrives no sooner, and everything sent later waits behind it.
"""

from typing import Final

START_BYTES: Final = 2048
START_FILES: Final = 2
MOST_BYTES: Final = 1024 * 1024
MOST_FILES: Final = 64
URGENT_BYTES: Final = 16 * 1024
"""What keys and alerts may take beyond a full window."""
_QUEUE_LOW_S: Final = 2.0
_QUEUE_HIGH_S: Final = 4.0


class Window:
    """The bytes and files that may be unreceipted on one connection.

    Args:
        most_files: what the broker allows (MQTT 5 Receive Maximum).
    """

    def __init__(self, most_files: int = MOST_FILES) -> None:
        self._bytes = START_BYTES
        self._files = START_FILES
        self._most_files = max(1, min(MOST_FILES, most_files))
        self._advice = MOST_BYTES
        self._shortest_s: float | None = None
        self._shrunk_at_s = float("-inf")
        self.receipt_s = 0.0
        """How long receipts take, smoothed; 0 until one has come."""

    @property
    def bytes(self) -> int:
        return min(self._bytes, self._advice)

    def admits(self, size: int, *, bytes_out: int, files_out: int, urgent: bool = False) -> bool:
        """Whether a file may go while so many bytes and files are on their way.

        One always may, or a file larger than the window would never go.
        """
        if files_out >= self._most_files:
            return False
        if files_out == 0:
            return True
        if urgent:
            return bytes_out + size <= self.bytes + URGENT_BYTES
        return files_out < self._files and bytes_out + size <= self.bytes

    def advise(self, most_bytes: int) -> None:
        """Take the centre's word for how much it is ready to take; 0 is none."""
        self._advice = max(most_bytes, START_BYTES) if most_bytes else MOST_BYTES

    def landed(self, size: int, files: int, waited_s: float, now_s: float) -> None:
        """Learn from a receipt that covers so many bytes, the latest of which was sent so long ago."""
        self.receipt_s = waited_s if not self.receipt_s else self.receipt_s * 0.75 + waited_s * 0.25
        self._shortest_s = min(waited_s, self._shortest_s or waited_s)
        queued_s = waited_s - self._shortest_s
        if queued_s > _QUEUE_HIGH_S:
            if now_s - self._shrunk_at_s > waited_s:  # once per round trip: what is queued says it only once
                self._shrunk_at_s = now_s
                self._bytes = max(START_BYTES, self._bytes // 2)
                self._files = max(START_FILES, self._files // 2)
        elif queued_s < _QUEUE_LOW_S:
            self._bytes = min(MOST_BYTES, self._bytes + size)
            self._files = min(self._most_files, self._files + files)
