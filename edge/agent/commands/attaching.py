"""Photos and documents: brought in pieces, written anew by a child, attached to a request, looked at."""

import base64
import binascii
import dataclasses
import uuid
import weakref
from typing import Final

from edge.agent import attached, stripping, view
from edge.agent.advice import OPEN
from edge.agent.commands.expertise import allowed, existing_request
from edge.agent.ledger import Ledger
from edge.agent.refusals import AttachmentRefused, RequestRefused, Unknown
from edge.agent.stripping import Cleaned, InMemory
from edge.attachments.limits import MAX_BYTES
from edge.ports.caller import Answer, Call, Caller, CallRefused
from edge.records.expertise import Basis, RequestState
from edge.store.rows import Attachment
from edge.store.store import Store
from edge.store.transaction import Transaction

MOST_TO_A_REQUEST: Final = 16
MOST_AT_ONCE: Final = 3
"""Files in memory, each of 10 MB at most, twice while it is written anew."""
READ_AT_ONCE: Final = 640 * 1024
"""Bytes in one answer, which in base64 has to fit into a line of 1 MiB."""
_ANSWERABLE: Final = frozenset({*OPEN, RequestState.ANSWERED, RequestState.DECLINED})


class NotInOrder(CallRefused):
    """A piece does not follow the one before it, or there is nothing to attach."""

    code = "attachment-not-brought"


@dataclasses.dataclass(slots=True)
class _Held:
    """What one connection has brought."""

    user: str
    given: InMemory = dataclasses.field(default_factory=InMemory)
    cleaned: Cleaned | None = None


class AttachCommands:
    """Commands on attachments.

    Args:
        part_bytes: how large a part may be, by the link that carries it.
    """

    def __init__(self, ledger: Ledger, part_bytes: int) -> None:
        self._ledger = ledger
        self._part_bytes = part_bytes
        self._held: weakref.WeakKeyDictionary[Caller, _Held] = weakref.WeakKeyDictionary()

    async def bring(self, call: Call, *, first: int, data: str, last: bool) -> Answer:
        """Take a piece of a file into memory; with the last one have the child write the file anew.

        Raises:
            NotInOrder: another piece was to come, or too many bring files just now.
            AttachmentRefused: the file is none that is taken.
        """
        held = self._held_by(call, begins=first == 0)
        if held is None or held.cleaned is not None or held.given.size != first:
            self._forget(call)
            raise NotInOrder("This piece does not follow the one before.", next_step="Begin with the first.")
        try:
            piece = base64.b64decode(data, validate=True)
        except binascii.Error:
            self._forget(call)
            raise NotInOrder("This piece is not in base64.", next_step="Begin with the first.") from None
        if first + len(piece) > MAX_BYTES:
            self._forget(call)
            raise AttachmentRefused("attachment-too-large")
        held.given.append(piece)
        have = held.given.size
        if not last:
            return {"have": have, "media": None, "size": None}
        try:
            held.cleaned = await stripping.clean(held.given)
        except AttachmentRefused:
            self._forget(call)
            raise
        held.given.close()
        return {"have": have, "media": held.cleaned.media, "size": held.cleaned.size}

    async def attach(self, call: Call, *, request: uuid.UUID, caption: str | None) -> Answer:
        """Save what was brought, whole, with the request it belongs to. The same file twice is one.

        Raises:
            NotInOrder: nothing was brought on this connection.
            RequestRefused: the request has ended, or has as many as it may.
            ConsentNeeded: the patient has changed their mind since it was asked.
        """
        id_, stamp = self._ledger.new_id(), self._ledger.stamp(call)
        held = self._held_by(call, begins=False)
        file = None if held is None else held.cleaned

        def work(tx: Transaction, store: Store) -> Answer:
            if file is None:
                raise NotInOrder("No file was brought to attach.", next_step="Bring one first.")
            asked = existing_request(store, request)
            if asked.state not in _ANSWERABLE:
                raise RequestRefused(
                    "The request has ended.", next_step="Ask again, with the file.", code="request-state"
                )
            allowed(store, asked.patient, emergency=asked.basis == Basis.EMERGENCY)
            there = store.attachments_to(asked.request)
            found = next((each for each in there if each.hash == file.hash), None)
            if found is None and len(there) >= MOST_TO_A_REQUEST:
                raise RequestRefused(
                    f"A request has at most {MOST_TO_A_REQUEST} files with it.",
                    next_step="Ask another question with the rest.",
                    code="attachment-too-many",
                )
            if found is None:
                attached.append(
                    *(tx, asked, id_.bytes, file),
                    part_bytes=self._part_bytes,
                    caption=caption or "",
                    stamp=stamp,
                )
                found = _existing(store, id_)
            saved = [tx.identity(entry) for entry in tx.appended[:1]]
            shown = attached.shown(store, found, self._ledger.progress(store))
            return {"attachment": shown, "saved": view.identities(saved)}

        answer = await self._ledger.commit_once(call, work, what="attachment", begins=True)
        self._forget(call)
        return answer

    async def read(self, call: Call, *, attachment: uuid.UUID, first: int) -> Answer:
        """Some parts of a file; who looked is committed before they are given out.

        Raises:
            Unknown: there is no such attachment.
            StoreDamaged, StoreRefused: a part is not what was saved, or is not kept here any more.
        """

        def look(store: Store) -> tuple[bytes, Answer]:
            found = _existing(store, attachment)
            data, number = b"", first
            while number <= found.parts and len(data) + attached.LARGEST_PART <= READ_AT_ONCE:
                data += store.attachment_part(found.attachment, number)
                number += 1
            return found.patient, {
                "attachment": attached.shown(store, found, self._ledger.progress(store)),
                "data": base64.b64encode(data).decode(),
                "next": number if number <= found.parts else None,
            }

        _, answer = await self._ledger.read_audited(call, look, lambda seen: [seen[0]])
        return answer

    def _held_by(self, call: Call, *, begins: bool) -> _Held | None:
        user = "" if call.caller.person is None else call.caller.person.user
        held = self._held.get(call.caller)
        if held is not None and (begins or held.user != user):
            self._forget(call)
            held = None
        if held is None and begins:
            if len(self._held) >= MOST_AT_ONCE:
                raise NotInOrder(
                    "Others are bringing files just now.", next_step="Try again in a minute.",
                    code="attachment-busy",
                )  # fmt: skip
            held = self._held[call.caller] = _Held(user)
        return held

    def _forget(self, call: Call) -> None:
        self._held.pop(call.caller, None)


def _existing(store: Store, attachment: uuid.UUID) -> Attachment:
    found = store.attachment(attachment.bytes)
    if found is None:
        raise Unknown(
            "There is no such attachment.", next_step="Look at the request again.", code="no-attachment"
        )
    return found
