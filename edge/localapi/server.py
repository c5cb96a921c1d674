"""The server of the local API: who may connect, and one request after the other."""

import asyncio
import contextlib
import errno
import logging
import os
import shutil
import socket
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from edge.errors import QafilaError
from edge.localapi.connection import Connection
from edge.localapi.lines import MAX_REQUEST_BYTES, RequestRefused, read_envelope, read_fields, read_object
from edge.localapi.unix import peer_uid, short_path
from edge.ports.caller import Call, CallRefused, Handler

MAX_CONNECTIONS: Final = 32
APART: Final = ("device.measure",)
"""A cuff that is told to begin may take seconds to say that it has, and must be told to stop meanwhile."""
MOST_APART: Final = 4
_MODE: Final = 0o660
_BACKLOG: Final = 16
_FAREWELL_S: Final = 1.0
_LOG: Final = logging.getLogger(__name__)


class SocketTaken(QafilaError):
    """Another process listens there, or what stands there is no socket."""

    code: ClassVar[str] = "socket-taken"


async def serve(
    path: Path,
    handlers: Mapping[str, Handler],
    *,
    refused_uids: Collection[int] = (),
    group: str | None = None,
    listening: socket.socket | None = None,
) -> None:
    """Listen at ``path`` and answer until cancelled; then what is being answered is, within a second.

    Requests of one connection are answered in order, one at a time; what comes after one of `APART` does
    not wait for it. A `QafilaError` of a handler is
    that request's answer; any other exception is a bug and ends the server with it.

    Args:
        path: where clients find it.
        handlers: by method.
        refused_uids: whom to turn away.
        group: who may connect besides this user.
        listening: a socket that `bind` gave; it and its name outlive this call, so that whoever connects
            afterwards waits for the next who listens.

    Raises:
        SocketTaken: the address is in use.
    """
    if listening is not None:
        await _answer(listening.dup(), handlers, refused_uids)
        return
    own = bind(path, group=group)
    try:
        await _answer(own, handlers, refused_uids)
    finally:
        own.close()
        path.unlink(missing_ok=True)  # noqa: ASYNC240  once, at the end


async def _answer(
    listening: socket.socket, handlers: Mapping[str, Handler], refused_uids: Collection[int]
) -> None:
    async with asyncio.TaskGroup() as clients:
        server = _Server(handlers, frozenset(refused_uids), clients)
        accepting = await asyncio.start_unix_server(server.accept, sock=listening, limit=MAX_REQUEST_BYTES)
        try:
            await asyncio.Event().wait()  # until cancelled
        finally:
            accepting.close()  # not waited for: from Python 3.12 on that would wait for every client to go
            await server.part()


def bind(path: Path, *, group: str | None = None) -> socket.socket:
    """A listening socket at ``path``, mode 0660; a stale one is replaced.

    It gets its name once it listens: whoever sees it can connect.

    Raises:
        SocketTaken: somebody listens there, or it is no socket.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(path)
    unready = path.with_name(f".{path.name}.new")
    unready.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_path(unready) as address:
            listening.bind(address)
        unready.chmod(_MODE)
        if group is not None:
            shutil.chown(unready, group=group)
        listening.listen(_BACKLOG)
        unready.rename(path)
    except BaseException:
        listening.close()
        raise
    listening.setblocking(False)  # noqa: FBT003  the standard library takes it only so
    return listening


def _remove_stale(path: Path) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SocketTaken(f"{path} is no socket.", next_step="Move it away.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, short_path(path) as address:
        refused = probe.connect_ex(address)
    if refused != errno.ECONNREFUSED:
        raise SocketTaken(f"Another agent listens at {path}.", next_step="Stop it first.")
    path.unlink()


class _Server:
    """Accepts clients and lets each talk in a task of its own."""

    def __init__(
        self, handlers: Mapping[str, Handler], refused_uids: frozenset[int], clients: asyncio.TaskGroup
    ) -> None:
        self._handlers = handlers
        self._refused_uids = refused_uids
        self._clients = clients
        self._connections: set[Connection] = set()
        self._answering = 0
        self._answered = asyncio.Event()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Give a client a task. One that comes while the server ends is closed, not forgotten."""
        client = self._client(reader, writer)
        try:
            task = self._clients.create_task(client, name="local-api-client")
        except RuntimeError:  # the group has just ended
            client.close()
            writer.transport.abort()
        else:
            task.add_done_callback(lambda _: writer.transport.abort())  # even if it was never begun

    async def part(self) -> None:
        """Let what is being answered be answered, for a moment, and write what waits."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_S):
                while self._answering:
                    self._answered.clear()
                    await self._answered.wait()
                for connection in self._connections:
                    connection.finish()
                while self._connections:
                    self._answered.clear()
                    await self._answered.wait()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        uid = peer_uid(writer.get_extra_info("socket"))
        connection = Connection(writer, uid)
        self._connections.add(connection)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(connection.write_out(), name="local-api-writer")
                await self._admit(uid, connection, reader, both)
        finally:
            self._connections.discard(connection)
            self._answered.set()

    async def _admit(
        self, uid: int, connection: Connection, reader: asyncio.StreamReader, tasks: asyncio.TaskGroup
    ) -> None:
        if uid in self._refused_uids:
            _LOG.warning("client refused", extra={"uid": uid})
            connection.end(
                "peer-refused", "This user may not speak to the agent.", "Use an account of group qafila."
            )
        elif len(self._connections) > MAX_CONNECTIONS:
            connection.end("too-many-clients", "Too many screens are connected.", "Close one of them.")
        else:
            await self._converse(connection, reader, tasks)
            connection.finish()

    async def _converse(
        self, connection: Connection, reader: asyncio.StreamReader, tasks: asyncio.TaskGroup
    ) -> None:
        apart: set[asyncio.Task[None]] = set()
        while not connection.closed:
            try:
                line = await reader.readuntil(b"\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            except asyncio.LimitOverrunError:
                connection.end("line-too-long", "A request is longer than 64 kB.", "Send less at once.")
                return
            try:
                raw = read_object(line)
            except RequestRefused as error:
                connection.end(error.stable_code, error.sentence, error.next_step)
                return
            if raw.get("do") not in APART:
                await self._reply(connection, raw)
                continue
            if len(apart) >= MOST_APART:
                await asyncio.wait(apart, return_when=asyncio.FIRST_COMPLETED)
            task = tasks.create_task(self._reply(connection, raw), name="local-api-apart")
            apart.add(task)
            task.add_done_callback(apart.discard)

    async def _reply(self, connection: Connection, raw: dict[str, Any]) -> None:
        self._answering += 1
        try:
            connection.answer(_id_of(raw), await self._answer(connection, raw))
        finally:
            self._answering -= 1
            self._answered.set()

    async def _answer(self, connection: Connection, raw: dict[str, Any]) -> dict[str, Any]:
        try:
            request, method, with_ = read_envelope(raw)
            fields = read_fields(method, with_)
            return {"ok": await self._handlers[method](Call(request, method, connection), **fields)}
        except QafilaError as error:
            return {"error": describe(error)}


def describe(error: QafilaError) -> dict[str, Any]:
    """An error as it stands in an answer."""
    about = {"about": error.about} if isinstance(error, CallRefused) and error.about else {}
    return {"code": error.stable_code, "sentence": error.sentence, "next": error.next_step, **about}


def _id_of(raw: dict[str, Any]) -> str:
    """The id as the client wrote it, so that it can match even an answer that refuses it."""
    request = raw.get("id")
    return request if isinstance(request, str) and len(request) <= 64 else ""
