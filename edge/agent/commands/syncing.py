"""What the link has to do with people: what the centre could not open, and asking to go on now."""

from edge.agent.commit import OpenStore
from edge.agent.ledger import Ledger
from edge.agent.receipts import OTHER_SCHEMA
from edge.agent.refusals import NotQuarantined
from edge.agent.states import Span
from edge.ports.caller import Answer, Call, Json
from edge.records.fields import Stream
from edge.spool import Outbox


class SyncCommands:
    """Commands on what leaves the box."""

    def __init__(self, ledger: Ledger, outbox: Outbox) -> None:
        self._ledger = ledger
        self._outbox = outbox

    async def quarantine(self, call: Call) -> Answer:  # noqa: ARG002  every method is handed its call
        """What the centre said last that it cannot open as it is; no patient."""
        found = await self._ledger.do(_not_opened)
        ranges: list[Json] = [
            {"stream": stream.word, "first": span[0], "last": span[1], "reason": reason}
            for stream, span, reason in found
        ]
        return {"ranges": ranges}

    async def retry(self, call: Call) -> Answer:
        """Seal once more what the centre could not open, but for what only an update of the centre helps.

        Raises:
            NotQuarantined: there is nothing.
            NothingSeals: there is nobody to seal to.
        """

        def job(opened: OpenStore) -> tuple[int, int]:
            found = _not_opened(opened)
            ranges = [(stream, span) for stream, span, reason in found if reason != OTHER_SCHEMA]
            if not found:
                raise NotQuarantined
            opened.sealing.try_again(ranges)
            return len(ranges), len(found) - len(ranges)

        await self._ledger.audit(call, call.method)
        again, waiting = await self._ledger.do(job)
        await self._ring()
        return {"again": again, "waiting": waiting}

    async def now(self, call: Call) -> Answer:
        """Seal what waits for its hour, and have the uplink try at once."""
        await self._ledger.audit(call, call.method)
        await self._ledger.do(lambda opened: opened.sealing.seal_audit_soon())
        await self._ring()
        return {}

    async def _ring(self) -> None:
        await self._ledger.do(lambda _: self._outbox.ring())


def _not_opened(opened: OpenStore) -> list[tuple[Stream, Span, str]]:
    marks = opened.store.watermarks()
    return [
        (Stream(stream), (first, last), reason)
        for stream, first, last, reason in opened.store.nacks
        if marks[Stream(stream)].opened < last <= marks[Stream(stream)].tip
    ]
