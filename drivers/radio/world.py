"""The process in which simulated Bluetooth devices live; it outlasts whatever listens to them.

``python -m drivers.radio.world --listen unix:/run/air --device sig-bp=C0:FF:EE:00:00:01,key=cuff-1``

With ``--scenario`` they all measure its patient (see `drivers.simulation.person`).

Agents, or the fake BlueZ, join over HCI on the socket. One JSON line on standard output says that it is
ready. Orders come as lines on standard input, ``KEY ORDER``: ``forget`` (the device loses its bonds),
``leave`` and ``return`` (out of range and back), everything else is the device's own; ``quit`` ends it,
and so does the end of an input that somebody holds.
"""

import argparse
import asyncio
import contextlib
import importlib
import json
import os
import stat
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Final

from bumble.controller import Controller
from bumble.device import Device

from drivers.radio.air import Air
from drivers.radio.peripheral import Peripheral, Remembers
from drivers.simulation import person
from drivers.simulation.kept_secret import secret_file
from drivers.transport.alongside import alongside

UNKNOWN_ORDER: Final = "This order is not understood. (code: order-unknown)\n"


class Inhabitant:
    """One simulated device and its body."""

    def __init__(self, peripheral: Peripheral, device: Device, controller: Controller, air: Air) -> None:
        self._peripheral = peripheral
        self.device: Final = device
        self._controller = controller
        self._air = air

    async def live(self) -> None:
        """Switch on and be the device until cancelled."""
        await self.device.power_on()
        await self._peripheral.live(self.device)

    async def obey(self, order: str) -> bool:
        """Carry out one order; False when nobody understands it."""
        match order:
            case "forget":
                if self.device.keystore is not None:
                    await self.device.keystore.delete_all()
                return True
            case "leave":
                self._air.leave(self._controller)
                return True
            case "return":
                self._air.enter(self._controller)
                return True
            case _:
                return self._peripheral.obey(order)


class World:
    """The air and who lives in it; made by `living`."""

    def __init__(self, inhabitants: Mapping[str, Inhabitant]) -> None:
        self.inhabitants: Final = inhabitants

    async def obey(self, line: str) -> bool:
        """Carry out ``KEY ORDER``."""
        key, _, order = line.strip().partition(" ")
        inhabitant = self.inhabitants.get(key)
        return inhabitant is not None and await inhabitant.obey(order)


@contextlib.asynccontextmanager
async def living(
    air: Air, peripherals: Mapping[str, Peripheral], *, bonds: Path | None = None
) -> AsyncGenerator[World]:
    """Let devices live in the air while the context lasts, keeping their bonds in a file if one is named.

    Beside it lies what they were given that is no bond.
    """
    inhabitants: dict[str, Inhabitant] = {}
    for key, peripheral in peripherals.items():
        if bonds is not None and isinstance(peripheral, Remembers):
            peripheral.remember(secret_file(bonds, peripheral.address))
        device, controller = air.body(peripheral.name, peripheral.address, bonds)
        inhabitants[key] = Inhabitant(peripheral, device, controller, air)
    lives = {f"device-{key}": one.live() for key, one in inhabitants.items()}
    async with alongside(lives, patience_s=1.0):
        yield World(inhabitants)


def make_peripheral(text: str, whom: Mapping[str, str] | None = None) -> tuple[str, Peripheral]:
    """Read ``KIND=ADDRESS[,OPTION=VALUE…]`` and make that device; option ``key`` is what orders call it.

    Args:
        text: as above.
        whom: options that name the person whom it measures.

    Raises:
        ValueError: it is not of this form, or the kind has no simulator for the air.
    """
    kind, equals, rest = text.partition("=")
    address, *pairs = rest.split(",")
    if not equals or not address:
        raise ValueError(f"{text!r} is not KIND=ADDRESS")
    options = dict(pair.split("=", 1) for pair in pairs) | dict(whom or {})
    try:
        module = importlib.import_module(f"drivers.devices.{kind.replace('-', '_')}.simulator")
        make = module.make_peripheral
    except (ModuleNotFoundError, AttributeError) as error:
        raise ValueError(f"the kind {kind!r} has no simulator for the air") from error
    return options.pop("key", kind), make(address.upper(), options)


async def run(listen: str, peripherals: Mapping[str, Peripheral], *, bonds: Path | None) -> None:
    """Serve until told to quit."""
    air = Air()
    async with living(air, peripherals, bonds=bonds) as world, air.serve(listen) as where:
        ready = {"event": "ready", "listen": where, "pid": os.getpid(), "devices": sorted(peripherals)}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await _take_orders(world)


async def _take_orders(world: World) -> None:
    lines = await _standard_input()
    while line := (await lines.readline()).decode("utf-8", "replace"):
        if line.strip() == "quit":
            return
        if line.strip() and not await world.obey(line):
            sys.stderr.write(UNKNOWN_ORDER)
    if not _input_has_an_owner():
        await asyncio.Event().wait()


async def _standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    if not _input_has_an_owner():
        reader.feed_eof()
        return reader
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _input_has_an_owner() -> bool:
    """Whether standard input is held by somebody; of /dev/null or a file, an end says nothing."""
    mode = os.fstat(0).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="qafila-world", description="Simulated Bluetooth devices.")
    parser.add_argument("--listen", required=True, help="unix:PATH or tcp:HOST:PORT")
    parser.add_argument("--device", action="append", default=[], help="KIND=ADDRESS[,key=NAME,OPTION=VALUE]")
    parser.add_argument("--bonds", type=Path, help="file that keeps the devices' bonds over a restart")
    person.add_options(parser)
    options = parser.parse_args(arguments)
    whom = person.whom(options)
    try:
        peripherals = dict(make_peripheral(text, whom) for text in options.device)
    except ValueError as error:
        parser.error(str(error))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(options.listen, peripherals, bonds=options.bonds))


if __name__ == "__main__":
    main()
