"""How far the records of each meter have been stored here. Pure.

Meters number their records. So that a meeting need not bring all of them again, only those from the last
that was stored are asked for, that one included: if it comes back unchanged, the numbers go on where we
left off; if it does not, the meter has lost its memory or counts anew, and all are asked for.
"""

import dataclasses
from typing import Final

from drivers.codec.racp import REPORT_ALL, report_from

NEAR_THE_END: Final = 0xFF00
"""Past the highest number meters begin again at 0, and "from here on" would leave those out."""


@dataclasses.dataclass(frozen=True, slots=True)
class Last:
    """The last record of a meter that was stored: its number, and its bytes."""

    sequence: int
    raw: bytes


class Memory:
    """What a driver keeps from meeting to meeting; lost with the process, and then all are asked for once."""

    def __init__(self) -> None:
        self._last: dict[str, Last] = {}
        self._whole: set[str] = set()

    def last(self, meter: str) -> Last | None:
        """How far the records of this meter have been stored."""
        return self._last.get(meter)

    def reach(self, meter: str, last: Last) -> None:
        """All records up to this one have been stored."""
        self._last[meter] = last

    def begin_again(self, meter: str) -> None:
        """The meter counts anew."""
        self._last.pop(meter, None)

    def ask_whole(self, meter: str) -> None:
        """The meter cannot be asked for a part."""
        self._whole.add(meter)

    def request(self, meter: str) -> bytes:
        """What to ask it for."""
        last = self._last.get(meter)
        if last is None or meter in self._whole or last.sequence >= NEAR_THE_END:
            return REPORT_ALL
        return report_from(last.sequence)
