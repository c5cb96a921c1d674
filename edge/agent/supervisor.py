"""Keeps every configured device listened to: a task each, a pause after each failure, one line per change."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Final

from edge.agent.audience import Audience
from edge.agent.parts import Device
from edge.ports.caller import Json
from edge.ports.driver import DeviceError, DeviceEvent, Driver

ENDED: Final = "device-ended"
"""The device closed the session by itself, without an error: it has said what it had to say."""
ENDED_REST: Final = 0.05
"""How much of the usual pause follows then: enough that a device that only ends costs little."""
_LOG: Final = logging.getLogger(__name__)


class Presence(StrEnum):
    """Whether a device is there."""

    STARTING = "starting"
    PRESENT = "present"
    GONE = "gone"


class Supervisor:
    """Listens to all devices.

    Args:
        hear: what takes each event; a full disk is its business, not the device's.
        gone: told when a device went away.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        audience: Audience,
        hear: Callable[[str, DeviceEvent], Awaitable[None]],
        gone: Callable[[str], None],
        *,
        retry_s: float,
    ) -> None:
        self._drivers = {device.driver.key: device.driver for device in devices}
        self._audience = audience
        self._hear = hear
        self._gone = gone
        self._retry_s = retry_s
        self._presence: dict[str, tuple[Presence, str | None]] = dict.fromkeys(
            self._drivers, (Presence.STARTING, None)
        )

    async def run(self) -> None:
        """Listen until cancelled. Anything but a `DeviceError` is a bug and ends the agent."""
        async with asyncio.TaskGroup() as group:
            for driver in self._drivers.values():
                group.create_task(self._keep_listening(driver), name=f"device-{driver.key}")

    def shown(self) -> list[Json]:
        """Every device and how it does."""
        return [
            {"key": key, "kind": driver.kind, **self._state(key)} for key, driver in self._drivers.items()
        ]

    async def _keep_listening(self, driver: Driver) -> None:
        while True:
            code = ENDED
            try:
                async with driver.session() as events:
                    async for event in events:
                        self._now(driver.key, Presence.PRESENT, None)
                        await self._hear(driver.key, event)
            except DeviceError as error:
                code = error.stable_code
            self._gone(driver.key)
            self._now(driver.key, Presence.GONE, code)
            # What ended without an error may speak again at once, as a cuff does that was used again.
            await asyncio.sleep(self._retry_s if code is not ENDED else self._retry_s * ENDED_REST)

    def _now(self, key: str, presence: Presence, code: str | None) -> None:
        """Note a change, once: in the log and for whoever follows the devices."""
        before, _ = self._presence[key]
        self._presence[key] = (presence, code)
        if presence is before:
            return
        if presence is Presence.GONE and code is ENDED:
            _LOG.info("device ended", extra={"driver": key})
        elif presence is Presence.GONE:
            _LOG.warning("device gone", extra={"driver": key, "code": code})
        elif before is Presence.GONE:
            _LOG.info("device back", extra={"driver": key})
        self._audience.tell("device", {"key": key, **self._state(key)})

    def _state(self, key: str) -> dict[str, Json]:
        presence, code = self._presence[key]
        return {"state": presence.value, "code": code}
