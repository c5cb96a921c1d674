"""A reserve of disk space, so that a full disk does not end a visit in the middle.

A file of known size lies beside the store. When a commit finds the disk full, the file is given up and the
commit is tried once more: there is room again for the visit that is open, and for the audit entry without
which nothing may be shown. What begins something new is refused meanwhile, so that the room is not used up
by it. As soon as there is space for the reserve and as much again, it is laid down again.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

RESERVE_BYTES: Final = 8 * 1024 * 1024
"""A visit without waves writes about 2 MB into a WAL before it is folded back, and 100 kB for good."""


class Ballast:
    """The reserve of one store.

    Args:
        path: where the file lies; on the disk of the store.
        size: bytes.

    Attributes:
        held: whether it is there to be given up.
    """

    def __init__(self, path: Path, size: int = RESERVE_BYTES) -> None:
        self._path = path
        self._size = size
        self.held = False

    def keep(self) -> bool:
        """Lay the reserve down if there is room for it and as much again; whether it is held now."""
        if not self.held:
            with contextlib.suppress(OSError):
                there = self._path.exists() and self._path.stat().st_blocks * 512 >= self._size
                self.held = there or (self._roomy() and self._lay_down())
        return self.held

    def give_up(self) -> bool:
        """Make room; whether there was any to make."""
        if not self.held:
            return False
        self.held = False
        with contextlib.suppress(OSError):
            self._path.unlink()
            return True
        return False

    def _roomy(self) -> bool:
        disk = os.statvfs(self._path.parent)
        return disk.f_bavail * disk.f_frsize >= 2 * self._size

    def _lay_down(self) -> bool:
        descriptor = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._size)
            os.fsync(descriptor)
        except OSError:
            self._path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        return True
