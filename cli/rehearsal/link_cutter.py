"""A stretch of network that can be cut: a TCP proxy in a process of its own, ruled by lines on stdin.

``python -m cli.rehearsal.link_cutter --to PORT [--listen PORT] [--record FILE]`` listens on loopback and
forwards to loopback; what goes up is also appended to the file, for whoever wants to search it. It says
one JSON line when ready and one after each command::

    cut    close every connection at once and refuse new ones     (a cable pulled out)
    hole   accept, swallow everything, answer nothing             (a tunnel, a dead half-open TCP)
    open   forward new connections again
    stats  change nothing
    quit   end; the end of stdin does the same

Each answer counts since the start: ``up`` and ``down`` are bytes forwarded from the listening side and
back, ``swallowed`` the bytes lost in a hole, ``accepted`` and ``live`` connections. A connection that
lost bytes in a hole stays dead for ever, as a stream with a gap must: its ends have to notice.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import json
import random
import sys
from enum import StrEnum
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_CHUNK: Final = 64 * 1024


class State(StrEnum):
    """What the stretch of network does now; the words are the commands."""

    OPEN = "open"
    HOLE = "hole"
    CUT = "cut"


@dataclasses.dataclass(slots=True)
class Counts:
    """What went through, and what did not."""

    up: int = 0
    down: int = 0
    swallowed: int = 0
    accepted: int = 0


@dataclasses.dataclass(slots=True)
class _Pair:
    """One connection through the proxy; ``far`` is missing when it was accepted into a hole."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter | None = None
    dead: bool = False

    def abort(self) -> None:
        for writer in (self.near, self.far):
            if writer is not None:
                writer.transport.abort()


class LinkCutter:
    """The proxy itself, for use inside an event loop.

    Args:
        to: the port on loopback that everything is forwarded to.
        record: where the bytes forwarded upwards are appended, in the order they came.
    """

    def __init__(self, to: int, record: Path | None = None) -> None:
        self._to = to
        self._record = record
        self._port = 0
        self._server: asyncio.Server | None = None
        self._pairs: list[_Pair] = []
        self.state = State.OPEN
        self.counts = Counts()

    @property
    def live(self) -> int:
        return len(self._pairs)

    async def listen(self, port: int = 0) -> int:
        """Start listening; 0 takes any free port. Returns the port, which later stays the same."""
        wanted = port or self._port
        while self._server is None:
            # Any port is taken from below the range of outgoing connections: one of those could
            # otherwise sit on it while the link is cut.
            self._port = wanted or random.randrange(20_000, 32_000)  # noqa: S311  any will do
            try:
                self._server = await asyncio.start_server(self._serve, LOOPBACK, self._port)
            except OSError:
                if wanted:
                    raise
        return self._port

    async def turn(self, state: State) -> None:
        """Cut, hole or open the link; what it is already stays as it is."""
        self.state = state
        if state is State.CUT:
            self._stop_listening()
            for pair in list(self._pairs):
                pair.abort()
        elif self._server is None:
            await self.listen()

    def close(self) -> None:
        self._stop_listening()
        for pair in list(self._pairs):
            pair.abort()

    def _keep(self, data: bytes) -> None:
        if self._record is not None:
            with self._record.open("ab") as file:
                file.write(data)

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        self.counts.accepted += 1
        pair = _Pair(near, dead=self.state is not State.OPEN)
        self._pairs.append(pair)
        try:
            if pair.dead:
                await self._forward(reader, pair, up=True)
                return
            far_reader, pair.far = await asyncio.open_connection(LOOPBACK, self._to)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forward(reader, pair, up=True))
                group.create_task(self._forward(far_reader, pair, up=False))
        except* OSError:
            pass  # nobody listens behind us, or one end went away: either way this connection is over
        finally:
            pair.abort()
            self._pairs.remove(pair)

    async def _forward(self, reader: asyncio.StreamReader, pair: _Pair, *, up: bool) -> None:
        """Forward one direction; the end of either side ends the pair, except into a hole."""
        while data := await reader.read(_CHUNK):
            pair.dead = pair.dead or self.state is State.HOLE
            to = pair.far if up else pair.near
            if pair.dead or to is None:
                self.counts.swallowed += len(data)
                continue
            to.write(data)
            if up:
                self.counts.up += len(data)
                self._keep(data)
            else:
                self.counts.down += len(data)
            await to.drain()
        pair.dead = pair.dead or self.state is State.HOLE
        if not pair.dead:
            pair.abort()


def _say(event: str, cutter: LinkCutter, **more: int) -> None:
    fields = dataclasses.asdict(cutter.counts)
    print(json.dumps({"event": event, "live": cutter.live, **fields, **more}), flush=True)


async def _lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


async def _run(to: int, listen: int, record: Path | None) -> None:
    cutter = LinkCutter(to, record)
    port = await cutter.listen(listen)
    commands = await _lines()
    _say("ready", cutter, port=port)
    try:
        while line := await commands.readline():
            word = line.decode().strip()
            if word == "quit":
                break
            if word in set(State):
                await cutter.turn(State(word))
            _say(word if word == "stats" or word in set(State) else "unknown", cutter)
    finally:
        cutter.close()
        _say("quit", cutter)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m cli.rehearsal.link_cutter", description=__doc__)
    parser.add_argument("--to", type=int, required=True, help="the port on loopback to forward to")
    parser.add_argument("--listen", type=int, default=0, help="the port on loopback to listen on")
    parser.add_argument("--record", type=Path, help="a file for everything that goes up")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        asyncio.run(_run(options.to, options.listen, options.record))


if __name__ == "__main__":
    main()
