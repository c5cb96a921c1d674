"""Say what is there: a receipt is computed, signed and kept in the transaction it speaks of.

A receipt leaves after the commit. What is kept here is what is sent again when the broker or we come
back: signed and cumulative, an old one does no harm.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Final

from edge.audit.chain import VISIBLE_HEAD_BYTES
from edge.ports.sealing import Nack, Receipt, StreamReceipt
from edge.records.fields import Stream
from sync.central import database, spans
from sync.central.database import Connection
from sync.central.spans import Journal
from sync.wire import cose, keys
from sync.wire import receipts as wire_receipts

WINDOW_BYTES: Final = 1_048_576
"""How much a unit may have on the way without a receipt, as far as the centre is concerned."""
RESENT_FOR_MS: Final = 30 * 86_400_000
"""Units that were heard of within this time get their receipts again when a process starts."""
_SESSIONS: Final = 8
_NACKS: Final = 16


@dataclasses.dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt as it is published, and whom it is for."""

    unit: str
    epoch: str
    raw: bytes


class ReceiptWriter:
    """Writes receipts of one level with the key of that level.

    Args:
        level: ``landed`` or ``opened``.

    Attributes:
        level: the same.
    """

    def __init__(self, level: str, realm: str, generation: int, private: bytes) -> None:
        self.level = level
        self._realm = realm
        self._generation = generation
        self._private = private

    def write(
        self, connection: Connection, unit: str, epoch: str, now_ms: int, *, always: bool
    ) -> SignedReceipt | None:
        """A new receipt with the next rseq; None when it says what the last one said and not ``always``.

        Call it inside the transaction whose effects it speaks of; publish after the commit.
        """
        last = connection.execute(
            "SELECT rseq, content, generation FROM receipts WHERE level = ? AND unit = ? AND epoch = ?",
            (self.level, unit, epoch),
        ).fetchone()
        receipt = Receipt(
            level=self.level,
            unit=unit,
            epoch=bytes.fromhex(epoch),
            generation=self._generation,
            rseq=1 if last is None else last[0] + 1,
            streams=self._streams(connection, unit, epoch),
            sessions_landed=_sessions_landed(connection, unit, epoch),
            sessions_needed=self._sessions_needed(connection, unit, epoch),
            nacks=self._nacks(connection, unit, epoch),
            window=WINDOW_BYTES,
            retry_after_s=0,
            centre_ms=now_ms,
        )
        content = _content(receipt)
        if last is not None and not always and (content, self._generation) == (last[1], last[2]):
            return None
        raw = wire_receipts.sign(receipt, self._private, self._realm)
        connection.execute(
            "INSERT INTO receipts VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (level, unit, epoch) DO UPDATE SET generation = excluded.generation,"
            " rseq = excluded.rseq, made_ms = excluded.made_ms, content = excluded.content,"
            " raw = excluded.raw",
            (self.level, unit, epoch, self._generation, receipt.rseq, now_ms, content, raw),
        )
        return SignedReceipt(unit, epoch, raw)

    def sign_with(self, private: bytes) -> None:
        """Sign with another key from now on."""
        self._private = private

    def recent(
        self, connection: Connection, now_ms: int, within_ms: int = RESENT_FOR_MS
    ) -> list[SignedReceipt]:
        """The last receipts of units heard of lately, oldest first.

        What another key has signed is said anew, since that one may be believed no more, and what was said in
        an earlier generation: the unit is to hear that the centre was put back.
        """
        kid = keys.kid(keys.signing_public(self._private))
        rows = connection.execute(
            "SELECT unit, epoch, raw, generation FROM receipts WHERE level = ? AND made_ms >= ?"
            " ORDER BY made_ms",
            (self.level, now_ms - within_ms),
        ).fetchall()
        found: list[SignedReceipt] = []
        for unit, epoch, raw, generation in rows:
            if cose.read(raw).kid == kid and generation == self._generation:
                found.append(SignedReceipt(unit, epoch, raw))
                continue
            with database.write(connection, [unit]):
                anew = self.write(connection, unit, epoch, now_ms, always=True)
            found += [] if anew is None else [anew]
        return found

    def last(self, connection: Connection, unit: str, epoch: str) -> SignedReceipt | None:
        """The last receipt of one epoch, whoever wrote it."""
        row = connection.execute(
            "SELECT raw FROM receipts WHERE level = ? AND unit = ? AND epoch = ?", (self.level, unit, epoch)
        ).fetchone()
        return None if row is None else SignedReceipt(unit, epoch, row[0])

    def _streams(self, connection: Connection, unit: str, epoch: str) -> Mapping[Stream, StreamReceipt]:
        if self.level == "landed":
            present = connection.execute(
                "SELECT DISTINCT stream FROM spans WHERE unit = ? AND epoch = ?", (unit, epoch)
            )
            journals = [Journal(unit, epoch, stream) for (stream,) in present.fetchall()]
            return {
                journal.stream_number: spans.state(connection, journal, self._realm)
                for journal in sorted(journals, key=lambda journal: journal.stream_number)
            }
        opened = connection.execute(
            "SELECT stream, through, head FROM chains WHERE unit = ? AND epoch = ?", (unit, epoch)
        )
        # A stream is opened in order: nothing beyond `through` is known to be good.
        stated = {
            Stream[stream.upper()]: StreamReceipt(through, head[:VISIBLE_HEAD_BYTES], through)
            for stream, through, head in opened
        }
        return dict(sorted(stated.items()))

    def _sessions_needed(self, connection: Connection, unit: str, epoch: str) -> tuple[bytes, ...]:
        # Whether a key message opens is for the exploder to say.
        also = "missing" if self.level == "landed" else "refused"
        rows = connection.execute(
            "SELECT session FROM sessions WHERE unit = ? AND epoch = ?"
            " AND state IN ('missing', ?)"
            " AND EXISTS (SELECT 1 FROM landing WHERE landing.unit = sessions.unit"
            " AND landing.session = sessions.session AND settled = 0)"
            " ORDER BY since_ms DESC LIMIT ?",
            (unit, epoch, also, _SESSIONS),
        )
        return tuple(session for (session,) in rows)

    def _nacks(self, connection: Connection, unit: str, epoch: str) -> tuple[Nack, ...]:
        if self.level == "landed":
            return ()
        rows = connection.execute(
            "SELECT DISTINCT stream, first, last, state FROM landing AS batch"
            " WHERE unit = ? AND epoch = ? AND settled = 0 AND state IN ('key', 'decode', 'head', 'schema')"
            " AND last > coalesce((SELECT through FROM chains WHERE chains.unit = batch.unit"
            " AND chains.epoch = batch.epoch AND chains.stream = batch.stream), 0)"
            " ORDER BY stream, first, last LIMIT ?",
            (unit, epoch, _NACKS),
        )
        return tuple(
            Nack(Stream[stream.upper()], first, last - first + 1, reason)
            for stream, first, last, reason in rows
        )


def _sessions_landed(connection: Connection, unit: str, epoch: str) -> tuple[bytes, ...]:
    rows = connection.execute(
        "SELECT session FROM sessions WHERE unit = ? AND epoch = ? AND state IN ('landed', 'opened')"
        " ORDER BY since_ms DESC LIMIT ?",
        (unit, epoch, _SESSIONS),
    )
    return tuple(session for (session,) in rows)


def _content(receipt: Receipt) -> bytes:
    """What a receipt says beside its number and time, to tell whether there is anything new to say."""
    said = dataclasses.replace(receipt, rseq=0, centre_ms=0)
    return hashlib.sha256(repr(said).encode()).digest()[:16]
