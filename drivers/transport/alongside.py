"""Tasks that live as long as a context does."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine, Mapping
from typing import Final

PATIENCE_S: Final = 20.0
"""How long a cancelled task may clean up before it is cancelled again."""


@contextlib.asynccontextmanager
async def alongside(
    coroutines: Mapping[str, Coroutine[object, object, None]], *, patience_s: float = PATIENCE_S
) -> AsyncGenerator[None]:
    """Run named coroutines while the context lasts, and cancel them in the end.

    Again if need be: before Python 3.12 `asyncio.wait_for` loses a cancellation that meets its result,
    and the libraries under us use it.

    When one fails, what the context holds is cancelled and the failure comes out; an error from within
    the context comes out as it is, not wrapped into a group.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine, name=name) for name, coroutine in coroutines.items()]
            try:
                yield
            finally:
                while going := [task for task in tasks if not task.done()]:
                    for task in going:
                        task.cancel()
                    await asyncio.wait(going, timeout=patience_s)
    except BaseExceptionGroup as errors:
        only, *others = errors.exceptions
        if others:
            raise
        raise only from only.__cause__
