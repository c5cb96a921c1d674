"""Starting a cuff and waiting for what it measures."""

import asyncio
import contextlib
from typing import Any, Final

from cli.device_calls import MARGIN_S, signed_in
from cli.waiting import waiting
from edge.config import Places
from edge.errors import QafilaError
from edge.localapi.client import Api

MODES: Final = ("adult", "child", "neonate")
NOT_SAVED_WITHIN_S: Final = 1.0
"""A reading is told before it is stored; that it could not be comes right after."""
_SOMEBODY_EVERY_S: Final = 30.0


def stop_measuring(places: Places, user: str, pin: str, key: str) -> None:
    """Have the air let out of a cuff.

    Raises:
        QafilaError: the cuff was not told.
    """

    async def run() -> None:
        async with signed_in(places, user, pin) as api:
            await api.call("device.stop", device=key)

    asyncio.run(run())


def measure_with(places: Places, user: str, pin: str, key: str, mode: str, seconds: int) -> dict[str, Any]:
    """Start a cuff and wait for the end of its measurement; whatever cuts that short lets the air out.

    Raises:
        QafilaError: it was not started, went away, or came to no end in time.
    """

    async def run() -> dict[str, Any]:
        async with signed_in(places, user, pin) as api:
            await api.call("subscribe", topics=["readings", "devices"])
            running = True
            try:
                await api.call("device.measure", within_s=MARGIN_S, device=key, mode=mode)
                async with asyncio.timeout(seconds):
                    reading = await _finished(api, key)
                running = False
                await _not_saved(api, key)
            except TimeoutError:
                raise QafilaError(
                    f"{key} came to no result within {seconds} s, and was told to let the air out.",
                    next_step="see that the cuff sits well and its hose is not bent, and measure again.",
                    code="measurement-not-finished",
                ) from None
            finally:
                if running:
                    with contextlib.suppress(QafilaError):  # it never began, or its own limits hold
                        await api.call("device.stop", device=key)
        measured = any(value.get("value") is not None for value in reading["values"])
        return {
            "device": key,
            "mode": mode,
            "measured": measured,
            "values": reading["values"],
            "flags": reading["flags"],
        }

    with waiting(f"{key} measures. Keep the arm still; Ctrl+C lets the air out.", seconds):
        return asyncio.run(run())


async def _finished(api: Api, key: str) -> dict[str, Any]:
    """The measurement that comes to its end; a person who waits for it is somebody who is there."""
    events = api.events()
    present_s = asyncio.get_running_loop().time() + _SOMEBODY_EVERY_S
    async for name, data in events:
        if asyncio.get_running_loop().time() > present_s:
            await api.call("present")
            present_s += _SOMEBODY_EVERY_S
        match name:
            case "reading" if data["device"] == key and data["finished"] and not data["old"]:
                return data
            case "device" if data["key"] == key and data["state"] == "gone":
                raise QafilaError(
                    f"{key} went away while it measured.",
                    next_step="see that it has power and that its cable sits firmly, and measure again.",
                    code=data["code"] or "device-unavailable",
                )
            case "screen-locked" | "locked":
                raise QafilaError(
                    "The session ended while it measured.",
                    next_step="sign in again; what it measures meanwhile waits in the tray.",
                    code="screen-locked",
                )
            case _:
                pass
    raise AssertionError  # events end with an error


async def _not_saved(api: Api, key: str) -> None:
    """Look whether what was measured could not be kept.

    Raises:
        QafilaError: so it is.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(NOT_SAVED_WITHIN_S):
            async for name, data in api.events():
                if name == "not-saved" and data["device"] == key:
                    raise QafilaError(data["sentence"], next_step=data["next"], code=data["code"])
