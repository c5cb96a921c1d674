"""Writing: entries, their rows, watermarks and answers, all in one transaction."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import Final, cast

from edge import cbor
from edge.audit import chain
from edge.audit.chain import Entry
from edge.cbor import Value
from edge.records.fields import Field, Kind, Payload, Stream
from edge.records.identity import EntryId
from edge.signals.wavecodec import CODEC, read_header
from edge.store import sqlite
from edge.store.attachments import out_of_order
from edge.store.base import Epoch, Whose
from edge.store.errors import StoreRefused, translated
from edge.store.projection import project
from edge.store.removing import Removing

SECRET_BYTES: Final = 32
_PATIENT_TIP: Final = {
    Stream.ALERT: "UPDATE patient_chains SET alert = ? WHERE patient = ?",
    Stream.VITALS: "UPDATE patient_chains SET vitals = ? WHERE patient = ?",
    Stream.DOC: "UPDATE patient_chains SET doc = ? WHERE patient = ?",
    Stream.WAVE: "UPDATE patient_chains SET wave = ? WHERE patient = ?",
    Stream.AUDIT: "UPDATE patient_chains SET audit = ? WHERE patient = ?",
}
_ROW_OF: Final = {
    Kind.OBSERVATION: "UPDATE observations SET entry = ? WHERE entry = ?",
    Kind.CORRECTION: "UPDATE observations SET entry = ? WHERE entry = ?",
    Kind.ALERT: "UPDATE alerts SET entry = ? WHERE entry = ?",
    Kind.DEVICE: "UPDATE devices SET entry = ? WHERE entry = ?",
    Kind.CONSENT: "UPDATE consents SET entry = ? WHERE entry = ?",
    Kind.SITE: "UPDATE arrivals SET entry = ? WHERE entry = ?",
    Kind.WAVEFORM: "UPDATE waveforms SET entry = ? WHERE entry = ?",
    Kind.WAVE_CHUNK: "UPDATE waveform_chunks SET entry = ? WHERE entry = ?",
    Kind.REQUESTED: "UPDATE expertise SET entry = ? WHERE entry = ?",
    Kind.RECEIVED: "UPDATE inbox SET entry = ? WHERE entry = ?",
    Kind.ATTACHMENT: "UPDATE attachments SET entry = ? WHERE entry = ?",
    Kind.ATTACHMENT_PART: "UPDATE attachment_parts SET entry = ? WHERE entry = ?",
}
"""The rows that name the entry they come from."""
_LEVELS: Final = {
    "landed": "UPDATE streams SET landed = ? WHERE epoch = ? AND stream = ? AND tip >= ?",
    "opened": "UPDATE streams SET opened = ? WHERE epoch = ? AND stream = ? AND tip >= ?",
}


class Transaction(Removing):
    """One `BEGIN IMMEDIATE` … `COMMIT`; made by `Store.write`, used inside its ``with`` only.

    Attributes:
        appended: the entries that the commit will make durable, in order.
    """

    def __init__(self, connection: sqlite.Connection, whose: Whose, epoch: Epoch) -> None:
        super().__init__(connection, whose, epoch)
        self.appended: list[Entry] = []
        self._broken = False
        self._tips: dict[Stream, tuple[int, bytes]] = {}
        self._patient_tips: dict[tuple[bytes, Stream], int] = {}

    def append(self, stream: Stream, kind: Kind, payload: Payload, *, patient: bytes | None = None) -> Entry:
        """Append one entry to a stream, and write the rows it amounts to.

        The entry is salted under its patient's secret, or under the epoch's where the payload names no
        patient; the secret itself goes along (`Field.SALT`) where the centre may not have it yet.

        Args:
            stream: where it goes.
            kind: what it records.
            payload: what `edge.records.fields` lays down; it is not changed.
            patient: put into the payload as `Field.PATIENT`; may be left out when it is there.

        Raises:
            StoreRefused, IdentifierTaken: the entry contradicts what is stored.
        """
        self._broken = True  # until the entry is whole: half an entry must never be committed
        whole = dict(payload)
        if patient is not None:
            whole[Field.PATIENT] = patient
        entry, row = self._append(stream, kind, whole)
        with translated():
            project(self._connection, self._epoch, kind, row, whole)
        self._broken = False
        return entry

    def append_again(self, row: int) -> Entry:
        """Append an entry of an earlier epoch once more, saying what it was called first.

        Nothing becomes of it a second time: the rows it amounted to belong to the new entry from now on.

        Args:
            row: its id in the journal.
        """
        found = self._row(
            "SELECT epochs.epoch, stream, seq, kind, payload FROM journal"
            " JOIN epochs ON epochs.number = journal.epoch WHERE journal.id = ?",
            row,
        )
        assert found is not None  # noqa: S101  the journal is never shortened
        epoch, stream, seq, kind, payload = found
        whole = cast("Payload", cbor.decode(payload))
        whole.pop(Field.SALT, None)
        origin = cast("Sequence[Value]", whole.setdefault(Field.ORIGIN, [epoch, stream, seq]))
        self._broken = True
        entry, again = self._append(Stream(stream), Kind(kind), whole)
        self._run("INSERT INTO origins (entry, epoch, stream, seq) VALUES (?, ?, ?, ?)", again, *origin)
        if entry.kind in _ROW_OF:
            self._run(_ROW_OF[entry.kind], again, row)
        self._broken = False
        return entry

    def append_found(
        self, stream: Stream, kind: Kind, payload: Payload, origin: tuple[bytes, int, int] | None
    ) -> tuple[Entry, int]:
        """Append an entry that was taken out of another file, under the name it had there.

        Rows are the caller's business; with the id of the entry's own.
        """
        whole = {field: value for field, value in payload.items() if field != Field.SALT}
        if origin is not None:
            whole[Field.ORIGIN] = list(origin)
        self._broken = True
        entry, row = self._append(stream, kind, whole)
        if origin is not None:
            self._run("INSERT INTO origins (entry, epoch, stream, seq) VALUES (?, ?, ?, ?)", row, *origin)
        self._broken = False
        return entry, row

    def _append(self, stream: Stream, kind: Kind, whole: Payload) -> tuple[Entry, int]:
        """Write the entry and nothing that comes of it; with the id of its row."""
        owner = whole.get(Field.PATIENT)
        assert owner is None or isinstance(owner, bytes)  # noqa: S101  what the agent builds, not input
        secret = self._epoch.secret if owner is None else self._secret(owner, stream, whole)
        tip, head = self._tip(stream)
        seq = tip + 1
        raw = cbor.encode(whole)
        leaf = chain.leaf(secret, self._epoch.epoch, stream, seq, raw)
        head = chain.next_head(head, stream, seq, kind, leaf)
        with translated():
            cursor = self._connection.execute(
                "INSERT INTO journal (epoch, stream, seq, kind, patient, payload, leaf, head)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (self._epoch.number, stream, seq, kind, owner, raw, leaf, head),
            )
        self._tips[stream] = seq, head
        if owner is not None:
            self._patient_tips[owner, stream] = seq
        entry = Entry(stream, seq, kind, raw, leaf, head)
        self.appended.append(entry)
        return entry, cursor.lastrowid or 0

    def mark_again(self, rows: Iterable[int]) -> None:
        """These entries are to be journalled again in the present epoch."""
        for row in rows:
            self._run("INSERT OR IGNORE INTO journal_again (entry) VALUES (?)", row)

    def done_again(self, row: int) -> None:
        """This entry need not be journalled again any more."""
        self._run("DELETE FROM journal_again WHERE entry = ?", row)

    def identity(self, entry: Entry) -> EntryId:
        """The identity under which an appended entry is known everywhere."""
        return EntryId(self._whose.unit, self._epoch.epoch, entry.stream, entry.seq)

    def next_reading(self) -> int:
        """A number for one reading, rising within the epoch (`Field.READING`)."""
        row = self._row(
            "UPDATE epochs SET readings = readings + 1 WHERE number = ? RETURNING readings",
            self._epoch.number,
        )
        assert row is not None  # noqa: S101  the present epoch is always there
        return int(row[0])

    def keep_raw(self, reading: int, raw: bytes, wall_ms: int) -> None:
        """Keep the bytes a reading was decoded from, as evidence."""
        self._run(
            "INSERT INTO raw_frames (epoch, reading, raw, at_ms) VALUES (?, ?, ?, ?)",
            *(self._epoch.number, reading, raw, wall_ms),
        )

    def keep_samples(self, chunk: Entry, data: bytes) -> None:
        """Keep the samples of a chunk of wave, as encoded, beside its entry.

        Raises:
            StoreRefused: they are not those whose hash the entry holds.
        """
        header = read_header(data)
        kept = self._run(
            "UPDATE waveform_chunks SET codec = ?, crc32 = ?, data = ? WHERE data IS NULL"
            " AND hash = ? AND samples = ?"
            " AND entry = (SELECT id FROM journal WHERE epoch = ? AND stream = ? AND seq = ?)",
            *(CODEC, header.crc32, data, hashlib.sha256(data).digest(), header.samples),
            *(self._epoch.number, chunk.stream, chunk.seq),
        )
        if kept != 1:
            raise StoreRefused(
                "Samples do not belong to their entry: nothing was saved.",
                next_step="Report it as a bug.",
                code="wave-out-of-order",
            )

    def keep_part(self, part: Entry, data: bytes) -> None:
        """Keep the bytes of a part of an attachment beside its entry.

        Raises:
            StoreRefused: they are not those whose hash the entry holds.
        """
        kept = self._run(
            "UPDATE attachment_parts SET data = ? WHERE data IS NULL AND hash = ? AND size = ?"
            " AND entry = (SELECT id FROM journal WHERE epoch = ? AND stream = ? AND seq = ?)",
            *(data, hashlib.sha256(data).digest(), len(data)),
            *(self._epoch.number, part.stream, part.seq),
        )
        if kept != 1:
            raise out_of_order()

    def keep_content(self, received: Entry, content: bytes, signer: bytes, made_ms: int) -> None:
        """Keep what came down beside its entry.

        Raises:
            StoreRefused: it is not what the entry says.
        """
        kept = self._run(
            "UPDATE inbox SET content = ?, signer = ?, made_ms = ? WHERE content IS NULL AND digest = ?"
            " AND entry = (SELECT id FROM journal WHERE epoch = ? AND stream = ? AND seq = ?)",
            *(content, signer, made_ms, hashlib.sha256(content).digest()),
            *(self._epoch.number, received.stream, received.seq),
        )
        if kept != 1:
            raise StoreRefused(
                "A message does not belong to its entry: nothing was saved.",
                next_step="Report it as a bug.",
                code="message-out-of-order",
            )

    def expect(self, patient: bytes, person: str, norm: str, expires_ms: int) -> None:
        """Note whom the centre expects here, in place of what was noted of them before."""
        self._run(
            "INSERT INTO expected (patient, person, norm, expires_ms) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (patient) DO UPDATE SET person = excluded.person, norm = excluded.norm,"
            " expires_ms = excluded.expires_ms",
            *(patient, person, norm, expires_ms),
        )

    def expect_no_more(self, patient: bytes | None, before_ms: int = 0) -> None:
        """Forget one who was expected, or with None all whose time is over."""
        if patient is not None:
            self._run("DELETE FROM expected WHERE patient = ?", patient)
        else:
            self._run("DELETE FROM expected WHERE expires_ms < ?", before_ms)

    def remember(self, request_id: str, answer: bytes, wall_ms: int = 0) -> None:
        """Keep what a request is answered, for when it is repeated.

        Raises:
            StoreRefused: the request was committed before; ask `Store.answer` first.
        """
        self._run(
            "INSERT INTO requests (request, answer, at_ms) VALUES (?, ?, ?)", request_id, answer, wall_ms
        )

    def move_watermark(
        self, level: str, stream: Stream, through: int, *, new_generation: bool = False
    ) -> None:
        """Say how far a receipt level covers a stream; it falls only with a new centre generation.

        Raises:
            StoreRefused: beyond the tip, or falling within a generation.
        """
        self._flush()
        current = self._row(
            "SELECT landed, opened FROM streams WHERE epoch = ? AND stream = ?", self._epoch.number, stream
        )
        assert current is not None  # noqa: S101  every epoch has all its streams
        falls = through < current[0 if level == "landed" else 1]
        moved = 0
        if new_generation or not falls:
            moved = self._run(_LEVELS[level], through, self._epoch.number, stream, through)
        if moved != 1:
            raise StoreRefused(
                "A watermark cannot be moved there: nothing was changed.",
                next_step="Report it: the receipt should have been refused before.",
                code="watermark-refused",
            )

    def set_receipt_rseq(self, level: str, generation: int, rseq: int) -> None:
        """Remember the number of the last receipt believed."""
        self._run(
            "INSERT INTO receipts (epoch, level, generation, rseq) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (epoch, level, generation) DO UPDATE SET rseq = excluded.rseq",
            *(self._epoch.number, level, generation, rseq),
        )

    def stop_stream(self, stream: Stream, code: str | None) -> None:
        """Stop a stream's watermarks for a reason, or with None let them move again."""
        self._run(
            "UPDATE streams SET stopped = ? WHERE epoch = ? AND stream = ?", code, self._epoch.number, stream
        )

    def set_device_secret(self, device: str, secret: bytes | None) -> None:
        """Keep what unlocks a device in place of what did before, or with None nothing."""
        if secret is None:
            self._run("DELETE FROM device_secrets WHERE device = ?", device)
        else:
            self._run(
                "INSERT INTO device_secrets (device, secret) VALUES (?, ?)"
                " ON CONFLICT (device) DO UPDATE SET secret = excluded.secret",
                *(device, secret),
            )

    def set_slots_generation(self, generation: int) -> None:
        """Remember the generation of the key slots; an older slot file is refused from now on."""
        self._set_meta("slots-generation", generation.to_bytes(8))

    def set_slots_intent(self, intent: bytes | None) -> None:
        """Remember what is about to be done to the key slots, or with None that nothing is."""
        if intent is None:
            self._run("DELETE FROM meta WHERE name = 'slots-intent'")
        else:
            self._set_meta("slots-intent", intent)

    def set_restored_from(self, backup: bytes) -> None:
        """Remember which backup this store was made of, by its id."""
        self._set_meta("restored-from", backup)

    def set_keyset(self, version: int, sealing_to: Iterable[bytes]) -> None:
        """Remember which keyset the audit trail says is pinned, and to which keys is sealed."""
        self._set_meta("keyset-version", version.to_bytes(8))
        self._set_meta("sealing-to", cbor.encode(sorted(sealing_to)))

    def set_nacks(self, nacks: Sequence[tuple[int, int, int, str]]) -> None:
        """Remember what the centre cannot open now: stream, first, last, reason."""
        self._set_meta("nacks", cbor.encode([list(nack) for nack in nacks]))

    def set_key_due(self, *, due: bool) -> None:
        """Somebody was erased: the store is to get a new key, whose file the old one does not open."""
        if due:
            self._set_meta("key-due", b"")
        else:
            self._run("DELETE FROM meta WHERE name = 'key-due'")

    def finish(self) -> None:
        """Write the tips; `Store.write` calls it before the commit.

        Raises:
            StoreRefused: an append failed and its error was swallowed.
        """
        if self._broken:
            raise StoreRefused("An entry was refused: nothing was saved.", next_step="Report it as a bug.")
        self._flush()

    def _set_meta(self, name: str, value: bytes) -> None:
        self._run(
            "INSERT INTO meta (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            *(name, value),
        )

    def _flush(self) -> None:
        for stream, (tip, head) in self._tips.items():
            self._run(
                "UPDATE streams SET tip = ?, head = ? WHERE epoch = ? AND stream = ?",
                *(tip, head, self._epoch.number, stream),
            )
        for (patient, stream), tip in self._patient_tips.items():
            self._run(_PATIENT_TIP[stream], tip, patient)
        self._patient_tips.clear()

    def _tip(self, stream: Stream) -> tuple[int, bytes]:
        if stream not in self._tips:
            row = self._row(
                "SELECT tip, head FROM streams WHERE epoch = ? AND stream = ?", self._epoch.number, stream
            )
            assert row is not None  # noqa: S101  every epoch has all its streams
            self._tips[stream] = row[0], row[1]
        return self._tips[stream]

    def _secret(self, patient: bytes, stream: Stream, payload: Payload) -> bytes:
        """The patient's S_p, made at first need; put into ``payload`` where it has to travel."""
        number = self._epoch.number
        row = self._row("SELECT secret, carried, epoch FROM patient_chains WHERE patient = ?", patient)
        if row is None:
            self._refuse_erased(patient)
            row = os.urandom(SECRET_BYTES), None, number
            self._run(
                "INSERT INTO patient_chains (patient, secret, epoch) VALUES (?, ?, ?)",
                *(patient, row[0], number),
            )
        secret: bytes = row[0]
        if row[2] != number:
            self._run(
                "UPDATE patient_chains SET epoch = ?, alert = 0, vitals = 0, doc = 0, wave = 0, audit = 0"
                " WHERE patient = ?",
                *(number, patient),
            )
        if stream is Stream.ALERT:
            payload[Field.SALT] = secret
        elif stream is Stream.VITALS and row[1] != number:
            payload[Field.SALT] = secret
            self._run("UPDATE patient_chains SET carried = ? WHERE patient = ?", number, patient)
        return secret
