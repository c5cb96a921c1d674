"""Looks at the disk again and again, so that its failure is said before anybody wants to save.

In a thread of its own: a card that fails may keep whoever asks it for half a minute, and that it does not
answer is an answer.
"""

import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

from edge.store.errors import StoreUnreadable

PATIENCE_S: Final = 3.0
"""How long a look may take; with the pause before it what is wrong is said within five seconds."""
_LOG: Final = logging.getLogger(__name__)


class CardWatch:
    """Asks ``look`` every so often; called, it gives the code of what is wrong, or None."""

    def __init__(
        self, look: Callable[[], str | None], every_s: float, patience_s: float = PATIENCE_S
    ) -> None:
        self._look = look
        self._every_s = every_s
        self._patience_s = patience_s
        self._found: str | None = None
        self._asked_s: float | None = None
        self._over = threading.Event()

    def __call__(self) -> str | None:
        asked_s = self._asked_s
        if asked_s is not None and time.monotonic() - asked_s > self._patience_s:
            return StoreUnreadable.code
        return self._found

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Look while this lasts. A look that hangs in a dead card does not keep the process from ending."""
        self._over.clear()
        threading.Thread(target=self._run, name="card", daemon=True).start()
        try:
            yield
        finally:
            self._over.set()

    def _run(self) -> None:
        while not self._over.is_set():
            self._asked_s = time.monotonic()
            found = self._look()
            self._asked_s = None
            if found != self._found:
                _LOG.log(
                    logging.ERROR if found else logging.INFO,
                    "the disk has changed",
                    extra={"code": found or "ok"},
                )
            self._found = found
            self._over.wait(self._every_s)
