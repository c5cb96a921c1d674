"""Who may be paired, and until when. No radio, no bus."""

import math
from collections.abc import Callable, Iterable
from typing import Final

ALWAYS: Final = math.inf


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

    def open(self, address: str, for_s: float) -> None:
        """Let one enrolled device be paired for a while; others stay refused."""
        if address.upper() in self._until_s:
            self._until_s[address.upper()] = self._now_s() + for_s

    def open_all(self, for_s: float) -> None:
        """The same for every enrolled device."""
        for address in self._until_s:
            self.open(address, for_s)

    def close(self) -> None:
        self._until_s = dict.fromkeys(self._until_s, -math.inf)

    def is_open(self, address: str) -> bool:
        return self._now_s() < max(self._any_until_s, self._until_s.get(address.upper(), -math.inf))
