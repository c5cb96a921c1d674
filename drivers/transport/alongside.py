"""Tasks that live as long as a context does."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine, Mapping


@contextlib.asynccontextmanager
async def alongside(coroutines: Mapping[str, Coroutine[object, object, None]]) -> AsyncGenerator[None]:
    """Run named coroutines while the context lasts, and cancel them in the end.

    When one fails, what the context holds is cancelled and the failure comes out; an error from within
    the context comes out as it is, not wrapped into a group.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine, name=name) for name, coroutine in coroutines.items()]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
    except BaseExceptionGroup as errors:
        only, *others = errors.exceptions
        if others:
            raise
        raise only from only.__cause__
