"""Whether the unit was enrolled or configured anew since this process began.

The settings come from whoever started the process, so it lets itself be started again by the same words.
"""

import json
from pathlib import Path
from typing import Any, Final

from edge.clock import Clock

LOOK_S: Final = 0.5


class Watch:
    """Looks at the bundle, and at which configuration of the centre's holds, now and then.

    Args:
        bundle: where it lies; None to look at nothing.
        configuration: where it stands which slot holds; None to look at none.
        clock: for how long ago the last look was.
    """

    def __init__(self, bundle: Path | None, clock: Clock, configuration: Path | None = None) -> None:
        self._bundle = bundle
        self._configuration = configuration
        self._holds = self._read_holds()
        self._clock = clock
        self._looked_s = clock.monotonic_s()
        self._stamp = self._look()

    def changed(self) -> bool:
        """Whether there is another; one that is gone is none."""
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s < LOOK_S:
            return False
        self._looked_s = now_s
        stamp = self._look()
        return (stamp is not None and stamp != self._stamp) or self._read_holds() != self._holds

    def _look(self) -> tuple[int, int] | None:
        if self._bundle is None:
            return None
        try:
            found = self._bundle.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def _read_holds(self) -> tuple[Any, Any] | None:
        """The slot that holds and the number of what lies in it; None for none."""
        if self._configuration is None:
            return None
        try:
            state = json.loads(self._configuration.read_bytes())
            return state["present"], state["number"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
