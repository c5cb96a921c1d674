"""Verify what came and land it: the collector's work without its broker.

No key that opens anything is needed here. What a registered unit validly signed is kept, whatever is
inside; what nobody registered signed is counted by its reason and dropped.
"""

import dataclasses
import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Final

from edge.clock import Clock
from sync.central import database, revoking, sentences, spans, work
from sync.central.conflicts import Conflict, note_conflicts
from sync.central.database import Connection
from sync.central.receipts import ReceiptWriter, SignedReceipt
from sync.central.spans import Journal
from sync.wire import batches, topics
from sync.wire.batches import SignedBatch
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused
from sync.wire.topics import Plane

_LOG: Final = logging.getLogger("qafila.central")
_STRANGER: Final = ""
"""Under which unit strangers are counted: a name that anybody may invent must not fill a table."""


@dataclasses.dataclass(frozen=True, slots=True)
class Upward:
    """A message as the broker gave it."""

    topic: str
    payload: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class _Verified:
    signed: SignedBatch
    raw: bytes

    @property
    def unit(self) -> str:
        return self.signed.header.unit

    @property
    def epoch(self) -> str:
        return self.signed.header.epoch.hex()


@dataclasses.dataclass(frozen=True, slots=True)
class Landed:
    """What became of a group of messages.

    Attributes:
        receipts: to be published, one for each unit and epoch concerned.
        new: how many landed now.
        repeated: how many had landed before; they are answered again.
        dropped: by code how many may not be believed.
    """

    receipts: list[SignedReceipt]
    new: int
    repeated: int
    dropped: Counter[str]


class _Dropped(Exception):
    """This message may not be believed."""

    def __init__(self, unit: str, code: str) -> None:
        super().__init__(code)
        self.unit = unit
        self.code = code


class Lander:
    """Lands groups of messages, each group in one durable transaction."""

    def __init__(self, connection: Connection, realm: str, clock: Clock, writer: ReceiptWriter) -> None:
        self._connection = connection
        self._realm = realm
        self._clock = clock
        self._writer = writer

    def land(self, messages: Sequence[Upward]) -> list[SignedReceipt]:
        """Verify and commit; the receipts to publish, one for each unit and epoch concerned.

        A batch or key message that landed before is not stored again and is answered again.
        """
        return self.take(messages).receipts

    def take(self, messages: Sequence[Upward]) -> Landed:
        """The same, and what became of each."""
        new = 0
        verified: list[_Verified] = []
        dropped: list[_Dropped] = []
        for message in messages:
            try:
                verified.append(self._verify(message))
            except _Dropped as reason:
                dropped.append(reason)
        now_ms = self._clock.now().wall_ms
        fresh: list[Journal] = []
        with database.write(self._connection, {one.unit for one in verified} | {one.unit for one in dropped}):
            for stranger in dropped:
                self._count_dropped(stranger, now_ms)
            verified = self._without_held(verified, now_ms)
            for one in verified:
                stream = one.signed.header.stream
                land = self._land_session if stream is None else self._land_batch
                if land(one, now_ms):
                    new += 1
                    word = work.KEY_MESSAGES if stream is None else stream.word
                    fresh.append(Journal(one.unit, one.epoch, word))
            work.note(self._connection, fresh)
            concerned = dict.fromkeys((one.unit, one.epoch) for one in verified)
            receipts = [
                self._writer.write(self._connection, unit, epoch, now_ms, always=True)
                for unit, epoch in concerned
            ]
        return Landed(
            [receipt for receipt in receipts if receipt is not None],
            new,
            len(verified) - new,
            Counter(each.code for each in dropped),
        )

    def _without_held(self, verified: list[_Verified], now_ms: int) -> list[_Verified]:
        """What lands: of revoked units only what they had signed before, or what somebody let land."""
        revoked = revoking.revoked(self._connection, (one.unit for one in verified))
        if not revoked:
            return verified
        landing: list[_Verified] = []
        for one in verified:
            code = None if one.unit not in revoked else self._held_as(one, now_ms)
            if code is None:
                landing.append(one)
            else:
                database.count(self._connection, code, one.unit, 1, now_ms)
        return landing

    def _held_as(self, message: _Verified, now_ms: int) -> str | None:
        """As which a revoked unit's message is counted; None when it lands."""
        header = message.signed.header
        if header.stream is None:
            known = revoking.admits_session(self._connection, message.unit, message.signed.session_id)
            return None if known else "held-full"
        assert header.first is not None  # noqa: S101  a batch's header is whole or refused by sync.wire
        assert header.last is not None  # noqa: S101  the same
        journal = Journal(message.unit, message.epoch, header.stream.word)
        if revoking.admits(self._connection, journal, header.first, header.last):
            return None
        return revoking.hold(
            self._connection, journal, header.first, header.last, raw=message.raw, now_ms=now_ms
        )

    def _verify(self, message: Upward) -> _Verified:
        topic = topics.parse(message.topic)
        if topic is None or topic.plane is not Plane.UP or topic.word is None:
            raise _Dropped(_STRANGER, "topic")
        known = self._connection.execute(
            "SELECT sign_public FROM units WHERE unit = ?", (topic.unit,)
        ).fetchone()
        if known is None:
            raise _Dropped(_STRANGER, "unit-unknown")
        purpose = Purpose.KEY if topic.word == "key" else Purpose.UP
        try:
            signed = batches.verify(message.payload, known[0], self._realm, purpose)
        except EnvelopeRefused as refused:
            raise _Dropped(topic.unit, refused.refusal) from refused
        header = signed.header
        if header.unit != topic.unit:
            raise _Dropped(topic.unit, "unit")
        if header.stream is not None and header.stream.word != topic.word:
            raise _Dropped(topic.unit, "topic")
        return _Verified(signed, message.payload)

    def _land_session(self, message: _Verified, now_ms: int) -> bool:
        """Whether it was not here yet."""
        key = (message.unit, message.signed.session_id)
        known = self._connection.execute(
            "SELECT state FROM sessions WHERE unit = ? AND session = ?", key
        ).fetchone()
        if known is None:
            self._connection.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, 'landed', ?, ?)",
                (*key, message.epoch, now_ms, message.raw),
            )
        elif known[0] == "missing":
            self._connection.execute(
                "UPDATE sessions SET epoch = ?, state = 'landed', since_ms = ?, raw = ?"
                " WHERE unit = ? AND session = ?",
                (message.epoch, now_ms, message.raw, *key),
            )
        else:
            database.count(self._connection, "session-repeated", message.unit, 1, now_ms)
            return False
        return True

    def _land_batch(self, message: _Verified, now_ms: int) -> bool:
        """Whether it was not here yet."""
        header = message.signed.header
        stream, first, last, head = header.stream, header.first, header.last, header.head
        assert stream is not None  # noqa: S101  a batch's header is whole or refused by sync.wire
        assert first is not None  # noqa: S101  the same
        assert last is not None  # noqa: S101  the same
        assert head is not None  # noqa: S101  the same
        digest = hashlib.sha256(message.raw).digest()
        if self._connection.execute(
            "SELECT 1 FROM landing WHERE unit = ? AND digest = ?", (message.unit, digest)
        ).fetchone():
            database.count(self._connection, "batch-repeated", message.unit, 1, now_ms)
            return False
        journal = Journal(message.unit, message.epoch, stream.word)
        rival = self._connection.execute(
            "SELECT head FROM landing WHERE unit = ? AND epoch = ? AND stream = ? AND last = ? ORDER BY id",
            (*journal.key, last),
        ).fetchone()
        ((batch,),) = self._connection.execute(
            "INSERT INTO landing (unit, epoch, stream, first, last, head, session, state, settled,"
            " landed_ms, digest, raw) VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', 0, ?, ?, ?) RETURNING id",
            (*journal.key, first, last, head, message.signed.session_id, now_ms, digest, message.raw),
        ).fetchall()
        if rival is not None and rival[0] != head:
            conflict = Conflict(last, kept=rival[0], other=head)
            note_conflicts(self._connection, journal, "landed", batch, [conflict], now_ms)
        spans.add(self._connection, journal, first, last, head)
        self._need_session(message, now_ms)
        return True

    def _need_session(self, message: _Verified, now_ms: int) -> None:
        key = (message.unit, message.signed.session_id)
        if not self._connection.execute(
            "SELECT 1 FROM sessions WHERE unit = ? AND session = ?", key
        ).fetchone():
            self._connection.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, 'missing', ?, NULL)", (*key, message.epoch, now_ms)
            )

    def _count_dropped(self, reason: _Dropped, now_ms: int) -> None:
        database.count(self._connection, f"dropped-{reason.code}", reason.unit, 1, now_ms)
        (n,) = self._connection.execute(
            "SELECT n FROM counters WHERE unit = ? AND code = ?", (reason.unit, f"dropped-{reason.code}")
        ).fetchone()
        if str(n).strip("0") == "1":  # 1, 10, 100, …: a flood must not become a flood of lines
            _LOG.warning(
                "message-dropped",
                extra=sentences.said(sentences.DROPPED, reason.code, unit=reason.unit, times=n),
            )
