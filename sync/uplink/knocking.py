"""How long an attempt at a TCP connection may take, and how soon the next follows.

While a link swallows everything the kernel asks again after 1, 3, 7 and 15 seconds, so a long attempt sleeps
through the moment when the link is back. Short ones in a row ask every two seconds or so.
"""

from typing import Final

from sync.uplink.settings import Patience

SHORT_S: Final = 3.0
_TIMES: Final = 4
"""So many times what TCP took the last time: a way that has become slower is no silence."""
WHOLE_EVERY: Final = 4
"""Every so manieth attempt gets the whole time: the way may have become longer still."""
REFUSED_PAUSE_S: Final = 2.0
"""A broker that is not there costs no airtime to ask again."""
SILENT_PAUSE_S: Final = 0.3
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
        known = self._took_s is not None and self._failed % WHOLE_EVERY != WHOLE_EVERY - 1
        short_s = max(SHORT_S, _TIMES * (self._took_s or 0.0))
        self._waited_s = min(self._whole_s, short_s) if known else self._whole_s
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
