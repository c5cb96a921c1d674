"""One client of the local API, and what still has to be written to it."""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, cast

from edge.localapi.lines import to_line
from edge.localapi.messages import VERSION
from edge.ports.caller import Json, Person

MAX_PENDING: Final = 256
"""Messages that wait for a client; heartbeats and readings make some ten a second."""
MAX_WAITING_SAMPLES: Final = 2048
"""Samples of one wave that wait for a client; older ones fall out."""
_FAREWELL_S: Final = 2.0


class Connection:
    """A connected client, as handlers meet it (`edge.ports.caller.Caller`).

    What is posted waits in a bounded queue. Wave samples that wait are joined; anything else that does
    not fit ends the connection with ``slow-client``, and the client starts again from a snapshot.
    """

    def __init__(self, writer: asyncio.StreamWriter, uid: int) -> None:
        self.person: Person | None = None
        self._writer = writer
        self._uid = uid
        self._pending: deque[dict[str, Any]] = deque()
        self._waves: dict[tuple[Json, Json, Json], tuple[list[int], bool]] = {}
        self._wake = asyncio.Event()
        self._ending = False
        self._limit: asyncio.Timeout | None = None
        writer.transport.set_write_buffer_limits(high=0)  # drain then means: the kernel has it

    @property
    def uid(self) -> int:
        return self._uid

    @property
    def closed(self) -> bool:
        return self._ending

    def post(self, event: str, data: Mapping[str, Json]) -> None:
        if event == "wave":
            if self._join(data):
                return
            samples = list(_samples(data))
            data = {**data, "samples": samples}
            self._waves[_wave_key(data)] = samples, bool(data.get("off"))
        self._put({"v": VERSION, "event": event, "data": data})

    def answer(self, request: str, content: Mapping[str, Any]) -> None:
        """Answer one request: ``content`` is ``{"ok": …}`` or ``{"error": …}``."""
        self._put({"v": VERSION, "re": request, **content})

    def end(self, code: str, sentence: str, next_step: str) -> None:
        """Say why, then close; what still waited is dropped."""
        if self._ending:
            return
        self._pending.clear()
        self._waves.clear()
        data = {"code": code, "sentence": sentence, "next": next_step}
        self._pending.append({"v": VERSION, "event": "error", "data": data})
        self.finish()

    def finish(self) -> None:
        """Write what waits, within two seconds, then close."""
        if self._ending:
            return
        self._ending = True
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time() + _FAREWELL_S)
        self._wake.set()

    async def write_out(self) -> None:
        """Write what is posted until the connection ends, then close it."""
        try:
            async with asyncio.timeout(None) as self._limit:
                while not self._ending or self._pending:
                    if self._pending:
                        await self._write_first()
                    else:
                        self._wake.clear()
                        await self._wake.wait()
        except (ConnectionError, TimeoutError):
            pass  # it went away, or never reads again: its requests keep their answers by their ids
        finally:
            self._ending = True
            self._pending.clear()
            self._writer.transport.abort()

    async def _write_first(self) -> None:
        message = self._pending.popleft()
        if message.get("event") == "wave":
            self._waves.pop(_wave_key(message["data"]), None)
        self._writer.write(to_line(message))
        await self._writer.drain()

    def _put(self, message: dict[str, Any]) -> None:
        if self._ending:
            return
        if len(self._pending) >= MAX_PENDING:
            self.end(
                "slow-client",
                "The client does not read fast enough.",
                "Connect again, sign in and ask for a snapshot.",
            )
            return
        self._pending.append(message)
        self._wake.set()

    def _join(self, data: Mapping[str, Json]) -> bool:
        """Append to samples of the same wave that still wait, if there are any and they follow."""
        if data.get("gap"):
            return False
        of_this = self._waves.get(_wave_key(data))
        if of_this is None:
            return False
        waiting, off = of_this
        if off != bool(data.get("off")):
            return False
        waiting.extend(_samples(data))
        del waiting[: max(0, len(waiting) - MAX_WAITING_SAMPLES)]
        return True


def _wave_key(data: Mapping[str, Json]) -> tuple[Json, Json, Json]:
    return data["device"], data["code"], data["lead"]


def _samples(data: Mapping[str, Json]) -> list[int]:
    return cast("list[int]", data["samples"])
