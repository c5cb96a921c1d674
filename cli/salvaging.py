"""Taking out of a damaged store what can be read, while the agent is stopped."""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from cli.unit_secret import load_slots
from edge.agent import payloads
from edge.agent.permissions import may
from edge.agent.refusals import NotAllowed
from edge.clock import SystemClock
from edge.config import Places, load
from edge.errors import QafilaError
from edge.records.fields import Kind, Payload, Stream
from edge.records.people import user_id
from edge.security import process
from edge.security.exclusive import ExclusiveLock
from edge.security.lockout import Lockout
from edge.security.slots import Slots
from edge.store.aside import set_aside
from edge.store.base import Whose
from edge.store.salvage import SALVAGED, Salvaged, salvage

LIKE: Final = "store.verify"
"""Who may verify a store may salvage it: nothing of a patient is shown, and the new file is as closed."""
_BESIDE: Final = ".salvaged"
_LONGEST_TEXT: Final = 400
_SPANS_AN_ENTRY: Final = 500
UNREADABLE: Final = "unreadable"
"""Why entries are lost, as the centre is told."""


def salvage_store(places: Places, user: str, pin: str, onto: Path | None) -> dict[str, Any]:
    """Make a new store at ``onto``, or, without it, put the new one in the damaged one's place.

    Raises:
        AgentRunning, SecurityError, NotAllowed, StoreError, QafilaError: the store is as it was.
    """
    config = load(places.config)
    process.harden()
    with ExclusiveLock(places.agent_lock):
        key = _key(places, load_slots(places, config), user_id(user), pin)
        moment = SystemClock().now()
        target = places.database.with_name(places.database.name + _BESIDE) if onto is None else onto
        if onto is None:
            target.unlink(missing_ok=True)  # what was cut short before it took the store's place

        def notes(outcome: Salvaged) -> Iterable[tuple[Stream, Kind, Payload]]:
            stamp = payloads.stamp(moment, user_id(user))
            yield Stream.ALERT, Kind.ALERT, stamp | payloads.alert(SALVAGED, in_words(outcome), None)
            for at in range(0, len(outcome.lost), _SPANS_AN_ENTRY):
                spans = [
                    (bytes.fromhex(span.epoch), int(span.stream), span.first, span.last)
                    for span in outcome.lost[at : at + _SPANS_AN_ENTRY]
                ]
                yield Stream.ALERT, Kind.VOID, stamp | payloads.void(spans, UNREADABLE)
            yield (
                Stream.AUDIT,
                Kind.ACCESS,
                stamp | payloads.access(f"store.salvage:lost={outcome.entries_lost}"),
            )

        outcome = salvage(
            *(places.database, key, target),
            whose=Whose(config.unit.id, config.unit.realm),
            moment=moment,
            notes=notes,
            progress=_progress(),
        )
        aside = None if onto is not None else _take_place(places.database, target, outcome)
    return {
        "file": str(places.database if onto is None else target),
        "set_aside": None if aside is None else aside.name,
        **told(outcome),
    }


def told(outcome: Salvaged) -> dict[str, Any]:
    """What became of the store, for machines."""
    return {
        "pages": outcome.pages,
        "bad_pages": outcome.bad_pages,
        "kept": {stream.word: count for stream, count in outcome.kept.items()},
        "first_entries": outcome.first_entries,
        "again": outcome.again,
        "purged": outcome.purged,
        "entries_lost": outcome.entries_lost,
        "lost": [
            {
                "epoch": span.epoch,
                "stream": span.stream.word,
                "first": span.first,
                "last": span.last,
                "count": span.count,
                "received": span.received,
            }
            for span in outcome.lost
        ],
        "chunks_lost": outcome.chunks_lost,
        "nameless": outcome.nameless,
        "new_identity": outcome.new_identity,
    }


def in_words(outcome: Salvaged) -> str:
    """What is lost, short enough for an alert; numbers only."""
    spans = " ".join(f"{span.stream.word}:{span.first}-{span.last}" for span in outcome.lost)
    received = sum(span.received for span in outcome.lost)
    return f"lost {outcome.entries_lost}, received {received}, {spans}"[:_LONGEST_TEXT]


def _key(places: Places, slots: Slots, user: str, pin: str) -> bytes:
    lockout = Lockout(places.store / "lockout", SystemClock().monotonic_s)
    lockout.begin(user)
    key = slots.unlock(user, pin)
    lockout.succeeded(user)
    asking = next(each for each in slots.users() if each.user == user)
    if not may(asking.role, LIKE):
        raise NotAllowed
    return key


def _take_place(database: Path, new: Path, outcome: Salvaged) -> Path | None:
    if not (outcome.bad_pages or outcome.lost or outcome.chunks_lost):
        new.unlink()
        raise QafilaError(
            "Every page and every entry of this store reads back: it stays where it is.",
            next_step="See `qafila store verify`; to copy it all the same, name a file with --to.",
            code="store-not-damaged",
        )
    aside = set_aside(database)
    new.rename(database)
    directory = os.open(database.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return aside


def _progress() -> Callable[[int, int], None]:
    """A bar on the terminal, if there is one."""
    last = -1

    def show(done: int, of: int) -> None:
        nonlocal last
        percent = 100 * done // max(of, 1)
        if percent != last and sys.stderr.isatty():
            last = percent
            print(f"\r{percent:3d} % ", end="" if percent < 100 else "\n", file=sys.stderr, flush=True)

    return show
