"""What the methods of the local API take."""

import uuid
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, SecretStr, StringConstraints

from edge.localapi.shapes import Code, Identifier, Line, Message, ObservedValue, Role, Seq, Topic, User


class SignIn(Message):
    """Open a session on this connection; unlocks the store if it is locked."""

    user: User
    pin: Annotated[SecretStr, Field(min_length=1, max_length=128)]


class Register(Message):
    """Enter a new patient."""

    family: Line
    given: Line
    sex: Literal["female", "male", "other", "unknown"]
    birth: Annotated[str, StringConstraints(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")] | None = None
    identifiers: Annotated[tuple[Identifier, ...], Field(max_length=8)] = ()
    phone: Line | None = None
    village: Line | None = None


class Find(Message):
    """Search patients by a part of name or identifier."""

    text: Line


class PatientNamed(Message):
    """Name a patient."""

    patient: uuid.UUID


class EncounterNamed(Message):
    """Name an encounter."""

    encounter: uuid.UUID


class WaveformNamed(Message):
    """Name a recording, and the chunk to begin with."""

    waveform: uuid.UUID
    first: Annotated[int, Field(ge=1, lt=2**31)] = 1


class Observe(Message):
    """Enter values by hand. All of them are stored, or none.

    ``confirmed`` names the limits whose warning the nurse has confirmed; ``late`` is for values copied
    from paper, ``at`` the time they were taken.
    """

    encounter: uuid.UUID
    values: Annotated[tuple[ObservedValue, ...], Field(min_length=1, max_length=32)]
    confirmed: Annotated[tuple[Code, ...], Field(max_length=32)] = ()
    source: Literal["manual", "late"] = "manual"
    at: AwareDatetime | None = None


class Take(Message):
    """Store what a continuous device shows now."""

    device: Code


class RaiseAlert(Message):
    """Send a coded alert ahead of everything else."""

    patient: uuid.UUID
    encounter: uuid.UUID | None = None
    code: Code
    text: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] | None = None


class Assign(Message):
    """Give readings of the tray to an encounter, with the reason."""

    encounter: uuid.UUID
    observations: Annotated[tuple[Seq, ...], Field(min_length=1, max_length=256)]
    reason: Line


class SnapshotAsked(Message):
    """What is committed after these sequence numbers; without them all that is not yet received."""

    after: dict[Literal["alert", "vitals"], Seq] | None = None


class Subscribe(Message):
    """Choose the events of this connection; replaces the former choice."""

    topics: Annotated[tuple[Topic, ...], Field(max_length=6)]


class AddUser(Message):
    """Let another person sign in."""

    user: User
    name: Line
    role: Role
    pin: Annotated[SecretStr, Field(min_length=1, max_length=128)]
