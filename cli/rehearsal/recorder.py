"""What the socket called saved: every identity it named, written down the moment it was named.

The log is the oracle's only witness of what was promised. Answers are noted by whoever asked; events
and snapshots by the recorder's own connection, which signs in again after a kill and takes a snapshot
from the very beginning, because what was committed and never told is promised too.
"""

import asyncio
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from cli.rehearsal.seat import Seat
from edge.localapi.client import AgentUnreachable

_FROM_THE_BEGINNING: Final = {"alert": 0, "vitals": 0}


class RecorderLog:
    """Appends one JSON line per saying: where it was said, and the identities named in it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def note(self, said_in: str, saved: Iterable[Sequence[str | int]]) -> None:
        identities = list(saved)
        if identities:
            self._file.write(json.dumps({"in": said_in, "saved": identities}) + "\n")
            self._file.flush()

    def close(self) -> None:
        self._file.close()


class Recorder:
    """Listens on a connection of its own until cancelled.

    Args:
        seat: the connection, subscribed to ``saved``.
        log: where everything goes.
    """

    def __init__(self, seat: Seat, log: RecorderLog) -> None:
        self._seat = seat
        self._log = log
        self.ready = asyncio.Event()
        """The first snapshot is taken: nothing said from now on is missed."""

    async def listen(self) -> None:
        while True:
            try:
                await self.take_snapshot()
                self.ready.set()
                async for name, data in self._seat.events():
                    if name == "saved":
                        self._log.note("event", data["saved"])
            except AgentUnreachable:
                await self._seat.sit()

    async def take_snapshot(self) -> None:
        """Ask for everything that was ever committed, page by page."""
        after = dict(_FROM_THE_BEGINNING)
        more = True
        while more:
            page = await self._seat.ask("snapshot", after=after)
            self._log.note("snapshot", page["saved"])
            for _unit, _epoch, stream, seq in page["saved"]:
                after[stream] = max(after[stream], seq)
            more = page["more"]
