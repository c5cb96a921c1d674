"""Records as the store gives them back."""

import dataclasses
from collections.abc import Sequence
from decimal import Decimal

from edge.records.expertise import RequestState
from edge.records.fields import Source, Stream
from edge.records.identity import EntryId
from edge.records.names import PersonName
from edge.signals import wavecodec
from edge.signals.recording import Gap, Marked
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
        birth_estimated: it was told by guess.
        identifiers: (system, value).
        tips: the patient's last entry in each stream of the present epoch, and of everybody in ``merged``.
        merged_into: who this patient turned out to be, entered once more.
        links: how often that was changed.
        merged: everybody who turned out to be this patient, where a person was asked for.
    """

    patient: bytes
    revision: int
    name: PersonName
    sex: str
    birth: str | None
    phone: str | None
    village: str | None
    identifiers: tuple[tuple[str, str], ...]
    tips: dict[Stream, int]
    birth_estimated: bool = False
    merged_into: bytes | None = None
    links: int = 0
    merged: tuple[bytes, ...] = ()

    @property
    def family(self) -> str:
        """In Latin letters where it is known in them."""
        return self.name.shown[0]

    @property
    def given(self) -> str:
        """In Latin letters where it is known in them."""
        return self.name.shown[1]


@dataclasses.dataclass(frozen=True, slots=True)
class Consent:
    """One decision of a patient; ``revision`` counts those about one scope, ``given_by`` says who spoke."""

    patient: bytes
    scope: str
    revision: int
    decision: str
    given_by: str
    form: str
    language: str | None
    witness: str | None
    operator: str | None
    wall_ms: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """A place where the unit works, and when it arrived there last."""

    site: bytes
    name: str
    arrived_ms: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Encounter:
    """One visit; open while ``closed_ms`` is None; ``site`` where the unit stood.

    Attributes:
        purged_ms: its values are not kept here any more since then; they are at the centre.
    """

    encounter: bytes
    patient: bytes
    operator: str
    opened_ms: int
    closed_ms: int | None
    site: bytes | None = None
    purged_ms: int | None = None


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
        supersedes: the observation it corrects, by what that was called first: epoch and seq.
        called: what it was called first itself, where it was journalled again; else as ``entry`` says.
        earlier: it was received before the present epoch began, and stands in an earlier one.
        clock_quality: of ``wall_ms``, as `edge.clock.ClockQuality` counts; None where it was not said.
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
    earlier: bool = False
    called: tuple[bytes, int] | None = None
    clock_quality: int | None = None

    @property
    def name(self) -> tuple[bytes, int]:
        """What it was called first: epoch and seq, as ``supersedes`` names it."""
        return self.called or (self.entry.epoch, self.entry.seq)


@dataclasses.dataclass(frozen=True, slots=True)
class Fork:
    """The present epoch began because the store had gone back in time.

    Attributes:
        reason: how it was noticed, a stable code.
        again: how many entries were journalled again.
    """

    reason: str
    at_ms: int
    again: int


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceSaid:
    """What a device said of itself, from this entry on; ``kind`` is its family."""

    entry: EntryId
    device: str
    kind: str
    identity: Identity
    wall_ms: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Waveform:
    """One recorded signal of one device, as far as it is committed.

    Attributes:
        waveform: UUIDv7, 16 bytes.
        leads: their names, empty text where the device has none; chunks hold them in this order.
        step: what one count is in ``unit``.
        rate: samples a second as the device says.
        samples: of each lead, in all chunks together.
        rate_found: samples a second by the box's clock, and the standard uncertainty of that.
        ended: ``whole``, ``interrupted``, or None while it is recorded.
        kept_bytes: what its samples take here, as they are stored and sent; 0 once they are purged.
    """

    waveform: bytes
    encounter: bytes
    patient: bytes
    code: str
    device: str
    source: Source
    leads: tuple[str, ...]
    unit: str
    step: Decimal
    rate: Decimal
    wall_ms: int
    chunks: int
    samples: int
    rate_found: tuple[Decimal, Decimal] | None
    ended: str | None
    kept_bytes: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class WaveformChunk:
    """A stretch of a waveform whose bytes were checked against the hash in its entry.

    Attributes:
        number: from 1 without gaps.
        samples: of each lead.
        first_ms: monotonic time of the first sample, in the boot in which it was recorded.
        data: as `edge.signals.wavecodec` wrote it.
    """

    entry: EntryId
    waveform: bytes
    number: int
    samples: int
    first_ms: int
    gaps: tuple[Gap, ...]
    flaws: tuple[Marked, ...]
    data: bytes = dataclasses.field(repr=False)

    def decoded(self) -> tuple[Sequence[int], ...]:
        """The samples of each lead.

        Raises:
            WaveDamaged: these bytes were never samples.
        """
        return wavecodec.decode(self.data)


@dataclasses.dataclass(frozen=True, slots=True)
class ExpertiseRequest:
    """What a specialist is asked.

    Attributes:
        entry: its identity, in the stream it left by; in the present epoch unless ``earlier``.
        attached: identities of the entries it is about: epoch, stream, seq.
        recordings: ids of waveforms.
    """

    entry: EntryId
    earlier: bool
    request: bytes
    patient: bytes
    encounter: bytes | None
    specialty: str
    urgency: str
    act: str
    basis: str
    question: str
    attached: tuple[tuple[bytes, int, int], ...]
    recordings: tuple[bytes, ...]
    operator: str | None
    wall_ms: int | None
    state: RequestState


@dataclasses.dataclass(frozen=True, slots=True)
class Attachment:
    """A photo or document that a request has with it.

    Attributes:
        entry: its identity, in the stream of its request; in the present epoch unless ``earlier``.
        media: its type, such as ``image/jpeg``.
        caption: what it shows, as somebody typed it; may be empty.
        hash: SHA-256 of the whole file.
        size: bytes of the whole file.
        parts: how many pieces it stands in, numbered from 1.
    """

    entry: EntryId
    earlier: bool
    attachment: bytes
    request: bytes
    patient: bytes
    media: str
    caption: str
    hash: bytes
    size: int
    parts: int
    operator: str | None
    wall_ms: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class DownMessage:
    """What came down from the centre.

    Attributes:
        outcome: ``applied``, or the code of what kept it from being applied.
        content: kind and body as they were signed; None where it was not applied, or is lost.
        signer: the short name of the key that signed it.
    """

    message: bytes
    kind: str
    outcome: str
    patient: bytes | None
    request: bytes | None
    content: bytes | None
    signer: bytes | None
    made_ms: int | None
    received_ms: int | None
    read_ms: int | None
    read_by: str | None


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
