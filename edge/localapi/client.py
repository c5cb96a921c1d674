"""The client of the local API, for screens, commands and rehearsals."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

from edge.errors import QafilaError
from edge.localapi.lines import MAX_ANSWER_BYTES, MAX_REQUEST_BYTES, read_object, to_line
from edge.localapi.messages import VERSION
from edge.localapi.unix import short_path
from edge.ports.caller import CallRefused
from edge.records.uuid7 import RANDOM_BYTES, uuid7

ANSWER_WITHIN_S: Final = 60.0
MAX_WAITING_EVENTS: Final = 1024
"""More make the client stop reading until they are taken; the agent then ends the connection."""


class AgentUnreachable(QafilaError):
    """No agent listens, it went away, or it stays silent; a request may or may not have been done.

    Send the same request again with its id: it is done at most once.
    """

    code: ClassVar[str] = "agent-unreachable"


def new_request_id() -> str:
    """A fresh id for one request, to be kept until it is answered."""
    return str(uuid7(time.time_ns() // 1_000_000, os.urandom(RANDOM_BYTES)))


class Api:
    """A connection to the agent. Made by `connect`."""

    def __init__(self, protocol: "_Protocol") -> None:
        self._protocol = protocol

    async def call(
        self,
        method: str,
        /,
        *,
        request_id: str | None = None,
        within_s: float = ANSWER_WITHIN_S,
        **fields: object,
    ) -> dict[str, Any]:
        """Ask and wait for the answer.

        Raises:
            CallRefused: the agent refused, with its code, sentence and next step.
            AgentUnreachable: no answer came; ask again with the same ``request_id``.
        """
        request = request_id or new_request_id()
        answer = self._protocol.send(request, {"v": VERSION, "id": request, "do": method, "with": fields})
        try:
            async with asyncio.timeout(within_s):
                message = await answer
        except TimeoutError as error:
            raise AgentUnreachable(
                "The agent does not answer.", next_step="Look at its log.", code="agent-silent"
            ) from error
        if "error" in message:
            raise _refusal(message["error"])
        return dict(message["ok"])

    async def events(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Events as ``(name, data)``, until the connection ends.

        Raises:
            CallRefused: the agent ended it and said why.
            AgentUnreachable: it ended without a word.
        """
        while True:
            name, data = await self._protocol.next_event()
            yield name, data


@asynccontextmanager
async def connect(path: Path) -> AsyncGenerator[Api]:
    """A connection to the agent that listens at ``path``.

    Raises:
        AgentUnreachable: nobody listens there.
    """
    try:
        with short_path(path) as address:
            _, protocol = await asyncio.get_running_loop().create_unix_connection(_Protocol, address)
    except OSError as error:
        raise AgentUnreachable(
            f"No agent listens at {path}.", next_step="Start it with `qafila agent`."
        ) from error
    try:
        yield Api(protocol)
    finally:
        protocol.close()


def _refusal(error: Mapping[str, Any]) -> CallRefused:
    return CallRefused(
        error["sentence"], next_step=error["next"], code=error["code"], about=tuple(error.get("about", ()))
    )


def _line(message: Mapping[str, Any]) -> bytes:
    try:
        line = to_line(message)
    except UnicodeEncodeError:
        raise CallRefused(
            "What was given holds bytes that are no text.",
            next_step="Type it again, or save the file as UTF-8.",
            code="not-text",
        ) from None
    if len(line) > MAX_REQUEST_BYTES:
        raise CallRefused(
            "What was given is longer than 64 kB.", next_step="Send less at once.", code="line-too-long"
        )
    return line


class _Protocol(asyncio.Protocol):
    """Matches answers to requests by id and keeps events in a bounded queue."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._events: asyncio.Queue[tuple[str, dict[str, Any]] | None] = asyncio.Queue()
        self._reason: QafilaError = AgentUnreachable(
            "The agent closed the connection.", next_step="Connect again; repeat the request with its id."
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  of a stream socket it always is
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # however it ended, the caller's next step is the same
        self._transport = None
        self._events.put_nowait(None)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(self._reason)
                future.exception()  # whoever still waits hears it; nobody does who has given up
        self._waiting.clear()

    def data_received(self, data: bytes) -> None:
        self._received += data
        *lines, rest = self._received.split(b"\n")
        self._received = rest
        for line in lines:
            self._take(read_object(bytes(line)))
        if len(rest) > MAX_ANSWER_BYTES:
            self.close()

    def send(self, request: str, message: Mapping[str, Any]) -> "asyncio.Future[dict[str, Any]]":
        """Send a request; the future gives its answer.

        Raises:
            CallRefused: it cannot be sent as it is; the connection stays.
        """
        if self._transport is None:
            raise self._reason
        line = _line(message)
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[request] = future
        future.add_done_callback(lambda _: self._waiting.pop(request, None))
        self._transport.write(line)
        return future

    async def next_event(self) -> tuple[str, dict[str, Any]]:
        event = await self._events.get()
        if event is None:
            self._events.put_nowait(None)  # for whoever asks next
            raise self._reason
        if self._transport is not None and self._events.qsize() < MAX_WAITING_EVENTS // 2:
            self._transport.resume_reading()
        return event

    def _take(self, message: Mapping[str, Any]) -> None:
        if "re" in message:
            future = self._waiting.get(message["re"])
            if future is not None and not future.done():
                future.set_result(dict(message))
            return
        name, data = message["event"], message["data"]
        if name == "error":
            self._reason = _refusal(data)
            return
        self._events.put_nowait((name, data))
        if self._events.qsize() >= MAX_WAITING_EVENTS and self._transport is not None:
            self._transport.pause_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
