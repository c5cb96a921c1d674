"""A serial port on the event loop: pyserial opens it, the loop reads it.

Reading from the loop costs a quarter of what a thread does, and the ways in which a port goes away stay
in one place: an adapter pulled out shows as end of file, as EIO or as a dangling link, never as a flag.
Nothing is buffered here. What is not read waits in the kernel's line buffer, which is bounded; what
overflows it is lost as on any wire, and the codec finds its place again.
"""

import asyncio
import contextlib
import dataclasses
import errno
import fcntl
import os
import termios
from collections.abc import Generator
from enum import StrEnum
from pathlib import Path
from typing import Final

import serial

from edge.ports.driver import DeviceUnavailable

READ_AT_MOST: Final = 4096
WRITE_WITHIN_S: Final = 1.0
_PSEUDO_TERMINALS: Final = range(136, 144)
"""Major numbers of ``/dev/pts/*`` (Linux, Documentation/admin-guide/devices.txt)."""


class Parity(StrEnum):
    """As pyserial spells it."""

    NONE = serial.PARITY_NONE
    ODD = serial.PARITY_ODD


@dataclasses.dataclass(frozen=True, slots=True)
class LineSettings:
    """How bits travel; always eight data bits, one stop bit, no flow control."""

    baud: int
    parity: Parity = Parity.NONE


class SerialPort:
    """An open port that nobody else may open; made by `open_port`.

    Every method raises `DeviceUnavailable` when the port has gone.
    """

    def __init__(self, path: str, port: serial.Serial) -> None:
        self._path = path
        self._port = port
        self._fd: int = port.fileno()

    async def read(self) -> bytes:
        """Wait for the next bytes, however many there are; never empty."""
        while True:
            try:
                data = os.read(self._fd, READ_AT_MOST)
            except BlockingIOError:
                await self._readable()
                continue
            except OSError as error:
                raise self._gone() from error
            if not data:
                raise self._gone()
            return data

    async def write(self, data: bytes) -> None:
        """Send all of it, within a second."""
        try:
            async with asyncio.timeout(WRITE_WITHIN_S):
                while data:
                    try:
                        data = data[os.write(self._fd, data) :]
                    except BlockingIOError:
                        await self._writable()
        except TimeoutError as error:
            raise DeviceUnavailable(
                f"The port {self._path} takes no bytes.",
                next_step="unplug the device's cable and plug it in again.",
                code="port-stuck",
            ) from error
        except OSError as error:
            raise self._gone() from error

    def set_line(self, line: LineSettings) -> None:
        """Change speed and parity, and forget what came at the old ones."""
        try:
            self._port.baudrate = line.baud
            self._port.parity = _parity(line, os.fstat(self._fd))
            self._port.reset_input_buffer()
        except (OSError, termios.error) as error:
            raise self._gone() from error

    def close(self) -> None:
        """Give the port up; harmless when it has gone already."""
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._fd, termios.TIOCNXCL)
        with contextlib.suppress(OSError, termios.error):
            self._port.close()

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        loop.add_reader(self._fd, _settle, ready)
        try:
            await ready
        finally:
            loop.remove_reader(self._fd)

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        loop.add_writer(self._fd, _settle, ready)
        try:
            await ready
        finally:
            loop.remove_writer(self._fd)

    def _gone(self) -> DeviceUnavailable:
        return DeviceUnavailable(
            f"The device on {self._path} was unplugged.",
            next_step="plug its cable in again; it is found again by itself.",
            code="device-unplugged",
        )


@contextlib.contextmanager
def open_port(path: str, line: LineSettings, *, real: bool = False) -> Generator[SerialPort]:
    """Open a port for ourselves alone, and close it in the end.

    With ``real`` a pseudo-terminal is none: another program is behind it, and no device.

    Raises:
        DeviceUnavailable: there is no such port (``port-missing``), it may not be opened
            (``port-denied``), another program or another device of ours has it (``port-busy``), it is no
            serial port (``port-unusable``), or not a real one (``port-not-real``).
    """
    held = os.getpid(), _node_of(path)
    if held in _HELD:
        raise DeviceUnavailable(
            f"The ports {_HELD[held]} and {path} are one and the same.",
            next_step="give each device in unit.toml a port of its own.",
            code="port-busy",
        )
    if _is_somebodys_terminal(path):
        raise DeviceUnavailable(
            f"{path} leads to a terminal at which somebody works.",
            next_step="remove the link a simulator has left, or correct the device's `port` in unit.toml.",
            code="port-is-a-terminal",
        )
    try:
        # exclusive is a lock that only the polite ask for; TIOCEXCL turns the others away too.
        # inter_byte_timeout=0 sets VMIN to 1: otherwise "nothing yet" and "unplugged" both read as b"".
        parity = _parity(line, Path(path).stat())
        opened = serial.Serial(
            path, line.baud, parity=parity, timeout=0, inter_byte_timeout=0, exclusive=True
        )
        fcntl.ioctl(opened.fileno(), termios.TIOCEXCL)
    except (OSError, termios.error, ValueError) as error:
        raise _refusal(path, error) from error
    if real and os.major(os.fstat(opened.fileno()).st_rdev) in _PSEUDO_TERMINALS:
        opened.close()  # asked of what was opened: a link may lead elsewhere by now
        raise DeviceUnavailable(
            f"Behind {path} is a program and no device: a production unit does not listen to it.",
            next_step="name the device's own serial port in unit.toml; simulators are for training.",
            code="port-not-real",
        )
    port = SerialPort(path, opened)
    _HELD[held] = path
    try:
        yield port
    finally:
        _HELD.pop(held, None)
        port.close()


_HELD: Final[dict[tuple[int, int | None], str]] = {}
"""The ports that a process has open, by device number: two names may lead to one port."""


def _node_of(path: str) -> int | None:
    try:
        return Path(path).stat().st_rdev
    except OSError:
        return None


def _is_somebodys_terminal(path: str) -> bool:
    """Whether a pseudo-terminal is the controlling terminal of any process: then no device is behind it.

    A simulator that was killed leaves its link, and the system gives the number to the next terminal that
    is opened. Source: proc(5), ``/proc/pid/stat``, field 7, ``tty_nr``.
    """
    node = _node_of(path)
    if node is None or os.major(node) not in _PSEUDO_TERMINALS:
        return False
    minor = os.minor(node)
    number = (minor & 0xFF) | os.major(node) << 8 | (minor & ~0xFF) << 12
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            if int(stat.read_text().rpartition(")")[2].split()[4]) == number:
                return True
    return False


def _parity(line: LineSettings, node: os.stat_result) -> str:
    """The parity to ask for: a pseudo-terminal has none, and refuses the request where it is the only one."""
    parity = Parity.NONE if os.major(node.st_rdev) in _PSEUDO_TERMINALS else line.parity
    return str(parity)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _refusal(path: str, error: Exception) -> DeviceUnavailable:
    number = error.errno if isinstance(error, OSError) else None
    match number:
        case errno.ENOENT | errno.ENODEV | errno.ENXIO | errno.ELOOP | errno.ENOTDIR:
            return DeviceUnavailable(
                f"There is no port {path}.",
                next_step="plug the device's cable in, or correct its `port` in unit.toml.",
                code="port-missing",
            )
        case errno.EACCES | errno.EPERM:
            return DeviceUnavailable(
                f"The port {path} may not be opened by this user.",
                next_step="add the user that runs the agent to the group that owns the port, often dialout.",
                code="port-denied",
            )
        case errno.EBUSY | errno.EAGAIN:
            return DeviceUnavailable(
                f"Another program has the port {path} open.",
                next_step="end the other program; each port belongs to one agent.",
                code="port-busy",
            )
        case _:
            return DeviceUnavailable(
                f"{path} cannot be used as a serial port.",
                next_step="correct the device's `port` in unit.toml.",
                code="port-unusable",
            )
