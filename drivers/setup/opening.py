"""Opens the lines that devices are really on: the radio's links and the serial ports."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from drivers.setup.line import STREAM, BleOpening, Line, Opening
from drivers.transport.link import BleLink, Radio
from drivers.transport.reach import reach
from drivers.transport.serial_port import LineSettings, SerialPort, open_port
from edge.ports.driver import DeviceMisbehaved

_NO_MTU: Final = 0


class DeviceLines:
    """What `drivers.setup.line.Lines` promises, on real transports.

    Args:
        radio: the Bluetooth adapter, or None.
        real: whether a serial port has to be one; else a simulator may be behind it.
    """

    def __init__(self, radio: Radio | None, *, real: bool = False) -> None:
        self._radio = radio
        self._real = real

    @contextlib.asynccontextmanager
    async def open(self, port: str, opening: Opening, *, bond: bool) -> AsyncGenerator[Line]:
        """See `drivers.setup.line.Lines`."""
        if isinstance(opening, BleOpening):
            async with reach(
                self._radio, port, service=opening.service, bond=bond, acquire=opening.acquire
            ) as link:
                line = BleLine(link)
                try:
                    yield line
                finally:
                    await line.stop_hearing()
        else:
            with open_port(port, opening.settings, real=self._real) as opened:
                yield SerialLine(port, opened)


class BleLine:
    """A Bluetooth link as a line."""

    def __init__(self, link: BleLink) -> None:
        self._link = link
        self._events: AsyncIterator[tuple[str, bytes]] | None = None

    @property
    def address(self) -> str:
        return self._link.address

    @property
    def mtu(self) -> int:
        return self._link.mtu

    def has(self, channel: str) -> bool:
        return self._link.has(channel)

    async def read(self, channel: str) -> bytes:
        return await self._link.read(channel)

    async def write(self, channel: str, data: bytes, *, response: bool) -> None:
        await self._link.write(channel, data, response=response)

    async def subscribe(self, channel: str) -> None:
        await self._link.subscribe(channel)

    async def hear(self) -> tuple[str, bytes] | None:
        if self._events is None:
            self._events = self._link.events()
        try:
            return await anext(self._events)
        except StopAsyncIteration:
            return None
        except BaseException:
            self._events = None  # a generator that was cancelled is over; what waits is asked for anew
            raise

    def tune(self, settings: LineSettings) -> None:
        """A radio has no speed to be set."""

    async def stop_hearing(self) -> None:
        if isinstance(self._events, AsyncGenerator):
            await self._events.aclose()


class SerialLine:
    """An open serial port as a line."""

    def __init__(self, path: str, port: SerialPort) -> None:
        self.address: Final = path
        self.mtu: Final = _NO_MTU
        self._port = port

    def has(self, channel: str) -> bool:
        return channel == STREAM

    async def read(self, channel: str) -> bytes:  # noqa: ARG002  no channel of a stream can be read
        raise DeviceMisbehaved("A stream has no value to be read.", code="ble-characteristic-missing")

    async def write(self, channel: str, data: bytes, *, response: bool) -> None:  # noqa: ARG002  a stream has one channel and no receipt
        await self._port.write(data)

    async def subscribe(self, channel: str) -> None:
        """It comes unasked."""

    async def hear(self) -> tuple[str, bytes] | None:
        return STREAM, await self._port.read()

    def tune(self, settings: LineSettings) -> None:
        self._port.set_line(settings)
