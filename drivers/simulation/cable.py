"""The cable of a simulated serial device: a pseudo-terminal, and a link that stands for the port."""

import contextlib
import fcntl
import os
import pty
import random
import secrets
import termios
import tty
from pathlib import Path
from typing import Final

_READ: Final = 1024


class Cable:
    """The pseudo-terminal and the link that leads to it.

    The far end is kept open here, so that an agent's death does not hang the line up. It also lets us
    undo that agent's exclusive hold, which a real port loses with its last user.
    """

    def __init__(self, link: Path) -> None:
        self._link = link
        self.near: int | None = None
        self._far: int | None = None

    @property
    def port(self) -> str:
        """The node the link leads to, empty when unplugged."""
        return "" if self._far is None else os.ttyname(self._far)

    def plug(self) -> None:
        if self.near is not None:
            return
        self.near, self._far = pty.openpty()
        tty.setraw(self._far)
        os.set_blocking(self.near, False)
        temporary = self._link.with_name(f".{self._link.name}-{secrets.token_hex(4)}")
        temporary.symlink_to(self.port)
        temporary.replace(self._link)

    def unplug(self) -> None:
        if self.near is None or self._far is None:
            return
        self._link.unlink(missing_ok=True)
        os.close(self.near)
        os.close(self._far)
        self.near = self._far = None

    def send(self, data: bytes) -> None:
        """Put bytes on the wire; what nobody reads is lost once the line is full.

        What is left in the line, an agent that opens it later flushes, as the driver does anyway.
        """
        if self.near is None or self._far is None:
            return
        fcntl.ioctl(self._far, termios.TIOCNXCL)
        with contextlib.suppress(BlockingIOError):
            os.write(self.near, data)

    def receive(self) -> bytes:
        if self.near is None:
            return b""
        with contextlib.suppress(BlockingIOError):
            return os.read(self.near, _READ)
        return b""


class Noise:
    """A bad cable, as bytes: some are added, cut or replaced, about one place in ``every`` bytes."""

    def __init__(self, seed: int, *, every: int = 60) -> None:
        self._random = random.Random(seed)  # noqa: S311  noise need not be secret
        self._every = every

    def disturb(self, data: bytes) -> bytes:
        """The bytes as they arrive at the other end; the same seed spoils the same places."""
        chance = self._random
        arrived = bytearray()
        at = 0
        while at < len(data):
            if chance.randrange(self._every):
                arrived.append(data[at])
                at += 1
                continue
            match chance.randrange(3):
                case 0:
                    arrived += chance.randbytes(chance.randint(1, 12))
                case 1:
                    at += chance.randint(1, 8)
                case _:
                    arrived += chance.randbytes(1)
                    at += 1
        return bytes(arrived)
