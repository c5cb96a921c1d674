"""What only a signed-in person may: through the running agent, or with its lock while it is stopped."""

import asyncio
import contextlib
from collections.abc import Callable, Generator
from typing import Any

from cli.unit_secret import secret_sources
from edge.agent import payloads
from edge.agent.people import settle
from edge.agent.permissions import may
from edge.agent.refusals import NotAllowed
from edge.clock import SystemClock
from edge.config import Places, load
from edge.errors import QafilaError
from edge.localapi.client import AgentUnreachable, connect
from edge.records.people import user_id
from edge.security import process
from edge.security.exclusive import ExclusiveLock
from edge.security.lockout import Lockout
from edge.security.slots import Slots
from edge.store.rekey import open_settled
from edge.store.store import Store
from edge.store.transaction import Transaction


def ask_agent(places: Places, method: str, /, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  as wide as JSON
    """One question to the running agent that needs no session.

    Raises:
        AgentUnreachable: none runs here.
    """

    async def ask() -> dict[str, Any]:
        async with connect(places.socket) as api:
            return await api.call(method, **fields)

    return asyncio.run(ask())


def ask_agent_as(  # the fields are as wide as JSON
    places: Places,
    user: str,
    pin: str,
    method: str,
    /,
    **fields: Any,  # noqa: ANN401  as wide as JSON
) -> dict[str, Any]:
    """Sign in, ask one question, sign out; a store that was locked is locked again.

    Raises:
        AgentUnreachable: none runs here.
        CallRefused: the PIN is wrong, or the person may not.
    """

    async def ask() -> dict[str, Any]:
        async with connect(places.socket) as api:
            await api.call("sign-in", user=user, pin=pin, brief=True)
            try:
                return await api.call(method, **fields)
            finally:
                with contextlib.suppress(QafilaError):  # the agent sees the connection end as well
                    await api.call("sign-out")

    return asyncio.run(ask())


def agent_runs(places: Places) -> bool:
    """Whether an agent answers on this unit's socket."""
    try:
        ask_agent(places, "status")
    except AgentUnreachable:
        return False
    return True


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
        slots = Slots.load(places.slots, secret_sources(places, config).read())
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
