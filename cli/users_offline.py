"""Adding a person while the agent is stopped, by the same rules as the agent's own command."""

from cli.signed_in import unlocked
from edge.agent import payloads
from edge.clock import SystemClock
from edge.config import Places
from edge.records.fields import Kind, Stream
from edge.records.people import checked_user_id, user_id
from edge.security.pins import check_pin


def add_user(places: Places, *, by: str, pin: str, user: str, name: str, role: str, new_pin: str) -> None:
    """Write the slot, then tell the store and the audit stream.

    Raises:
        NotAllowed: who asks may not.
        SecurityError, StoreError: nothing was changed.
    """
    check_pin(new_pin)
    new = checked_user_id(user)
    with unlocked(places, by, pin, "users.add") as (slots, store, key):
        slots.add(new, name, role, new_pin, key)
        entry = payloads.stamp(SystemClock().now(), user_id(by)) | payloads.access("users.add", new)
        with store.write() as tx:
            tx.set_slots_generation(slots.generation)
            tx.append(Stream.AUDIT, Kind.ACCESS, entry)
