"""Does the disk of a store take writes and give back what it holds? Asked without writing a byte.

A file system that has met an error may refuse every write and still look as it did: recent kernels
(6.16 and later) do not even mount it read-only in the eyes of statvfs(2). It is seen by opening a file for
writing. That a card does not answer is seen by reading a block past the kernel's memory of it.
"""

import errno
import os
from pathlib import Path
from typing import Final

from edge.store.errors import StoreReadOnly, StoreUnreadable

LOG_LONG: Final = "store-log-long"
LONG_LOG_BYTES: Final = 64 * 1024 * 1024
"""Our own readers are short: a log that is longer stands for a reader that does not end."""
_BLOCK: Final = 4096


def what_is_wrong(path: Path) -> str | None:
    """The code of what is wrong with the disk on which ``path`` lies, or None.

    Args:
        path: a file that is always there. Never the database or its log: closing a descriptor of them
            takes along the locks that SQLite holds.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.EROFS:
            return StoreReadOnly.code
        return StoreUnreadable.code if error.errno == errno.EIO else None
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.pread(descriptor, _BLOCK, 0)
    except OSError:
        return StoreUnreadable.code
    finally:
        os.close(descriptor)
    return None


def log_is_long(database: Path) -> bool:
    """Whether somebody reads for so long that what is saved cannot be folded back into the file."""
    try:
        return database.with_name(database.name + "-wal").stat().st_size > LONG_LOG_BYTES
    except OSError:
        return False
