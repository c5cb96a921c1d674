"""What specialists and the centre's people say: replies, what becomes of a request, messages to the crew.

::

    [reply, request, from, text, patient]            a specialist's answer, whole
    [accept | decline, request, from, text, patient] somebody has taken it on, or will not answer it and why
    [message, patient or null, from, text]           to whoever is in the van

An answer to a request that is not here is kept and shown all the same: a store that went back in time has
lost the question, and the patient may still wait for what was said.
"""

from collections.abc import Sequence
from typing import Final, cast

from edge import cbor
from edge.agent import view
from edge.agent.down import Arrival, Downs, Taken, Unfit, fields, id_of, text_of
from edge.cbor import Value
from edge.ports.caller import Json
from edge.records.expertise import OPEN
from edge.store.rows import DownMessage
from edge.store.store import Store

__all__ = ["ABOUT_REQUESTS", "ADVICE", "OPEN", "SHOWN", "register", "shown", "words_of"]

ADVICE: Final = "advice"
"""The use of the key that signs all of them."""
ABOUT_REQUESTS: Final = ("reply", "accept", "decline")
MESSAGE: Final = "message"
SHOWN: Final = (*ABOUT_REQUESTS, MESSAGE)
"""Kinds that a person reads."""
MAX_TEXT: Final = 32_000
MAX_FROM: Final = 120


def register(downs: Downs) -> None:
    """Have these kinds understood."""
    for kind in ABOUT_REQUESTS:
        downs.on(kind, ADVICE, _about_request)
    downs.on(MESSAGE, ADVICE, _message)


def shown(found: DownMessage, store: Store) -> dict[str, Json]:
    """A message in a list, without its words; it names nobody who is not here."""
    lost = found.request is not None and store.expertise(found.request) is None
    here = found.patient is None or store.patient(found.patient) is not None
    return {
        "message": view.uuid_text(found.message),
        "kind": found.kind,
        "request": view.uuid_text(found.request),
        "patient": view.uuid_text(found.patient) if here else None,
        "lost": lost,
        "sender": _words(found)[0],
        "made_ms": found.made_ms or 0,
        "received_ms": found.received_ms or 0,
        "read_ms": found.read_ms,
        "read_by": found.read_by,
    }


def words_of(found: DownMessage) -> str:
    """Its words, all of them; none where they are lost."""
    return _words(found)[1]


def _words(found: DownMessage) -> tuple[str, str]:
    if found.content is None:
        return "", ""
    _, _, sender, text, *_ = cast("Sequence[Value]", cbor.decode(found.content))
    return str(sender), str(text)


def _about_request(arrival: Arrival) -> Taken:
    request, *words = fields(arrival.down, 3)
    _check(words)
    found = arrival.store.expertise(id_of(request))
    if found is None:
        # Under the patient's identity, here or not: so an order to erase them takes it along.
        return Taken(id_of(words[2]) if len(words) > 2 else None, id_of(request))
    return Taken(found.patient, found.request)


def _message(arrival: Arrival) -> Taken:
    patient, *words = fields(arrival.down, 3)
    _check(words)
    if patient is None:
        return Taken()
    if arrival.store.patient(id_of(patient)) is None:
        raise Unfit("patient-unknown")
    return Taken(id_of(patient))


def _check(words: list[Value]) -> None:
    sender, text = words[:2]
    if not text_of(sender, MAX_FROM).strip() or not text_of(text, MAX_TEXT).strip():
        raise Unfit("form")
