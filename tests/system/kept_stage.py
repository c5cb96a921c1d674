"""A stage that several tests use one after the other, where to build it takes longer than they do."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Built by the first test that uses it, and again after a test that failed on it.

    It lives in a task of its own, because pytest sets up, runs and tears down in different ones. All of them
    run in one event loop.

    Args:
        make: builds it.
    """

    def __init__(self, make: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._make: Final = make
        self._life: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    @contextlib.asynccontextmanager
    async def use(self) -> AsyncGenerator[T]:
        """The stage for one test; when it dies meanwhile, so does the test."""
        if self._life is None:
            loop = asyncio.get_running_loop()
            self._over, self._ready = asyncio.Event(), loop.create_future()
            self._life = loop.create_task(self._live(self._ready))
        life = self._life
        limit = asyncio.timeout(None)

        def died(_life: "asyncio.Task[None]") -> None:
            limit.reschedule(0.0)

        try:
            await asyncio.wait((self._ready, life), return_when=asyncio.FIRST_COMPLETED)
            async with limit:
                if life.done():
                    life.result()
                life.add_done_callback(died)
                try:
                    yield await self._ready
                finally:
                    life.remove_done_callback(died)
        except BaseException:
            await self.end()
            raise

    async def end(self) -> None:
        """Take it down; an error of its own comes out here."""
        life, self._life = self._life, None
        if life is not None:
            self._over.set()
            await life

    async def _live(self, ready: "asyncio.Future[T]") -> None:
        async with self._make() as stage:
            ready.set_result(stage)
            await self._over.wait()
