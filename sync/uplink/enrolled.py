"""Whether the unit was enrolled anew since this process began: by stick, perhaps with another certificate.

The settings come from whoever started the process, so it lets itself be started again by the same words.
"""

from pathlib import Path
from typing import Final

from edge.clock import Clock

LOOK_S: Final = 0.5


class Watch:
    """Looks at the bundle now and then.

    Args:
        bundle: where it lies; None to look at nothing.
        clock: for how long ago the last look was.
    """

    def __init__(self, bundle: Path | None, clock: Clock) -> None:
        self._bundle = bundle
        self._clock = clock
        self._looked_s = clock.monotonic_s()
        self._stamp = self._look()

    def changed(self) -> bool:
        """Whether there is another; one that is gone is none."""
        now_s = self._clock.monotonic_s()
        if self._bundle is None or now_s - self._looked_s < LOOK_S:
            return False
        self._looked_s = now_s
        stamp = self._look()
        return stamp is not None and stamp != self._stamp

    def _look(self) -> tuple[int, int] | None:
        if self._bundle is None:
            return None
        try:
            found = self._bundle.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino
