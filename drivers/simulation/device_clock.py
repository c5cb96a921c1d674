"""The clock of a simulated device in the air: Current Time (0x2A2B), which hosts may read and set."""

import datetime
from typing import Final

from bumble.att import ATT_Error, ErrorCode
from bumble.core import UUID
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from drivers.codec import uuids
from drivers.codec.gatt_time import Adjusted, CurrentTime, decode_current_time, encode_current_time
from drivers.simulation.peripheral import told
from drivers.simulation.wall_time import POWER_UP, WallTime
from edge.clock import SystemClock

_CLOCK: Final = SystemClock()
_VALUE_NOT_ALLOWED: Final = 0x13


def now_s() -> float:
    """Monotonic seconds."""
    return _CLOCK.monotonic_s()


def right() -> WallTime:
    """A clock that somebody has set to local time."""
    wall_ms = _CLOCK.now().wall_ms
    return WallTime(datetime.datetime.fromtimestamp(wall_ms // 1000), now_s())  # noqa: DTZ006  it has no zone


def unset() -> WallTime:
    """A clock that nobody has set since its battery was put in."""
    return WallTime(POWER_UP, now_s(), is_set=False)


class DeviceClock:
    """One clock, and the service that offers it.

    Attributes:
        time: what it shows.
        times_set: how often a host has set it.
    """

    def __init__(self, time: WallTime) -> None:
        self.time = time
        self.times_set = 0

    def now(self) -> datetime.datetime:
        return self.time.now(now_s())

    def obey(self, words: list[str]) -> bool:
        """Carry out what follows ``clock`` in an order; False when it is not understood."""
        match words:
            case ["set"]:
                self.time = right()
            case ["unset"]:
                self.time = unset()
            case [seconds] if seconds.removeprefix("-").isdecimal():
                at = right()
                self.time = WallTime(at.at + datetime.timedelta(seconds=int(seconds)), at.since_s)
            case _:
                return False
        return True

    def service(self) -> Service:
        """Made anew for every device."""
        offered = told(
            uuids.CURRENT_TIME,
            Characteristic.Properties.NOTIFY,
            read=lambda _: encode_current_time(CurrentTime.of(self.now(), Adjusted.MANUALLY)),
            write=self._set,
        )
        return Service(UUID(uuids.CURRENT_TIME_SERVICE), [offered])

    def _set(self, _connection: Connection, raw: bytes) -> None:
        try:
            at = decode_current_time(raw).at.as_wall()
        except ValueError:
            raise ATT_Error(ErrorCode.INVALID_ATTRIBUTE_LENGTH) from None
        if at is None:
            raise ATT_Error(_VALUE_NOT_ALLOWED)
        self.time = WallTime(at, now_s())
        self.times_set += 1
