"""How far the records of each meter have been stored here. Pure.

Meters number their records. So that a meeting need not bring all of them again, only those from the last
that was stored are asked for, that one included: if it comes back unchanged, the numbers go on where we
left off; if it does not, the meter has lost its memory or counts anew, and all are asked for.
"""

import collections
import dataclasses
from collections.abc import Sequence
from typing import Final

from drivers.codec.racp import REPORT_ALL, report_from
from drivers.devices.sig_glucose.codec import decode_measurement

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


class Progress:
    """How far the records of one meeting have been stored, in the order in which they came."""

    def __init__(self, memory: Memory, meter: str) -> None:
        self._memory = memory
        self._meter = meter
        self._before = memory.last(meter)
        self._before_came = False
        self._seen: set[bytes] = set()
        self._stored: set[bytes] = set()
        self._waiting: collections.deque[bytes] = collections.deque()
        self._reached: bytes | None = None
        self._newest = -1
        self._in_order = True
        self._complete = False

    @property
    def goes_on(self) -> bool:
        """Whether the meter still has the record up to which its records were stored before."""
        return self._before is None or self._before_came

    def came(self, sequence: int, raw: bytes) -> bool:
        """A record has come; whether it is to be handed on, or has been already."""
        if self._before is not None and raw == self._before.raw:
            self._before_came = True
            return False
        self._in_order = self._in_order and sequence > self._newest
        self._newest = sequence
        self._waiting.append(raw)
        is_new = raw not in self._seen
        self._seen.add(raw)
        return is_new

    def stored(self, records: Sequence[bytes]) -> None:
        """These are durably ours."""
        self._stored.update(records)
        self._advance()

    def completed(self) -> None:
        """The meter has sent all that it was asked for."""
        self._complete = True
        self._advance()

    def asked_again(self, *, for_all: bool) -> None:
        """They come once more from the first on; of all, or of the same part."""
        if for_all:
            self._memory.begin_again(self._meter)
            self._before = None
        self._waiting.clear()
        self._reached = None
        self._newest, self._in_order = -1, True

    def _advance(self) -> None:
        # Until the record we knew has come these may be of a meter that counts anew, and others of it may
        # have lower numbers.
        if not self.goes_on:
            return
        while self._waiting and self._waiting[0] in self._stored:
            self._reached = self._waiting.popleft()
        # Out of order, what came before an interruption says nothing of what did not come.
        if self._reached is not None and (self._in_order or (self._complete and not self._waiting)):
            sequence = decode_measurement(self._reached).sequence
            self._memory.reach(self._meter, Last(sequence, self._reached))
