"""Believing a display without a checksum: what several packets in a row show, once a second. Pure."""

from typing import Final

from edge.vitals.codes import Code
from edge.vitals.quantity import Measured, Missing, MissingReason

AGREEING_PACKETS: Final = 3
"""Noise that looks like a packet has numbers that its neighbours do not; a real display stands still."""

Values = tuple[tuple[Code, Measured], ...]


class Agreeing:
    """Says when the numbers of a stream are due to be told.

    With the first packets that agree, once a second after that, and at once when a number gives way to
    none, or the other way, or the reason changes.

    Args:
        packets_per_second: how the device counts its seconds.
    """

    def __init__(self, packets_per_second: int) -> None:
        self._rate = packets_per_second
        self._packets = 0
        self._agreeing = 0
        self._shown: Values = ()
        self._seconds_told = 0
        self._reasons_told: tuple[MissingReason | None, ...] | None = None

    @property
    def device_s(self) -> float:
        """Seconds by the packets that have come; it may run late and never ahead."""
        return self._packets / self._rate

    def is_due(self, values: Values) -> bool:
        """Take the numbers of the next packet, and say whether to tell them."""
        self._packets += 1
        self._agreeing = self._agreeing + 1 if values == self._shown else 1
        self._shown = values
        if self._agreeing < AGREEING_PACKETS:
            return False
        reasons = tuple(measured.why if isinstance(measured, Missing) else None for _, measured in values)
        seconds = self._packets // self._rate
        if reasons == self._reasons_told and seconds == self._seconds_told:
            return False
        self._reasons_told = reasons
        self._seconds_told = seconds
        return True

    def lost(self) -> None:
        """Bytes were refused: packets before and after agree on nothing."""
        self._agreeing = 0
        self._shown = ()
