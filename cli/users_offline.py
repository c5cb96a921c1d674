"""Changing who may sign in while the agent is stopped, by the same rules as the agent's own commands."""

from collections.abc import Callable

from cli.signed_in import unlocked
from edge.agent import payloads
from edge.agent.people import Change, carry_out
from edge.clock import SystemClock
from edge.config import Places
from edge.records.people import user_id
from edge.security.slots import Slots
from edge.store.transaction import Transaction


def change_users(
    places: Places,
    *,
    by: str,
    pin: str,
    method: str,
    user: str,
    make: Callable[[Slots, bytes], Slots],
    action: str | None = None,
) -> None:
    """Carry out one change to the slots, with its audit entry.

    Args:
        places: of the unit.
        by: who signs in for it.
        pin: that person's.
        method: what is done, in the words of the local API.
        user: whose slot it is.
        make: the slots as they shall be, of those there are and the store's key.
        action: what the audit trail says; the method if left out.

    Raises:
        NotAllowed: who asks may not.
        SecurityError, StoreError: nothing was changed.
    """
    with unlocked(places, by, pin, method) as (slots, store, key):
        new = make(slots, key)

        def commit(work: Callable[[Transaction], None]) -> None:
            with store.write() as tx:
                work(tx)

        stamp = payloads.stamp(SystemClock().now(), user_id(by))
        carry_out(commit, store, slots.reload, new, Change(action or method, user, method), stamp)
