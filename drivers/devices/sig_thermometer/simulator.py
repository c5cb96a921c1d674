"""A thermometer in the simulated air; options and orders stand in this folder's README."""

from collections.abc import Mapping
from typing import Final

from bumble.device import Device

from drivers.codec import uuids
from drivers.devices.sig_thermometer.codec import Site
from drivers.devices.sig_thermometer.unit import Thermometer
from drivers.simulation.device_clock import DeviceClock, now_s
from drivers.simulation.peripheral import Bytes, indicating, notifying, readable
from drivers.simulation.person import Person, take_person
from drivers.simulation.teller import Teller, Told, one_of, take_clock
from drivers.simulation.vitals import Snapshot

SITES: Final[dict[str, Site | None]] = {
    "mouth": Site.MOUTH,
    **{site.name.lower().replace("_", "-"): site for site in Site},
    "none": None,
}


class SimulatedThermometer:
    """One thermometer in the air; a `drivers.radio.peripheral.Peripheral`."""

    def __init__(
        self, address: str, thermometer: Thermometer, person: Person, clock: DeviceClock | None
    ) -> None:
        self.name: Final = "A&D_UT-201BLE_sim"
        self.address: Final = address
        self.thermometer: Final = thermometer
        self.teller: Final = Teller(self.name, address, self._measure, clock)
        self._person = person
        self._measurement: Bytes = indicating(uuids.TEMPERATURE_MEASUREMENT)
        self._intermediate: Bytes = notifying(uuids.INTERMEDIATE_TEMPERATURE)

    def obey(self, order: str) -> bool:
        match order.split():
            case ["watch"]:
                rising = self.thermometer.rising(self._found())
                self.teller.show_first([(self._intermediate, value) for value in rising])
                self.teller.keep(self._measure())
            case ["fail"]:
                worn, self.thermometer.worn = self.thermometer.worn, False
                self.teller.keep(self._measure())
                self.thermometer.worn = worn
            case ["sensor", "on" | "off" as state]:
                self.thermometer.worn = state == "on"
            case words:
                return self.teller.obey(words)
        return True

    async def live(self, device: Device) -> None:
        """Sleep, wake up, tell, hang up, until cancelled."""
        site = self.thermometer.site or Site.BODY
        inside = [self._measurement, self._intermediate, readable(uuids.TEMPERATURE_TYPE, bytes([site]))]
        await self.teller.live(device, {uuids.HEALTH_THERMOMETER_SERVICE: inside}, [self._measurement])

    def _found(self) -> Snapshot:
        return self._person.vitals.now(self._person.at_s(now_s()))

    def _measure(self) -> Told:
        return [(self._measurement, self.thermometer.measurement(self._found(), self.teller.now()))]


def make_peripheral(address: str, options: Mapping[str, str]) -> SimulatedThermometer:
    """A thermometer with the options of the README.

    Raises:
        ValueError: an option is not known, or its value is none of its own.
    """
    given = dict(options)
    person = take_person(given, now_s())
    thermometer = Thermometer(
        fahrenheit=one_of(given, "unit", {"C": False, "F": True}), site=one_of(given, "site", SITES)
    )
    simulated = SimulatedThermometer(address, thermometer, person, take_clock(given))
    simulated.teller.battery = int(given.pop("battery", "90"))
    simulated.teller.every_s = float(given.pop("every", "0"))
    if given:
        raise ValueError(f"a thermometer has no option {', '.join(sorted(given))}")
    return simulated
