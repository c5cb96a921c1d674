"""The unit's Bluetooth adapter, put together from its configuration."""

import logging
from typing import Final

from drivers.transport.backend import Backend
from drivers.transport.ble import AdapterOwner
from drivers.transport.pairing import PairingWindow
from edge.clock import Clock
from edge.config import BLE_SCHEME, Places, UnitConfig

_TALKATIVE: Final = ("bleak", "bumble", "dbus_fast")
"""In their debug logs these print what devices send, and that is health data."""


def make_radio(places: Places, config: UnitConfig, clock: Clock) -> AdapterOwner:
    """The adapter, real or simulated. Opens nothing yet."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    virtual = config.virtual_radio(places)
    ports = (device.port for device in config.device if device.bluetooth)
    window = PairingWindow(
        (port.removeprefix(BLE_SCHEME) for port in ports), clock.monotonic_s, any_device=virtual is not None
    )
    window.open_all(config.radio.pairing_window_s)
    return AdapterOwner(_backend(places, config, virtual, window), window, clock)


def _backend(places: Places, config: UnitConfig, virtual: str | None, window: PairingWindow) -> Backend:
    if virtual is None:
        from drivers.transport.bluez import BlueZ

        return BlueZ(window, adapter=config.radio.adapter)
    # bumble belongs to training; a production unit neither installs nor imports it
    from drivers.radio.bumble_backend import VirtualRadio

    return VirtualRadio(virtual, config.unit.id, places.base / "radio" / "bonds.json")
