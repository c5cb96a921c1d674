"""What is let go of, when: what was kept long enough, and whom the centre ordered to be erased.

Runs in the store's thread, a bounded piece at a time. Nothing goes that the centre has not opened: an
opened receipt is what sets it going, and periods count from receipts, by the centre's time.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from typing import Final

from edge.agent import payloads
from edge.agent.commit import OpenStore
from edge.agent.parts import Periods
from edge.clock import Moment
from edge.ports.orders import ErasureOrder
from edge.records.fields import Field, Kind, Payload, Stream
from edge.store.removing import DAY_MS, Span, as_field
from edge.store.transaction import Transaction

TRY_AGAIN_S: Final = 30.0
"""Between looks whether somebody who waits to be erased can be: a visit is closed, a receipt has come."""
SPANS_AN_ENTRY: Final = 500
"""An entry has to fit into a message with room to spare; each range takes 20 bytes."""
ERASURE_WAITS: Final = "erasure-waits"
"""Noted in the status while an order waits: a visit is open, or not everything has been opened."""
_LOG: Final = logging.getLogger(__name__)


class Keeper:
    """Lets go of what is due."""

    def __init__(self, periods: Periods) -> None:
        self._periods = periods
        self._due_ms: int | None = None
        self._next_look_s = 0.0
        self._in_pieces = False

    def keep_for(self, periods: Periods) -> None:
        """Have other periods hold from now on."""
        self._periods = periods

    def opened_at(self, opened: OpenStore, centre_ms: int) -> None:
        """An opened receipt was believed; ``centre_ms`` is the time it was made."""
        self._next_look_s = 0.0
        with opened.write() as tx:
            if tx.mark_opened(centre_ms):
                self._due_ms = centre_ms

    def ordered(self, opened: OpenStore, orders: Iterable[ErasureOrder]) -> None:
        """The centre's orders have come, those that are done among them."""
        new = 0
        with opened.write() as tx:
            for each in orders:
                new += tx.order_erasure(
                    each.erasure,
                    each.patient,
                    reason=each.reason,
                    authority=json.dumps(each.authority, ensure_ascii=False),
                    ordered_ms=each.ordered_ms,
                )
        if new:
            self._next_look_s = 0.0

    def keep_up(self, opened: OpenStore, moment: Moment, now_s: float) -> bool:
        """Let go of a piece of what is due; whether there is more."""
        if now_s >= self._next_look_s:
            self._next_look_s = now_s + TRY_AGAIN_S
            self._erase_due(opened, moment)
        if self._due_ms is None:
            return False
        due_ms = self._due_ms
        gone = opened.commit(lambda tx: self._purge(tx, due_ms, moment)).result
        if gone:
            self._in_pieces = True
            return True
        if self._in_pieces:
            opened.store.empty_log()
            _LOG.info("old records purged")
        self._due_ms, self._in_pieces = None, False
        return False

    def _purge(self, tx: Transaction, due_ms: int, moment: Moment) -> bool:
        def since(days: int) -> int:
            return due_ms - days * DAY_MS

        payloads_gone = tx.purge_visits(since(self._periods.values), due_ms)
        payloads_gone += tx.purge_accesses(since(self._periods.values))
        samples_gone = tx.purge_samples(since(self._periods.waves))
        samples_gone += tx.purge_parts(since(self._periods.attachments))
        frames = tx.purge_frames(since(self._periods.frames))
        tx.forget_answers(moment.wall_ms - self._periods.answers * DAY_MS)
        if payloads_gone or samples_gone:
            _say(tx, Kind.PURGED, payloads.stamp(moment, None), payloads_gone, samples_gone)
            return True
        kept = (self._periods.values, self._periods.waves, self._periods.attachments, self._periods.frames)
        tx.drop_marks(since(max(kept)))
        return bool(frames)

    def _erase_due(self, opened: OpenStore, moment: Moment) -> None:
        for erasure, patient, reason in opened.store.erasures_waiting():
            stamp = payloads.stamp(moment, None) | {Field.ERASURE: erasure, Field.REASON: reason}

            def erase(
                tx: Transaction, erasure: bytes = erasure, patient: bytes = patient, stamp: Payload = stamp
            ) -> bool:
                if not tx.may_erase(patient):
                    return False
                done = tx.erase(erasure, patient, moment.wall_ms)
                _say(tx, Kind.ERASED, stamp | {Field.PEOPLE: list(done.people)}, done.spans)
                tx.set_key_due(due=True)
                return True

            if opened.commit(erase).result:
                opened.store.empty_log()
                opened.sealing.seal_audit_soon()
                _LOG.info("a patient was erased, as the centre ordered")


def _say(
    tx: Transaction, kind: Kind, entry: Payload, spans: Sequence[Span], samples: Sequence[Span] = ()
) -> None:
    """Append what says that something is gone, in as many entries as it takes."""
    pieces = [(Field.SPANS, spans[at : at + SPANS_AN_ENTRY]) for at in range(0, len(spans), SPANS_AN_ENTRY)]
    pieces += [
        (Field.SAMPLES_GONE, samples[at : at + SPANS_AN_ENTRY])
        for at in range(0, len(samples), SPANS_AN_ENTRY)
    ]
    for field, piece in pieces or [(Field.SPANS, spans)]:
        tx.append(Stream.AUDIT, kind, entry | {field: as_field(piece)})
