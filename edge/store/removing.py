"""Letting payloads go: what was kept long enough is purged, what somebody has to be rid of is erased.

The entry stays with its leaf and its head, so the chain is whole; what it amounted to in other tables goes
with its payload. Whoever calls these appends the entry that names what they return, in the same
transaction: a missing payload that no later entry of kind *purged* or *erased* names is damage
(`edge.store.verify`).

Only what the centre has opened goes. Periods count from when it did, by the centre's time (`mark_opened`).
"""

import dataclasses
import uuid
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from edge.cbor import Value
from edge.records.fields import Kind, Stream
from edge.store import patient_index
from edge.store.base import Base
from edge.store.errors import StoreRefused, translated
from edge.store.merging import WHOLE
from edge.store.sqlite import Row

Span: TypeAlias = tuple[bytes, int, int, int]
"""Epoch, stream, first, last."""


@dataclasses.dataclass(frozen=True, slots=True)
class Erased:
    """Whom an order was about, who else was found to be them, and the entries whose payloads went."""

    people: tuple[bytes, ...]
    spans: tuple[Span, ...]


DAY_MS: Final = 86_400_000
VISITS_AT_ONCE: Final = 20
"""So many visits are purged in one transaction: some tenths of a second on a slow card."""
ROWS_AT_ONCE: Final = 500
_NOT_BY_PATIENT: Final = frozenset({"journal", "erasures"})

_OLD: Final = (
    "WITH old AS (SELECT epoch, stream, max(opened) AS opened FROM opened_marks WHERE at_ms <= ?"
    " GROUP BY epoch, stream) "
)
_NOT_OLD: Final = (
    " JOIN journal ON journal.id = entry"
    " LEFT JOIN old ON old.epoch = journal.epoch AND old.stream = journal.stream"
    " WHERE encounter = visit.encounter AND journal.seq > coalesce(old.opened, 0)"
)
_PURGEABLE_VISITS: Final = (
    _OLD + "SELECT encounter FROM encounters AS visit"  # noqa: S608  our own words, as below
    " WHERE closed_ms IS NOT NULL AND purged_ms IS NULL AND opened_ms <= ?"
    " AND EXISTS (SELECT 1 FROM encounters AS later WHERE later.patient = visit.patient"
    " AND (later.opened_ms, later.encounter) > (visit.opened_ms, visit.encounter))"
    f" AND NOT EXISTS (SELECT 1 FROM observations {_NOT_OLD})"
    f" AND NOT EXISTS (SELECT 1 FROM alerts {_NOT_OLD})"
    " ORDER BY opened_ms LIMIT ?"
)
_OLD_ACCESSES: Final = (
    _OLD + "SELECT journal.id FROM old JOIN journal ON journal.epoch = old.epoch"  # noqa: S608
    " AND journal.stream = old.stream AND journal.seq <= old.opened"
    " WHERE old.stream = ? AND journal.kind = ? AND payload IS NOT NULL LIMIT ?"
)
_OLD_BYTES: Final = (
    _OLD + "SELECT {pieces}.entry FROM old JOIN journal ON journal.epoch = old.epoch"  # noqa: S608
    " AND journal.stream = old.stream AND journal.seq <= old.opened"
    " JOIN {pieces} ON {pieces}.entry = journal.id"
    " WHERE old.stream = ? AND data IS NOT NULL LIMIT ?"
)
_LAST_OLD: Final = (
    _OLD + "SELECT max(journal.id) FROM old JOIN journal ON journal.epoch = old.epoch"  # noqa: S608
    " AND journal.stream = old.stream AND journal.seq = old.opened WHERE old.stream = ?"
)
_NOT_OPENED: Final = (
    "SELECT 1 FROM journal JOIN streams ON streams.epoch = journal.epoch AND streams.stream = journal.stream"
    " WHERE journal.id = ? AND journal.epoch = ? AND journal.seq > streams.opened"
)
_PLACE: Final = (
    "SELECT epochs.epoch, stream, seq FROM journal JOIN epochs ON epochs.number = journal.epoch"
    " WHERE journal.id = ?"
)
_CALLED_BEFORE: Final = (
    "SELECT journal.id FROM origins JOIN epochs ON epochs.epoch = origins.epoch"
    " JOIN journal ON journal.epoch = epochs.number AND journal.stream = origins.stream"
    " AND journal.seq = origins.seq WHERE origins.entry = ?"
)


class Removing(Base):
    """What a transaction may take away."""

    # ── keeping: how long since it was opened ────────────────────────────────────────────────────

    def mark_opened(self, at_ms: int) -> bool:
        """Note how far the streams are opened, at most once a day; whether it was noted.

        Args:
            at_ms: the centre's time, from an opened receipt.
        """
        number = self._epoch.number
        last = self._row("SELECT max(at_ms) FROM opened_marks WHERE epoch = ?", number)
        if last is not None and last[0] is not None and at_ms < last[0] + DAY_MS:
            return False
        return bool(
            self._run(
                "INSERT INTO opened_marks (epoch, stream, at_ms, opened)"
                " SELECT epoch, stream, ?, opened FROM streams WHERE epoch = ?",
                *(at_ms, number),
            )
        )

    def drop_marks(self, before_ms: int) -> None:
        """Drop the marks that no period needs any more: of those before a time only the last counts."""
        self._run(
            "DELETE FROM opened_marks WHERE at_ms < (SELECT max(at_ms) FROM opened_marks AS last"
            " WHERE last.epoch = opened_marks.epoch AND last.stream = opened_marks.stream"
            " AND last.at_ms <= ?)",
            before_ms,
        )

    def purge_visits(self, before_ms: int, now_ms: int) -> list[Span]:
        """Let the values of some closed visits go that were opened before a time; of the oldest first.

        A patient's last visit stays, and so does, of every visit, that it was.
        """
        rows = self._rows(_PURGEABLE_VISITS, before_ms, before_ms, VISITS_AT_ONCE)
        gone: set[int] = set()
        for (visit,) in rows:
            for table in ("observations", "alerts"):
                found = self._rows(f"SELECT entry FROM {table} WHERE encounter = ?", visit)  # noqa: S608  ours
                self._run(f"DELETE FROM {table} WHERE encounter = ?", visit)  # noqa: S608  ours
                gone.update(entry for (entry,) in found)
            self._run("UPDATE encounters SET purged_ms = ? WHERE encounter = ?", now_ms, visit)
        return self._let_go(gone)

    def purge_accesses(self, before_ms: int) -> list[Span]:
        """Let the payloads of some audit entries go that were opened before a time."""
        rows = self._rows(_OLD_ACCESSES, before_ms, Stream.AUDIT, Kind.ACCESS, ROWS_AT_ONCE)
        return self._let_go(entry for (entry,) in rows)

    def purge_samples(self, before_ms: int) -> list[Span]:
        """Let samples of wave go that were opened before a time; the entries of their chunks stay whole."""
        return self._purge_bytes("waveform_chunks", Stream.WAVE, before_ms)

    def purge_parts(self, before_ms: int) -> list[Span]:
        """Let the bytes of photos and documents go that were opened before a time; their entries stay."""
        return self._purge_bytes("attachment_parts", Stream.DOC, before_ms)

    def _purge_bytes(self, pieces: str, stream: Stream, before_ms: int) -> list[Span]:
        places: list[tuple[bytes, int, int]] = []
        for (entry,) in self._rows(_OLD_BYTES.format(pieces=pieces), before_ms, stream, ROWS_AT_ONCE):
            self._run(f"UPDATE {pieces} SET data = NULL WHERE entry = ?", entry)  # noqa: S608  our own names
            for each in (entry, *(first for (first,) in self._rows(_CALLED_BEFORE, entry))):
                places += [(row[0], row[1], row[2]) for row in self._rows(_PLACE, each)]
        return spans_of(places)

    def purge_frames(self, before_ms: int) -> int:
        """Let raw frames go of readings whose values were opened before a time."""
        place = self._row(_LAST_OLD, before_ms, Stream.VITALS)
        if place is None or place[0] is None:
            return 0
        opened = self._row(
            "SELECT reading FROM observations WHERE entry <= ? AND reading IS NOT NULL"
            " ORDER BY entry DESC LIMIT 1",
            place[0],
        )
        after = self._row("SELECT min(reading) FROM observations WHERE entry > ?", place[0])
        if opened is None:
            return 0
        last = int(opened[0])
        if after is not None and after[0] is not None:
            last = min(last, int(after[0]) - 1)  # a reading taken along into a new epoch is young again
        return self._run("DELETE FROM raw_frames WHERE reading <= ?", last)

    def forget_answers(self, before_ms: int) -> int:
        """Forget what requests were answered long ago, by this box's clock; nobody repeats them."""
        return self._run("DELETE FROM requests WHERE at_ms < ?", before_ms)

    # ── erasing one patient ──────────────────────────────────────────────────────────────────────

    def order_erasure_again(
        self, erasure: bytes, patient: bytes, *, reason: str, authority: str, ordered_ms: int
    ) -> None:
        """The same for a store that goes on with another's: it says itself what that one had done already."""
        self.order_erasure(erasure, patient, reason=reason, authority=authority, ordered_ms=ordered_ms)
        self._run("UPDATE erasures SET done_ms = NULL WHERE erasure = ?", erasure)

    def order_erasure(
        self, erasure: bytes, patient: bytes, *, reason: str, authority: str, ordered_ms: int
    ) -> bool:
        """Note that a patient is to be erased; whether it is new."""
        return bool(
            self._run(
                "INSERT OR IGNORE INTO erasures (erasure, patient, reason, authority, ordered_ms)"
                " VALUES (?, ?, ?, ?, ?)",
                *(erasure, patient, reason, authority, ordered_ms),
            )
        )

    def may_erase(self, patient: bytes) -> bool:
        """Whether nothing of a patient is open or on its way."""
        people = self._same_person(patient)
        if any(
            self._row("SELECT 1 FROM encounters WHERE patient = ? AND closed_ms IS NULL", each)
            for each in people
        ):
            return False
        waiting = {entry for (entry,) in self._rows("SELECT entry FROM journal_again")}
        last: dict[tuple[int, int], int] = {}
        for epoch, stream, _, entry in self._of(people):
            if entry in waiting:
                return False
            last[epoch, stream] = max(entry, last.get((epoch, stream), 0))
        return not any(self._row(_NOT_OPENED, entry, self._epoch.number) for entry in last.values())

    def erase(self, erasure: bytes, patient: bytes, now_ms: int) -> Erased:
        """Let everything of a patient go: payloads, secret, rows, samples, index entries, kept answers.

        Whoever was found to be the same person (merged into this one) goes along. The order is done.
        """
        people = self._same_person(patient)
        entries = [entry for _, _, _, entry in self._of(people)]
        self._run("PRAGMA defer_foreign_keys = ON")
        with translated():
            for each in people:
                self._erase_rows(each)
        spans = self._let_go(entries)
        self._run("UPDATE erasures SET done_ms = ? WHERE erasure = ?", now_ms, erasure)
        return Erased(tuple(people), tuple(spans))

    def _refuse_erased(self, patient: bytes) -> None:
        """Refuse to begin anew with a patient who was erased.

        Raises:
            StoreRefused.
        """
        if self._row("SELECT 1 FROM erasures WHERE patient = ? AND done_ms IS NOT NULL", patient):
            raise StoreRefused(
                "This patient was erased: nothing was saved.",
                next_step="Enter the patient anew if they are here again.",
                code="patient-erased",
            )

    def _same_person(self, patient: bytes) -> list[bytes]:
        """The patient, and whoever was merged into them."""
        return [each for (each,) in self._rows(WHOLE, patient)]

    def _of(self, people: Sequence[bytes]) -> list[Row]:
        """Epoch, stream, seq and row of every entry of these patients whose payload is there.

        What lay in the tray before it was assigned to them names nobody, and is theirs.
        """
        found: dict[int, Row] = {}
        for patient in people:
            named = self._rows(
                "SELECT epoch, stream, seq, id FROM journal WHERE patient = ? AND payload IS NOT NULL",
                patient,
            )
            assigned = self._rows(
                "SELECT journal.epoch, stream, seq, id FROM encounters"
                " JOIN observations ON observations.encounter = encounters.encounter"
                " JOIN journal ON journal.id = entry WHERE encounters.patient = ? AND payload IS NOT NULL",
                patient,
            )
            found |= {row[3]: row for row in (*named, *assigned)}
        return list(found.values())

    def _erase_rows(self, patient: bytes) -> None:
        visits = [
            visit for (visit,) in self._rows("SELECT encounter FROM encounters WHERE patient = ?", patient)
        ]
        readings = self._rows(
            "SELECT DISTINCT reading FROM observations JOIN encounters USING (encounter)"
            " WHERE encounters.patient = ? AND reading IS NOT NULL",
            patient,
        )
        for (reading,) in readings:
            self._run("DELETE FROM raw_frames WHERE reading = ?", reading)
        for spelt in (str(uuid.UUID(bytes=each)) for each in (patient, *visits)):
            self._run("DELETE FROM requests WHERE instr(answer, CAST(? AS BLOB))", spelt)
        for visit in visits:
            self._run("DELETE FROM observations WHERE encounter = ?", visit)
        self._run(
            "DELETE FROM waveform_chunks"
            " WHERE waveform IN (SELECT waveform FROM waveforms WHERE patient = ?)",
            patient,
        )
        row = self._row("SELECT number, norm FROM patients WHERE patient = ?", patient)
        if row is not None:
            patient_index.drop(self._connection, *row)
        for table in self._tables_with_patients():
            self._run(f'DELETE FROM "{table}" WHERE patient = ?', patient)  # noqa: S608  names of our schema

    def _tables_with_patients(self) -> list[str]:
        """Every table that has a row for each of something of a patient, those of later versions too."""
        rows = self._rows(
            "SELECT tables.name FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns"
            " WHERE tables.type = 'table' AND columns.name = 'patient'"
        )
        return [name for (name,) in rows if name not in _NOT_BY_PATIENT]

    # ── both ─────────────────────────────────────────────────────────────────────────────────────

    def _let_go(self, entries: Iterable[int]) -> list[Span]:
        """Make payloads nothing, of entries and of what they were called before; the ranges."""
        places: list[tuple[bytes, int, int]] = []
        waiting = list(entries)
        while waiting:
            entry = waiting.pop()
            row = self._row(_PLACE + " AND payload IS NOT NULL", entry)
            if row is None:
                continue
            places.append((row[0], row[1], row[2]))
            self._run("UPDATE journal SET payload = NULL WHERE id = ?", entry)
            waiting += [first for (first,) in self._rows(_CALLED_BEFORE, entry)]
        return spans_of(places)


def spans_of(places: Iterable[tuple[bytes, int, int]]) -> list[Span]:
    """The fewest ranges that hold these places and no other."""
    spans: list[Span] = []
    for epoch, stream, seq in sorted(places):
        if spans and spans[-1][:2] == (epoch, stream) and spans[-1][3] == seq - 1:
            spans[-1] = (epoch, stream, spans[-1][2], seq)
        else:
            spans.append((epoch, stream, seq, seq))
    return spans


def as_field(spans: Iterable[Span]) -> list[Value]:
    """Ranges as `Field.SPANS` holds them."""
    return [list(span) for span in spans]
