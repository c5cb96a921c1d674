"""Showing what a device says while it says it."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator
from typing import Final

from cli.device_calls import signed_in
from cli.device_texts import heard_for_people
from drivers.transport.alongside import alongside
from edge.agent.refusals import ScreenLocked
from edge.config import Places
from edge.localapi.client import Api

_SAID_EVERY_S: Final = 30.0


@contextlib.asynccontextmanager
async def _somebody_waits(api: Api, seconds: int | None) -> AsyncGenerator[None]:
    """Say that somebody is there for as long as they said they would be; else the session ends by itself."""

    async def say() -> None:
        while seconds is not None:
            await asyncio.sleep(_SAID_EVERY_S)
            await api.call("present")

    async with alongside({"present": say()}, patience_s=1.0):
        yield


def listen_to(places: Places, user: str, pin: str, key: str, seconds: int | None, *, as_json: bool) -> None:
    """Print a line for each reading until the time is over or somebody interrupts.

    Raises:
        QafilaError: no agent, no such device, or not now.
    """

    async def run() -> None:
        async with signed_in(places, user, pin) as api:
            await api.call("device.listen", device=key)
            stands: tuple[str, str | None] | None = None
            if not as_json:
                print(f"Listening to {key}. Ctrl+C ends it.", flush=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds), _somebody_waits(api, seconds):
                    async for name, data in api.events():
                        if name == "screen-locked":
                            raise ScreenLocked
                        if name not in {"reading", "device", "place"}:
                            continue
                        if name == "device":
                            before, stands = stands, (data["state"], data["code"])
                            if stands == before and not as_json:
                                continue  # it said something of itself
                        if as_json:
                            print(json.dumps({"event": name, **data}, ensure_ascii=False), flush=True)
                        else:
                            now = time.strftime("%H:%M:%S")
                            print(heard_for_people(name, data, now), flush=True)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())
