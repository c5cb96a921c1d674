"""Reading what is ordered to be erased, and whether the store is due to get a new key."""

from edge.store.base import Base


class KeepingReads(Base):
    """What can be asked of keeping and erasing."""

    def erasures_waiting(self) -> list[tuple[bytes, bytes, str]]:
        """Orders that are not done yet, the oldest first: erasure, patient, reason."""
        rows = self._rows(
            "SELECT erasure, patient, reason FROM erasures WHERE done_ms IS NULL ORDER BY ordered_ms, erasure"
        )
        return [(erasure, patient, reason) for erasure, patient, reason in rows]

    def lacks_what_is_to_be_sent(self) -> bool:
        """Whether something of the present epoch that no receipt calls opened was purged or erased.

        It was opened once; the centre has lost it since.
        """
        row = self._row(
            "SELECT 1 FROM streams WHERE epoch = ?1 AND EXISTS (SELECT 1 FROM journal WHERE epoch = ?1"
            " AND journal.stream = streams.stream AND seq > streams.opened AND payload IS NULL)",
            self._epoch.number,
        )
        return row is not None

    @property
    def key_due(self) -> bool:
        """Whether somebody was erased since the store last got a new key."""
        return self._row("SELECT 1 FROM meta WHERE name = 'key-due'") is not None
