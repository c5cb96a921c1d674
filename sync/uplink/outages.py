"""The longest time without the centre that this unit has seen, and how early it therefore warns.

Only times that the centre has signed are compared: the box's own clock may never have been set, and a unit
that was switched off has no clock at all. A gap between two receipts is an outage whatever it came from: a
dead link, a centre that stood still, or a box in a garage; nothing could have been renewed meanwhile.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Final

NAME: Final = "outages.json"
DAY_MS: Final = 86_400_000
SOON_MS: Final = 14 * DAY_MS
"""The least time before its end at which a certificate ends soon."""
TIMES: Final = 3
"""So many of the longest outages shall fit between the warning and the end."""
PART_OF_LIFE: Final = 3
"""No warning before a third of a life is left: the centre renews by itself when four tenths are."""
_STEP_MS: Final = 3_600_000
"""So coarse is what is kept: the disk is a card."""
_OPENING_S: Final = 3600.0
"""So long after it began, what a connection brings ends the outage before it: the first receipts were kept
for us at the broker, and may have been made at any time during that outage."""
_MOST_BYTES: Final = 4096


def warn_ms(life_ms: int, longest_ms: int) -> int:
    """How long before its end a certificate that is good for ``life_ms`` is said to end soon."""
    return min(max(SOON_MS, TIMES * longest_ms), life_ms // PART_OF_LIFE)


def longest_ms(directory: Path) -> int:
    """The longest outage noted in the uplink's folder; 0 where none is, or the note cannot be read."""
    return _read(directory / NAME)[1]


class Outages:
    """Hears of every receipt, and keeps a small note.

    Args:
        directory: the uplink's own; one that takes no file costs what was learnt since it began.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._kept = self._heard_ms, self.longest_ms = _read(self._path)
        self._before_ms = self._heard_ms
        self._begun_s: float | None = None

    def begin(self, now_s: float) -> None:
        """A connection begins."""
        self._before_ms, self._begun_s = self._heard_ms, now_s

    def hear(self, signed_ms: int, now_s: float) -> None:
        """A verified receipt of the centre came, signed at this time; older ones say nothing."""
        if signed_ms <= self._heard_ms:
            return
        opening = self._begun_s is not None and now_s - self._begun_s < _OPENING_S
        since_ms = self._before_ms if opening else self._heard_ms
        if since_ms:
            self.longest_ms = max(self.longest_ms, signed_ms - since_ms)
        self._heard_ms = signed_ms
        heard_ms, longest = self._kept
        if signed_ms - heard_ms >= _STEP_MS or self.longest_ms - longest >= _STEP_MS:
            self._keep()

    def _keep(self) -> None:
        temporary = self._path.with_name(f".tmp-{os.urandom(8).hex()}-{NAME}")
        content = json.dumps({"heard_ms": self._heard_ms, "longest_ms": self.longest_ms})
        try:
            temporary.write_text(content)
            temporary.replace(self._path)
            self._kept = self._heard_ms, self.longest_ms
        except OSError:  # a full disk: the next receipt tries again
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def _read(path: Path) -> tuple[int, int]:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(path.read_bytes()[:_MOST_BYTES])
        heard, longest = found["heard_ms"], found["longest_ms"]
        if type(heard) is int and type(longest) is int and heard >= 0 and longest >= 0:
            return heard, longest
    return 0, 0
