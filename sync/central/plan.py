"""What one round of the exploder found out, and the one transaction that makes it so."""

import contextlib
import dataclasses
import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from edge.records.fields import Field, Kind
from sync.central import (
    database,
    erasing,
    keysets_known,
    lineage,
    losses,
    readers,
    row_columns,
    sentences,
    work,
)
from sync.central.beside import Beside
from sync.central.conflicts import Conflict, note_conflicts
from sync.central.database import Connection
from sync.central.grants import Families
from sync.central.opening import OpenedBatch
from sync.central.origins import Origins
from sync.central.readers import Unreadable
from sync.central.receipts import ReceiptWriter, SignedReceipt
from sync.central.rows import (
    OpenedEntry,
    Place,
    Row,
    entry_row,
    first_place,
    has_origin,
    rows_of,
)
from sync.central.spans import Journal
from sync.central.work import Task

_LOG: Final = logging.getLogger("qafila.central")
_AT_ONCE: Final = 200
"""So many are asked for with one statement."""
_OF_UNITS: Final = frozenset(map(int, (Kind.GENESIS, Kind.VOID, Kind.ACCESS, Kind.ERASED)))
"""Kinds that say something of the unit itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """A batch that cannot be opened as it is."""

    journal: Journal
    batch: int
    reason: str
    code: str


class FamilyChanged(Exception):
    """A unit of the round became one with others meanwhile: the round is to be done again."""


class Plan:
    """Gathers while batches are opened, outside of any transaction; `commit` writes it all at once."""

    def __init__(self) -> None:
        self.entries = 0
        self.size = 0
        self.handled: set[int] = set()
        self.fresh: defaultdict[Journal, dict[int, dict[bytes, bytes]]] = defaultdict(dict)
        """Entries of this round: by journal and seq, leaf to head."""
        self.firsts: dict[tuple[str, Place], Place] = {}
        """What those that were journalled again were called first."""
        self.committed: dict[Journal, int] = {}
        """The last entry of each journal that was committed before this round."""
        self.reach: dict[Journal, int] = {}
        """The last entry of each journal that was opened in this round."""
        self._contents: defaultdict[tuple[str, Place], list[OpenedEntry]] = defaultdict(list)
        """Entries of this round by unit and what they were called first."""
        self._by_themselves: list[tuple[Journal, Sequence[OpenedEntry]]] = []
        """Those that do not stand there yet: nothing has asked for them."""
        self._may_be_elsewhere: dict[Journal, bool] = {}
        self._opened: list[tuple[Journal, Sequence[OpenedEntry]]] = []
        self._news: list[tuple[Journal, OpenedEntry]] = []
        """Those of them that say something of units, not of patients."""
        self.secrets: defaultdict[tuple[str, str], dict[bytes, bytes]] = defaultdict(dict)
        self.chains: dict[Journal, tuple[int, bytes]] = {}
        self.again: set[Journal] = set()
        """Journals to be looked at again after the commit: something they waited for is there."""
        self.again_epochs: set[tuple[str, str]] = set()
        """The same for all journals of a unit's epoch."""
        self._rows: defaultdict[str, list[Row]] = defaultdict(list)
        self._beside = Beside()
        self._settled: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        self._missing_key: list[tuple[str, int]] = []
        self._refusals: list[Refusal] = []
        self._conflicts: list[tuple[Journal, str, int, list[Conflict]]] = []
        self._sessions: list[tuple[str, str, bytes]] = []
        self._unreadable: list[tuple[Journal, int]] = []
        self._repeats: Counter[str] = Counter()
        self._again: Counter[str] = Counter()
        self._touched: dict[tuple[str, str], bool] = {}
        self._units: dict[str, str] = {}
        self._looked_at: list[Task] = []
        self._put_off: list[tuple[Journal, int]] = []
        self.erased = False
        """Whether the commit has erased something: the log is to be emptied."""

    def claimed(self, unit: str, family: str) -> None:
        """Take a unit into the round, by the name under which its family was claimed."""
        self._units[unit] = family

    def looked_at(self, task: Task) -> None:
        """Nothing more is to be done for it now."""
        self._looked_at.append(task)

    def put_off(self, journal: Journal, due_ms: int) -> None:
        """Look at it again by then."""
        self._put_off.append((journal, due_ms))

    def touch(self, unit: str, epoch: str, *, always: bool = False) -> None:
        """Have a receipt written; ``always`` even when it says nothing new."""
        self._touched[unit, epoch] = always or self._touched.get((unit, epoch), False)

    def add(
        self,
        journal: Journal,
        batch: int,
        opened: OpenedBatch,
        known: dict[int, dict[bytes, bytes]],
        origins: Origins,
    ) -> None:
        """Take a batch that fits its chain: new entries, repeated ones, and those that contradict.

        Of an entry that is there under another identity no row is made but that of ``entries``.
        """
        new: Sequence[OpenedEntry] = opened.entries
        if known or self._is_told_again(journal, opened, origins):
            new = self._add_one_by_one(journal, batch, opened, known, origins)
        else:
            self._add_together(journal, batch, opened, origins)
        repeats = len(opened.entries) - len(new)
        self._opened.append((journal, new))
        self._news += [(journal, entry) for entry in new if entry.kind in _OF_UNITS]
        self.reach[journal] = max(self.reach.get(journal, 0), opened.entries[-1].seq)
        secrets = self.secrets[journal.unit, journal.epoch]
        for patient, secret in opened.secrets.items():
            secrets.setdefault(patient, secret)
        self.entries += len(opened.entries)
        self.size += sum(len(entry.payload) + len(entry.data or b"") for entry in opened.entries)
        self.settle(journal, batch, "opened")
        if repeats:
            self._repeats[journal.unit] += repeats
        self.touch(journal.unit, journal.epoch, always=repeats > 0)

    def _is_told_again(self, journal: Journal, opened: OpenedBatch, origins: Origins) -> bool:
        """Whether an entry of the batch may be there under another identity."""
        if self.firsts or any(Field.ORIGIN in entry.fields for entry in opened.entries):
            return True
        if journal not in self._may_be_elsewhere:
            self._may_be_elsewhere[journal] = origins.may_be_elsewhere(journal)
        return self._may_be_elsewhere[journal]

    def _add_together(self, journal: Journal, batch: int, opened: OpenedBatch, origins: Origins) -> None:
        """Entries of which nothing is there: rows of a kind are made together."""
        entries = opened.entries
        self.fresh[journal].update({entry.seq: {entry.leaf: entry.head} for entry in entries})
        self._rows["entries"] += row_columns.entry_rows(journal, entries, batch)
        rest: Sequence[OpenedEntry] = entries
        with contextlib.suppress(Unreadable):
            observations = [entry for entry in entries if entry.kind == Kind.OBSERVATION]
            self._rows["observations"] += row_columns.observation_rows(journal, observations)
            rest = [entry for entry in entries if entry.kind != Kind.OBSERVATION]
        for entry in rest:
            self._add_rows(journal, entry, origins)
            if entry.named is not None:
                self._beside.add(journal, entry, readers.hex_or_none(entry.fields, Field.PATIENT))
        self._by_themselves.append((journal, entries))

    def _add_one_by_one(
        self,
        journal: Journal,
        batch: int,
        opened: OpenedBatch,
        known: dict[int, dict[bytes, bytes]],
        origins: Origins,
    ) -> list[OpenedEntry]:
        """The entries that are new."""
        elsewhere = origins.elsewhere(journal, opened.entries, self._contents_by_place())
        conflicts: list[Conflict] = []
        new: list[OpenedEntry] = []
        fresh = self.fresh[journal]
        for entry in opened.entries:
            there = known.get(entry.seq)
            if there is not None and entry.leaf in there:
                continue
            if there is not None:
                conflicts.append(Conflict(entry.seq, kept=next(iter(there)), other=entry.leaf))
            fresh.setdefault(entry.seq, {})[entry.leaf] = entry.head
            self._rows["entries"].append(entry_row(journal, entry, batch))
            self._beside.add(journal, entry, readers.hex_or_none(entry.fields, Field.PATIENT))
            if entry.seq in elsewhere:
                self._again[journal.unit] += 1
            else:
                self._add_rows(journal, entry, origins)
            place = first_place(journal, entry)
            self._contents[journal.unit, place].append(entry)
            if has_origin(entry):
                self.firsts[journal.unit, (journal.epoch, journal.stream, entry.seq)] = place
            new.append(entry)
        if conflicts:
            self._conflicts.append((journal, "opened", batch, conflicts))
        return new

    def _contents_by_place(self) -> defaultdict[tuple[str, Place], list[OpenedEntry]]:
        for journal, entries in self._by_themselves:
            for entry in entries:
                self._contents[journal.unit, (journal.epoch, journal.stream, entry.seq)].append(entry)
        self._by_themselves.clear()
        return self._contents

    def settle(self, journal: Journal, batch: int, state: str) -> None:
        """This batch needs no more work: ``opened``, or ``covered`` by others to the same head."""
        self.handled.add(batch)
        self._settled[journal.unit, state].append(batch)

    def contradict(self, journal: Journal, batch: int, conflict: Conflict) -> None:
        """A sealed batch ends in another head than the entries that are there."""
        self._conflicts.append((journal, "landed", batch, [conflict]))

    def lack_key(self, journal: Journal, batch: int) -> None:
        """The key message has been missing for too long: ask for the range again."""
        self.handled.add(batch)
        self._missing_key.append((journal.unit, batch))
        self.touch(journal.unit, journal.epoch)

    def refuse(self, refusal: Refusal) -> None:
        self.handled.add(refusal.batch)
        self._refusals.append(refusal)
        self.touch(refusal.journal.unit, refusal.journal.epoch)

    def session(self, unit: str, session: bytes, state: str) -> None:
        """A key message was tried: ``opened`` or ``refused``."""
        self._sessions.append((state, unit, session))

    def commit(self, connection: Connection, writer: ReceiptWriter, now_ms: int) -> list[SignedReceipt]:
        """Make it so, durably; the receipts may be published once this returns."""
        said = self._touched or self._settled or self._sessions or self._conflicts
        if not (said or self._looked_at or self._put_off):
            return []
        with database.write(connection, self._units):
            self._check_families(connection)
            for table, rows in self._rows.items():
                connection.insert_many(table, rows)
            self._beside.commit(connection, now_ms)
            self._commit_chains(connection)
            self._commit_secrets(connection, now_ms)
            self._commit_sessions(connection)
            self._commit_settled(connection)
            connection.executemany(
                "UPDATE landing SET state = 'key' WHERE unit = ? AND id = ?", self._missing_key
            )
            for refusal in self._refusals:
                _quarantine(connection, refusal, now_ms)
            for journal, level, batch, conflicts in self._conflicts:
                if note_conflicts(connection, journal, level, batch, conflicts, now_ms):
                    self._try_heads_again(connection, journal)
            for journal, seq in self._unreadable:
                detail = f"{journal.stream} {seq} of epoch {journal.epoch}"
                database.raise_alarm(connection, "row-unreadable", journal.unit, detail, now_ms)
            for unit, n in self._repeats.items():
                database.count(connection, "entry-repeated", unit, n, now_ms)
            for unit, n in self._again.items():
                database.count(connection, "entry-journalled-again", unit, n, now_ms)
            lineage.note(connection, self._news, self._opened, now_ms)
            losses.note(connection, self._news, now_ms)
            keysets_known.note(connection, self._news, now_ms)
            self.erased = erasing.enforce(connection, self._news, [new for _, new in self._opened], now_ms)
            receipts = [
                writer.write(connection, unit, epoch, now_ms, always=always)
                for (unit, epoch), always in self._touched.items()
            ]
            self._commit_work(connection)
        return [receipt for receipt in receipts if receipt is not None]

    def _check_families(self, connection: Connection) -> None:
        """What was claimed for this round was claimed as the family it still is, and to the end of it."""
        families = Families(connection)
        for unit, first in self._units.items():
            if families.of(unit)[0] != first:
                raise FamilyChanged

    def _commit_work(self, connection: Connection) -> None:
        work.strike_off(connection, self._looked_at)
        work.put_off(connection, self._put_off)
        again = set(self.again)
        for unit, epoch in self.again_epochs:
            rows = connection.execute(
                "SELECT DISTINCT stream FROM landing WHERE unit = ? AND epoch = ? AND settled = 0",
                (unit, epoch),
            )
            again.update(Journal(unit, epoch, stream) for (stream,) in rows.fetchall())
        work.note(connection, again)

    def _add_rows(self, journal: Journal, entry: OpenedEntry, origins: Origins) -> None:
        try:
            rows = rows_of(journal, entry, lambda place: origins.first_of(journal.unit, place, self.firsts))
        except Unreadable:
            self._unreadable.append((journal, entry.seq))
            return
        for table, row in rows:
            self._rows[table].append(row)

    def _commit_settled(self, connection: Connection) -> None:
        for (unit, state), batches in self._settled.items():
            for first in range(0, len(batches), _AT_ONCE):
                some = batches[first : first + _AT_ONCE]
                marks = ", ".join("?" * len(some))
                connection.execute(
                    f"UPDATE landing SET state = ?, settled = 1 WHERE unit = ? AND id IN ({marks})",  # noqa: S608  no value in it
                    (state, unit, *some),
                )
                connection.execute(f"DELETE FROM quarantine WHERE batch IN ({marks})", some)  # noqa: S608  as above

    def _commit_chains(self, connection: Connection) -> None:
        connection.executemany(
            "INSERT INTO chains VALUES (?, ?, ?, ?, ?) ON CONFLICT (unit, epoch, stream)"
            " DO UPDATE SET through = excluded.through, head = excluded.head",
            [(*journal.key, through, head) for journal, (through, head) in self.chains.items()],
        )

    def _commit_secrets(self, connection: Connection, now_ms: int) -> None:
        for (unit, epoch), secrets in self.secrets.items():
            known = _known_secrets(connection, unit, epoch, list(secrets))
            new = [(unit, epoch, patient, secrets[patient]) for patient in secrets if patient not in known]
            if new:
                connection.insert_many("secrets", new)
                self.again_epochs.add((unit, epoch))
            for patient, secret in known.items():
                if secret != secrets[patient]:  # the first stays: later entries were to be salted under it
                    detail = f"patient {patient.hex()} of epoch {epoch}"
                    database.raise_alarm(connection, "secret-changed", unit, detail, now_ms)

    def _commit_sessions(self, connection: Connection) -> None:
        for state, unit, session in self._sessions:
            connection.execute(
                "UPDATE sessions SET state = ? WHERE unit = ? AND session = ?", (state, unit, session)
            )
            rows = connection.execute(
                "UPDATE landing SET state = 'waiting' WHERE unit = ? AND session = ? AND settled = 0"
                " AND state = 'key' RETURNING epoch, stream",
                (unit, session),
            ).fetchall()
            self.again.update(Journal(unit, epoch, stream) for epoch, stream in rows)

    def _try_heads_again(self, connection: Connection, journal: Journal) -> None:
        """Another branch came: what led to no known head may lead from it."""
        connection.execute(
            "UPDATE landing SET state = 'waiting' WHERE unit = ? AND epoch = ? AND stream = ?"
            " AND settled = 0 AND state = 'head'",
            journal.key,
        )
        self.again.add(journal)


def _known_secrets(
    connection: Connection, unit: str, epoch: str, patients: list[bytes]
) -> dict[bytes, bytes]:
    """Of these patients the secrets that are there, by patient."""
    found: dict[bytes, bytes] = {}
    for first in range(0, len(patients), _AT_ONCE):
        some = patients[first : first + _AT_ONCE]
        rows = connection.execute(
            "SELECT patient, secret FROM secrets WHERE unit = ? AND epoch = ?"  # noqa: S608  no value in it
            f" AND patient IN ({', '.join('?' * len(some))})",
            (unit, epoch, *some),
        )
        found.update(rows.fetchall())
    return found


def _quarantine(connection: Connection, refusal: Refusal, now_ms: int) -> None:
    connection.execute(
        "UPDATE landing SET state = ? WHERE unit = ? AND id = ?",
        (refusal.reason, refusal.journal.unit, refusal.batch),
    )
    there = connection.execute("SELECT reason FROM quarantine WHERE batch = ?", (refusal.batch,)).fetchone()
    if there is not None:  # tried again after a restart, and no better
        return
    connection.execute(
        "INSERT INTO quarantine VALUES (?, ?, ?, ?)", (refusal.batch, refusal.reason, refusal.code, now_ms)
    )
    journal = refusal.journal
    detail = f"{journal.stream} of epoch {journal.epoch}, batch {refusal.batch}: {refusal.code}"
    database.raise_alarm(connection, f"quarantine-{refusal.reason}", journal.unit, detail, now_ms)
    _LOG.warning(
        "batch-quarantined",
        extra=sentences.said(
            sentences.QUARANTINED,
            refusal.code,
            unit=journal.unit,
            stream=journal.stream,
            batch=refusal.batch,
        ),
    )
