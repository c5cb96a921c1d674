"""Reads what anyone on the machine may see of our processes: their arguments and environments."""

import threading
from pathlib import Path
from typing import Final, Self

_PROC: Final = Path("/proc")
_EVERY_S: Final = 0.1


class ProcessWatcher:
    """Collects the command line and the environment of each process told to it, and of their children.

    A process may replace itself by another (`qafila uplink` does), and start children, so a thread
    looks again and again until the context is left. What was seen is kept; equal sightings once.
    """

    def __init__(self) -> None:
        self._seen: set[tuple[str, bytes]] = set()
        self._roots: set[int] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="process-watcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def add(self, pid: int) -> None:
        """Watch this process from now on; it is looked at before this returns."""
        with self._lock:
            self._roots.add(pid)
            self._look(pid)

    def sightings(self) -> list[tuple[str, bytes]]:
        """(``args`` or ``environment``, content), each distinct one once."""
        with self._lock:
            return sorted(self._seen)

    def _look_on(self) -> None:
        while not self._stop.wait(_EVERY_S):
            with self._lock:
                for pid in [*self._roots]:
                    if not self._look(pid):
                        self._roots.discard(pid)

    def _look(self, pid: int) -> bool:
        """Read one process and its descendants; False when it is gone."""
        folder = _PROC / str(pid)
        try:
            self._seen.add(("args", (folder / "cmdline").read_bytes()))
            self._seen.add(("environment", (folder / "environ").read_bytes()))
            children = (folder / "task" / str(pid) / "children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            return False
        except PermissionError:
            return True  # a broker that gave up its privileges: not readable, and none of ours to read
        for child in children:
            self._look(int(child))
        return True
