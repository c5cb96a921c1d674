"""The messages about the visits of a day."""

import uuid
from typing import Annotated, Literal

from pydantic import Field

from edge.localapi.shapes import Message


class QueueAsked(Message):
    """From which moment on, in milliseconds since 1970 of the box's own clock."""

    since_ms: Annotated[int, Field(ge=0, lt=2**53)]


class VisitQueued(Message):
    """A visit: ``received`` of its ``readings`` are whole at the centre; ``waiting`` questions about it wait.

    ``triage`` is what the values say by the early-warning rule for the patient (``rule``, with its version)
    at the moment of the last of them, by values alone; null where too little is known to say anything.
    """

    encounter: uuid.UUID
    patient: uuid.UUID
    opened_ms: int
    closed_ms: int | None
    readings: int
    received: int
    triage: Literal["red", "yellow", "green"] | None
    rule: str | None
    waiting: int


class Queue(Message):
    """The visits in the order in which they were opened, at most 200."""

    visits: tuple[VisitQueued, ...]
