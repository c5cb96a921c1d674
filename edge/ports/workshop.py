"""What the agent asks when a technician looks after devices: to find, make, pair, forget, record them."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Protocol, TypeAlias

from edge.errors import QafilaError
from edge.ports.driver import Driver

Reply: TypeAlias = Callable[[int | None], None]
"""Called once with the passkey that was read off the device, or with None when nobody did."""
AskPasskey: TypeAlias = Callable[[Reply], None]
"""Has a person read the passkey that the device shows. Never waits."""
Sink: TypeAlias = Callable[[bytes], None]
"""Takes one line of a trace; health data. Never waits."""


class DeviceRefused(QafilaError):
    """A device of this kind cannot be at this place; nothing was changed."""

    code: ClassVar[str] = "device-refused"


@dataclasses.dataclass(frozen=True, slots=True)
class Nearby:
    """Something near that may be a device.

    Attributes:
        port: what unit.toml would say of it.
        also: other names of the same port.
        name: what it calls itself, or the cable's maker calls it.
        kinds: the kinds it looks like, the likeliest first; empty when nothing is known like it.
        rssi: signal strength in dBm; None for a cable.
        paired: whether this unit holds keys for it; None for a cable.
    """

    port: str
    also: tuple[str, ...] = ()
    name: str = ""
    kinds: tuple[str, ...] = ()
    rssi: int | None = None
    paired: bool | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Scanned:
    """What is near, and the code for which one of the two ways of looking saw nothing, by medium."""

    found: Sequence[Nearby]
    blind: Mapping[str, str]


class Workshop(Protocol):
    """Everything about devices that needs more than a driver."""

    async def scan(self, for_s: float, *, air: bool, cables: bool) -> Scanned:
        """What is near: the strongest first, then the cables."""
        ...

    async def make(self, key: str, kind: str, port: str, options: Mapping[str, str]) -> Driver:
        """A driver for this device.

        Raises:
            DeviceRefused: there is no such kind (``unknown-kind``), it cannot be at such a port
                (``port-unusable``), or it has no such option (``option-unknown``).
        """
        ...

    def secret_size(self, kind: str) -> int | None:
        """How many bytes unlock a device of this kind; None where there is nothing to unlock."""
        ...

    async def give_secret(self, key: str, kind: str, port: str, secret: bytes) -> None:
        """Wait for a device in its pairing mode, and give it what unlocks it from then on.

        Raises:
            DeviceError: it took none; what it had before still holds.
        """
        ...

    def unlock(self, secrets: Mapping[str, bytes] | None) -> None:
        """From now on this is what unlocks each device; None while the store that keeps it is locked."""
        ...

    def pairing(self, port: str, ask: AskPasskey, *, again: bool) -> AbstractAsyncContextManager[None]:
        """While the context lasts this device may be paired, and no other.

        Args:
            port: as in unit.toml.
            ask: who reads a passkey off the device, if it shows one.
            again: whether keys that are there are given up first.

        Raises:
            QafilaError: the radio does not work.
        """
        ...

    async def paired(self, port: str) -> bool:
        """Whether keys for it are held here; of a cable always."""
        ...

    async def forget(self, port: str) -> bool:
        """Give up the keys for it, and let it be paired no more; whether there were any."""
        ...

    def clock_off(self, off_ms: int) -> None:
        """A satellite receiver says that the box's wall time is behind by so much: devices are set by it."""
        ...

    def try_again(self, port: str) -> None:
        """Somebody stands before the device: whatever it did before, it is worth another try."""
        ...

    def record(self, key: str, sink: Sink | None) -> None:
        """Write down all that passes between this device and its driver, from its next session on."""
        ...
