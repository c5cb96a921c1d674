"""The unit's radio, started when somebody first needs it: what it stands on takes thirty megabytes."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

from drivers.transport.alongside import alongside
from drivers.transport.link import BleLink, Wanted

if TYPE_CHECKING:
    from drivers.transport.ble import AdapterOwner


class RadioOnDemand:
    """A `drivers.transport.link.Radio` whose adapter is opened at the first session or scan.

    Args:
        make: puts the adapter together; imports what it takes.
    """

    def __init__(self, make: Callable[[], "AdapterOwner"]) -> None:
        self._make = make
        self._asked = asyncio.Event()
        self._started = asyncio.Event()
        self._owner: AdapterOwner | None = None

    @property
    def present(self) -> "AdapterOwner | None":
        """The adapter's owner, if anybody has needed it."""
        return self._owner

    async def owner(self) -> "AdapterOwner":
        """The adapter's owner; started now unless it was before. Used inside `running` only."""
        self._asked.set()
        await self._started.wait()
        assert self._owner is not None  # noqa: S101  set before the event is
        return self._owner

    @contextlib.asynccontextmanager
    async def session(self, wanted: Wanted) -> AsyncGenerator[BleLink]:
        """See `drivers.transport.link.Radio.session`."""
        async with (await self.owner()).session(wanted) as link:
            yield link

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Own the adapter while the context lasts, from the moment somebody needs it."""
        async with alongside({"radio": self._run()}):
            yield

    async def _run(self) -> None:
        await self._asked.wait()
        owner = self._make()
        async with owner.running():
            self._owner = owner
            self._started.set()
            await asyncio.Event().wait()
