"""What a service tells systemd: that it is ready, that it still lives, that it is about to end.

One datagram for each, to the socket whose name stands in the environment; nothing where no systemd started
the process. Source: sd_notify(3), sd_watchdog_enabled(3).
"""

import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from typing import Final

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
_ALIVE: Final = "WATCHDOG=1"
_SOCKET: Final = "NOTIFY_SOCKET"
_PERIOD: Final = "WATCHDOG_USEC"
_PROCESS: Final = "WATCHDOG_PID"
_OFTEN: Final = 4
"""Signs of life in one period: three may be late or lost before the process is taken for hung."""


class Service:
    """The process as systemd sees it.

    Args:
        now_s: monotonic time.
        environment: where systemd's words stand.
    """

    def __init__(self, now_s: Callable[[], float], environment: Mapping[str, str] = os.environ) -> None:
        self._now_s = now_s
        name = environment.get(_SOCKET, "")
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self._every_s = _period_s(environment) / _OFTEN
        self._told_s = float("-inf")
        self._ready = False

    def alive(self) -> None:
        """Say that the process does its work; to be called from the very loop that does it, at will.

        The first time it says that the process is ready. After that it speaks four times in a period of
        the watchdog and is silent between, so a loop may call it at each turn.
        """
        now_s = self._now_s()
        if not self._ready:
            self._ready = True
            self._told_s = now_s
            self.tell(READY, _ALIVE)
        elif self._every_s > 0 and now_s - self._told_s >= self._every_s:
            self._told_s = now_s
            self.tell(_ALIVE)

    @property
    def listens(self) -> bool:
        """Whether somebody started this process who hears it."""
        return bool(self._address)

    def hand_over(self, descriptor: int, *words: str) -> None:
        """Give systemd an open file with these words."""
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaking:
            speaking.connect(self._address)
            socket.send_fds(speaking, ["\n".join(words).encode()], [descriptor])

    def tell(self, *words: str) -> None:
        """Send words as they are; a systemd that does not listen keeps nobody from working."""
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaking:
            speaking.setblocking(False)  # noqa: FBT003  the standard library takes it only so
            speaking.sendto("\n".join(words).encode(), self._address)


def _period_s(environment: Mapping[str, str]) -> float:
    """The watchdog's period in seconds; 0 where it watches nobody, or another process."""
    if environment.get(_PROCESS, str(os.getpid())) != str(os.getpid()):
        return 0.0
    text = environment.get(_PERIOD, "")
    return int(text) / 1e6 if text.isdecimal() else 0.0
