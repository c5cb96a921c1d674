"""Private files that are there whole or not at all."""

import os
from pathlib import Path
from typing import Final

FILE_MODE: Final = 0o600
DIRECTORY_MODE: Final = 0o700
_TEMPORARY_SUFFIX: Final = ".new"


def write_private(path: Path, content: bytes) -> None:
    """Put a file there, durable and readable by its owner only, replacing what was there.

    Raises:
        OSError: what was there before is still there.
    """
    new = path.with_name(path.name + _TEMPORARY_SUFFIX)
    new.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def overwrite_private(path: Path, content: bytes) -> None:
    """Write over a file where it lies, for a disk on which nothing new has room; spaces fill what is longer.

    A power cut in the middle may leave neither the old nor the new content: whoever reads it has to bear it.

    Raises:
        OSError: there is no such file, or it would have to grow.
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_NOFOLLOW), "wb", buffering=0) as file:
        file.write(content.ljust(os.fstat(file.fileno()).st_size))
        os.fsync(file.fileno())


def make_private_directory(path: Path) -> None:
    """Make a directory that only its owner enters; one that is there already is left as it is."""
    path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)


def sync_directory(path: Path) -> None:
    """Make renames in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
