"""What `patient.export` takes and answers: everything that is kept of one person."""

import uuid
from typing import Literal, TypeAlias

from edge.localapi.attaching import AttachmentShown
from edge.localapi.shapes import EntryIdentity, Identifier, Message, RecordingShown

Reason: TypeAlias = Literal["patient-asked", "guardian-asked", "care-elsewhere", "legal-order"]
"""`edge.records.reasons.ExportReason`, spelled out for the reference."""


class Export(Message):
    """Whose record is taken out, and why; ``after`` is ``next`` of the answer before."""

    patient: uuid.UUID
    reason: Reason
    after: uuid.UUID | None = None


class RecordExported(Message):
    """A patient as last recorded; ``merged_into`` names who they turned out to be."""

    patient: uuid.UUID
    revision: int
    family: str
    given: str
    family_arabic: str
    given_arabic: str
    sex: str
    birth: str | None
    birth_estimated: bool
    phone: str | None
    village: str | None
    identifiers: tuple[Identifier, ...]
    merged_into: uuid.UUID | None


class ConsentExported(Message):
    """One decision; ``revision`` counts those about one scope."""

    scope: str
    revision: int
    decision: str
    given_by: str
    form: str
    language: str | None
    witness: str | None
    operator: str | None
    wall_ms: int | None


class ValueExported(Message):
    """One observation as it was saved; ``corrects`` is ``[epoch in hex, seq]`` of the one it supersedes.

    ``clock``: what told ``wall_ms``, as in the status; null where nobody said.
    """

    entry: EntryIdentity
    code: str
    value: str | None
    unit: str
    missing: str | None
    source: str
    device: str | None
    operator: str | None
    wall_ms: int | None
    clock: str | None
    device_time: str | None
    clock_off_s: int | None
    flags: tuple[str, ...]
    confirmed: str | None
    corrects: tuple[str, int] | None


class VisitExported(Message):
    """A visit; once ``purged_ms`` is set its values are at the centre and not here."""

    encounter: uuid.UUID
    patient: uuid.UUID
    operator: str
    opened_ms: int
    closed_ms: int | None
    site: str | None
    purged_ms: int | None
    observations: tuple[ValueExported, ...]
    recordings: tuple[RecordingShown, ...]


class AlertExported(Message):
    """An alert about the patient."""

    entry: EntryIdentity
    encounter: uuid.UUID | None
    code: str
    text: str | None
    operator: str | None
    wall_ms: int | None


class Exported(Message):
    """What is kept of a person, visits newest first; ``next``: ask on with it as ``after``."""

    unit: str
    records: tuple[RecordExported, ...]
    consents: tuple[ConsentExported, ...]
    alerts: tuple[AlertExported, ...]
    attachments: tuple[AttachmentShown, ...] = ()
    visits: tuple[VisitExported, ...]
    next: uuid.UUID | None
