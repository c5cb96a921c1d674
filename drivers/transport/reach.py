"""From what unit.toml says of a Bluetooth device to a link with it: the same for every such device."""

import contextlib
from collections.abc import AsyncGenerator

from drivers.transport.link import BleLink, Radio, Wanted
from edge.ports.driver import DeviceUnavailable


@contextlib.asynccontextmanager
async def reach(
    radio: Radio | None,
    port: str,
    *,
    service: str | None,
    bond: bool = False,
    acquire: frozenset[str] = frozenset(),
) -> AsyncGenerator[BleLink]:
    """A link with the configured device as soon as it speaks, however long that takes.

    Raises:
        DeviceUnavailable: this unit has no radio, or ``port`` names no Bluetooth device; and whatever
            `Radio.session` raises.
    """
    if radio is None:
        raise DeviceUnavailable(
            "This unit has no Bluetooth.", next_step="see [radio] in unit.toml.", code="radio-missing"
        )
    try:
        wanted = Wanted.at(port, service=service, bond=bond, acquire=acquire)
    except ValueError as error:
        raise DeviceUnavailable(
            f"{port} is no Bluetooth device: {error}.",
            next_step='write port = "ble:AA:BB:CC:DD:EE:FF" with the address of the device into unit.toml.',
            code="port-unusable",
        ) from None
    async with radio.session(wanted) as link:
        yield link
