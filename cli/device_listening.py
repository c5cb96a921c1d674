"""Showing what a device says while it says it."""

import asyncio
import contextlib
import json
import time

from cli.device_calls import signed_in
from cli.device_texts import heard_for_people
from edge.config import Places


def listen_to(places: Places, user: str, pin: str, key: str, seconds: int | None, *, as_json: bool) -> None:
    """Print a line for each reading until the time is over or somebody interrupts.

    Raises:
        QafilaError: no agent, no such device, or not now.
    """

    async def run() -> None:
        async with signed_in(places, user, pin) as api:
            await api.call("device.listen", device=key)
            if not as_json:
                print(f"Listening to {key}. Ctrl+C ends it.", flush=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    async for name, data in api.events():
                        if name not in {"reading", "device"}:
                            continue
                        if as_json:
                            print(json.dumps({"event": name, **data}, ensure_ascii=False), flush=True)
                        else:
                            now = time.strftime("%H:%M:%S")
                            print(heard_for_people(name, data, now), flush=True)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())
