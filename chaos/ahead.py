"""The shipped collector and exploder of a centre where weeks pass at once, so that units purge meanwhile.

``python -m chaos.ahead collect|explode HOME DAYS_FILE``: the file holds how many days the centre's time is
ahead.
"""

import dataclasses
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from edge import logs
from edge.clock import Moment, SystemClock
from sync.central import collect, explode
from sync.central.home import CentreHome

_DAY_MS = 86_400_000
_BACKOFF_MAX_S = 1.0


class AheadClock(SystemClock):
    """The system's clock, so many days ahead as a file says."""

    def __init__(self, days: Path) -> None:
        super().__init__()
        self._days = days

    def now(self) -> Moment:
        moment = super().now()
        return dataclasses.replace(moment, wall_ms=moment.wall_ms + int(self._days.read_text()) * _DAY_MS)


def main() -> None:
    """Collect or explode until told to stop."""
    home, days = (Path(word) for word in sys.argv[2:4])
    logs.to_stderr("centre")
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    run = {"collect": collect.run, "explode": explode.run}[sys.argv[1]]
    run(CentreHome(home), AheadClock(days), stop, backoff_max_s=_BACKOFF_MAX_S)


if __name__ == "__main__":
    main()
