"""What is in the air: every device that was heard while somebody looked around. No radio, no waiting."""

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

MOST: Final = 500
"""More devices than a market place has; beyond them only known ones are heard again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sighting:
    """One device that advertised.

    Attributes:
        name: as advertised; empty when it says none.
        services: 128-bit UUID texts in lower case.
        rssi: signal strength of the last advertisement, dBm; -50 is beside the adapter, -90 far away.
        paired: whether our side holds keys for it.
    """

    address: str
    name: str
    services: tuple[str, ...]
    rssi: int
    paired: bool


class Lookout:
    """Collects what is heard.

    Attributes:
        looked: whether a scan ran at all.
        given_up: set when the adapter cannot scan.
    """

    def __init__(self, paired: Callable[[BLEDevice, AdvertisementData], bool]) -> None:
        self.looked = False
        self.given_up: Final = asyncio.Event()
        self._paired = paired
        self._seen: dict[str, Sighting] = {}

    def see(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        """Take one advertisement; what an earlier one said and this one does not is kept."""
        before = self._seen.get(device.address.upper())
        if before is None and len(self._seen) >= MOST:
            return
        services = {service.lower() for service in advertisement.service_uuids}
        if before is not None:
            services |= set(before.services)
        name = advertisement.local_name or device.name or ("" if before is None else before.name)
        self._seen[device.address.upper()] = Sighting(
            device.address.upper(),
            "" if _is_address(name, device.address) else _one_line(name),
            tuple(sorted(services)),
            advertisement.rssi,
            self._paired(device, advertisement),
        )

    def sightings(self) -> Sequence[Sighting]:
        """All that was heard, the strongest first."""
        return sorted(self._seen.values(), key=lambda one: (-one.rssi, one.address))


def _is_address(name: str, address: str) -> bool:
    """BlueZ makes a name of the address where there is none."""
    return name.upper().replace("-", ":") == address.upper()


def _one_line(name: str) -> str:
    """A name is whatever the device's maker, or a prankster, wrote: no line breaks, no control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in name).strip()[:64]
