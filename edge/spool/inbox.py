"""The agent's side of ``spool/in``: whatever lies there was written by a process that faces the internet."""

import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge.spool.files import names_in
from edge.spool.names import TEMPORARY_PREFIX

MOST_FILES: Final = 1000
MOST_BYTES: Final = 256 * 1024
LINK_NAME: Final = "link"
KEYSET_PREFIX: Final = "keyset-"
"""Followed by the version; public keys alone, which are taken while the store is locked."""


class Inbox:
    """Takes regular files of bounded size and number, and clears everything else away.

    Attributes:
        refused: how many things were removed unread since the start: too large, links, directories.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.refused = 0

    def take(self) -> list[tuple[str, bytes]]:
        """Up to 1,000 files with their contents, sorted by name; each stays until `remove`.

        The uplink's note, its unfinished files and keysets are not among them.
        """
        return self._taken(lambda name: not name.startswith(KEYSET_PREFIX))

    def keysets(self) -> list[tuple[str, bytes]]:
        """The same for what claims to be the centre's public keys."""
        return self._taken(lambda name: name.startswith(KEYSET_PREFIX))

    def _taken(self, wanted: Callable[[str], bool]) -> list[tuple[str, bytes]]:
        names = sorted(
            name
            for name in names_in(self._directory)
            if name != LINK_NAME and not name.startswith(TEMPORARY_PREFIX) and wanted(name)
        )
        taken: list[tuple[str, bytes]] = []
        for name in names[:MOST_FILES]:
            try:
                content = self._read(name)
            except FileNotFoundError:  # the uplink has replaced it by a newer one
                continue
            if content is None:
                self.refused += 1
                self.remove(name)
            else:
                taken.append((name, content))
        return taken

    def link(self) -> bytes | None:
        """The uplink's unsigned note about its connection, or None; a hint, never evidence.

        The uplink keeps its note locked while it lives: one that can be locked was left behind by an
        uplink that was killed, and nothing in it holds any more.
        """
        try:
            descriptor = os.open(self._directory / LINK_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            content = os.read(descriptor, MOST_BYTES + 1)
            return content if len(content) <= MOST_BYTES and _writer_lives(descriptor) else None
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def remove(self, name: str) -> None:
        """Remove one thing, of whatever kind; gone already is fine."""
        path = self._directory / name
        try:
            if stat.S_ISDIR(os.lstat(path).st_mode):
                path.rmdir()
            else:
                path.unlink()
        except OSError:
            return

    def _read(self, name: str) -> bytes | None:
        """The content of a regular file of bounded size, None for anything else."""
        path = self._directory / name
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        # Between lstat and open it may have become something else: do not follow, do not hang on a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            content = os.read(descriptor, MOST_BYTES + 1)
        finally:
            os.close(descriptor)
        return content if len(content) <= MOST_BYTES else None


def _writer_lives(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
