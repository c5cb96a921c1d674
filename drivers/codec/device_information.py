"""What a Bluetooth device says of itself: who made it, which one it is, how full its battery is.

Source: Bluetooth SIG, Device Information Service 1.1, Battery Service 1.0.
"""

from collections.abc import Mapping
from typing import Final

from drivers.codec import uuids
from edge.vitals.identity import Identity

LOW_BATTERY_PERCENT: Final = 10
IDENTITY: Final = (
    uuids.MANUFACTURER_NAME,
    uuids.MODEL_NUMBER,
    uuids.SERIAL_NUMBER,
    uuids.FIRMWARE_REVISION,
)
"""The parts of Device Information that tell one device from another."""
_LONGEST: Final = 64


def decode_identity(values: Mapping[str, bytes]) -> Identity:
    """From the values that it let us read, by UUID; empty where it did not."""
    manufacturer, model, serial, firmware = (_text(values.get(uuid, b"")) for uuid in IDENTITY)
    return Identity(manufacturer, model, serial, firmware)


def decode_battery(raw: bytes) -> int | None:
    """Percent, or None for no value, or more than all."""
    return raw[0] if raw and raw[0] <= 100 else None


def _text(raw: bytes) -> str:
    """As it may stand on a screen: no line breaks, no end marks, not without end."""
    said = raw[:_LONGEST].rstrip(b"\x00").decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in said).strip()
