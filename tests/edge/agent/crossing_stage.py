"""A unit whose life a state machine directs: one step at a time, between steps it stands still."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from edge.agent.parts import Device, Pace
from edge.clock import SystemClock
from edge.localapi.client import Api, connect
from edge.ports.driver import DeviceEvent
from tests.edge.agent.agent_world import PIN, Centre, DeviceBroke, Nurse, ScriptedDriver, World

NEVER_S: Final = 1e9
CALM: Final = Pace(device_retry_s=0.001, screen_lock_s=NEVER_S, store_lock_s=NEVER_S)
"""Nothing happens by itself."""
PATIENCE_S: Final = 240.0

Job = Callable[[Nurse], Awaitable[Any]]


class WatchedDriver(ScriptedDriver):
    """A scripted device of which one can tell when all it has said has been dealt with."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.heard: Final = asyncio.Event()

    def say(self, *events: DeviceEvent | Exception) -> None:
        self.heard.clear()
        super().say(*events)

    async def _listen(self) -> AsyncIterator[DeviceEvent]:
        while True:
            if self._events.empty():
                self.heard.set()
            event = await self._events.get()
            if isinstance(event, Exception):
                raise event
            yield event


class LeapingClock(SystemClock):
    """The machine's clock, and a way to let minutes pass at once."""

    leapt_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.leapt_s


@dataclasses.dataclass(slots=True)
class _Asked:
    job: Job | None
    answer: "asyncio.Future[Any]"


class Unit:
    """The agent, two devices and a nurse, made to go step by step by code that does not wait.

    Args:
        home: an empty folder.
        keys: what the devices are called.
    """

    def __init__(self, home: Path, keys: tuple[str, str]) -> None:
        self._loop = asyncio.new_event_loop()
        self.devices: Final = {key: WatchedDriver(key) for key in keys}
        self.clock: Final = LeapingClock()
        devices = [Device(driver) for driver in self.devices.values()]
        self.world: Final = World(home, Centre(), devices, enrolled=False, pace=CALM, clock=self.clock)
        self.world.make()
        self._asked: asyncio.Queue[_Asked] = asyncio.Queue()
        self._life = self._loop.create_task(self._live())

    def do(self, job: Job) -> Any:  # noqa: ANN401  what the job gives
        """Have the nurse do something, and wait until it is done."""
        return self._ask(job)

    def restart(self) -> None:
        """End the agent and start it anew; nobody is signed in then."""
        self._ask(None)

    def sign_in(self) -> None:
        self.do(lambda nurse: nurse.ask("sign-in", user="amina", pin=PIN))

    def say(self, device: str, *events: DeviceEvent) -> None:
        """Let a device speak, and wait until the agent has dealt with all of it."""
        driver = self.devices[device]

        async def speak(_nurse: Nurse) -> None:
            driver.say(*events)
            await driver.heard.wait()

        self.do(speak)

    def cut(self, device: str) -> None:
        """Take the line to a device away and give it back."""
        driver = self.devices[device]

        async def pull(_nurse: Nurse) -> None:
            sessions = driver.sessions
            driver.say(DeviceBroke("It is unplugged."))
            while driver.sessions == sessions or not driver.heard.is_set():
                await asyncio.sleep(0.001)

        self.do(pull)

    def end(self) -> None:
        self._life.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._life)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def _ask(self, job: Job | None) -> Any:  # noqa: ANN401  what the job gives
        asked = _Asked(job, self._loop.create_future())

        async def go() -> None:
            self._asked.put_nowait(asked)
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.wait({self._life, asked.answer}, return_when=asyncio.FIRST_COMPLETED)

        self._loop.run_until_complete(go())
        if self._life.done():
            self._life.result()  # the agent's bug
        return asked.answer.result()

    async def _live(self) -> None:
        while True:
            async with self.world.running(), connect(self.world.socket) as api:
                await self._until_all_listen()
                ended = await self._work(api)
            ended.set_result(None)
            for driver in self.devices.values():
                driver.heard.clear()

    async def _work(self, api: Api) -> "asyncio.Future[Any]":
        nurse = Nurse(api)
        while True:
            asked = await self._asked.get()
            if asked.job is None:
                return asked.answer
            try:
                result = await asked.job(nurse)
            except Exception as error:  # noqa: BLE001  handed to whoever asked
                asked.answer.set_exception(error)
            else:
                asked.answer.set_result(result)

    async def _until_all_listen(self) -> None:
        for driver in self.devices.values():
            await driver.heard.wait()
