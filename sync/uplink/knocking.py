"""How long an attempt at a TCP connection may take, and how soon the next follows.

While a link swallows everything the kernel asks again after 1, 3, 7 and 15 seconds, so a long attempt sleeps
through the moment when the link is back. Short ones in a row ask every second or so.
"""

from typing import Final

from sync.uplink.settings import Patience

SHORT_S: Final = 2.2
_TIMES: Final = 4
"""So many times what TCP took the last time: a way that has become slower is no silence."""
CYCLE: Final = 24
"""The last but one of so many attempts gets thrice the time and the last all of it: the way may have become
longer still. More of those, and a link would often come back during one."""
REFUSED_PAUSE_S: Final = 2.0
"""A broker that is not there costs no airtime to ask again."""
SILENT_PAUSE_S: Final = 0.2
_SILENT: Final = 0.9


class Knocking:
    """Attempts in a row.

    Attributes:
        pause_s: the longest pause after the last attempt, which reached nobody.
    """

    def __init__(self, patience: Patience) -> None:
        self._whole_s = patience.connect_s
        self._took_s: float | None = None
        self._failed = 0
        self._waited_s = self._whole_s
        self.pause_s = REFUSED_PAUSE_S

    def wait_s(self) -> float:
        """How long the next attempt may take."""
        self._waited_s = self._whole_s
        turn = self._failed % CYCLE
        if self._took_s is not None and turn < CYCLE - 1:
            short_s = max(SHORT_S, _TIMES * self._took_s)
            self._waited_s = min(self._whole_s, short_s * 3 if turn == CYCLE - 2 else short_s)
        return self._waited_s

    def opened(self, took_s: float) -> None:
        """TCP has connected."""
        self._took_s = took_s
        self._failed = 0

    def failed(self, after_s: float) -> None:
        """Nobody was reached; at once where somebody has said so."""
        self._failed += 1
        silent = after_s >= self._waited_s * _SILENT
        self.pause_s = SILENT_PAUSE_S if silent else REFUSED_PAUSE_S
