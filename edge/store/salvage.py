"""A new store out of a damaged one: everything that still reads goes into it, and what is lost is named.

The damaged file is read page by page (`edge.store.wreck`) and not changed. Every entry whose leaf fits is
journalled again in a new epoch, under the name it had before, so that the centre counts nothing twice; rows
are made from entries, as always. Where an entry is lost that others rest on, they are kept all the same: a
patient is made anew from the row that was left of them, or stands there without a name.
"""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import Final, cast

from edge.audit import chain
from edge.audit.chain import Entry
from edge.cbor import Value
from edge.clock import Moment
from edge.records.fields import Field, Kind, Payload, Stream
from edge.store import sqlite
from edge.store.attachments import part_row
from edge.store.base import Whose
from edge.store.creation import begin_epoch, create_file, new_meta, write_meta
from edge.store.errors import StoreDamaged, StoreError
from edge.store.found import Findings, Found, Name, Place, Span
from edge.store.projection import project
from edge.store.rawpages import Cell, Pages
from edge.store.transaction import Transaction
from edge.store.verify import verify
from edge.store.wreck import EPOCHS_BY_NAME, JOURNAL_BY_PLACE, Wreck, bytes_at, search

SALVAGED: Final = "salvaged"
"""Why the epoch of the new store began."""
NAMELESS: Final = "?"
_AS_THEY_ARE: Final = ("requests", "raw_frames", "device_secrets", "erasures")
"""Tables that no entry makes, taken over row by row."""
_WANTED: Final = frozenset(
    {"meta", "epochs", "streams", "journal", "patient_chains", "patients", "encounters", "inbox"}
    | {EPOCHS_BY_NAME, JOURNAL_BY_PLACE, *_AS_THEY_ARE}
)
_PIECES: Final = {Kind.WAVE_CHUNK: Field.WAVEFORM, Kind.ATTACHMENT_PART: Field.ATTACHMENT}
"""Entries with bytes beside them, and what they are a piece of."""
_REPORT_EVERY: Final = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Salvaged:
    """What became of a damaged store.

    Attributes:
        pages, bad_pages: of the damaged file and its log.
        kept: entries in the new store, by stream.
        lost: entries that are not, in order.
        first_entries: of epochs, which name the epoch and hold nothing else; the new store has its own.
        again: that stood there twice under one name, and are kept once.
        purged: of waves whose samples were gone by rule; they say nothing any more.
        chunks_lost: stretches of wave and parts of files that are not there, though their entries were.
        nameless: patients of whom nothing is left but that they were there.
        new_identity: the unit's keys were lost; it has to be enrolled again.
    """

    pages: int
    bad_pages: int
    kept: dict[Stream, int]
    lost: tuple[Span, ...]
    first_entries: int
    again: int
    purged: int
    chunks_lost: int
    nameless: int
    new_identity: bool

    @property
    def entries_lost(self) -> int:
        return sum(span.count for span in self.lost)


def salvage(
    database: Path,
    key: bytes,
    onto: Path,
    *,
    whose: Whose,
    moment: Moment,
    notes: Callable[[Salvaged], Iterable[tuple[Stream, Kind, Payload]]],
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Salvaged:
    """Make a store at ``onto`` of what can be read of the one at ``database``, which is not changed.

    Args:
        database: the damaged store; nobody has it open.
        key: of both.
        onto: where nothing is yet; another disk serves best.
        whose: unit and realm, as configured.
        moment: now.
        notes: entries to end with, such as an alert that says what is lost.
        progress: told how much is done of how much.

    Raises:
        StoreDamaged: not one page reads back under this key; nothing was made.
        StoreExists, StoreFull, StoreReadOnly: nothing was made.
    """
    with contextlib.closing(Pages(database, key)) as pages:
        wreck = search(pages, _WANTED, lambda number: progress(number, 2 * pages.count))
        if wreck.bad == wreck.pages:
            raise StoreDamaged(
                "Nothing of this store can be read with this key; nothing was made.",
                next_step="Check that slots and store belong together; else restore a backup.",
                code="nothing-to-salvage",
            )
        work = _Salvage(pages, wreck, whose, moment)
        create_file(onto, key, whose, moment, lambda new: work.furnish(new, notes, progress))
        return work.outcome()


class _Salvage:
    def __init__(self, pages: Pages, wreck: Wreck, whose: Whose, moment: Moment) -> None:
        self._pages = pages
        self._wreck = wreck
        self._found = Findings(wreck)
        self._whose = whose
        self._moment = moment
        self._kept = dict.fromkeys(Stream, 0)
        self._first_entries = self._again = self._purged = 0
        self._chunks_lost = 0
        self._nameless = 0
        self._new_identity = False
        self._rows: dict[Name, int] = {}

    # ── the new store ────────────────────────────────────────────────────────────────────────────

    def furnish(
        self,
        new: sqlite.Connection,
        notes: Callable[[Salvaged], Iterable[tuple[Stream, Kind, Payload]]],
        progress: Callable[[int, int], None],
    ) -> None:
        """Fill the empty tables, inside the open transaction."""
        meta = dict(cast("list[tuple[str, bytes]]", self._wreck.tables["meta"]))
        fresh = new_meta(self._whose)
        self._new_identity = not {"sign-private", "recv-private"} <= set(meta)
        write_meta(new, {**fresh, **meta, "unit": fresh["unit"], "realm": fresh["realm"]})
        tx = self._begin(new)
        order = self._found.in_order()
        done: set[Name] = set()
        for count, place in enumerate(order):
            if count % _REPORT_EVERY == 0:
                progress(self._wreck.pages + count * self._wreck.pages // len(order), 2 * self._wreck.pages)
            identity = self._found.name(place)
            if self._found.entries[place].kind is Kind.GENESIS:
                self._first_entries += 1
                continue
            if identity in done:
                self._again += 1
                continue
            if identity is not None:
                done.add(identity)
            self._append(new, tx, place, identity)
        self._after(new)
        for stream, kind, payload in notes(self.outcome()):
            tx.append(stream, kind, payload)
        tx.finish()
        if not verify(new, self._whose, None).valid:
            raise StoreDamaged(
                "What was taken out does not verify; nothing was made.",
                next_step="Report it as a bug, and keep the damaged store.",
                code="salvage-failed",
            )

    def _begin(self, new: sqlite.Connection) -> Transaction:
        """The epochs there were, empty, and a new one after them."""
        for number, epoch in sorted(self._found.epochs.items()):
            new.execute(
                "INSERT INTO epochs (number, epoch, secret, readings) VALUES (?, ?, ?, ?)",
                (number, epoch.name, epoch.secret or bytes(32), epoch.readings),
            )
            new.executemany(
                "INSERT INTO streams (epoch, stream, tip, head, stopped) VALUES (?, ?, 0, ?, ?)",
                [
                    (
                        number,
                        stream,
                        chain.first_head(self._whose.realm, self._whose.unit, epoch.name, stream),
                        SALVAGED,
                    )
                    for stream in Stream
                ],
            )
        left = max(self._found.epochs, default=None)
        parent = None
        if left is not None:
            parent = (
                self._found.epochs[left].name,
                tuple(self._found.opened.get((left, stream), 0) for stream in Stream),
            )
        present = begin_epoch(new, self._whose, self._moment, parent)
        readings = max((each.readings for each in self._found.epochs.values()), default=0)
        new.execute("UPDATE epochs SET readings = ? WHERE number = ?", (readings, present.number))
        if left is not None:
            new.execute(
                "INSERT INTO forks (epoch, parent, reason, at_ms) VALUES (?, ?, ?, ?)",
                (present.number, left, SALVAGED, self._moment.wall_ms),
            )
        for patient, secret in self._found.secrets.items():
            new.execute(
                "INSERT INTO patient_chains (patient, secret, epoch) VALUES (?, ?, ?)",
                (patient, secret, present.number),
            )
        self._epoch = present
        return Transaction(new, self._whose, present)

    def _append(self, new: sqlite.Connection, tx: Transaction, place: Place, identity: Name | None) -> None:
        found = self._found.entries[place]
        chunk = None
        if found.kind in _PIECES:
            where = self._wreck.chunks.get(cast("tuple[bytes, int]", _piece_of(found)))
            chunk = None if where is None else bytes_at(self._pages, where)
            if chunk is None:  # an entry whose bytes are nowhere says nothing any more
                gone_by_rule = place in self._found.no_samples
                self._purged += gone_by_rule
                self._chunks_lost += not gone_by_rule
                return
        if place.stream != Stream.AUDIT:
            self._make_room(new, tx, found.kind, found.payload)
        entry, row = tx.append_found(Stream(place.stream), found.kind, found.payload, identity)
        self._kept[entry.stream] += 1
        if identity is not None:
            self._rows[identity] = row
        if found.kind is Kind.ASSIGNMENT:
            self._assign(new, found.payload, identity)
        elif chunk is not None:
            put = _put_chunk if found.kind is Kind.WAVE_CHUNK else _put_part
            put(new, tx, entry, row, found.payload, chunk)
        else:
            with _or_nothing(new):
                project(new, self._epoch, found.kind, row, {**found.payload})
            if found.kind is Kind.RECEIVED:
                self._put_content(tx, entry, found.payload)

    def _put_content(self, tx: Transaction, entry: Entry, payload: Payload) -> None:
        """What a message said, where that still reads and is what came; else it is lost and not shown."""
        for values in self._wreck.tables["inbox"]:
            match values:
                case (_, message, _, _, _, _, _, bytes(content), bytes(signer), int(made_ms), *_) if (
                    message == payload.get(Field.MESSAGE)
                ):
                    with contextlib.suppress(StoreError):
                        tx.keep_content(entry, content, signer, made_ms)
                case _:
                    pass  # another message, or one without content

    def _make_room(self, new: sqlite.Connection, tx: Transaction, kind: Kind, payload: Payload) -> None:
        """See to it that patient and visit, which an entry names, are there."""
        patient, encounter = payload.get(Field.PATIENT), payload.get(Field.ENCOUNTER)
        if not isinstance(patient, bytes) or kind is Kind.PATIENT:
            return
        if not _is_there(new, "patients", "patient", patient):
            self._put_patient(new, tx, patient)
        if not isinstance(encounter, bytes) or kind in {Kind.ENCOUNTER_OPENED, Kind.ENCOUNTER_CLOSED}:
            return
        if not _is_there(new, "encounters", "encounter", encounter):
            self._put_encounter(new, encounter, patient, payload)

    def _put_patient(self, new: sqlite.Connection, tx: Transaction, patient: bytes) -> None:
        payload = self._patient_row(patient)
        self._nameless += payload is None
        nameless: Payload = {Field.PATIENT: patient, Field.REVISION: 0, Field.FAMILY: NAMELESS}
        _, row = tx.append_found(Stream.VITALS, Kind.PATIENT, payload or nameless, None)
        for each in (payload, nameless):
            if each is not None and not _is_there(new, "patients", "patient", patient):
                with _or_nothing(new):
                    project(new, self._epoch, Kind.PATIENT, row, each)

    def _put_encounter(
        self, new: sqlite.Connection, encounter: bytes, patient: bytes, payload: Payload
    ) -> None:
        opened_ms = payload.get(Field.WALL_MS, 0)
        row: Cell = (payload.get(Field.OPERATOR, ""), opened_ms, opened_ms)
        row = next((each[2:5] for each in self._wreck.tables["encounters"] if each[0] == encounter), row)
        with _or_nothing(new):
            new.execute(
                "INSERT INTO encounters (encounter, patient, operator, opened_ms, closed_ms)"
                " VALUES (?, ?, ?, ?, ?)",
                (encounter, patient, *row),
            )

    def _patient_row(self, patient: bytes) -> Payload | None:
        """A patient as the row says that was made of lost entries."""
        for values in self._wreck.tables["patients"]:
            match values:
                case (bytes(id_), int(revision), str(family), str(given), str(sex), *rest) if id_ == patient:
                    names = ("BIRTH", "PHONE", "VILLAGE")
                    payload: Payload = {
                        Field.PATIENT: patient, Field.REVISION: revision, Field.FAMILY: family,
                        Field.GIVEN: given, Field.SEX: sex,
                    }  # fmt: skip
                    known = {Field[name]: value for name, value in zip(names, rest, strict=False) if value}
                    if len(rest) > 3:
                        known[Field.IDENTIFIERS] = json.loads(str(rest[3]))
                    return payload | cast("Payload", known)
                case _:
                    pass
        return None

    def _assign(self, new: sqlite.Connection, payload: Payload, identity: Name | None) -> None:
        """Readings that lay in the tray, by the numbers they had in the epoch of that day."""
        if identity is None:
            return
        for seq in cast("Sequence[int]", payload.get(Field.ASSIGNED, ())):
            row = self._rows.get((identity[0], Stream.VITALS, seq)) or self._rows.get(
                self._found.alias(identity[0], seq)
            )
            new.execute(
                "UPDATE observations SET encounter = ?,"
                " patient = (SELECT patient FROM encounters WHERE encounter = ?)"
                " WHERE entry = ? AND EXISTS (SELECT 1 FROM encounters WHERE encounter = ?)",
                (payload[Field.ENCOUNTER], payload[Field.ENCOUNTER], row, payload[Field.ENCOUNTER]),
            )

    def _after(self, new: sqlite.Connection) -> None:
        """What no entry says: answers that were given, frames, devices' secrets, what was purged when."""
        for table in _AS_THEY_ARE:
            width = len(new.execute(f"PRAGMA table_info({table})").fetchall())
            marks = ", ".join("?" * width)
            for values in self._wreck.tables[table]:
                if len(values) == width:
                    with _or_nothing(new):
                        new.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", values)  # noqa: S608  our own names
        for encounter, patient, operator, opened_ms, closed_ms, *rest in self._wreck.tables["encounters"]:
            purged_ms = rest[1] if len(rest) > 1 else None
            with _or_nothing(new):
                new.execute(
                    "INSERT OR IGNORE INTO encounters (encounter, patient, operator, opened_ms, closed_ms)"
                    " SELECT ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM patients WHERE patient = ?)",
                    (encounter, patient, operator, opened_ms, closed_ms, patient),
                )
                new.execute("UPDATE encounters SET purged_ms = ? WHERE encounter = ?", (purged_ms, encounter))

    # ── what is lost ─────────────────────────────────────────────────────────────────────────────

    def outcome(self) -> Salvaged:
        """What was kept and what was lost."""
        return Salvaged(
            pages=self._wreck.pages,
            bad_pages=self._wreck.bad,
            kept=dict(self._kept),
            lost=tuple(self._found.lost()),
            first_entries=self._first_entries,
            again=self._again,
            purged=self._purged,
            chunks_lost=self._chunks_lost,
            nameless=self._nameless,
            new_identity=self._new_identity,
        )


def _piece_of(found: Found) -> tuple[Value, Value]:
    return found.payload.get(_PIECES[found.kind]), found.payload.get(Field.CHUNK)


def _put_chunk(
    new: sqlite.Connection, tx: Transaction, entry: Entry, row: int, payload: Payload, data: bytes
) -> None:
    """A chunk and its samples, also where the one before it is lost."""
    new.execute(
        "UPDATE waveforms SET chunks = ?, samples = samples + ?, ended = NULL WHERE waveform = ?",
        (payload[Field.CHUNK], payload[Field.SAMPLES], payload[Field.WAVEFORM]),
    )
    new.execute(
        "INSERT INTO waveform_chunks (entry, waveform, number, samples, first_ms, gaps, flaws, hash)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row,
            *(payload[field] for field in (Field.WAVEFORM, Field.CHUNK, Field.SAMPLES, Field.FIRST_MS)),
            *(json.dumps(payload.get(field, [])) for field in (Field.GAPS, Field.FLAWS)),
            payload[Field.HASH],
        ),
    )
    tx.keep_samples(entry, data)


def _put_part(
    new: sqlite.Connection, tx: Transaction, entry: Entry, row: int, payload: Payload, data: bytes
) -> None:
    """A part of a photo or document, also where the one before it is lost."""
    new.execute(
        "INSERT INTO attachment_parts (entry, attachment, number, patient, hash, size)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        part_row(row, payload),
    )
    tx.keep_part(entry, data)


def _is_there(new: sqlite.Connection, table: str, column: str, value: bytes) -> bool:
    found = new.execute(f"SELECT 1 FROM {table} WHERE {column} = ?", (value,)).fetchone()  # noqa: S608  our own names
    return found is not None


@contextlib.contextmanager
def _or_nothing(new: sqlite.Connection) -> Generator[None]:
    """Rows that contradict what is there are left out; their entry stays."""
    new.execute("SAVEPOINT rows")
    try:
        yield
    except (StoreError, KeyError, sqlite.Error):
        new.execute("ROLLBACK TO rows")
    new.execute("RELEASE rows")
