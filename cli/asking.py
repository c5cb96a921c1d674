"""Questions to the running agent. Imports nothing of a store, so that a question starts fast."""

import asyncio
import contextlib
from typing import Any

from edge.config import Places
from edge.errors import QafilaError
from edge.localapi.client import AgentUnreachable, connect


def ask_agent(places: Places, method: str, /, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  as wide as JSON
    """One question to the running agent that needs no session.

    Raises:
        AgentUnreachable: none runs here.
    """

    async def ask() -> dict[str, Any]:
        async with connect(places.socket) as api:
            return await api.call(method, **fields)

    return asyncio.run(ask())


def ask_agent_as(  # the fields are as wide as JSON
    places: Places,
    user: str,
    pin: str,
    method: str,
    /,
    **fields: Any,  # noqa: ANN401  as wide as JSON
) -> dict[str, Any]:
    """Sign in, ask one question, sign out; a store that was locked is locked again.

    Raises:
        AgentUnreachable: none runs here.
        CallRefused: the PIN is wrong, or the person may not.
    """

    async def ask() -> dict[str, Any]:
        async with connect(places.socket) as api:
            await api.call("sign-in", user=user, pin=pin, brief=True)
            try:
                return await api.call(method, **fields)
            finally:
                with contextlib.suppress(QafilaError):  # the agent sees the connection end as well
                    await api.call("sign-out")

    return asyncio.run(ask())


def agent_runs(places: Places) -> bool:
    """Whether an agent answers on this unit's socket."""
    try:
        ask_agent(places, "status")
    except AgentUnreachable:
        return False
    return True
