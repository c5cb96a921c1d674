"""The store's key over a restart of the agent: held by systemd, in memory that has no name, until a reboot.

A file of memory is sealed so that nobody can change it, and handed to systemd with the word ``FDSTORE``; the
next process of the same service gets it among its first descriptors. systemd drops it when the service is
stopped for good, and it is gone with the power. Source: sd_notify(3), sd_listen_fds(3), memfd_create(2).
"""

import contextlib
import fcntl
import logging
import os
from collections.abc import MutableMapping
from typing import Final

from edge.notify import Service
from edge.security.slots import KEY_BYTES

NAME: Final = "store-key"
FIRST_DESCRIPTOR: Final = 3
"""Where systemd begins with what it hands over."""
_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_WORDS: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
_LOG: Final = logging.getLogger(__name__)


class KeptKey:
    """Where the key is while the agent is not.

    Args:
        service: speaks to systemd; where none listens nothing is ever kept.
        environment: where systemd's words stand; they are taken out, so that no child sees them.
        first: the first descriptor that was handed over.
    """

    def __init__(
        self,
        service: Service,
        environment: MutableMapping[str, str] = os.environ,
        first: int = FIRST_DESCRIPTOR,
    ) -> None:
        self._service = service
        self._environment = environment
        self._first = first

    def take(self) -> bytes | None:
        """The key that the process before this one had, once; None after a boot, a stop or a lock."""
        process, count, names = (self._environment.pop(word, "") for word in _WORDS)
        if process != str(os.getpid()) or not count.isdecimal():
            return None
        found: bytes | None = None
        for number, name in zip(range(int(count)), names.split(":"), strict=False):
            descriptor = self._first + number
            if name == NAME:
                found = _read(descriptor) or found
            with contextlib.suppress(OSError):
                os.close(descriptor)
        return found

    def keep(self, key: bytes) -> None:
        """Have systemd hold the key instead of any other that it holds."""
        if not self._service.listens:
            return
        self.forget()
        descriptor = os.memfd_create(NAME, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.write(descriptor, key)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
            self._service.hand_over(descriptor, "FDSTORE=1", f"FDNAME={NAME}", "FDPOLL=0")
        finally:
            os.close(descriptor)

    def forget(self) -> None:
        """Have systemd drop it."""
        self._service.tell("FDSTOREREMOVE=1", f"FDNAME={NAME}")


def _read(descriptor: int) -> bytes | None:
    """The key in a sealed file of memory; None for anything else, which systemd was never given by us."""
    try:
        sealed = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) == _SEALS
        content = os.pread(descriptor, KEY_BYTES + 1, 0) if sealed else b""
    except OSError:
        content = b""
    if len(content) == KEY_BYTES:
        return content
    _LOG.warning("what was kept is no key")
    return None
