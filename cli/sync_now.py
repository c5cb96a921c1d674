"""Sealing what waits, and waiting until the centre has it."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from cli.device_calls import signed_in
from cli.waiting import waiting
from edge.config import Places
from edge.errors import QafilaError

_LOOK_S: Final = 0.25


class NotReceived(QafilaError):
    """The centre has not received everything yet; what is missing is saved here and goes on its way."""

    code: ClassVar[str] = "not-received-yet"


def sync_now(places: Places, user: str, pin: str, wait_s: int | None) -> dict[str, Any]:
    """Have everything sealed and sent; with ``wait_s``, wait until all that is saved now is received.

    Raises:
        NotReceived: the time is over; how many entries have not been received.
        AgentUnreachable, CallRefused: no agent runs here, or the PIN is wrong.
    """

    async def run() -> dict[str, Any]:
        async with signed_in(places, user, pin) as api:
            answer = await api.call("sync.now")
            if wait_s is None:
                return answer
            first = await api.call("status")
            if not first["enrolled"]:
                raise NotReceived(
                    "This unit is not enrolled, so nothing can be received.",
                    next_step="run qafila unit csr, have the centre answer it, then qafila unit enrol.",
                    code="not-enrolled",
                )
            wanted = {word: int(stream["tip"]) for word, stream in first["streams"].items()}
            status, missing = first, _missing(wanted, first["streams"])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    while missing:
                        await api.call("present")
                        await asyncio.sleep(_LOOK_S)
                        status = await api.call("status")
                        missing = _missing(wanted, status["streams"])
        if missing:
            raise _not_received(missing, sum(wanted.values()), status)
        return {**answer, "received": sum(wanted.values())}

    if wait_s is None:
        return asyncio.run(run())
    with waiting("Waiting until the centre has received everything.", wait_s):
        return asyncio.run(run())


def _missing(wanted: Mapping[str, int], streams: Mapping[str, Any]) -> int:
    return sum(max(0, tip - int(streams[word]["opened"])) for word, tip in wanted.items())


def _not_received(missing: int, of: int, status: Mapping[str, Any]) -> NotReceived:
    see = "see how far they are with qafila sync status."
    return NotReceived(
        f"{missing} of {of} saved entries have not been received; they are safe here.",
        next_step=see
        if status["link"]["connected"]
        else f"start qafila uplink where it does not run, or {see}",
    )
