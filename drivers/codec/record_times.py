"""When a device that keeps its measurements took one, and whether that was just now. Pure.

A device with a memory does not know patients. What it sends may have been measured on whoever wears it
now, or yesterday on anybody; only a time near its own clock, or near ours, tells the two apart.
"""

import dataclasses
import datetime
from typing import Final

from drivers.codec.gatt_time import DateTime

JUST_TAKEN_WITHIN: Final = datetime.timedelta(minutes=2)
"""A measurement so old at most is of the patient who is here; another one takes longer to sit down."""
CLOCKS_DIFFER: Final = datetime.timedelta(seconds=30)


@dataclasses.dataclass(frozen=True, slots=True)
class Now:
    """The clocks at the moment a value arrives.

    Attributes:
        host: local wall time, without zone, of a host whose clock is synchronised; else None.
        device: the device's own clock, as far as it let us look; else None.
    """

    host: datetime.datetime | None = None
    device: datetime.datetime | None = None

    def is_just_taken(self, at: datetime.datetime | None) -> bool:
        """Whether something measured at this time of the device's was measured just now; unknown is no."""
        return at is not None and any(
            -CLOCKS_DIFFER <= clock - at <= JUST_TAKEN_WITHIN
            for clock in (self.device, self.host)
            if clock is not None
        )


def shifted(base: DateTime, minutes: int) -> DateTime | None:
    """A time moved by so many minutes, or None when there is no such moment."""
    wall = base.as_wall()
    if wall is None:
        return None
    try:
        return DateTime.of(wall + datetime.timedelta(minutes=minutes))
    except OverflowError:
        return None
