"""What lies in the spool and is not of the present epoch. Runs in the store's thread.

A store that was copied back finds files there that it has never written, and one that has begun another
epoch finds those of the epoch before. They may be the last copy of what somebody was told is saved, so
they stay until the centre has opened those very entries; no name tells them from ours, the header that
this unit signed does.
"""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from edge.audit.chain import VISIBLE_HEAD_BYTES
from edge.ports.sealing import Receipt, Sealed
from edge.spool import Outbox, SpoolName
from edge.store.store import Store

Recognise: TypeAlias = Callable[[bytes], Sealed | None]


class Leftovers:
    """Files of other epochs, and files that are nobody's."""

    def __init__(self, store: Store, outbox: Outbox) -> None:
        self._store = store
        self._outbox = outbox
        self._found: dict[SpoolName, Sealed | None] = {}

    def look(self, names: Iterable[SpoolName], recognise: Recognise) -> bool:
        """Look through the whole spool; whether it holds what this store never had."""
        found = {name: self._read(name, recognise) for name in names}
        self._found = {
            name: sealed
            for name, sealed in found.items()
            if sealed is None or sealed.epoch != self._store.epoch
        }
        return any(self._never_had(sealed) for sealed in found.values() if sealed is not None)

    def without(self, names: Iterable[SpoolName]) -> list[SpoolName]:
        """Those of the names that are of the present epoch: only they can be counted on."""
        return [name for name in names if name not in self._found]

    def clean(self, receipt: Receipt) -> None:
        """Remove what an opened receipt of an earlier epoch covers; its key messages go last.

        Raises:
            OSError: the spool cannot be written to.
        """
        of_epoch = {
            name: sealed
            for name, sealed in self._found.items()
            if sealed is not None and sealed.epoch == receipt.epoch
        }
        gone = [name for name, sealed in of_epoch.items() if self._is_opened(sealed, receipt)]
        if all(name in gone or sealed.stream is None for name, sealed in of_epoch.items()):
            gone = list(of_epoch)
        self._outbox.remove(*gone)
        for name in gone:
            del self._found[name]

    def _read(self, name: SpoolName, recognise: Recognise) -> Sealed | None:
        try:
            return recognise(self._outbox.read(name))
        except OSError:
            return None

    def _never_had(self, sealed: Sealed) -> bool:
        """Whether a file that this unit has signed is of a history that the store does not have."""
        if sealed.epoch != self._store.epoch:
            return not self._store.has_epoch(sealed.epoch)
        if sealed.stream is None:
            return False
        head = self._store.head_at(sealed.stream, sealed.last)
        return head is None or head[:VISIBLE_HEAD_BYTES] != sealed.head

    def _is_opened(self, sealed: Sealed, receipt: Receipt) -> bool:
        """Whether an opened receipt speaks of these very entries."""
        stated = None if sealed.stream is None else receipt.streams.get(sealed.stream)
        if sealed.stream is None or stated is None or stated.through < sealed.last:
            return False
        if stated.through == sealed.last:
            return stated.head == sealed.head
        own = self._store.earlier_head(sealed.epoch, sealed.stream, sealed.last)
        return own is None or own[:VISIBLE_HEAD_BYTES] == sealed.head
