"""One process per store: the agent, or a command that works on the store while the agent is stopped."""

import errno
import fcntl
import os
from pathlib import Path
from typing import Self

from edge.security.errors import AgentRunning, SecretNotKept
from edge.security.files import FILE_MODE, make_private_directory


class ExclusiveLock:
    """Holds ``agent.lock`` until `release` or the end of the process, however it ends.

    Raises:
        AgentRunning: another process holds it.
    """

    def __init__(self, path: Path) -> None:
        try:
            make_private_directory(path.parent)
            self._descriptor = _open(path)
        except OSError:
            raise SecretNotKept(
                "The lock of the store cannot be taken.",
                next_step="Check who owns the store's directory, and the disk.",
            ) from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise AgentRunning(
                "The agent of this unit is running and holds its store.",
                next_step="Ask the running agent (`qafila status`), or stop it first.",
            ) from None

    def release(self) -> None:
        """Let the next one in; doing it twice is fine."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # a disk that takes no writes can still be salvaged
