"""How many bytes the link has carried today, what may still go, and how quick it was.

Counted by the kernel for each connection: what TCP sent, again or for the first time, and what it received,
with 52 bytes of headers a segment. What is not in it: looking names up, and layers below IP.
"""

import contextlib
import json
import os
import socket
import struct
from pathlib import Path
from typing import Final

from edge.clock import Clock
from edge.spool.names import SpoolName
from sync.uplink.order import URGENT_PRIORITY
from sync.uplink.profiles import Profile

FILE_NAME: Final = "traffic.json"
DAY_MS: Final = 86_400_000
HEADERS_BYTES: Final = 52
"""IPv4 20, TCP 20, timestamps 12."""
STEP_BYTES: Final = 16 * 1024
"""How far the note runs ahead: a process that is killed has counted too much, never too little."""
SHARES: Final = {2: 1.0, 3: 0.9, 4: 0.7, 5: 0.9}
"""Of the day's bytes, by priority: waves stop first, documents and audit next, vitals last, alerts never."""
_SEGMENTS: Final = struct.Struct("=II")
_SEGMENTS_AT: Final = 136
_RECEIVED_AT: Final = 128
_SENT_AT: Final = 200
_INFO_BYTES: Final = 208
_MOST_BYTES: Final = 4096


def carried(opened: socket.socket | None) -> int:
    """Bytes that a TCP connection has carried so far, both ways, on the level of IP; 0 when it is gone.

    Layout of ``struct tcp_info`` (linux/tcp.h, since 4.19): u64 bytes_received at 128, u32 segs_out at 136,
    u32 segs_in at 140, u64 bytes_sent, retransmissions included, at 200.
    """
    if opened is None:
        return 0
    try:
        info = opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    except OSError:
        return 0
    if len(info) < _INFO_BYTES:
        return 0
    (received,) = struct.unpack_from("=Q", info, _RECEIVED_AT)
    (sent,) = struct.unpack_from("=Q", info, _SENT_AT)
    out, came = _SEGMENTS.unpack_from(info, _SEGMENTS_AT)
    return int(received + sent + HEADERS_BYTES * (out + came))


class Traffic:
    """Counts a day's bytes across connections and restarts.

    A day is one of UTC. Where the clock says that it is an earlier day than before, the day goes on, for 24
    hours of running at most: a clock that was set back, or is not set, gives no second budget.

    Args:
        directory: the uplink's notes.
        day_bytes: what a day may cost, 0 without bound.

    Attributes:
        spent: bytes of the present day.
        rate: bytes a second that receipts have shown, 0 until they have.
    """

    def __init__(self, directory: Path, profile: Profile, day_bytes: int, clock: Clock) -> None:
        self._path = directory / FILE_NAME
        self._clock = clock
        self._guess = profile.rate
        self.allowed = day_bytes
        self.spent = 0
        self.rate = 0.0
        self._connection = 0
        self._unsent = 0
        self._noted = 0
        self._day = self._today()
        self._ran_s = 0.0
        self._counted_s = clock.monotonic_s()
        self._recall()

    def _today(self) -> int:
        return self._clock.now().wall_ms // DAY_MS

    def _recall(self) -> None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            read = json.loads(self._path.read_bytes()[:_MOST_BYTES])
            day, spent, ran_s, rate = (read[name] for name in ("day", "spent", "ran_s", "rate"))
            self._day, self.spent, self._ran_s = int(day), max(0, int(spent)), max(0.0, float(ran_s))
            self.rate = max(0.0, float(rate))
            self._noted = self.spent
        self._turn_day()

    @property
    def expected_rate(self) -> float:
        """Bytes a second, measured or the profile's guess."""
        return self.rate or self._guess

    def begin(self) -> None:
        """Another connection: its count begins at nothing."""
        self._connection = self._unsent = 0

    def count(self, total: int, unsent: int = 0) -> None:
        """The present connection has carried so much, and has so much more to carry."""
        self._unsent = unsent
        now_s = self._clock.monotonic_s()
        self._ran_s += max(0.0, now_s - self._counted_s)
        self._counted_s = now_s
        self._turn_day()
        self.spent += max(0, total - self._connection)
        self._connection = max(self._connection, total)
        if self.spent > self._noted:
            self._note(self.spent + STEP_BYTES)

    def _turn_day(self) -> None:
        today = self._today()
        if today > self._day or self._ran_s * 1000 >= DAY_MS:
            self._day, self.spent, self._ran_s, self._noted = today, 0, 0.0, 0

    def may(self, name: SpoolName) -> bool:
        """Whether the day's bytes allow this file; keys and alerts, and what belongs to them, always may."""
        if not self.allowed or name.priority <= URGENT_PRIORITY:
            return True
        return self.spent + self._unsent < self.allowed * SHARES.get(name.priority, min(SHARES.values()))

    def close(self) -> None:
        """Note the count as it is."""
        self._unsent = 0
        self._note(self.spent)

    def _note(self, spent: int) -> None:
        """Write it durably; a disk that takes nothing costs the memory of a restart, and sends no less."""
        self._noted = spent
        note = {"day": self._day, "spent": spent, "ran_s": round(self._ran_s), "rate": round(self.rate)}
        temporary = self._path.with_name(f".tmp-{os.urandom(8).hex()}-{FILE_NAME}")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                file.write(json.dumps(note).encode())
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
