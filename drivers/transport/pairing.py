"""Who may be paired, and until when. No radio, no bus."""

import math
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

ALWAYS: Final = math.inf

Reply: TypeAlias = Callable[[int | None], None]
"""Called once with the passkey that a person read off the device, or with None when nobody did."""
AskPasskey: TypeAlias = Callable[[str, Reply], None]
"""``ask(address, reply)``: have a person read the passkey that this device shows. Never waits."""


class PairingWindow:
    """Enrolled devices, and the time during which each may be paired.

    Anything else that asks to be paired is refused, whoever asks and however.

    Args:
        enrolled: addresses of the configured devices.
        now_s: monotonic seconds.
        any_device: a training unit takes whatever the simulated air offers.
    """

    def __init__(
        self, enrolled: Iterable[str], now_s: Callable[[], float], *, any_device: bool = False
    ) -> None:
        self._until_s = dict.fromkeys((address.upper() for address in enrolled), -math.inf)
        self._now_s = now_s
        self._any_until_s = ALWAYS if any_device else -math.inf
        self.ask_passkey: AskPasskey | None = None
        """Who is asked while somebody stands by to read a passkey off a device; None when nobody does."""

    def enrol(self, address: str) -> None:
        """One more device may be paired, when its window is opened."""
        self._until_s.setdefault(address.upper(), -math.inf)

    def withdraw(self, address: str) -> None:
        """It may not be paired any more."""
        self._until_s.pop(address.upper(), None)

    def open(self, address: str, for_s: float) -> None:
        """Let one enrolled device be paired for a while; others stay refused."""
        if address.upper() in self._until_s:
            self._until_s[address.upper()] = self._now_s() + for_s

    def open_all(self, for_s: float) -> None:
        """The same for every enrolled device."""
        for address in self._until_s:
            self.open(address, for_s)

    def shut(self, address: str) -> None:
        """Let one device be paired no more."""
        if address.upper() in self._until_s:
            self._until_s[address.upper()] = -math.inf

    def close(self) -> None:
        self._until_s = dict.fromkeys(self._until_s, -math.inf)

    def is_open(self, address: str) -> bool:
        return self._now_s() < max(self._any_until_s, self._until_s.get(address.upper(), -math.inf))
