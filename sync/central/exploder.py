"""Open what landed: the exploder's work without its broker.

Batches of a stream are opened in the order of their entries, each from a head that is known to the head
that was signed. Opening and hashing happen outside of any transaction, so that the collector is never
kept waiting by them; one short transaction then writes rows, chains and receipts together.

Whoever opens a unit's batches has claimed the unit, and with it those it is one with: until it lets go, it
alone writes what it reads here of them, landing and sessions excepted, where collectors add.
"""

import dataclasses
from collections import OrderedDict, deque
from typing import Final

from edge.audit.chain import VISIBLE_HEAD_BYTES
from edge.clock import Clock
from sync.central import database, erasing, opening, work
from sync.central.conflicts import Conflict
from sync.central.database import Connection
from sync.central.opening import Known, OpenedBatch, Refused, Waits
from sync.central.origins import Origins
from sync.central.plan import FamilyChanged, Plan, Refusal
from sync.central.receipts import ReceiptWriter, SignedReceipt
from sync.central.spans import Journal
from sync.central.work import Task
from sync.wire import batches
from sync.wire.batches import SignedBatch
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused

KEY_GRACE_MS: Final = 5_000
"""A batch whose key message is missing waits this long before its range is asked for again: the key
message was sent first and is probably on its way."""
ROUND_ENTRIES: Final = 20_000
ROUND_BYTES: Final = 16 * 1024 * 1024
ROUND_S: Final = 0.5
"""A round ends after so many entries, so much in memory or so long: receipts keep flowing in a backlog,
and a unit that sends what unpacks to megabytes fills no memory."""
_SESSION_KEYS: Final = 256
_AT_ONCE: Final = 16
"""So many batches are taken from the landing with one question: four megabytes at most."""
_BLOCKED_S: Final = 0.1
"""When all there is to do is somebody else's just now, look again after this."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Batch:
    """One row of ``landing``, with the key its unit signs with."""

    id: int
    first: int
    last: int
    session: bytes
    landed_ms: int
    raw: bytes
    sign_public: bytes


class _KeyMissing(Exception):
    """The key message of a session has not come yet."""


class Exploder:
    """Opens, checks and commits, round by round."""

    def __init__(
        self,
        connection: Connection,
        realm: str,
        clock: Clock,
        seal_to_private: bytes | tuple[bytes, ...],
        writer: ReceiptWriter,
        *,
        key_grace_ms: int = KEY_GRACE_MS,
    ) -> None:
        self._connection = connection
        self._realm = realm
        self._clock = clock
        self._privates = (seal_to_private,) if isinstance(seal_to_private, bytes) else seal_to_private
        self._writer = writer
        self._key_grace_ms = key_grace_ms
        self._origins = Origins(connection)
        self._blocked_until_s = 0.0
        self._keys: OrderedDict[tuple[str, bytes], bytes | None] = OrderedDict()
        self._try_all_again()

    @property
    def pending(self) -> bool:
        """Whether another round may do something now, without anything new landing."""
        return self._clock.monotonic_s() >= self._blocked_until_s and work.is_due(
            self._connection, self._clock.now().wall_ms
        )

    def open_with(self, privates: tuple[bytes, ...]) -> None:
        """Other keys are at hand: what did not open is tried again."""
        self._privates = privates
        self._keys.clear()
        self._try_all_again()

    def round(self) -> list[SignedReceipt]:
        """Open what can be opened now, within bounds; the receipts to publish."""
        plan = Plan()
        now_ms = self._clock.now().wall_ms
        end = self._clock.monotonic_s() + ROUND_S
        tasks = deque(work.due(self._connection, now_ms))
        claimed: dict[str, None] = {}
        blocked = False
        try:
            while tasks and not self._full(plan, end):
                task = self._claim(tasks.popleft(), plan, claimed)
                if task is None:
                    blocked = True
                elif task.journal.stream == work.KEY_MESSAGES:
                    self._open_sessions(task.journal, plan)
                    plan.looked_at(task)
                    there = {other.journal for other in tasks}
                    found = self._unsettled(task.journal)
                    tasks.extend(Task(journal, None) for journal in found if journal not in there)
                elif self._advance(task.journal, plan, now_ms, end):
                    plan.looked_at(task)
                else:
                    plan.again.add(task.journal)
            plan.again.update(task.journal for task in tasks if task.n is None)
            receipts = plan.commit(self._connection, self._writer, now_ms)
        except FamilyChanged:
            return []
        finally:
            for family in claimed:
                self._connection.release(family)
        if plan.erased:
            erasing.empty_log(self._connection)
        if blocked and not receipts:
            self._blocked_until_s = self._clock.monotonic_s() + _BLOCKED_S
        return receipts

    def _claim(self, task: Task, plan: Plan, claimed: dict[str, None]) -> Task | None:
        """The task, if nobody else is at work for its unit or for one that is one with it."""
        unit = task.journal.unit
        family = self._origins.family(unit)[0]
        if not self._connection.try_claim(family):
            return None
        claimed[family] = None
        plan.claimed(unit, family)
        return task if task.n is None else work.present(self._connection, task)

    def _try_all_again(self) -> None:
        """What was refused may open now: after an update, or with a key that was not at hand."""
        with database.write(self._connection):
            self._connection.execute("UPDATE sessions SET state = 'landed' WHERE state = 'refused'")
            self._connection.execute(
                "UPDATE landing SET state = 'waiting' WHERE settled = 0 AND state <> 'waiting'"
            )
            work.note_all(self._connection)

    def _open_sessions(self, journal: Journal, plan: Plan) -> None:
        rows = self._connection.execute(
            "SELECT session FROM sessions WHERE unit = ? AND epoch = ? AND state = 'landed'",
            (journal.unit, journal.epoch),
        ).fetchall()
        for (session,) in rows:
            self._keys.pop((journal.unit, session), None)
            try:
                self._session_key(journal.unit, session)
                plan.session(journal.unit, session, "opened")
            except Refused:
                plan.session(journal.unit, session, "refused")
            plan.touch(journal.unit, journal.epoch)

    def _advance(self, journal: Journal, plan: Plan, now_ms: int, end: float) -> bool:
        """Open one journal's batches in order; False when the round ended first."""
        through, head = self._chain(journal, plan)
        reach = max(self._committed(journal, plan), plan.reach.get(journal, 0))
        place = (0, 0)
        while some := self._next(journal, place):
            for batch in some:
                if batch.first > reach + 1:
                    break  # what comes before it has not
                place = (batch.first, batch.id)
                if batch.id in plan.handled:
                    continue
                if self._full(plan, end):
                    return False
                opened = self._open(journal, batch, plan, now_ms)
                if opened is None:
                    continue
                known = self._entries(journal, batch.first, batch.last, plan) if batch.first <= reach else {}
                plan.add(journal, batch.id, opened, known, self._origins)
                reach = max(reach, batch.last)
                if batch.first <= through + 1 <= batch.last:
                    continues = (
                        opened.head_before
                        if batch.first == through + 1
                        else opened.entries[through - batch.first].head
                    )
                    if continues == head:
                        through, head = batch.last, opened.entries[-1].head
                        plan.chains[journal] = (through, head)
            else:
                continue
            break
        self._settle_covered(journal, plan, through)
        return True

    def _full(self, plan: Plan, end: float) -> bool:
        return plan.entries >= ROUND_ENTRIES or plan.size >= ROUND_BYTES or self._clock.monotonic_s() >= end

    def _open(self, journal: Journal, batch: _Batch, plan: Plan, now_ms: int) -> OpenedBatch | None:
        """The batch opened; None when it waits or is refused, which the plan then knows."""
        try:
            key = self._session_key(journal.unit, batch.session)
            signed = self._verify(journal, batch)
            return opening.open_batch(journal, signed, key, self._known(journal, batch.first, plan))
        except _KeyMissing:
            due = batch.landed_ms + self._key_grace_ms
            if due <= now_ms:
                plan.lack_key(journal, batch.id)
            else:
                plan.put_off(journal, due)
        except Waits:
            pass  # what it waits for brings this journal up again
        except Refused as refused:
            plan.refuse(Refusal(journal, batch.id, refused.reason, refused.code))
        return None

    def _verify(self, journal: Journal, batch: _Batch) -> SignedBatch:
        """Check the signature again: what landed was written by a process that faces the internet."""
        try:
            signed = batches.verify(batch.raw, batch.sign_public, self._realm, Purpose.UP)
        except EnvelopeRefused as refused:
            raise Refused("decode", refused.refusal) from None
        header = signed.header
        if header.stream is None or (header.unit, header.epoch.hex(), header.stream.word) != journal.key:
            raise Refused("decode", "unit")
        return signed

    def _settle_covered(self, journal: Journal, plan: Plan, through: int) -> None:
        """Close what others have opened: equal heads after one entry mean equal entries before it."""
        rows = self._connection.execute(
            "SELECT id, last, head FROM landing WHERE unit = ? AND epoch = ? AND stream = ?"
            " AND settled = 0 AND first <= ? AND last <= ?",
            (*journal.key, through, through),
        ).fetchall()
        for batch, last, signed_head in rows:
            if batch in plan.handled:
                continue
            heads = self._heads(journal, last, plan)
            if any(head[:VISIBLE_HEAD_BYTES] == signed_head for head in heads):
                plan.settle(journal, batch, "covered")
            else:
                kept = heads[0][:VISIBLE_HEAD_BYTES]
                plan.contradict(journal, batch, Conflict(last, kept=kept, other=signed_head))

    def _known(self, journal: Journal, first: int, plan: Plan) -> Known:
        if first == 1:
            heads: tuple[bytes, ...] = (journal.first_head(self._realm),)
        else:
            heads = self._heads(journal, first - 1, plan)
        return Known(heads, lambda patient: self._secret(journal, patient, plan))

    def _secret(self, journal: Journal, patient: bytes, plan: Plan) -> bytes | None:
        fresh = plan.secrets[journal.unit, journal.epoch]
        if patient in fresh:
            return fresh[patient]
        row = self._connection.execute(
            "SELECT secret FROM secrets WHERE unit = ? AND epoch = ? AND patient = ?",
            (journal.unit, journal.epoch, patient),
        ).fetchone()
        return None if row is None else bytes(row[0])

    def _heads(self, journal: Journal, seq: int, plan: Plan) -> tuple[bytes, ...]:
        return tuple(self._entries(journal, seq, seq, plan).get(seq, {}).values())

    def _entries(self, journal: Journal, first: int, last: int, plan: Plan) -> dict[int, dict[bytes, bytes]]:
        """What is there between two entries, committed or of this round: by seq, leaf to head."""
        known: dict[int, dict[bytes, bytes]] = {}
        if first <= self._committed(journal, plan):
            rows = self._connection.execute(
                "SELECT seq, leaf, head FROM entries WHERE unit = ? AND epoch = ? AND stream = ?"
                " AND seq BETWEEN ? AND ?",
                (*journal.key, first, last),
            )
            for seq, leaf, head in rows:
                known.setdefault(seq, {})[leaf] = head
        fresh = plan.fresh[journal]
        if fresh:
            for seq in range(first, last + 1):
                if seq in fresh:
                    known.setdefault(seq, {}).update(fresh[seq])
        return known

    def _chain(self, journal: Journal, plan: Plan) -> tuple[int, bytes]:
        if journal in plan.chains:
            return plan.chains[journal]
        row = self._connection.execute(
            "SELECT through, head FROM chains WHERE unit = ? AND epoch = ? AND stream = ?", journal.key
        ).fetchone()
        return (0, journal.first_head(self._realm)) if row is None else (row[0], row[1])

    def _committed(self, journal: Journal, plan: Plan) -> int:
        """The last entry of a journal that is committed; it stays so while its unit is claimed."""
        if journal not in plan.committed:
            row = self._connection.execute(
                "SELECT max(seq) FROM entries WHERE unit = ? AND epoch = ? AND stream = ?", journal.key
            ).fetchone()
            plan.committed[journal] = row[0] or 0
        return plan.committed[journal]

    def _next(self, journal: Journal, after: tuple[int, int]) -> list[_Batch]:
        """The batches that come next, some at a time, in the order of their entries."""
        rows = self._connection.execute(
            "SELECT id, first, last, session, landed_ms, raw, sign_public FROM landing"
            " JOIN units ON units.unit = landing.unit WHERE landing.unit = ? AND epoch = ?"
            " AND stream = ? AND settled = 0 AND (first, id) > (?, ?) AND landing.state = 'waiting'"
            " ORDER BY first, id LIMIT ?",
            (*journal.key, *after, _AT_ONCE),
        ).fetchall()
        return [_Batch(*row) for row in rows]

    def _session_key(self, unit: str, session: bytes) -> bytes:
        """The session's key.

        Raises:
            _KeyMissing: its key message has not come.
            Refused: its key message does not open.
        """
        name = (unit, session)
        if name not in self._keys:
            row = self._connection.execute(
                "SELECT sign_public, raw FROM sessions JOIN units USING (unit)"
                " WHERE unit = ? AND session = ?",
                name,
            ).fetchone()
            if row is None or row[1] is None:
                raise _KeyMissing
            try:
                signed = batches.verify(row[1], row[0], self._realm, Purpose.KEY)
                self._keys[name] = batches.open_key_message(signed, self._privates)
            except EnvelopeRefused:
                self._keys[name] = None
            if len(self._keys) > _SESSION_KEYS:
                self._keys.popitem(last=False)
        key = self._keys[name]
        if key is None:
            raise Refused("key", "key")
        return key

    def _unsettled(self, journal: Journal) -> list[Journal]:
        """Every journal of the epoch of which something is to be opened."""
        rows = self._connection.execute(
            "SELECT DISTINCT stream FROM landing WHERE unit = ? AND epoch = ? AND settled = 0",
            (journal.unit, journal.epoch),
        )
        return [Journal(journal.unit, journal.epoch, stream) for (stream,) in rows.fetchall()]
