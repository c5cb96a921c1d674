"""How a simulated device meets a host, and hears that it has gone."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from bumble.device import Connection, Device
from bumble.utils import EventEmitter

from drivers.simulation.peripheral import met


class HastyHost:
    """A device of bumble's, as far as `met` needs one, to which a host comes and is gone at once."""

    def __init__(self) -> None:
        self._came: list[Callable[[Any], None]] = []

    def once(self, event: str, take: Callable[[Any], None]) -> None:
        assert event == Device.EVENT_CONNECTION
        self._came.append(take)

    async def start_advertising(self, **_intervals: int) -> None:
        connection = EventEmitter()
        for take in self._came:
            take(connection)
        connection.emit(Connection.EVENT_DISCONNECTION, 0x13)


async def test_a_host_that_is_gone_before_the_device_wakes_up_is_known_to_be_gone() -> None:
    """Both come in one piece on a busy machine; a device that missed the end would never speak again."""
    async with asyncio.timeout(30):
        meeting = await met(cast("Device", HastyHost()))
        assert meeting is not None
        await meeting.gone.wait()
