"""What the radio says when it cannot give a driver its device: sentence, next step, code."""

from drivers.transport.connection import KeysRefused
from drivers.transport.errors import BondLost, RadioDown
from drivers.transport.link import Wanted
from edge.ports.driver import DeviceUnavailable


def _called(wanted: Wanted) -> str:
    return wanted.address or wanted.name_prefix or "that was asked for"


def bond_lost(wanted: Wanted) -> BondLost:
    return BondLost(
        f"The device {_called(wanted)} does not know this box any more.",
        next_step="a technician clears the pairing on the device and pairs it again.",
    )


def keys_refused(wanted: Wanted) -> KeysRefused:
    return KeysRefused(
        f"The device {_called(wanted)} does not accept our keys.",
        next_step="ask a technician to pair it again if this stays.",
    )


def quarantined(wanted: Wanted) -> DeviceUnavailable:
    return DeviceUnavailable(
        f"The device {_called(wanted)} failed again and again and is left alone for ten minutes.",
        next_step="check its batteries and its distance, then try again.",
        code="ble-quarantined",
    )


def not_paired(wanted: Wanted) -> DeviceUnavailable:
    return DeviceUnavailable(
        f"The device {_called(wanted)} is not paired with this box, and pairing is not allowed now.",
        next_step="ask a technician to pair it.",
        code="ble-not-paired",
    )


def pairing_failed(wanted: Wanted) -> DeviceUnavailable:
    return DeviceUnavailable(
        f"The device {_called(wanted)} could not be paired.",
        next_step="switch the device into its pairing mode, and clear older pairings on it.",
        code="ble-pairing-failed",
    )


def unreachable(wanted: Wanted) -> DeviceUnavailable:
    return DeviceUnavailable(
        f"The device {_called(wanted)} was heard but could not be connected.",
        next_step="bring it closer to the box and use it again.",
        code="ble-unreachable",
    )


def radio_down() -> RadioDown:
    return RadioDown("The Bluetooth adapter does not work.", next_step="it is being restarted; wait.")
