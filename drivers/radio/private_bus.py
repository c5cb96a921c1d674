"""A D-Bus daemon of our own, so that a fake org.bluez can stand beside the machine's real one."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from edge.ports.driver import DeviceUnavailable

DAEMON: Final = "dbus-daemon"
ADDRESS_VARIABLE: Final = "DBUS_SYSTEM_BUS_ADDRESS"
"""Where dbus-fast, and so bleak, looks for the system's bus."""
READY_WITHIN_S: Final = 10.0
_CONFIG: Final = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


class PrivateBus:
    """One bus daemon, which a test may kill and start again."""

    def __init__(self, directory: Path) -> None:
        self._socket = directory / "bus"
        self._config = directory / "bus.conf"
        self._process: asyncio.subprocess.Process | None = None
        self.address: Final = f"unix:path={self._socket}"

    async def start(self) -> None:
        """Start it, and wait until it takes connections.

        Raises:
            DeviceUnavailable: it is not installed, or does not come up.
        """
        self._config.write_text(_CONFIG.format(path=self._socket))
        self._socket.unlink(missing_ok=True)
        try:
            self._process = await asyncio.create_subprocess_exec(
                DAEMON,
                f"--config-file={self._config}",
                "--nofork",
                "--print-address",
                stdout=asyncio.subprocess.PIPE,
            )
        except FileNotFoundError as error:
            raise _missing() from error
        async with asyncio.timeout(READY_WITHIN_S):
            if self._process.stdout is None or not await self._process.stdout.readline():
                raise _missing()

    async def kill(self) -> None:
        """As if it had crashed; harmless when it has ended."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def private_bus(directory: Path) -> AsyncGenerator[PrivateBus]:
    """A running bus while the context lasts."""
    bus = PrivateBus(directory)
    await bus.start()
    try:
        yield bus
    finally:
        await bus.kill()


def _missing() -> DeviceUnavailable:
    return DeviceUnavailable(
        "No D-Bus daemon could be started.",
        next_step="install Debian's package dbus, or use the virtual radio without BlueZ.",
        code="dbus-missing",
    )
