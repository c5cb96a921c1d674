"""What the uplink remembers between runs, and what it tells the agent of its connection.

Both are conveniences: with the notes gone it asks a broker again which protocol it speaks, and the note
on the link is a hint that never moves a watermark.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from edge.clock import Clock

LINK_NAME: Final = "link"
MOST_SENT: Final = 1000
FORGET_MS: Final = 24 * 3600 * 1000
_BROKERS_NAME: Final = "brokers.json"
_MOST_BROKERS: Final = 64
_MOST_BYTES: Final = 64 * 1024
_MODE: Final = 0o640


class BrokerNotes:
    """Which brokers took MQTT 3.1.1 only, for a day: then 5 is tried again."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._path = directory / _BROKERS_NAME
        self._clock = clock
        self._old: dict[str, int] = {}
        with contextlib.suppress(OSError, ValueError):
            read = json.loads(self._path.read_bytes()[:_MOST_BYTES])
            if isinstance(read, dict):
                self._old = {str(name): at for name, at in read.items() if isinstance(at, int)}

    def speaks_5(self, broker: str) -> bool:
        """False when it refused MQTT 5 within the last day."""
        at_ms = self._old.get(broker)
        # A time in the future was written before the clock was set back: as good as forgotten.
        return at_ms is None or not 0 <= self._clock.now().wall_ms - at_ms < FORGET_MS

    def remember(self, broker: str, *, speaks_5: bool) -> None:
        """Keep what was found out; a directory that takes no file only costs the memory."""
        if speaks_5 and broker not in self._old:
            return
        self._old.pop(broker, None)
        if not speaks_5:
            self._old[broker] = self._clock.now().wall_ms
        while len(self._old) > _MOST_BROKERS:
            del self._old[next(iter(self._old))]
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(self._path, json.dumps(self._old).encode())


class LinkNote:
    """The note ``link`` in ``spool/in``, replaced as a whole.

    The uplink holds an exclusive ``flock`` on the file it wrote last. Whoever can lock the note has
    found one whose writer is dead, and nothing it says holds any more.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / LINK_NAME
        self._written: dict[str, Any] | None = None
        self._lock: int | None = None

    def write(
        self,
        *,
        connected: bool,
        since_ms: int,
        connection: str,
        sent: Sequence[str],
        broker: str,
        code: str,
        waiting: Mapping[str, Any],
    ) -> None:
        """Say it, if it is not what was said last.

        Args:
            connected: whether the broker has accepted us and our subscriptions.
            since_ms: wall time since when that is so.
            connection: names this connection, and no other ever.
            sent: the files wholly handed to this connection that still lie in the spool.
            broker: ``mqtt5``, ``mqtt311``, or empty.
            code: why there is no connection, or empty.
            waiting: what `sync.uplink.estimates` says of what waits.
        """
        note: dict[str, Any] = {
            "connected": connected,
            "since_ms": since_ms,
            "connection": connection,
            "sent": list(sent)[-MOST_SENT:],
            "broker": broker,
            "code": code,
            **waiting,
        }
        if note == self._written:
            return
        with contextlib.suppress(OSError):  # a full disk keeps the old note; the next change tries again
            descriptor = _replace(self._path, json.dumps(note).encode(), keep_locked=True)
            self.close()
            self._lock = descriptor
            self._written = note

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _replace(path: Path, content: bytes, *, keep_locked: bool = False) -> int:
    """Replace a file, not durably; returns a descriptor that holds its lock, or -1."""
    temporary = path.with_name(f".tmp-{os.urandom(8).hex()}-{path.name}")
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, _MODE)
    try:
        os.write(descriptor, content)
        if keep_locked:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        temporary.rename(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        os.close(descriptor)
        raise
    if not keep_locked:
        os.close(descriptor)
        return -1
    return descriptor
