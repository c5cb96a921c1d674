"""When the store turns out to be an old copy: another epoch, and everything uncertain journalled again.

It is noticed at the unlock, when the spool holds what the store never had, or by a receipt whose head is
not ours or that reaches beyond our tip. Nobody has to do anything: the epoch is left in one transaction,
then its entries follow in pieces of one transaction each. Wherever that is cut short, the next unlock goes
on: a stopped stream says that the epoch is to be left, and what is to follow is kept in the store.
"""

import logging
from typing import Final

from edge.agent import payloads
from edge.agent.parts import MakeSealer
from edge.agent.sealing import Sealing
from edge.clock import Moment
from edge.records.fields import Kind, Stream
from edge.store.rows import Fork
from edge.store.store import Store

AHEAD: Final = "spool-ahead"
"""The spool holds what the store never had."""
CENTRE_RESTORED: Final = "centre-restored"
"""The centre asks again for what has been purged or erased here since it had opened it."""
FORKED: Final = "forked"
"""The code of the alert that tells the centre."""
PIECE: Final = 500
"""Entries journalled again in one transaction: a tenth of a second, three under load."""
_LOG: Final = logging.getLogger(__name__)


def look_at_unlock(
    store: Store, sealing: Sealing, make: MakeSealer | None, moment: Moment, now_s: float
) -> Fork | None:
    """Look at the spool, leave an epoch that cannot go on, finish what was cut short.

    Returns:
        What was done now, or None when there was nothing to do.

    Raises:
        StoreError: the store takes no entries; the next unlock does it.
    """
    ahead = sealing.start(make)
    reason = AHEAD if ahead else _stopped(store)
    if ahead and make is not None:
        sealing.seal_gaps(make, now_s)
    if reason is not None:
        return leave(store, sealing, make, moment, reason)
    return _go_on(store) if store.still_to_journal_again(1) else None


def leave(
    store: Store, sealing: Sealing, make: MakeSealer | None, moment: Moment, reason: str
) -> Fork | None:
    """Begin another epoch, and journal again what the centre may not have of the one that is left."""
    stamp = payloads.stamp(moment, None)
    store.begin_epoch(
        reason,
        moment,
        (
            (Stream.ALERT, Kind.ALERT, stamp | payloads.alert(FORKED, reason, None)),
            (Stream.AUDIT, Kind.ACCESS, stamp | payloads.access(f"epoch.left:{reason}")),
        ),
    )
    _LOG.error("store went back in time", extra={"code": reason})
    sealing.leave_epoch(make)
    return _go_on(store)


def centre_restored(store: Store, sealing: Sealing, make: MakeSealer | None, moment: Moment) -> Fork | None:
    """The centre was put back from a backup: it may lack what it had opened of earlier epochs, too.

    Where it lacks what is not here any more either, the epoch is left: a chain with a hole would never be
    opened beyond it, and what comes behind it is there to be sent.

    Returns:
        What was done, or None when the present epoch goes on.
    """
    earlier = store.last_fork() is not None
    done: Fork | None = None
    if store.lacks_what_is_to_be_sent():
        done = leave(store, sealing, make, moment, CENTRE_RESTORED)
    if earlier:
        store.mark_earlier_epochs()
        _go_on(store)
        sealing.look_again()
    return done


def _go_on(store: Store) -> Fork | None:
    while rows := store.still_to_journal_again(PIECE):
        with store.write() as tx:
            for row in rows:
                tx.append_again(row)
                tx.done_again(row)
    done = store.last_fork()
    if done is not None:
        _LOG.warning("journalled again", extra={"entries": done.again})
    return done


def _stopped(store: Store) -> str | None:
    """Why a stream of the present epoch has stopped, if one has: the epoch was to be left."""
    return next((mark.stopped for mark in store.watermarks().values() if mark.stopped), None)
