"""How the unit itself is: its disk, its queue, its receipts, its certificate. Nothing here knows a patient.

What is looked up here stands in the status, in the metrics, and in the audit trail, where the centre reads it
signed: at each unlock, when what is wrong has changed, and every six hours.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

from edge import cbor
from edge.agent import payloads
from edge.agent.commit import OpenStore
from edge.agent.states import Progress
from edge.clock import Moment
from edge.ports.caller import Json
from edge.records.fields import Field, Kind, Payload, Stream
from edge.store.store import Store

EVERY_S: Final = 6 * 3600.0
"""How often the centre hears of a unit that is as it was."""
SETTLED_S: Final = 30.0
"""Just unlocked, the devices are only being looked for: nothing is told of them before this."""
_NEWS_AT_MOST_EVERY_S: Final = 60.0
"""What goes and comes again within a minute is told once."""
_SURE_AFTER_DAYS: Final = 3
"""Days of work after which the days that are left can be told."""
_MOST_DAYS: Final = 9999
_DAY_MS: Final = 86_400_000


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """What only the open store tells.

    Attributes:
        oldest_ms: of each stream the wall time of the first entry without an opened receipt, or None where
            there is no such entry or its time is not known.
        store_bytes: of the database with its log.
        free_bytes: of its disk, for whoever is not root.
        days: for how many days of work like those before the disk has room; None before three of them.
    """

    oldest_ms: Mapping[Stream, int | None]
    store_bytes: int
    free_bytes: int
    days: int | None


def look(store: Store, progress: Mapping[Stream, Progress]) -> Kept:
    """Look; costs a few rows and two questions to the file system.

    Raises:
        StoreError, OSError: it cannot be looked at.
    """
    oldest = {stream: _oldest_ms(store, stream, each) for stream, each in progress.items()}
    size, free = store.size_and_room()
    worked = store.days_worked()
    days = None if worked < _SURE_AFTER_DAYS else min(_MOST_DAYS, free * worked // max(1, size))
    return Kept(oldest, size, free, days)


def shown(kept: Kept) -> dict[str, Json]:
    """The disk as the status shows it."""
    return {"store_bytes": kept.store_bytes, "free_bytes": kept.free_bytes, "days": kept.days}


def days_until(until_ms: int | None, moment: Moment) -> int | None:
    """Whole days until a certificate ends, below 0 after it has; None where there is none."""
    return None if until_ms is None else (until_ms - moment.wall_ms) // _DAY_MS


class HealthLog:
    """Decides when the audit trail hears how the unit is.

    Attributes:
        receipt_ms: when a receipt last moved something, since the agent started; None before one has.
    """

    def __init__(self) -> None:
        self.receipt_ms: int | None = None
        self._told: Sequence[Json] | None = None
        self._told_s: float | None = None
        self._store: OpenStore | None = None
        self._opened_s = 0.0

    def due(self, opened: OpenStore, wrong: Sequence[Json], now_s: float) -> bool:
        """Whether it is time: unlocked a while ago, ``wrong`` is another, or six hours have gone."""
        if self._store is not opened:
            self._store, self._told_s, self._opened_s = opened, None, now_s
        if self._told_s is None:
            return now_s - self._opened_s >= SETTLED_S
        waited_s = now_s - self._told_s
        return waited_s >= EVERY_S or (wrong != self._told and waited_s >= _NEWS_AT_MOST_EVERY_S)

    def tell(
        self,
        opened: OpenStore,
        facts: Mapping[str, Json],
        wrong: Sequence[Json],
        moment: Moment,
        now_s: float,
    ) -> None:
        """Write it into the audit trail.

        Raises:
            StoreError: it is not there; asked for again.
        """
        entry = payloads.stamp(moment, None) | _payload(facts)
        with opened.write() as tx:
            tx.append(Stream.AUDIT, Kind.HEALTH, entry)
        self._told, self._told_s = wrong, now_s


def _payload(facts: Mapping[str, Json]) -> Payload:
    """Facts as pairs: what is None is left out, for nobody knows it."""
    pairs = [[name, _value(value)] for name, value in facts.items() if value is not None]
    return {Field.HEALTH: pairs}


def _value(value: Json) -> cbor.Value:
    if isinstance(value, list | tuple):
        return [_value(each) for each in value]
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, int | str) else str(value)


def _oldest_ms(store: Store, stream: Stream, progress: Progress) -> int | None:
    if progress.opened >= progress.tip:
        return None
    (entry, *_) = store.entries(stream, progress.opened + 1, progress.opened + 1) or (None,)
    if entry is None or entry.payload is None:
        return None
    match cbor.decode(entry.payload):
        case {Field.WALL_MS: int(wall_ms)}:
            return wall_ms
        case _:
            return None
