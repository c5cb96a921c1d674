"""What the socket called saved: every identity it named, written down the moment it was named.

The log is the oracle's only witness of what was promised. Answers are noted by whoever asked; events
and snapshots by the recorder's own connection, which signs in again after a kill and takes a snapshot
from the very beginning, because what was committed and never told is promised too.

*Arrived* and *received* are claims about the centre. Each is held against the centre's tables at the
moment it is heard: what is not there then was claimed too early.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cli.rehearsal.oracle import Centre
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
        seat: the connection, subscribed to `TOPICS`.
        log: where everything said to be saved goes.
        centre: what claims of *arrived* and *received* are held against.
    """

    TOPICS: Final = ("saved", "streams")

    def __init__(self, seat: Seat, log: RecorderLog, centre: Centre) -> None:
        self._seat = seat
        self._log = log
        self._centre = centre
        self._journal = ("", "")
        self._checked: set[tuple[str, str, int]] = set()
        self.ready = asyncio.Event()
        """The first snapshot is taken: nothing said from now on is missed."""
        self.claims = 0
        """How many claims about the centre were heard and checked."""
        self.too_early: list[str] = []
        """Those that the centre's tables did not bear out."""

    async def listen(self) -> None:
        while True:
            try:
                await self.take_snapshot()
                self.ready.set()
                async for name, data in self._seat.events():
                    if name == "saved":
                        self._log.note("event", data["saved"])
                    elif name == "streams":
                        self._check(data["streams"])
            except AgentUnreachable:
                await self._seat.sit()

    async def take_snapshot(self) -> None:
        """Ask for everything that was ever committed, page by page."""
        after = dict(_FROM_THE_BEGINNING)
        more = True
        while more:
            page = await self._seat.ask("snapshot", after=after)
            self._journal = (page["unit"], page["epoch"])
            self._log.note("snapshot", page["saved"])
            self._check(page["states"])
            after |= page["next"]
            more = page["more"]

    def _check(self, streams: Mapping[str, Mapping[str, Any]]) -> None:
        """Hold each new claim against the centre, now: it may not become true only later."""
        borne_out = {"landed": self._centre.landed, "opened": self._centre.holds}
        for stream, progress in streams.items():
            for level, holds in borne_out.items():
                through = int(progress[level])
                claim = (level, stream, through)
                if through == 0 or claim in self._checked:
                    continue
                self._checked.add(claim)
                self.claims += 1
                if not holds(*self._journal, stream, through):
                    self.too_early.append(f"{stream} {level} through {through}")
