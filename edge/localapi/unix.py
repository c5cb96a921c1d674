"""Unix socket addresses of any length.

An address holds 108 bytes. A longer path is reached through its directory's descriptor:
``/proc/self/fd/N/agent.sock`` names the same file.
"""

import os
import socket
import struct
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MAX_PATH_BYTES: Final = 100
_CREDENTIALS: Final = struct.Struct("3i")  # struct ucred: pid, uid, gid


@contextmanager
def short_path(path: Path) -> Generator[str]:
    """A spelling of ``path`` that fits into an address, valid inside the block."""
    if len(os.fsencode(path)) <= MAX_PATH_BYTES:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def peer_uid(connection: socket.socket) -> int:
    """Which user the process at the other end ran as when it connected, from the kernel."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, uid, _gid = _CREDENTIALS.unpack(raw)
    return int(uid)
