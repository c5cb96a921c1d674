"""Breaking the glass: for a while, a technician may do what a nurse may, because nobody else is there.

It needs a reason, ends by itself, and the alert that says so is committed, to leave before everything else,
before anything of a patient is shown.
"""

from collections.abc import Callable
from typing import Final

from edge.agent import payloads
from edge.agent.audience import Audience
from edge.agent.ledger import Ledger
from edge.agent.permissions import Role
from edge.agent.refusals import SignInNeeded
from edge.ports.caller import Answer, Call, Caller, Person
from edge.records.fields import Kind, Stream
from edge.store.store import Store
from edge.store.transaction import Transaction

GLASS_BROKEN: Final = "glass-broken"
"""The code of the alert."""


class Glass:
    """Who has broken it, and until when.

    Args:
        now_s: monotonic.
    """

    def __init__(self, ledger: Ledger, audience: Audience, now_s: Callable[[], float]) -> None:
        self._ledger = ledger
        self._audience = audience
        self._now_s = now_s
        self._broken: dict[Caller, tuple[Person, Person, float]] = {}

    async def break_glass(self, call: Call, *, reason: str, minutes: int) -> Answer:
        """Act as a nurse for some minutes; the alert and the audit entry come first."""
        person = call.caller.person
        if person is None:
            raise SignInNeeded
        stamp = self._ledger.stamp(call)
        said: list[bool] = []

        def work(tx: Transaction, _store: Store) -> Answer:
            tx.append(Stream.ALERT, Kind.ALERT, stamp | payloads.alert(GLASS_BROKEN, reason, None))
            said.append(True)
            tx.append(Stream.AUDIT, Kind.ACCESS, stamp | payloads.access(f"{GLASS_BROKEN}:{minutes}min"))
            return {"minutes": minutes}

        answer = await self._ledger.commit_once(call, work, what="alert")
        if not said:
            return answer  # a request that is repeated says nothing again, so it opens nothing again
        acting = Person(person.user, person.name, Role.NURSE)
        self._broken[call.caller] = person, acting, self._now_s() + minutes * 60
        call.caller.person = acting
        return answer

    def look(self) -> None:
        """End what is over; also when its connection or its session is."""
        for caller, (own, acting, until_s) in list(self._broken.items()):
            if caller.closed or caller.person is not acting:
                del self._broken[caller]
            elif self._now_s() >= until_s:
                del self._broken[caller]
                self._audience.follow(caller, ())  # what it chose as a nurse
                caller.person = own
                caller.post("glass-whole", {})
