"""What a simulated Bluetooth device is to the world that hosts it.

A device folder offers one from its ``simulator.py`` by a function
``make_peripheral(address: str, options: Mapping[str, str]) -> Peripheral``; the world finds it by the
kind's name: ``--device sig-bp=C0:FF:EE:00:00:01,seed=7``.
"""

from pathlib import Path
from typing import Protocol, runtime_checkable

from bumble.device import Device


class Peripheral(Protocol):
    """One simulated device, switched on."""

    @property
    def name(self) -> str:
        """The local name it advertises."""
        ...

    @property
    def address(self) -> str:
        """Its public address, upper case with colons."""
        ...

    async def live(self, device: Device) -> None:
        """Be the device until cancelled.

        Args:
            device: powered on, with this address and a bond store of its own. Add services, advertise,
                measure, hang up. Pairing is Just Works with Secure Connections unless its
                ``pairing_config_factory`` is changed here.
        """
        ...

    def obey(self, order: str) -> bool:
        """Carry out a line such as ``measure 128 82 70``; False when it is not understood.

        The world itself takes ``forget`` (lose the bonds), ``leave`` and ``return`` (out of range).
        """
        ...


@runtime_checkable
class Remembers(Protocol):
    """A device that is given something by which it knows its owner; offered beside `Peripheral`."""

    def remember(self, file: Path) -> None:
        """Be whose that file says, and keep in it whose it will be; called before it lives."""
        ...
