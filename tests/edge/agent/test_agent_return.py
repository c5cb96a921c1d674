"""How soon a device is listened to again: at once when it ended in order, after a pause when it failed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edge.agent.audience import Audience
from edge.agent.parts import Device
from edge.agent.supervisor import Supervisor
from edge.ports.driver import DeviceEvent, DeviceUnavailable


class Comes:
    """A device whose every session is over at once."""

    kind = "sig-bp"

    def __init__(self, key: str, *, fails: bool) -> None:
        self.key = key
        self._fails = fails
        self.sessions = 0

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncIterator[DeviceEvent]]:
        self.sessions += 1
        if self._fails:
            raise DeviceUnavailable("Not there.")
        yield self._nothing()

    async def _nothing(self) -> AsyncIterator[DeviceEvent]:
        for event in list[DeviceEvent]():
            yield event


async def _hear(_key: str, _event: DeviceEvent) -> None: ...


async def test_a_cuff_that_hung_up_is_waited_for_at_once_and_a_failing_device_after_a_pause() -> None:
    cuff, broken = Comes("cuff-1", fails=False), Comes("cuff-2", fails=True)
    supervisor = Supervisor([Device(cuff), Device(broken)], Audience(), _hear, lambda _: None, retry_s=1.0)
    try:
        async with asyncio.timeout(0.5):
            await supervisor.run()
    except TimeoutError:
        pass
    assert broken.sessions == 1
    assert 3 <= cuff.sessions <= 12
