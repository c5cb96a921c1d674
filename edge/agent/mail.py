"""What lies in ``spool/in``: receipts are judged and applied. Runs in the store's thread.

Whatever lies there was put by the process that faces the internet. A receipt is believed for its
signature; everything else is counted, shown by its code and removed.
"""

import dataclasses
import logging
from collections import Counter
from typing import Final

from edge.agent import payloads
from edge.agent.commit import OpenStore
from edge.agent.down import Downs
from edge.agent.history import centre_restored, leave
from edge.agent.keeping import Keeper
from edge.agent.parts import Enrolled
from edge.agent.receipts import LANDED, OPENED, Judgement, Standing, judge
from edge.clock import Moment
from edge.ports.orders import OrderRefused
from edge.ports.sealing import Receipt, ReceiptRefused
from edge.records.fields import Kind, Stream
from edge.spool import Inbox
from edge.store.rows import Fork
from edge.store.store import Store

DOWN: Final = "down"
REFUSED: Final = "mail.refused"
"""The action of the audit entries about what came and was not believed; the object is how often."""
_LEVELS: Final = (LANDED, OPENED)
_LOG: Final = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True)
class Refusals:
    """How often something was refused, by stable code, since the agent started."""

    counts: Counter[str] = dataclasses.field(default_factory=Counter[str])
    told: dict[str, int] = dataclasses.field(default_factory=dict[str, int])

    def count(self, code: str) -> None:
        """Count one; the first of each code is logged."""
        if code not in self.counts:
            _LOG.warning("refused", extra={"code": code})
        self.counts[code] += 1

    def due(self) -> dict[str, int]:
        """What the audit trail is to hear of: each code at its first, tenth, hundredth … time.

        A flood is told, and does not become a flood of entries.
        """
        return {code: n for code, n in self.counts.items() if len(str(n)) > len(str(self.told.get(code, "")))}


@dataclasses.dataclass(frozen=True, slots=True)
class News:
    """What the mail changed.

    Attributes:
        changed: a watermark moved, or another epoch began.
        forked: another epoch began.
        came: the kinds of messages that were applied.
    """

    changed: bool = False
    forked: Fork | None = None
    came: tuple[str, ...] = ()


def take_mail(
    opened: OpenStore,
    inbox: Inbox,
    enrolled: Enrolled,
    moment: Moment,
    refusals: Refusals,
    keeper: Keeper,
    downs: Downs,
) -> News:
    """Judge and apply every receipt and message that has come, and note what the centre orders.

    Raises:
        StoreError: what has not been applied stays in the spool.
    """
    news = News()
    came: list[str] = []
    removed_before = inbox.refused
    for name, raw in inbox.take():
        level = name.partition("-")[0]
        if level == DOWN and enrolled.down is not None and enrolled.down.claims(raw):
            arrived = downs.take(opened, raw, enrolled.down, moment, refusals.count)
            if not arrived.done:
                continue
            came += [] if arrived.kind is None else [arrived.kind]
        elif level == DOWN:
            _take_orders(opened, raw, enrolled, refusals, keeper)
        elif level not in _LEVELS:
            refusals.count("mail-unknown")
        else:
            found = _take_receipt(opened, level, raw, enrolled, moment, refusals, keeper)
            news = News(news.changed or found.changed, found.forked or news.forked)
        inbox.remove(name)
    for _ in range(inbox.refused - removed_before):
        refusals.count("mail-unreadable")
    return dataclasses.replace(news, came=tuple(came))


def note_refused(opened: OpenStore, refusals: Refusals, moment: Moment) -> None:
    """Write into the audit trail what was refused.

    Raises:
        StoreError: nothing was written; it is tried at the next look.
    """
    due = refusals.due()
    if not due:
        return
    with opened.write() as tx:
        for code, n in sorted(due.items()):
            entry = payloads.stamp(moment, None) | payloads.access(f"{REFUSED}:{code}", str(n))
            tx.append(Stream.AUDIT, Kind.ACCESS, entry)
    refusals.told.update(due)


def _take_orders(
    opened: OpenStore, raw: bytes, enrolled: Enrolled, refusals: Refusals, keeper: Keeper
) -> None:
    if enrolled.orders is None:
        refusals.count("mail-unknown")
        return
    try:
        orders = enrolled.orders.read(raw, opened.store.identity().recv_private)
    except OrderRefused as error:
        refusals.count(f"order-{error.stable_code.removeprefix('order-')}")
        return
    keeper.ordered(opened, orders)


def _take_receipt(
    opened: OpenStore,
    level: str,
    raw: bytes,
    enrolled: Enrolled,
    moment: Moment,
    refusals: Refusals,
    keeper: Keeper,
) -> News:
    try:
        receipt = enrolled.receipts.read(raw)
    except ReceiptRefused as error:
        refusals.count(f"receipt-{error.stable_code.removeprefix('receipt-')}")
        return News()
    if receipt.level != level:
        refusals.count("receipt-level")  # a name promises nothing; the key's use decides
    standing = standing_of(opened.store, enrolled)
    if receipt.unit == standing.unit and _is_of_an_earlier_epoch(receipt, opened.store):
        if receipt.level == OPENED and receipt.generation >= max(standing.generation.values(), default=1):
            opened.sealing.clean_earlier(receipt)
        return News()
    judgement = judge(receipt, standing)
    for code in judgement.refused:
        refusals.count(code)
    _apply(opened, receipt, judgement, moment)
    if judgement.stops:
        reason = judgement.stops[0][1]
        return News(
            changed=True,
            forked=leave(opened.store, opened.sealing, enrolled.make_sealer, moment, reason),
        )
    forked: Fork | None = None
    if any(move.new_generation for move in judgement.moves):
        forked = centre_restored(opened.store, opened.sealing, enrolled.make_sealer, moment)
    if judgement.believed:
        opened.sealing.clean(judgement.holds)
        if receipt.level == OPENED:
            keeper.opened_at(opened, receipt.centre_ms)
    opened.sealing.seal_again(judgement.reseal)
    opened.sealing.session_needed(judgement.needed)
    return News(changed=bool(judgement.moves), forked=forked)


def _is_of_an_earlier_epoch(receipt: Receipt, store: Store) -> bool:
    return receipt.epoch != store.epoch and store.has_epoch(receipt.epoch)


def standing_of(store: Store, enrolled: Enrolled) -> Standing:
    """Where the store stands, for who judges a receipt."""
    believed = {level: store.receipt_generation(level) for level in _LEVELS}
    generation = {level: known for level, known in believed.items() if known is not None}
    return Standing(
        unit=store.unit,
        epoch=store.epoch,
        generations=enrolled.generations,
        generation=generation,
        rseq={level: store.receipt_rseq(level, known) for level, known in generation.items()},
        watermarks=store.watermarks(),
        head_at=store.head_at,
    )


def _apply(opened: OpenStore, receipt: Receipt, judgement: Judgement, moment: Moment) -> None:
    """Write what was decided in one transaction: the receipt's number with what it moved."""
    if not (judgement.believed or judgement.stops):
        return
    with opened.write() as tx:
        if judgement.believed:
            tx.set_receipt_rseq(receipt.level, receipt.generation, receipt.rseq)
            if receipt.level == OPENED:
                tx.set_nacks([(int(n.stream), n.first, n.first + n.n - 1, n.reason) for n in receipt.nacks])
        for move in judgement.moves:
            tx.move_watermark(move.level, move.stream, move.through, new_generation=move.new_generation)
        for stream, code in judgement.stops:
            tx.stop_stream(stream, code)
            entry = payloads.stamp(moment, None) | payloads.access(f"stream.stopped:{code}", stream.word)
            tx.append(Stream.AUDIT, Kind.ACCESS, entry)
    for stream, code in judgement.stops:
        _LOG.error("stream stopped", extra={"stream": stream.word, "code": code})
