"""One process of a kind for one centre, held by a lock that dies with its process."""

import contextlib
import fcntl
import os
from collections.abc import Generator
from pathlib import Path

from sync.central.home import CentreError


@contextlib.contextmanager
def exclusive(path: Path, what: str) -> Generator[None]:
    """Hold the lock file for as long as the block runs.

    Raises:
        CentreError: another process holds it, or it cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CentreError(
            f"{path} cannot be made: {error.strerror}.",
            next_step="run this command as the user the folder belongs to, on a disk that can be written.",
            code="centre-unwritable",
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CentreError(
                f"Another {what} runs for this centre.",
                next_step="stop it first; one is enough.",
                code="already-running",
            ) from None
        yield
    finally:
        os.close(descriptor)
