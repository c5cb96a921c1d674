"""What a request has with it, as answers show it, and how far it has come; and its entries."""

from collections.abc import Mapping
from typing import Final

from edge.agent import payloads, view
from edge.agent.states import Progress, RecordState, furthest_behind
from edge.agent.stripping import Cleaned
from edge.ports.caller import Json
from edge.records.fields import Kind, Payload, Stream
from edge.store.rows import Attachment, ExpertiseRequest
from edge.store.store import Store
from edge.store.transaction import Transaction

LARGEST_PART: Final = 32 * 1024
"""A link may get thinner before a part has left: six seconds at 40 kbit/s, behind which an alert waits."""


def shown(store: Store, found: Attachment, progress: Mapping[Stream, Progress]) -> dict[str, Json]:
    """One attachment; it has come as far as what is furthest behind of it."""
    places = store.part_places(found.attachment)
    doc = progress[Stream.DOC]
    states = [doc.state_of(seq) for seq, _ in places]
    own = RecordState.RECEIVED if found.earlier else progress[found.entry.stream].state_of(found.entry.seq)
    return {
        "attachment": view.uuid_text(found.attachment),
        "request": view.uuid_text(found.request),
        "media": found.media,
        "caption": found.caption,
        "size": found.size,
        "hash": found.hash.hex(),
        "parts": found.parts,
        "received": states.count(RecordState.RECEIVED),
        "state": furthest_behind([own, *states]).value,
        "kept": len(places) == found.parts and all(here for _, here in places),
        "operator": found.operator,
        "wall_ms": found.wall_ms,
    }


def append(
    tx: Transaction,
    request: ExpertiseRequest,
    attachment: bytes,
    file: Cleaned,
    *,
    part_bytes: int,
    caption: str,
    stamp: Payload,
) -> None:
    """Append a file: what it is goes where its request went, its parts follow as documents."""
    size = min(part_bytes, LARGEST_PART)
    starts = range(0, file.size, size)
    said = payloads.attachment(
        *(attachment, request.request, file.media, file.hash),
        size=file.size,
        parts=len(starts),
        caption=caption,
    )
    tx.append(request.entry.stream, Kind.ATTACHMENT, stamp | said, patient=request.patient)
    for number, at in enumerate(starts, 1):
        data = file.file.read(at, size)
        part = payloads.attachment_part(attachment, number, data)
        tx.keep_part(tx.append(Stream.DOC, Kind.ATTACHMENT_PART, part, patient=request.patient), data)
