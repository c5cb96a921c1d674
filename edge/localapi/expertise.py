"""The messages about what specialists are asked and what comes down from the centre."""

import uuid
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, StringConstraints

from edge.localapi.attaching import AttachmentShown
from edge.localapi.shapes import Code, Identifier, Line, Message, Saved, Seq, State, as_seen

Act: TypeAlias = Literal[
    "tele-expertise", "teleconsultation", "telemonitoring", "tele-assistance", "medical-response"
]
Urgency: TypeAlias = Literal["routine", "urgent", "stat"]
RequestState: TypeAlias = Literal["asked", "accepted", "declined", "answered", "closed", "withdrawn"]
DownKind: TypeAlias = Literal["reply", "accept", "decline", "message"]


def _lines(text: str) -> str:
    as_seen(text.replace("\n", " "))
    return text


Text: TypeAlias = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=4000),
    AfterValidator(_lines),
]
"""A text of several lines that a person typed: what is shown is all there is."""


class AskExpert(Message):
    """Ask a specialist about a patient, with what the question is about.

    ``observations`` and ``recordings`` are those of the visit, all of them when they are left out.
    ``emergency``: there was no time to ask the patient for consent; only for what is not routine.
    """

    patient: uuid.UUID
    encounter: uuid.UUID | None = None
    specialty: Code
    urgency: Urgency = "routine"
    question: Text
    act: Act = "tele-expertise"
    observations: Annotated[tuple[Seq, ...], Field(max_length=256)] | None = None
    recordings: Annotated[tuple[uuid.UUID, ...], Field(max_length=32)] | None = None
    emergency: bool = False


class RequestsAsked(Message):
    """Of one patient, or of all; ``waiting``: only those that still wait for an answer."""

    patient: uuid.UUID | None = None
    waiting: bool = False


class RequestNamed(Message):
    """Name a request."""

    request: uuid.UUID


class RequestEnded(Message):
    """Name a request, and say why it ends."""

    request: uuid.UUID
    reason: Line | None = None


class MessageNamed(Message):
    """Name a message."""

    message: uuid.UUID


class ExpectedAsked(Message):
    """Part of a name or identifier, or nothing for all."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, max_length=120)] = ""


class Requested(Saved):
    """A specialist was asked."""

    request: uuid.UUID


class RequestShown(Message):
    """A request: ``state`` is what became of it, ``sent`` how far it has come on its way to the centre.

    ``observations`` and ``recordings`` count what it is about; ``answers`` what has come to it and ``unread``
    how much of that nobody has read.
    """

    request: uuid.UUID
    patient: uuid.UUID
    encounter: uuid.UUID | None
    specialty: str
    urgency: Urgency
    act: str
    question: str
    emergency: bool
    operator: str | None
    wall_ms: int | None
    state: RequestState
    sent: State
    observations: int
    recordings: tuple[uuid.UUID, ...]
    attachments: tuple[AttachmentShown, ...] = ()
    answers: int
    unread: int


class Requests(Message):
    """Requests, the latest first."""

    requests: tuple[RequestShown, ...]


class DownShown(Message):
    """Something that came from the centre, without its words; ``sender`` is who says it.

    ``lost``: it is about a request that is not here any more, because the store went back in time;
    ``patient`` is null where that patient is not here either, and the centre knows who it is.
    """

    message: uuid.UUID
    kind: DownKind
    request: uuid.UUID | None
    patient: uuid.UUID | None
    sender: str
    made_ms: int
    received_ms: int
    read_ms: int | None
    read_by: str | None
    lost: bool = False


class RequestRecord(Message):
    """One request and what came to it."""

    request: RequestShown
    messages: tuple[DownShown, ...]


class InboxList(Message):
    """What came from the centre, the latest first."""

    messages: tuple[DownShown, ...]
    unread: int


class DownWhole(Message):
    """A message, whole, as it was signed at the centre; ``signer`` is the short name of the key."""

    message: DownShown
    text: str
    signer: str


class ExpectedShown(Message):
    """Somebody the centre expects here; nobody of them is a patient of this unit yet."""

    patient: uuid.UUID
    family: str
    given: str
    family_arabic: str
    given_arabic: str
    sex: str
    birth: str | None
    identifiers: tuple[Identifier, ...]
    note: str
    expires_ms: int


class ExpectedList(Message):
    """Whom the centre expects here, by name; what is over is not shown."""

    expected: tuple[ExpectedShown, ...]


class InboxEvent(Message):
    """Something came from the centre that a person is to read."""

    unread: int
