"""What came from the centre, for people to read; whom the centre expects."""

import json
import uuid

from edge.agent import advice, payloads
from edge.agent.ledger import Ledger
from edge.agent.refusals import Unknown
from edge.ports.caller import Answer, Call
from edge.records.fields import Kind, Stream
from edge.store.errors import StoreDamaged
from edge.store.inbox import APPLIED
from edge.store.normalise import normalise
from edge.store.rows import DownMessage
from edge.store.store import Store
from edge.store.transaction import Transaction


class InboxCommands:
    """Commands on what came down."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def listed(self, call: Call) -> Answer:
        """What came, the latest first, without its words."""

        def read(store: Store) -> tuple[list[DownMessage], Answer]:
            found = store.messages(advice.SHOWN)
            return found, {
                "messages": [advice.shown(each, store) for each in found],
                "unread": store.unread(advice.SHOWN),
            }

        _, answer = await self._ledger.read_audited(
            call, read, lambda seen: dict.fromkeys(each.patient for each in seen[0]) or [None]
        )
        return answer

    async def read(self, call: Call, *, message: uuid.UUID) -> Answer:
        """One message, whole. That it was read is committed before anybody sees it.

        Raises:
            Unknown: it is not here.
            StoreDamaged: it is not what came any more: nothing of it is shown.
        """
        stamp = self._ledger.stamp(call)

        def mark(tx: Transaction, store: Store) -> None:
            found = _existing(store, message)
            if found.read_ms is None:
                entry = stamp | payloads.read(found.message, found.request)
                tx.append(Stream.VITALS, Kind.READ, entry, patient=found.patient)

        if (await self._ledger.read(lambda store: _existing(store, message))).read_ms is None:
            await self._ledger.commit(mark, what="message-read")

        def whole(store: Store) -> tuple[DownMessage, Answer]:
            found = _existing(store, message)
            signer = b"" if found.signer is None else found.signer
            shown, text = advice.shown(found, store), advice.words_of(found)
            return found, {"message": shown, "text": text, "signer": signer.hex()}

        _, answer = await self._ledger.read_audited(call, whole, lambda seen: [seen[0].patient])
        return answer

    async def expected(self, call: Call, *, text: str) -> Answer:
        """Whom the centre expects here."""
        now_ms = self._ledger.now().wall_ms

        def read(store: Store) -> tuple[list[bytes], Answer]:
            rows = store.expected(now_ms, normalise(text))
            shown = [
                {"patient": str(uuid.UUID(bytes=patient)), **json.loads(person), "expires_ms": expires_ms}
                for patient, person, expires_ms in rows
            ]
            return [patient for patient, _, _ in rows], {"expected": shown}

        _, answer = await self._ledger.read_audited(call, read, lambda seen: seen[0] or [None])
        return answer


def _existing(store: Store, message: uuid.UUID) -> DownMessage:
    found = store.message(message.bytes)
    if found is None or found.outcome != APPLIED or found.kind not in advice.SHOWN:
        raise Unknown("There is no such message.", next_step="See the list again.", code="no-message")
    if found.content is None:
        raise StoreDamaged(
            "What this message said is lost: it is not shown.",
            next_step="Ask the centre to send it again.",
        )
    return found
