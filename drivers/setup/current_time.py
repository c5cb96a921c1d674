"""Setting the clock of a device that has the Current Time service and takes it at any time. Pure."""

import datetime
from typing import Final

from drivers.codec import uuids
from drivers.codec.gatt_time import Adjusted, CurrentTime, encode_current_time
from drivers.setup.known import Known
from drivers.setup.steps import Write

OFF_BY: Final = datetime.timedelta(minutes=1)
"""A clock that is right to so much is left alone: some devices note every time that they are set."""


def right_time(known: Known) -> bytes | None:
    """What to write, or None when our clock is not trusted or the device's is right enough."""
    wall = known.wall()
    if wall is None:
        return None
    if known.clock is not None and abs(known.clock.now(known.now_s()) - wall) <= OFF_BY:
        return None
    return encode_current_time(CurrentTime.of(wall, Adjusted.FROM_REFERENCE))


SET_CURRENT_TIME: Final = Write(uuids.CURRENT_TIME, right_time, optional=True)
"""After `LookAtClock`; nothing where the device has no such clock or refuses."""
