"""The whole of ``unit.toml``, and the rules between its sections."""

from pathlib import Path
from typing import Self

from pydantic import model_validator

from edge.config.box import (
    ClockSection,
    LocksSection,
    ScreenSection,
    SecuritySection,
    SocketSection,
    UnitSection,
)
from edge.config.devices import DeviceSection, RadioSection
from edge.config.journal import KeepingSection, LinkSection, MetricsSection, SealSection
from edge.config.places import Places
from edge.config.section import Section


class UnitConfig(Section):
    """The whole of ``unit.toml``."""

    unit: UnitSection
    security: SecuritySection = SecuritySection()
    locks: LocksSection = LocksSection()
    seal: SealSection = SealSection()
    link: LinkSection = LinkSection()
    keeping: KeepingSection = KeepingSection()
    screen: ScreenSection = ScreenSection()
    metrics: MetricsSection = MetricsSection()
    clock: ClockSection = ClockSection()
    socket: SocketSection = SocketSection()
    radio: RadioSection = RadioSection()
    device: tuple[DeviceSection, ...] = ()

    @model_validator(mode="after")
    def _rules_between_keys(self) -> Self:
        keys = [device.key for device in self.device]
        if len(set(keys)) < len(keys):
            raise ValueError("two devices share one key")
        if self.unit.realm == "production":
            self.locks.check_production()
            if self.clock.scale != 1.0:
                raise ValueError("clock.scale other than 1 belongs to the training realm")
            if any(device.simulated for device in self.device):
                raise ValueError("a simulated device belongs to the training realm")
            if self.radio.backend == "virtual":
                raise ValueError("a virtual radio belongs to the training realm")
            if any(device.bluetooth and not device.enrolled_by_address for device in self.device):
                raise ValueError("a Bluetooth device is enrolled by its address, as ble:AA:BB:CC:DD:EE:FF")
        if self.radio.backend == "virtual":
            if self.radio.virtual is None:
                raise ValueError("radio.virtual says where the simulated devices are; it is missing")
            if any(device.bluetooth and not device.simulated for device in self.device):
                raise ValueError("a device on a virtual radio is simulated, and must say so")
        return self

    def device_secret(self, places: Places) -> Path:
        """Where the device secret lies."""
        return places.base / self.security.device_secret

    def device_secret_copy(self, places: Places) -> Path | None:
        """Where its second copy lies, when it is in."""
        copy = self.security.device_secret_copy
        return None if copy is None else places.base / copy

    def virtual_radio(self, places: Places) -> str | None:
        """Where the simulated air is; None for a real adapter."""
        where = self.radio.virtual if self.radio.backend == "virtual" else None
        if where is None or not where.startswith("unix:"):
            return where
        return f"unix:{places.base / where.removeprefix('unix:')}"
