"""The messages about photos and documents that a request has with it."""

import uuid
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints

from edge.localapi.shapes import EntryIdentity, Line, Message, State

Media: TypeAlias = Literal["image/jpeg", "image/png", "application/pdf"]
"""`edge.attachments.limits.ENDINGS`, spelled out for the reference."""


class Bring(Message):
    """A piece of a file, in base64, ``first`` bytes of which are there already; 0 begins another file.

    ``last``: with it the file is whole. A connection holds one file, until it is attached, the connection
    ends or somebody else signs in on it.
    """

    first: Annotated[int, Field(ge=0, lt=2**31)]
    data: Annotated[str, StringConstraints(max_length=60_000, pattern=r"^[A-Za-z0-9+/]*={0,2}$")]
    last: bool = False


class Brought(Message):
    """How much is there. Once it is whole and was written anew: what it is, and how large it became."""

    have: int
    media: Media | None
    size: int | None


class Attach(Message):
    """Attach the file that this connection holds; ``caption`` says what it shows."""

    request: uuid.UUID
    caption: Line | None = None


class AttachmentShown(Message):
    """A photo or document: ``received`` of its ``parts`` are at the centre; ``state`` is that of all of it.

    ``kept``: its bytes are still on the unit. ``hash``: SHA-256 of the whole file, in hexadecimal.
    """

    attachment: uuid.UUID
    request: uuid.UUID
    media: str
    caption: str
    size: int
    hash: str
    parts: int
    received: int
    state: State
    kept: bool
    operator: str | None
    wall_ms: int | None


class Attached(Message):
    """It is attached; ``saved`` names the entry that says so, and is empty where it was attached before."""

    attachment: AttachmentShown
    saved: tuple[EntryIdentity, ...]


class AttachmentNamed(Message):
    """Name an attachment, and the first part that is wanted."""

    attachment: uuid.UUID
    first: Annotated[int, Field(ge=1, lt=2**31)] = 1


class AttachmentRead(Message):
    """Some parts of an attachment in base64; ``next`` is the first of those that follow."""

    attachment: AttachmentShown
    data: str
    next: int | None
