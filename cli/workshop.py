"""All about devices that needs more than a driver: an `edge.ports.workshop.Workshop` of the real parts."""

import asyncio
import contextlib
import datetime
import difflib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cli.radio_on_demand import RadioOnDemand
from drivers import looks
from drivers.kinds import DeviceKind, DriverContext
from drivers.registry import KINDS
from drivers.setup.opening import DeviceLines
from drivers.setup.tap import TappedLines
from drivers.transport.link import SCHEME, Wanted
from drivers.transport.serial_nodes import DEV, SerialNode, serial_nodes
from edge.clock import Clock
from edge.errors import QafilaError
from edge.ports.driver import DeviceError, DeviceUnavailable, Driver
from edge.ports.workshop import AskPasskey, DeviceRefused, Nearby, Scanned, Sink

WINDOW_S: Final = 3600.0
"""Longer than anybody pairs; the window is shut when pairing is over."""


class UnitWorkshop:
    """Finds, makes, pairs, forgets and records devices.

    Args:
        wall: local wall time while the unit's clock is synchronised, or corrected by that many
            milliseconds, else None.
        real: whether serial ports have to be real ones, as in production.
        dev: where the serial ports are.
    """

    def __init__(
        self,
        radio: RadioOnDemand,
        clock: Clock,
        wall: Callable[[int | None], datetime.datetime | None],
        dev: Path = DEV,
        *,
        real: bool = False,
    ) -> None:
        self._radio = radio
        self._clock = clock
        self._off_ms: int | None = None
        self._wall = lambda: wall(self._off_ms)
        self._dev = dev
        self._real = real
        self._taps: dict[str, TappedLines] = {}
        self._ports: dict[str, str] = {}
        self._secrets: Mapping[str, bytes] | None = None

    def driver(
        self, key: str, kind: DeviceKind, port: str, options: Mapping[str, str] = MappingProxyType({})
    ) -> Driver:
        """The driver of a configured device; whether it can be there shows when it is opened.

        Raises:
            DeviceRefused: its kind has no such option.
        """
        options = checked_options(kind, options)

        def known() -> bytes | None:
            return None if self._secrets is None else self._secrets.get(key)

        lines = DeviceLines(self._radio, real=self._real)
        tap = TappedLines(lines, kind.kind, self._clock.monotonic_s, options, known)
        self._taps[key], self._ports[key] = tap, port
        context = DriverContext(
            key,
            port,
            self._radio,
            self._wall,
            tap,
            lambda heard: looks.kinds_of(KINDS, heard),
            options,
            lambda: self._secret(key),
        )
        return kind.make_driver(context)

    def _secret(self, key: str) -> bytes | None:
        if self._secrets is None:
            raise DeviceUnavailable(
                f"What unlocks {key} is in the store, and the store is locked.",
                next_step="sign in.",
                code="secret-locked",
            )
        return self._secrets.get(key)

    # ── edge.ports.workshop.Workshop ─────────────────────────────────────────────────────────────

    async def make(self, key: str, kind: str, port: str, options: Mapping[str, str]) -> Driver:
        known = known_kind(kind)
        await check_port(known, port)
        return self.driver(key, known, port, options)

    def secret_size(self, kind: str) -> int | None:
        known = KINDS.get(kind)
        return None if known is None or known.secret is None else known.secret.size

    async def give_secret(self, key: str, kind: str, port: str, secret: bytes) -> None:
        known = known_kind(kind)
        assert known.secret is not None  # noqa: S101  nobody gives what a kind does not have
        # not through the tap: a recording has no business with it
        await known.secret.give(DriverContext(key, port, self._radio, self._wall), secret)

    def unlock(self, secrets: Mapping[str, bytes] | None) -> None:
        self._secrets = secrets

    async def scan(self, for_s: float, *, air: bool, cables: bool) -> Scanned:
        found: dict[str, Sequence[Nearby]] = {"air": (), "cables": ()}
        blind: dict[str, str] = {}

        async def look_in_the_air() -> None:
            try:
                found["air"] = await self._in_the_air(for_s)
            except DeviceError as error:
                blind["air"] = error.stable_code

        async def look_at_the_cables() -> None:
            found["cables"] = await self._on_cables()

        async with asyncio.TaskGroup() as group:
            if air:
                group.create_task(look_in_the_air())
            if cables:
                group.create_task(look_at_the_cables())
        return Scanned((*found["air"], *found["cables"]), blind)

    @contextlib.asynccontextmanager
    async def pairing(self, port: str, ask: AskPasskey, *, again: bool) -> AsyncGenerator[None]:
        address = address_of(port)
        if address is None:
            yield
            return
        owner = await self._radio.owner()
        window = owner.window
        window.enrol(address)
        window.ask_passkey = lambda asked, reply: ask(reply) if asked.upper() == address else reply(None)
        try:
            if again:
                await owner.pair_again(address, WINDOW_S)
            else:
                window.open(address, WINDOW_S)
                owner.try_again(address)
            yield
        finally:
            window.ask_passkey = None
            window.shut(address)

    async def paired(self, port: str) -> bool:
        address = address_of(port)
        return address is None or await (await self._radio.owner()).paired(address)

    async def forget(self, port: str) -> bool:
        for key in [key for key, each in self._ports.items() if each == port]:
            del self._ports[key]
            self._taps.pop(key, None)
        address = address_of(port)
        if address is None:
            return False
        owner = await self._radio.owner()
        had = await owner.paired(address)
        await owner.forget(address)
        return had

    def clock_off(self, off_ms: int) -> None:
        self._off_ms = off_ms

    def try_again(self, port: str) -> None:
        address, owner = address_of(port), self._radio.present
        if address is not None and owner is not None:
            owner.try_again(address)

    def record(self, key: str, sink: Sink | None) -> None:
        if key in self._taps:
            self._taps[key].sink = sink

    # ── looking around ───────────────────────────────────────────────────────────────────────────

    async def _in_the_air(self, for_s: float) -> Sequence[Nearby]:
        owner = await self._radio.owner()
        return [
            Nearby(
                f"{SCHEME}{one.address}",
                (),
                one.name,
                looks.kinds_by_advertisement(KINDS, one.name, one.services),
                one.rssi,
                one.paired,
            )
            for one in await owner.nearby(for_s)
        ]

    async def _on_cables(self) -> Sequence[Nearby]:
        nodes = serial_nodes(self._dev)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._on_cable(node)) for node in nodes]
        return [task.result() for task in tasks]

    async def _on_cable(self, node: SerialNode) -> Nearby:
        kinds: tuple[str, ...] = ()
        if not self._in_use(node):
            with contextlib.suppress(DeviceError):  # busy, or denied: it is there, and that is all we know
                kinds = await looks.kinds_by_stream(KINDS, node.best)
        return Nearby(node.best, node.names[1:], node.title, kinds)

    def _in_use(self, node: SerialNode) -> bool:
        real = {str(Path(port).resolve()) for port in self._ports.values() if not port.startswith(SCHEME)}
        return str(Path(node.best).resolve()) in real


def known_kind(kind: str) -> DeviceKind:
    """The kind of this name.

    Raises:
        DeviceRefused: there is none.
    """
    known = KINDS.get(kind)
    if known is None and (told := KINDS.refusal(kind)) is not None:
        raise DeviceRefused(told.sentence, next_step=told.next_step, code=told.stable_code)
    if known is None:
        near = difflib.get_close_matches(kind, list(KINDS), n=1)
        raise DeviceRefused(
            f"There is no device kind {kind}.",
            next_step=f"did you mean {near[0]}?" if near else "see qafila devices kinds.",
            code="unknown-kind",
        )
    return known


def checked_options(kind: DeviceKind, given: Mapping[str, str]) -> Mapping[str, str]:
    """What unit.toml says of a device beside, if its kind takes that.

    Raises:
        DeviceRefused: there is no such option, or no such value of it.
    """
    known = {option.name: option for option in kind.options}
    for name, value in given.items():
        if name not in known:
            has = f"it has: {', '.join(known)}." if known else "leave options out."
            raise DeviceRefused(f"A {kind.kind} has no option {name}.", next_step=has, code="option-unknown")
        if value not in known[name].values:
            raise DeviceRefused(
                f"The option {name} of a {kind.kind} cannot be {value}.",
                next_step=f"give one of: {', '.join(known[name].values)}.",
                code="option-unknown",
            )
    return dict(given)


async def check_port(kind: DeviceKind, port: str) -> None:
    """Whether a device of this kind can be at such a port.

    Raises:
        DeviceRefused: it cannot.
    """
    bluetooth = port.startswith(SCHEME)
    if not (_is_in_the_air(port) if bluetooth else port.startswith("/")):
        raise _unusable(
            f"{port} is no port.",
            "give the path of a serial port, or ble: and an address such as ble:C0:FF:EE:00:00:01.",
        )
    if not looks.fits(await looks.opening_of(kind, port), port):
        other = "on a cable" if bluetooth else "in the air"
        way = "give the path of its serial port." if bluetooth else "give ble: and its address."
        raise _unusable(f"A {kind.kind} is {other}, and {port} is not.", way)


def _is_in_the_air(port: str) -> bool:
    try:
        Wanted.at(port, service="any")
    except ValueError:
        return False
    return True


def address_of(port: str) -> str | None:
    """The address in a Bluetooth port; None for a cable, and for a port that names no single device."""
    try:
        return Wanted.at(port, service="any").address
    except ValueError:
        return None


def _unusable(sentence: str, next_step: str) -> QafilaError:
    return DeviceRefused(sentence, next_step=next_step, code="port-unusable")
