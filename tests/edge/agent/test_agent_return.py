"""How soon a device is listened to again: at once when it ended in order, after a pause when it failed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edge.agent.audience import Audience
from edge.agent.parts import Device
from edge.agent.supervisor import ENDED_REST, Supervisor
from edge.ports.driver import DeviceEvent, DeviceUnavailable

RETRY_S = 6.0
ENOUGH = 3


class Comes:
    """A device whose every session is over at once."""

    kind = "sig-bp"

    def __init__(self, key: str, *, fails: bool) -> None:
        self.key = key
        self._fails = fails
        self.sessions = 0
        self.enough = asyncio.Event()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncIterator[DeviceEvent]]:
        self.sessions += 1
        if self.sessions == ENOUGH:
            self.enough.set()
        if self._fails:
            raise DeviceUnavailable("Not there.")
        yield self._nothing()

    async def _nothing(self) -> AsyncIterator[DeviceEvent]:
        for event in list[DeviceEvent]():
            yield event


async def _hear(_key: str, _event: DeviceEvent) -> list[bytes]:
    return []


async def test_a_cuff_that_hung_up_is_waited_for_at_once_and_a_failing_device_after_a_pause() -> None:
    cuff, broken = Comes("cuff-1", fails=False), Comes("cuff-2", fails=True)
    supervisor = Supervisor(
        [Device(cuff), Device(broken)], Audience(), _hear, lambda _: None, retry_s=RETRY_S
    )
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(supervisor.run())
        await cuff.enough.wait()
        took_s = loop.time() - began_s
        running.cancel()
    assert broken.sessions == 1, "its pause has not passed"
    assert took_s < RETRY_S
    assert took_s >= (ENOUGH - 1) * RETRY_S * ENDED_REST, "even a cuff that hangs up at once is no busy loop"
