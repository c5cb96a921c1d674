"""What a device is taken for before it is met: by what it advertises, or by what it says unasked."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

from drivers.decoding import Chunk
from drivers.kinds import DeviceKind, DriverContext, Medium
from drivers.setup.line import BleOpening, Line, Opening, SerialOpening
from drivers.transport.serial_port import LineSettings, open_port
from edge.ports.driver import DeviceError, DeviceUnavailable

LISTEN_S: Final = 1.2
"""At each speed: every device that speaks unasked says something once a second."""
MOST_BYTES: Final = 65_536
SURE_AFTER: Final = 3
"""So many readings, or so much wave, are no chance at a wrong speed."""
MOSTLY: Final = 0.9
"""How much of what was heard has to mean something."""


def kinds_by_advertisement(
    kinds: Mapping[str, DeviceKind], name: str, services: Iterable[str]
) -> tuple[str, ...]:
    """The kinds that advertise so, those that do it by their name first."""
    offered = {service.lower() for service in services}
    by_name = [key for key, kind in kinds.items() if name and name.startswith(kind.looks.names or ("\0",))]
    by_service = [
        key for key, kind in kinds.items() if offered & set(kind.looks.services) and key not in by_name
    ]
    return (*by_name, *by_service)


async def opening_of(kind: DeviceKind, port: str) -> Opening | None:
    """How a kind's driver opens such a port; None when it opens it by itself, unasked."""
    asked = _Asked()
    driver = kind.make_driver(DriverContext("asked", port, lines=asked, secret=kind.no_secret))
    with contextlib.suppress(DeviceError):
        async with asyncio.timeout(1.0), driver.session():
            pass
    return asked.opening


async def kinds_by_stream(kinds: Mapping[str, DeviceKind], path: str) -> tuple[str, ...]:
    """The kinds that what comes on a serial port unasked is of; nothing is written to it.

    Raises:
        DeviceUnavailable: the port cannot be opened.
    """
    speeds: dict[LineSettings, list[str]] = {}
    for key, kind in kinds.items():
        opening = await opening_of(kind, path)
        if isinstance(opening, SerialOpening):
            speeds.setdefault(opening.settings, []).append(key)
    found: list[str] = []
    for settings, candidates in speeds.items():
        heard = await _listen(path, settings)
        found += [key for key in candidates if _is_of(kinds[key], heard)]
    return tuple(found)


def kinds_of(kinds: Mapping[str, DeviceKind], heard: bytes) -> tuple[str, ...]:
    """The kinds that bytes of a serial port, heard at whatever speed, are of.

    The first bytes of a line are cut, so a short stretch may hold more that means nothing.
    """
    return tuple(
        key for key, kind in kinds.items() if kind.transport is Medium.SERIAL and _is_of(kind, heard)
    )


async def _listen(path: str, settings: LineSettings) -> bytes:
    heard = bytearray()
    with open_port(path, settings) as port, contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LISTEN_S):
            while len(heard) < MOST_BYTES:
                heard += await port.read()
    return bytes(heard)


def _is_of(kind: DeviceKind, heard: bytes) -> bool:
    try:
        decoded = kind.decode([Chunk(heard)])
    except DeviceError:  # a decoder that fails of itself recognises nothing
        return False
    refused = sum(each.length for each in decoded.refused)
    said = len(decoded.readings) + sum(len(wave.samples) for wave in decoded.waves)
    sure = said >= SURE_AFTER or bool(decoded.places)  # a place comes once a second, and with a checksum
    return sure and refused <= (1 - MOSTLY) * len(heard)


class _Asked:
    """Lines that open nothing, and remember what they were asked for."""

    def __init__(self) -> None:
        self.opening: Opening | None = None

    def open(self, port: str, opening: Opening, *, bond: bool) -> AbstractAsyncContextManager[Line]:
        del port, bond
        self.opening = opening
        return _Closed()


class _Closed(AbstractAsyncContextManager[Line]):
    async def __aenter__(self) -> Line:
        raise DeviceUnavailable("Only asked.")

    async def __aexit__(self, *_: object) -> None:
        pass


def fits(opening: Opening | None, port: str) -> bool:
    """Whether a device that is opened so can be at such a port."""
    if opening is None:
        return True
    return isinstance(opening, BleOpening) is port.startswith("ble:")
