"""How Bluetooth fails, beyond what every device can do."""

from typing import ClassVar

from edge.ports.driver import DeviceError, DeviceUnavailable


class BondLost(DeviceError):
    """The device refuses our keys: trying again is useless until a technician has paired it anew."""

    code: ClassVar[str] = "bond-lost"


class RadioDown(DeviceUnavailable):
    """No working Bluetooth adapter: it is not this device's fault, and it is being repaired."""

    code: ClassVar[str] = "radio-down"
