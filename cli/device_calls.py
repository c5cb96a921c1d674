"""One technician's connection to the agent, for commands that wait and are asked something meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from drivers.transport.alongside import alongside
from edge.config import Places
from edge.errors import QafilaError
from edge.localapi.client import AgentUnreachable, Api, connect
from edge.ports.caller import CallRefused

MARGIN_S: Final = 30.0
"""How much longer than it was given the agent may take: a radio that is being repaired, a slow card."""
OnEvent = Callable[[str, dict[str, Any]], Awaitable[None]]


@asynccontextmanager
async def signed_in(places: Places, user: str, pin: str) -> AsyncGenerator[Api]:
    """A connection with a session; a store that was locked is locked again at its end.

    Raises:
        AgentUnreachable: no agent runs here.
        CallRefused: the PIN is wrong, or has to wait.
    """
    async with connect(places.socket) as api:
        await api.call("sign-in", user=user, pin=pin, brief=True)
        try:
            yield api
        finally:
            with contextlib.suppress(QafilaError):  # the agent sees the connection end as well
                await api.call("sign-out")


async def ask(
    api: Api,
    method: str,
    fields: Mapping[str, Any],
    *,
    on_event: OnEvent | None = None,
    until: Callable[[dict[str, Any]], bool] = lambda _: True,
    for_s: float = 0.0,
) -> dict[str, Any]:
    """Ask, wait for as long as it may take, and take the events that come meanwhile.

    The connection hears a heartbeat, so that the agent notices when it is gone.

    Args:
        api: signed in.
        method: of the local API.
        fields: what it takes.
        on_event: takes each event.
        until: whether all events that belong to an answer have been taken.
        for_s: how long the agent was told that it may take.

    Raises:
        CallRefused, AgentUnreachable.
    """
    await api.call("subscribe", topics=["devices"])

    async def watch() -> None:
        with contextlib.suppress(CallRefused, AgentUnreachable):  # the answer, or its absence, says it
            async for name, data in api.events():
                if on_event is not None:
                    await on_event(name, data)

    async with alongside({"events": watch()}, patience_s=1.0):
        answer = await api.call(method, within_s=for_s + MARGIN_S, **fields)
        async with asyncio.timeout(MARGIN_S):
            while True:
                if until(answer):
                    return answer
                await asyncio.sleep(0.01)


async def aside(work: Callable[[], str]) -> str:
    """Do what blocks, such as asking a person, beside the loop."""
    return await asyncio.to_thread(work)
