"""Lines with somebody listening in: all that passes is told to a sink, as a `drivers.setup.trace`."""

import contextlib
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from drivers.setup.line import Line, Lines, Opening
from drivers.setup.trace import Event, What, head
from edge.ports.driver import DeviceError, DeviceUnavailable

if TYPE_CHECKING:
    from drivers.transport.serial_port import LineSettings

Sink: TypeAlias = Callable[[bytes], None]
"""Takes one line of a trace; health data. Never waits."""


class TappedLines:
    """Opens a device's own lines, and lets a sink hear what passes.

    Args:
        lines: who opens them.
        kind: of the device, as a trace names it.
        now_s: monotonic seconds.
        options: what its driver is told of the device beside.
        secret: what unlocks the device now, or None; a trace has zeros in its place.

    Attributes:
        sink: who listens, from the next session on; None for nobody, at once.
    """

    def __init__(
        self,
        lines: Lines,
        kind: str,
        now_s: Callable[[], float],
        options: Mapping[str, str] = MappingProxyType({}),
        secret: Callable[[], bytes | None] = lambda: None,
    ) -> None:
        self.sink: Sink | None = None
        self._lines = lines
        self._kind = kind
        self._now_s = now_s
        self._options = options
        self._secret = secret
        self._began_s = 0.0
        self._last: Sink | None = None

    @contextlib.asynccontextmanager
    async def open(self, port: str, opening: Opening, *, bond: bool) -> AsyncGenerator[Line]:
        """See `drivers.setup.line.Lines`."""
        async with self._lines.open(port, opening, bond=bond) as line:
            sink = self.sink
            if sink is None:
                yield line
                return
            if sink is not self._last:
                self._began_s, self._last = self._now_s(), sink
                sink(head(self._kind, self._options))

            def tell(what: What, channel: str = "", data: bytes = b"", **more: str | int | bool) -> None:
                if self.sink is sink:
                    at_s, shown = self._now_s() - self._began_s, self._without_secret(data)
                    sink(Event(at_s, what, channel, shown, tuple(more.items())).as_line())

            tell(What.OPEN, bond=bond, address=line.address, mtu=line.mtu)
            yield _TappedLine(line, tell)

    def _without_secret(self, data: bytes) -> bytes:
        secret = self._secret()
        return data if secret is None else data.replace(secret, bytes(len(secret)))


class _TappedLine:
    """One line, listened in on."""

    def __init__(self, line: Line, tell: Callable[..., None]) -> None:
        self._line: Final = line
        self._tell = tell
        self._had: dict[str, bool] = {}

    @property
    def address(self) -> str:
        return self._line.address

    @property
    def mtu(self) -> int:
        return self._line.mtu

    def has(self, channel: str) -> bool:
        with self._refusals("has", channel):
            found = self._line.has(channel)
        if self._had.get(channel) is not found:
            self._had[channel] = found
            self._tell(What.HAS, channel, yes=found)
        return found

    async def read(self, channel: str) -> bytes:
        with self._refusals("read", channel):
            value = await self._line.read(channel)
        self._tell(What.READ, channel, value)
        return value

    async def write(self, channel: str, data: bytes, *, response: bool) -> None:
        # told before: the answer may be heard before the write returns
        self._tell(What.WROTE, channel, data, response=response)
        with self._refusals("write", channel):
            await self._line.write(channel, data, response=response)

    async def subscribe(self, channel: str) -> None:
        self._tell(What.SUBSCRIBED, channel)
        with self._refusals("subscribe", channel):
            await self._line.subscribe(channel)

    async def hear(self) -> tuple[str, bytes] | None:
        with self._refusals("hear", ""):
            heard = await self._line.hear()
        if heard is None:
            self._tell(What.ENDED)
        else:
            self._tell(What.HEARD, *heard)
        return heard

    def tune(self, settings: "LineSettings") -> None:
        self._tell(What.TUNED, baud=settings.baud, parity=str(settings.parity))
        with self._refusals("tune", ""):
            self._line.tune(settings)

    @contextlib.contextmanager
    def _refusals(self, of: str, channel: str) -> Generator[None]:
        try:
            yield
        except DeviceError as error:
            gone = isinstance(error, DeviceUnavailable)
            self._tell(What.REFUSED, channel, of=of, code=error.stable_code, gone=gone)
            raise
