"""A scale in the simulated air; options and orders stand in this folder's README."""

from collections.abc import Mapping
from typing import Final

from bumble.device import Device

from drivers.codec import uuids
from drivers.devices.sig_scale.unit import Scale
from drivers.simulation.device_clock import DeviceClock, now_s
from drivers.simulation.peripheral import Bytes, indicating
from drivers.simulation.person import Person, take_person
from drivers.simulation.teller import Teller, Told, one_of, take_clock


class SimulatedScale:
    """One scale in the air; a `drivers.radio.peripheral.Peripheral`.

    Attributes:
        tells_weight: whether it offers the weight scale service.
        tells_body: whether it offers the body composition service.
    """

    def __init__(self, address: str, scale: Scale, person: Person, clock: DeviceClock | None) -> None:
        self.name: Final = "A&D_UC-352BLE_sim"
        self.address: Final = address
        self.scale: Final = scale
        self.teller: Final = Teller(self.name, address, self._measure, clock)
        self.tells_weight = True
        self.tells_body = False
        self._person = person
        self._weight: Bytes = indicating(uuids.WEIGHT_MEASUREMENT)
        self._body: Bytes = indicating(uuids.BODY_COMPOSITION_MEASUREMENT)

    def obey(self, order: str) -> bool:
        match order.split():
            case ["fail"]:
                worn, self.scale.worn = self.scale.worn, False
                self.teller.keep(self._measure())
                self.scale.worn = worn
            case ["half"] if self.scale.halves and self.tells_body:
                self.teller.keep(self._measure()[:-1])
            case ["motion" | "sensor", "on" | "off"] as words:
                self.scale.worn = words in (["motion", "off"], ["sensor", "on"])
            case words:
                return self.teller.obey(words)
        return True

    async def live(self, device: Device) -> None:
        """Sleep, wake up, tell, hang up, until cancelled."""
        services: dict[str, list[Bytes]] = {}
        if self.tells_weight:
            services[uuids.WEIGHT_SCALE_SERVICE] = [self._weight]
        if self.tells_body:
            services[uuids.BODY_COMPOSITION_SERVICE] = [self._body]
        guarded = [characteristic for inside in services.values() for characteristic in inside]
        await self.teller.live(device, services, guarded)

    def _measure(self) -> Told:
        found = self._person.vitals.now(self._person.at_s(now_s()))
        at = self.teller.now()
        told: list[tuple[Bytes, bytes]] = []
        if self.tells_weight:
            told.append((self._weight, self.scale.weight(found, at)))
        if self.tells_body:
            told += [(self._body, value) for value in self.scale.body(found, at)]
        return told


def make_peripheral(address: str, options: Mapping[str, str]) -> SimulatedScale:
    """A scale with the options of the README.

    Raises:
        ValueError: an option is not known, or its value is none of its own.
    """
    given = dict(options)
    person = take_person(given, now_s())
    user, height_cm = given.pop("user", ""), given.pop("height", "170")
    scale = Scale(
        imperial=one_of(given, "unit", {"kg": False, "lb": True}),
        profile=(int(user), int(height_cm)) if user else None,
        halves=one_of(given, "halves", {"no": False, "yes": True}),
    )
    simulated = SimulatedScale(address, scale, person, take_clock(given))
    simulated.tells_weight, simulated.tells_body = one_of(
        given, "tells", {"weight": (True, False), "body": (False, True), "both": (True, True)}
    )
    simulated.teller.battery = int(given.pop("battery", "90"))
    simulated.teller.every_s = float(given.pop("every", "0"))
    if given:
        raise ValueError(f"a scale has no option {', '.join(sorted(given))}")
    return simulated
