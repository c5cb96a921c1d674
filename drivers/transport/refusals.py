"""What the radio says when it cannot give a driver its device: sentence, next step, code."""

from typing import TypeVar

from drivers.transport.connection import KeysRefused
from drivers.transport.errors import BondLost, RadioDown
from drivers.transport.link import Wanted
from edge.ports.driver import DeviceError, DeviceUnavailable

_Error = TypeVar("_Error", bound=DeviceError)


def _of(kind: type[_Error], wanted: Wanted, happened: str, next_step: str, *, code: str = "") -> _Error:
    called = wanted.address or wanted.name_prefix or "that was asked for"
    return kind(f"The device {called} {happened}.", next_step=next_step, code=code or kind.code)


def bond_lost(wanted: Wanted) -> BondLost:
    next_step = "a technician clears the pairing on the device and pairs it again."
    return _of(BondLost, wanted, "does not know this box any more", next_step)


def keys_refused(wanted: Wanted) -> KeysRefused:
    next_step = "ask a technician to pair it again if this stays."
    return _of(KeysRefused, wanted, "does not accept our keys", next_step)


def quarantined(wanted: Wanted) -> DeviceUnavailable:
    happened = "failed again and again and is left alone for ten minutes"
    next_step = "check its batteries and its distance, then try again."
    return _of(DeviceUnavailable, wanted, happened, next_step, code="ble-quarantined")


def not_paired(wanted: Wanted) -> DeviceUnavailable:
    happened = "is not paired with this box, and pairing is not allowed now"
    return _of(DeviceUnavailable, wanted, happened, "ask a technician to pair it.", code="ble-not-paired")


def pairing_failed(wanted: Wanted) -> DeviceUnavailable:
    next_step = "switch the device into its pairing mode, and clear older pairings on it."
    return _of(DeviceUnavailable, wanted, "could not be paired", next_step, code="ble-pairing-failed")


def unreachable(wanted: Wanted) -> DeviceUnavailable:
    happened, next_step = (
        "was heard but could not be connected",
        "bring it closer to the box and use it again.",
    )
    return _of(DeviceUnavailable, wanted, happened, next_step, code="ble-unreachable")


def radio_down() -> RadioDown:
    return RadioDown("The Bluetooth adapter does not work.", next_step="it is being restarted; wait.")
