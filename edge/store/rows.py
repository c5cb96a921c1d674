"""Records as the store gives them back."""

import dataclasses
from decimal import Decimal

from edge.records.fields import Source, Stream
from edge.records.identity import EntryId
from edge.vitals.identity import Identity
from edge.vitals.quantity import MissingReason


@dataclasses.dataclass(frozen=True, slots=True)
class Watermark:
    """How far a stream of the present epoch has got; ``stopped`` is a code, or None."""

    tip: int
    landed: int
    opened: int
    stopped: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Patient:
    """A patient as last recorded.

    Attributes:
        patient: UUIDv7, 16 bytes.
        sex: female, male, other or unknown.
        birth: YYYY, YYYY-MM or YYYY-MM-DD.
        identifiers: (system, value).
        tips: the patient's last entry in each stream of the present epoch.
    """

    patient: bytes
    revision: int
    family: str
    given: str
    sex: str
    birth: str | None
    phone: str | None
    village: str | None
    identifiers: tuple[tuple[str, str], ...]
    tips: dict[Stream, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Encounter:
    """One visit; open while ``closed_ms`` is None."""

    encounter: bytes
    patient: bytes
    operator: str
    opened_ms: int
    closed_ms: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    """One value, or the reason why there is none: exactly one of ``value`` and ``missing`` is set.

    Attributes:
        entry: its identity in the vitals stream.
        encounter: None while it lies in the tray.
        reading: observations with one number came in one reading.
        device_time: the device's own clock, ISO 8601 without zone.
        clock_off_s: by how many seconds that clock was ahead of the box's, when both were known.
        confirmed: the limit a person confirmed.
        supersedes: the observation it corrects.
    """

    entry: EntryId
    encounter: bytes | None
    patient: bytes | None
    code: str
    value: Decimal | None
    missing: MissingReason | None
    source: Source
    device: str | None
    device_record: bytes | None
    device_time: str | None
    reading: int | None
    flags: tuple[str, ...]
    confirmed: str | None
    operator: str | None
    wall_ms: int | None
    supersedes: tuple[bytes, int] | None
    clock_off_s: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceSaid:
    """What a device said of itself, from this entry on; ``kind`` is its family."""

    entry: EntryId
    device: str
    kind: str
    identity: Identity
    wall_ms: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Alert:
    """One alert raised on this unit."""

    entry: EntryId
    patient: bytes | None
    encounter: bytes | None
    code: str
    text: str | None
    operator: str | None
    wall_ms: int | None
