"""What was promised, what the units keep and what the centre holds, counted by queries of its own.

Nothing is asked of the parts themselves: the units' stores and the centre's database are read here, each
with plain SQL.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from chaos.van import Van
from cli.rehearsal.oracle import STREAMS
from edge.store import Store
from torture.nurse import Identity
from torture.restores import PROJECTED
from torture.unit import store_key

_ENTRIES = "SELECT unit, epoch, stream, seq, kind, payload FROM entries"
_LOSSES = "SELECT unit, epoch, stream, first, last FROM losses"


class Reads(Protocol):
    """A database that can be asked."""

    def read(self, statement: str) -> list[tuple[Any, ...]]: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Count:
    """What was found.

    Attributes:
        acknowledged: entries that a unit said are saved.
        lost: those of them that the centre does not hold.
        doubled: entries that stand for one request beyond those that it made.
        unreported: entries missing in between at the centre, and told to nobody as lost.
        differing: entries that say something else at the centre than in the unit.
        purged: entries whose content the units have let go of.
        conflicts: identities with two contents.
    """

    acknowledged: int
    lost: int
    doubled: int
    unreported: int
    differing: int
    purged: int
    conflicts: int

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.doubled or self.unreported or self.differing or self.conflicts)


def count(vans: Iterable[Van], centre: Reads) -> Count:
    """Count and compare; nothing runs any more."""
    there: dict[Identity, list[tuple[int, bytes]]] = {}
    for unit, epoch, stream, seq, kind, payload in centre.read(_ENTRIES):
        there.setdefault((unit, epoch, stream, seq), []).append((kind, bytes(payload)))
    told: dict[str, frozenset[Identity]] = {}
    acknowledged: set[Identity] = set()
    kept: dict[Identity, tuple[int, bytes | None]] = {}
    for van in vans:
        told |= van.worker.told
        acknowledged |= van.worker.acknowledged
        kept |= _kept(van)
    return Count(
        acknowledged=len(acknowledged),
        lost=len(acknowledged - there.keys()),
        doubled=_doubled(centre, told),
        unreported=_unreported(there, centre),
        differing=sum(
            payload is not None and (kind, payload) not in there[identity]
            for identity, (kind, payload) in kept.items()
            if identity in there
        ),
        purged=sum(payload is None for _, payload in kept.values()),
        conflicts=sum(len(set(contents)) > 1 for contents in there.values()),
    )


def _kept(van: Van) -> dict[Identity, tuple[int, bytes | None]]:
    """Every entry of a unit's store, with its content as long as it is kept."""
    store = Store.open(van.places.database, store_key(van.home))
    try:
        connection = store._connection  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  only to read by SQL
        rows = connection.execute(
            "SELECT lower(hex(e.epoch)), j.stream, j.seq, j.kind, j.payload"
            " FROM journal AS j JOIN epochs AS e ON e.number = j.epoch"
        ).fetchall()
    finally:
        store.close()
    return {
        (van.name, epoch, STREAMS[stream], seq): (kind, payload) for epoch, stream, seq, kind, payload in rows
    }


def _doubled(centre: Reads, told: Mapping[str, frozenset[Identity]]) -> int:
    """Rows of care beyond those that each request was told it made."""
    projected = {request: int(n) for request, n in centre.read(PROJECTED)}
    return sum(max(0, n - len(told[request])) for request, n in projected.items() if request in told)


def _unreported(there: Iterable[Identity], centre: Reads) -> int:
    """Entries that are missing below the highest of their stream, and in no report of a loss."""
    top: Counter[tuple[str, str, str]] = Counter()
    seen: dict[tuple[str, str, str], set[int]] = {}
    for unit, epoch, stream, seq in there:
        journal = (unit, epoch, stream)
        top[journal] = max(top[journal], seq)
        seen.setdefault(journal, set()).add(seq)
    for unit, epoch, stream, first, last in centre.read(_LOSSES):
        seen.setdefault((unit, epoch, stream), set()).update(range(first, last + 1))
    return sum(len(set(range(1, highest + 1)) - seen[journal]) for journal, highest in top.items())
