"""Reading the journal: entries, tips, heads, watermarks."""

from edge.audit.chain import VISIBLE_HEAD_BYTES, Entry
from edge.ports.sealing import Tips
from edge.records.fields import Kind, Stream
from edge.records.identity import EntryId
from edge.store.base import Base
from edge.store.rows import Fork, Watermark


class JournalReads(Base):
    """What can be asked of the present epoch's streams."""

    def entries(self, stream: Stream, first: int, last: int) -> list[Entry]:
        """Entries ``first`` to ``last``, both included; fewer when the stream ends before."""
        rows = self._rows(
            "SELECT seq, kind, payload, leaf, head FROM journal"
            " WHERE epoch = ? AND stream = ? AND seq BETWEEN ? AND ? ORDER BY seq",
            *(self._epoch.number, stream, first, last),
        )
        return [
            Entry(stream, seq, Kind(kind), payload, leaf, head) for seq, kind, payload, leaf, head in rows
        ]

    def entry_ids(self, stream: Stream, first: int, last: int) -> list[EntryId]:
        """The identities of entries ``first`` to ``last`` as far as the stream goes.

        An entry that was journalled again keeps the one under which it was known first.
        """
        tip = self.watermark(stream).tip
        unit, epoch = self._whose.unit, self._epoch.epoch
        first, last = max(first, 1), min(last, tip)
        rows = self._rows(
            "SELECT journal.seq, origins.epoch, origins.stream, origins.seq FROM journal"
            " JOIN origins ON origins.entry = journal.id"
            " WHERE journal.epoch = ? AND journal.stream = ? AND journal.seq BETWEEN ? AND ?",
            *(self._epoch.number, stream, first, last),
        )
        known = {seq: EntryId(unit, was, Stream(there), number) for seq, was, there, number in rows}
        return [known.get(seq) or EntryId(unit, epoch, stream, seq) for seq in range(first, last + 1)]

    def has_epoch(self, epoch: bytes) -> bool:
        """Whether this is the present epoch, or one before it."""
        return self._row("SELECT 1 FROM epochs WHERE epoch = ?", epoch) is not None

    def earlier_head(self, epoch: bytes, stream: Stream, seq: int) -> bytes | None:
        """The same as `head_at`, in any epoch of the store."""
        row = self._row(
            "SELECT head FROM journal JOIN epochs ON epochs.number = journal.epoch"
            " WHERE epochs.epoch = ? AND stream = ? AND seq = ?",
            *(epoch, stream, seq),
        )
        return None if row is None else row[0]

    def last_fork(self) -> Fork | None:
        """Why the present epoch began, or None when it is the store's first."""
        row = self._row("SELECT reason, at_ms FROM forks WHERE epoch = ?", self._epoch.number)
        if row is None:
            return None
        again = self._row(
            "SELECT count(*) FROM origins JOIN journal ON journal.id = entry WHERE journal.epoch = ?",
            self._epoch.number,
        )
        return Fork(row[0], row[1], 0 if again is None else again[0])

    def still_to_journal_again(self, limit: int) -> list[int]:
        """Rows of the journal that are to be appended to the present epoch, oldest first."""
        return [row for (row,) in self._rows("SELECT entry FROM journal_again ORDER BY 1 LIMIT ?", limit)]

    def head_at(self, stream: Stream, seq: int) -> bytes | None:
        """The full head after entry ``seq``, or None when there is no such entry."""
        row = self._row(
            "SELECT head FROM journal WHERE epoch = ? AND stream = ? AND seq = ?",
            *(self._epoch.number, stream, seq),
        )
        return None if row is None else row[0]

    def tips(self) -> Tips:
        """Where all streams stand; inside a transaction's ``before_commit`` as they will stand."""
        rows = self._rows("SELECT tip, head FROM streams WHERE epoch = ? ORDER BY stream", self._epoch.number)
        alert, vitals, doc, wave, audit = (tip for tip, _ in rows)
        return Tips((alert, vitals, doc, wave, audit), rows[Stream.AUDIT][1][:VISIBLE_HEAD_BYTES])

    def watermark(self, stream: Stream) -> Watermark:
        return self.watermarks()[stream]

    def watermarks(self) -> dict[Stream, Watermark]:
        """Every stream's tip, how far receipts cover it, and whether it is stopped."""
        rows = self._rows(
            "SELECT stream, tip, landed, opened, stopped FROM streams WHERE epoch = ? ORDER BY stream",
            self._epoch.number,
        )
        return {Stream(row[0]): Watermark(*row[1:]) for row in rows}

    def receipt_rseq(self, level: str, generation: int) -> int:
        """The number of the last receipt believed, 0 when there was none."""
        row = self._row(
            "SELECT rseq FROM receipts WHERE epoch = ? AND level = ? AND generation = ?",
            *(self._epoch.number, level, generation),
        )
        return 0 if row is None else int(row[0])

    def receipt_generation(self, level: str) -> int | None:
        """The highest centre generation whose receipts were believed, None when there was none."""
        row = self._row(
            "SELECT max(generation) FROM receipts WHERE epoch = ? AND level = ?",
            *(self._epoch.number, level),
        )
        return None if row is None else row[0]

    def answer(self, request_id: str) -> bytes | None:
        """What a request was answered when it was committed, or None when it was not."""
        row = self._row("SELECT answer FROM requests WHERE request = ?", request_id)
        return None if row is None else row[0]
