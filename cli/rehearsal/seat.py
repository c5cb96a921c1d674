"""A signed-in place at the socket, which comes back after the agent was killed."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Self

from edge.localapi.client import AgentUnreachable, Api, connect, new_request_id

_BACK_WITHIN_S: Final = 30.0
_AGAIN_S: Final = 0.05


class Seat:
    """One connection after another, always signed in as the same person.

    Requests keep their id from one connection to the next: a request whose answer was lost is asked
    again and must be done at most once.

    Args:
        socket: where the agent listens, or will listen.
        topics: what to subscribe to after each sign-in.
    """

    def __init__(self, socket: Path, *, user: str, pin: str, topics: Sequence[str]) -> None:
        self._socket = socket
        self._user = user
        self._pin = pin
        self._topics = list(topics)
        self._connection = AsyncExitStack()
        self._api: Api | None = None
        self._sitting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self.sit()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.aclose()

    async def sit(self) -> None:
        """Connect, sign in, subscribe; waits for an agent that is just starting.

        Raises:
            AgentUnreachable: none came in time.
            CallRefused: the agent does not let us in.
        """
        async with self._sitting:
            give_up = time.monotonic() + _BACK_WITHIN_S
            while True:
                try:
                    await self._connection.aclose()
                    api = await self._connection.enter_async_context(connect(self._socket))
                    await api.call("sign-in", user=self._user, pin=self._pin)
                    await api.call("subscribe", topics=self._topics)
                except AgentUnreachable:
                    if time.monotonic() > give_up:
                        raise
                    await asyncio.sleep(_AGAIN_S)
                else:
                    self._api = api
                    return

    async def ask(self, method: str, *, request_id: str | None = None, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  fields as the local API has them
        """Ask until answered, under one id, through as many connections as it takes.

        Raises:
            CallRefused: the answer was no.
        """
        request = request_id or new_request_id()
        while True:
            api = self._there()
            try:
                return await api.call(method, request_id=request, **fields)
            except AgentUnreachable:
                if api is self._api:  # nobody else has come back meanwhile
                    await self.sit()

    def events(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Events of the present connection; `AgentUnreachable` when it ends."""
        return self._there().events()

    def _there(self) -> Api:
        if self._api is None:
            raise AgentUnreachable("Nobody has signed in.", next_step="sit down first.")
        return self._api
