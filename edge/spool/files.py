"""Writing files so that they are there whole or not at all, whenever the power goes."""

import os
from pathlib import Path
from typing import ClassVar, Final

from edge.errors import QafilaError
from edge.spool.names import TEMPORARY_PREFIX

MODE: Final = 0o640
"""The other side of the spool belongs to another user of the same group."""


class SpoolFailed(QafilaError):
    """A spool directory takes no file or gives none; what is in the store is not touched by it."""

    code: ClassVar[str] = "spool-failed"


def write_temporary(directory: Path, name: str, content: bytes) -> Path:
    """Write and fsync ``.tmp-{name}``; nobody takes it for a finished file."""
    path = directory / f"{TEMPORARY_PREFIX}{name}"
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, MODE)
        try:
            _write_all(descriptor, content)
            os.fsync(descriptor)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
    except OSError:
        raise SpoolFailed(
            "The spool takes no file.",
            next_step="Free space on the unit and check who owns the spool.",
        ) from None
    return path


def sync_directory(directory: Path) -> None:
    """Make renames and removals in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(directory: Path, name: str, content: bytes) -> None:
    """Put a file of this name there, durable and whole, replacing one of the same name.

    Raises:
        SpoolFailed: nothing was put there.
    """
    random = os.urandom(8).hex()
    temporary = write_temporary(directory, f"{random}-{name}", content)
    try:
        temporary.rename(directory / name)
        sync_directory(directory)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise SpoolFailed(
            "The spool takes no file.", next_step="Check the disk and who owns the spool."
        ) from None


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def names_in(directory: Path) -> list[str]:
    """The names of everything in a directory, in no order.

    Raises:
        SpoolFailed: it cannot be read.
    """
    try:
        return os.listdir(directory)  # noqa: PTH208  names are what is wanted: paths cost thrice as much
    except OSError:
        raise SpoolFailed(
            "The spool cannot be read.", next_step="Check the disk and who owns the spool."
        ) from None
