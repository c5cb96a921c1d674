"""What only a signed-in person may, done with the agent's lock while it is stopped; `cli.asking` asks it."""

import contextlib
from collections.abc import Callable, Generator

from cli.unit_secret import load_slots
from edge.agent import payloads
from edge.agent.people import settle
from edge.agent.permissions import may
from edge.agent.refusals import NotAllowed
from edge.clock import SystemClock
from edge.config import Places, load
from edge.records.people import user_id
from edge.security import process
from edge.security.exclusive import ExclusiveLock
from edge.security.lockout import Lockout
from edge.security.slots import Slots
from edge.store.rekey import open_settled
from edge.store.store import Store
from edge.store.transaction import Transaction


@contextlib.contextmanager
def unlocked(places: Places, user: str, pin: str, method: str) -> Generator[tuple[Slots, Store, bytes]]:
    """Slots, store and its key while the agent is stopped; nobody else can open them meanwhile.

    ``method`` is what is wanted, in the words of the local API; its table of roles decides here too.

    Raises:
        NotAllowed: this person's role may not.
        AgentRunning: an agent runs; ask it instead.
        SecurityError: the PIN is wrong, has to wait, or slots and secret do not fit.
    """
    config = load(places.config)
    process.harden()
    with ExclusiveLock(places.agent_lock):
        slots = load_slots(places, config)
        lockout = Lockout(places.store / "lockout", SystemClock().monotonic_s)
        lockout.begin(user_id(user))
        key = slots.unlock(user_id(user), pin)
        lockout.succeeded(user_id(user))
        asking = next(each for each in slots.users() if each.user == user_id(user))
        if not may(asking.role, method):
            raise NotAllowed
        store = open_settled(places.database, key)
        try:
            slots.check_generation(store.slots_generation)
            _settle(store, slots)
            yield slots, store, key
        finally:
            store.close()


def is_old_copy(places: Places, store: Store) -> bool:
    """Whether the spool holds what the store never had; nothing is changed by looking."""
    from cli.wiring import Pinned  # only here: it knows all parts by name
    from edge.agent.sealing import Sealing
    from edge.spool import Outbox

    enrolled = Pinned(places, SystemClock())()
    outbox = Outbox(places.spool_out)
    looking = Sealing(store, outbox, batch=1, session_s=0.0, audit_s=0.0)
    return looking.start(None if enrolled is None else enrolled.make_sealer)


def _settle(store: Store, slots: Slots) -> None:
    """What a change of the users that was cut short has left open."""

    def commit(work: Callable[[Transaction], None]) -> None:
        with store.write() as tx:
            work(tx)

    settle(commit, store, slots.generation, payloads.stamp(SystemClock().now(), None))
