"""What a Bluetooth device says of itself: who made it, which one it is, how full its battery is.

All of it is optional: a device that refuses an answer still measures. Source: Bluetooth SIG, Device
Information Service 1.1, Battery Service 1.0.
"""

import asyncio
from typing import Final

from drivers.codec import uuids
from drivers.transport.link import BleLink
from edge.ports.driver import DeviceMisbehaved
from edge.vitals.identity import Identity

ANSWER_WITHIN_S: Final = 3.0
LOW_BATTERY_PERCENT: Final = 10
_LONGEST: Final = 64


async def read_identity(link: BleLink) -> Identity:
    """Ask for the parts of Device Information that tell one device from another."""
    manufacturer, model, serial, firmware = [
        _text(await read_if_there(link, uuid))
        for uuid in (
            uuids.MANUFACTURER_NAME,
            uuids.MODEL_NUMBER,
            uuids.SERIAL_NUMBER,
            uuids.FIRMWARE_REVISION,
        )
    ]
    return Identity(manufacturer, model, serial, firmware)


async def read_battery(link: BleLink) -> int | None:
    """The battery in percent, or None when the device does not say, or says more than all."""
    raw = await read_if_there(link, uuids.BATTERY_LEVEL)
    return raw[0] if raw and raw[0] <= 100 else None


async def read_if_there(link: BleLink, uuid: str) -> bytes | None:
    """The value of a characteristic that a device may lack, refuse or be slow about.

    Raises:
        DeviceUnavailable: it has gone.
    """
    if not link.has(uuid):
        return None
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            return await link.read(uuid)
    except (DeviceMisbehaved, TimeoutError):
        return None


def _text(raw: bytes | None) -> str:
    if raw is None:
        return ""
    said = raw[:_LONGEST].rstrip(b"\x00").decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in said).strip()
