"""The clock of a simulated device: set by somebody, or running on from where its battery was put in."""

import dataclasses
import datetime
from typing import Final

POWER_UP: Final = datetime.datetime(2019, 1, 1)  # noqa: DTZ001  a device's clock has no zone
"""Where the clock of a device begins when it has lost its battery."""


@dataclasses.dataclass(slots=True)
class WallTime:
    """What it showed at one moment, and running on from there.

    Attributes:
        since_s: that moment, in monotonic seconds.
        is_set: whether anybody has set it.
    """

    at: datetime.datetime
    since_s: float
    is_set: bool = True

    def now(self, now_s: float) -> datetime.datetime:
        return self.at + datetime.timedelta(seconds=int(now_s - self.since_s))
