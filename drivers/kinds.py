"""What the registry knows of a device family."""

import dataclasses
import datetime
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import TypeAlias

from drivers.decoding import Decode
from drivers.setup.line import Lines
from drivers.transport.link import Radio
from edge.ports.driver import Driver


class Medium(StrEnum):
    """How a device is reached."""

    SERIAL = "serial"
    BLE = "ble"


class Evidence(StrEnum):
    """How sure we are of a codec; the weakest of what it covers."""

    SPECIFICATION = "specification"
    """Written from documents and from other people's code."""
    RECORDING = "recording"
    """And decodes what a real device was recorded to send."""
    BENCH = "bench"
    """And was tried against a real device here."""


@dataclasses.dataclass(frozen=True, slots=True)
class Looks:
    """What a Bluetooth device advertises, by which it is taken for one of a kind before it is met.

    Attributes:
        services: 128-bit UUID texts in lower case; any one of them will do.
        names: what its name begins with. A name tells more than a service that others offer too.
    """

    services: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """Something that has to be said of one device because it does not say it itself.

    Attributes:
        name: as in unit.toml.
        values: what may stand there.
        meaning: in a few words.
    """

    name: str
    values: tuple[str, ...]
    meaning: str


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """The installed distribution that a kind comes from."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclasses.dataclass(frozen=True, slots=True)
class DriverContext:
    """What a driver is made from.

    Attributes:
        key: what the configuration calls the device.
        port: where it is: a path, or ``ble:`` and an address.
        radio: the Bluetooth adapter; None where the unit has no Bluetooth device.
        wall: local wall time without zone while the unit's clock is synchronised, else None; a device's
            clock is set and judged by it.
        lines: who opens the device's line, where it is not the device itself: a recorder, a replay.
        looks_like: which kinds bytes of a serial port are of; an error then says what is plugged in there.
        options: what unit.toml says of this device beside; only what its kind knows.
        secret: what unlocks the device, or None when none is kept for it. Asked for at each meeting.
            Raises `DeviceUnavailable` while the store that keeps it is locked.
    """

    key: str
    port: str
    radio: Radio | None = None
    wall: Callable[[], datetime.datetime | None] = lambda: None
    lines: Lines | None = None
    looks_like: Callable[[bytes], tuple[str, ...]] = lambda _: ()
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    secret: Callable[[], bytes | None] = lambda: None


GiveSecret: TypeAlias = Callable[[DriverContext, bytes], Awaitable[None]]
"""Gives a device in its pairing mode what unlocks it from then on; raises `DeviceError`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Secret:
    """What unlocks the devices of a kind: made for each of them, and kept by whoever opens the store.

    Attributes:
        size: how many bytes.
        give: gives a device one.
    """

    size: int
    give: GiveSecret


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceKind:
    """One device family.

    Attributes:
        kind: what configuration and commands call it.
        decode: bytes in, everything they said out; needs no port.
        make_driver: opens nothing yet.
        looks: how it advertises; nothing for what is on a cable.
        options: what unit.toml may say of one of them beside.
        secret: what unlocks them; None for those that speak to everybody, or to whom they are bonded with.
        origin: whose it is, filled in by the registry; None for our own.
    """

    kind: str
    title: str
    transport: Medium
    evidence: Evidence
    models: tuple[str, ...]
    decode: Decode
    make_driver: Callable[[DriverContext], Driver]
    looks: Looks = Looks()
    options: tuple[Option, ...] = ()
    secret: Secret | None = None
    origin: Origin | None = None

    def no_secret(self) -> bytes | None:
        """Zeros in place of a secret, for what meets no device."""
        return None if self.secret is None else bytes(self.secret.size)
