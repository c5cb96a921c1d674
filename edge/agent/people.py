"""Changes to who may sign in: said in the audit trail before they are made, settled when they are cut short.

Slot file and store are two files that no transaction joins. So first an audit entry and an *intent* are
committed, then the slot file is written, then the store takes its new generation. Whatever kills the
process between two of these, the next unlock sees by the slot file's generation whether it happened: if it
did, the store takes the generation, and if it did not, a second entry says so. No change is without an entry.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from edge import cbor
from edge.agent import payloads
from edge.agent.commit import remember
from edge.records.fields import Field, Kind, Payload, Stream
from edge.security.errors import SecurityError
from edge.security.slots import Slots
from edge.store.store import Store
from edge.store.transaction import Transaction

UNDONE: Final = "undone"
"""What is added to an action that was said and not done."""
Commit: TypeAlias = Callable[[Callable[[Transaction], None]], object]


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One change to the slots.

    Attributes:
        action: as it stands in the audit trail, such as ``users.role:nurse``.
        user: whose slot it is.
        method, request: what asked for it; its answer is kept for a repetition when there is an id.
    """

    action: str
    user: str
    method: str
    request: str | None = None


def carry_out(
    commit: Commit, store: Store, load: Callable[[], Slots], new: Slots, change: Change, stamp: Payload
) -> None:
    """Say it, do it, take note that it is done.

    Args:
        commit: runs a transaction of ``store``.
        store: the open store.
        load: reads the slots as they are.
        new: the slots as they shall be.
        change: what it is.
        stamp: when and who.

    Raises:
        SecurityError: the slots are as they were, and the audit trail says so.
        StoreError: nothing was done, or it is settled at the next unlock.
    """
    intent = cbor.encode([new.generation, change.action, change.user, change.method, change.request])

    def say(tx: Transaction) -> None:
        tx.append(Stream.AUDIT, Kind.ACCESS, stamp | payloads.access(change.action, change.user))
        tx.set_slots_intent(intent)

    commit(say)
    try:
        new.save()
    except SecurityError:
        settle(commit, store, load().generation, stamp)
        if store.slots_generation < new.generation:
            raise
        return
    settle(commit, store, new.generation, stamp)


def settle(commit: Commit, store: Store, generation: int, stamp: Payload) -> None:
    """Bring the store to what the slot file of this generation says of the last change, if one is open."""
    raw = store.slots_intent
    if raw is None:
        return
    intended: Any = cbor.decode(raw)
    intended_generation, action, user, method, request = intended

    def note(tx: Transaction) -> None:
        tx.set_slots_intent(None)
        if generation < intended_generation:
            undone = stamp | payloads.access(f"{action}:{UNDONE}", user)
            tx.append(Stream.AUDIT, Kind.ACCESS, undone)
            return
        tx.set_slots_generation(generation)
        if request is not None:
            wall_ms = stamp[Field.WALL_MS]
            assert isinstance(wall_ms, int)  # noqa: S101  every stamp has one
            remember(tx, request, method, {}, wall_ms)

    commit(note)
