"""Types and parts that several messages of the local API share."""

import datetime
import re
import unicodedata
import uuid
from decimal import Decimal
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from edge.records.people import USER_ID, user_id


def _as_user_id(typed: object) -> object:
    return user_id(typed) if isinstance(typed, str) else typed


_INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks by their category, of which nothing is seen."""
_JOINERS: Final = frozenset("\u200c\u200d")
"""They join Arabic letters, or keep them apart, and stay."""
_NOT_TEXT: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control and format characters, those that turn the direction of what follows among them, halves of
characters, and what no font knows. Source: Unicode Standard Annex 44, General_Category."""
_SELECTORS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def _seen(text: str) -> str:
    if _SELECTORS.search(text) or any(
        c in _INVISIBLE or (unicodedata.category(c) in _NOT_TEXT and c not in _JOINERS) for c in text
    ):
        raise PydanticCustomError("not-seen", "a control character")
    if text and (text[0] in _JOINERS or unicodedata.category(text[0]).startswith("M")):
        # By itself it is not seen, or it is seen on what stands before it.
        raise PydanticCustomError("not-seen", "a mark or a joiner before any letter")
    return text


Line: TypeAlias = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=120),
    AfterValidator(_seen),
]
"""One line of text a person typed: what is shown is all there is."""


def as_seen(text: str) -> str:
    """The text, if all of it can be seen.

    Raises:
        ValueError: it holds what cannot be.
    """
    return _seen(text)


def _in_the_calendar(birth: str) -> str:
    if birth < _EARLIEST_BIRTH:
        raise PydanticCustomError("no-date", "too long ago")
    try:
        datetime.date.fromisoformat((birth + "-01-01")[: len("YYYY-MM-DD")])
    except ValueError:
        raise PydanticCustomError("no-date", "no day of the calendar") from None
    return birth


_EARLIEST_BIRTH: Final = "1880"
Birth: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"), AfterValidator(_in_the_calendar)
]
"""YYYY, YYYY-MM or YYYY-MM-DD: as much as is known."""
Sex: TypeAlias = Literal["female", "male", "other", "unknown"]
User: TypeAlias = Annotated[str, BeforeValidator(_as_user_id), StringConstraints(pattern=USER_ID.pattern)]
Code: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,39}$")]
Role: TypeAlias = Literal["nurse", "supervisor", "technician"]
Word: TypeAlias = Literal["alert", "vitals", "doc", "wave", "audit"]
Seq: TypeAlias = Annotated[int, Field(ge=0, lt=2**63)]
EntryIdentity: TypeAlias = tuple[str, str, Word, int]
"""``[unit, first epoch in hex, stream, seq]``."""
State: TypeAlias = Literal["saved", "sent", "arrived", "received"]
Topic: TypeAlias = Literal["readings", "waves", "saved", "streams", "devices", "link"]


class Message(BaseModel):
    """What all messages share: unknown fields are refused, values are fixed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


class Nothing(Message):
    """No fields."""


class Identifier(Message):
    """One identifier of a patient, in the system it belongs to."""

    system: Code
    value: Line


class ConsentSaid(Message):
    """One decision of a patient about one scope.

    ``given_by``: who spoke for the patient; ``language``: in which it was explained, an ISO 639 code.
    """

    scope: Literal["care", "tele-expertise", "sharing", "research"]
    decision: Literal["given", "refused", "withdrawn"]
    given_by: Literal["patient", "parent", "guardian", "relative"] = "patient"
    form: Literal["oral", "written"] = "oral"
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")] | None = None
    witness: Line | None = None


class ObservedValue(Message):
    """One value typed by a person, in the stored unit unless another is named, or why there is none."""

    code: Code
    value: Annotated[Decimal, Field(max_digits=9, decimal_places=4, allow_inf_nan=False)] | None = None
    unit: Annotated[str, StringConstraints(max_length=12)] | None = None
    missing: Literal["refused", "failed", "not-indicated"] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.value is None) == (self.missing is None):
            message = "either a value or why there is none"
            raise ValueError(message)
        return self


class ShownValue(Message):
    """A measured value as text in its unit, or the reason why there is none."""

    code: str
    value: str | None = None
    unit: str | None = None
    missing: str | None = None


class PatientShown(Message):
    """A patient and how far their entries have come.

    ``family`` and ``given`` are in Latin letters where these are known, else in Arabic ones; those in Arabic
    letters also stand for themselves. ``merged``: how many others turned out to be this patient.
    """

    patient: uuid.UUID
    family: str
    given: str
    sex: str
    birth: str | None
    identifiers: tuple[Identifier, ...]
    state: State
    family_arabic: str | None = None
    given_arabic: str | None = None
    birth_estimated: bool = False
    merged: int = 0


class ConsentShown(ConsentSaid):
    """A decision of a patient; ``holds``: no later one about the same scope is known."""

    operator: str | None
    wall_ms: int | None
    holds: bool


class VisitShown(Message):
    """One visit of a patient; ``closed_ms`` is null while it is open, ``site`` the name of the place."""

    encounter: uuid.UUID
    opened_ms: int
    closed_ms: int | None
    operator: str
    site: str | None


class SiteShown(Message):
    """A place where the unit works, and when it arrived there last."""

    site: uuid.UUID
    name: str
    arrived_ms: int | None


class ObservationShown(Message):
    """One stored observation; ``seq`` is 0 when it was received before the present epoch began.

    ``old``: it came out of a device's memory, so ``wall_ms`` is when it came and not when it was taken.
    ``device_time`` is the device's own wall clock without zone, ``clock_off_s`` by how much that clock was
    ahead of the box's when it was read. ``corrected``: another stands in its place, which names it by its
    sequence number in ``corrects``; a value that is taken back is ``missing`` as ``withdrawn``. ``computed``
    is what a rule gave.
    """

    seq: int
    code: str
    value: str | None = None
    unit: str | None = None
    missing: str | None = None
    device: str | None
    source: Literal["device", "manual", "late", "simulated", "computed"]
    flags: tuple[str, ...]
    reading: int
    wall_ms: int
    state: State
    old: bool = False
    device_time: str | None = None
    clock_off_s: int | None = None
    corrected: bool = False
    corrects: int | None = None


class ScoreShown(Message):
    """What a rule says of a visit's values now.

    ``total`` is null where it is not known, or the rule counts colours; then ``trigger`` says whether they
    call for help. ``missing``: inputs that are needed, ``stale`` those of them that are too old. ``parts``:
    what each input gives, in points or a colour. From ``until_ms`` on the result is too old.
    """

    rule: str
    version: str
    total: int | None
    band: str | None
    trigger: bool | None
    missing: tuple[str, ...]
    stale: tuple[str, ...]
    parts: dict[str, int | str]
    alerts: tuple[str, ...]
    notes: tuple[str, ...]
    until_ms: int | None


class SittingShown(Message):
    """The pressures of one sitting, systolic and diastolic in mmHg, the first one first.

    ``mean`` of the last two, null while ``one_more`` is needed; ``classes`` of it by guideline.
    """

    readings: tuple[tuple[str, str], ...]
    last_ms: int | None
    one_more: bool
    mean: tuple[str, str] | None
    classes: dict[str, str]
    alerts: tuple[str, ...]


class IdentityShown(Message):
    """What a device says of itself; empty where it says nothing."""

    manufacturer: str
    model: str
    serial: str
    firmware: str
    battery_percent: int | None


class DeviceShown(Message):
    """A configured device and how it does.

    ``code`` says why it is gone; ``identity`` what it has said of itself since the agent runs;
    ``on_command``: it measures when it is told to (``device.measure``).
    """

    key: str
    kind: str
    state: Literal["starting", "present", "gone"]
    code: str | None
    identity: IdentityShown | None = None
    on_command: bool = False


class PlaceShown(Message):
    """Where the unit stands, in degrees on WGS 84, to a hundred metres."""

    latitude: str
    longitude: str


class RecordingShown(Message):
    """A recorded wave, as far as it is committed.

    ``seconds`` of samples by the device's own ``rate``; ``rate_found`` is the rate by the box's clock with
    its standard uncertainty; ``recording``: more of it is coming; ``interrupted``: the agent stopped in the
    midst of it. ``received`` of its ``chunks`` are at the centre with their samples, and ``state`` is that
    of the chunk furthest behind. ``kept_bytes``: what its samples take here, as they are sent.
    """

    waveform: uuid.UUID
    device: str
    source: Literal["device", "simulated"]
    code: str
    leads: tuple[str, ...]
    unit: str
    step: str
    rate: str
    rate_found: str | None
    rate_uncertainty: str | None
    wall_ms: int
    chunks: int
    samples: int
    seconds: str
    recording: bool
    interrupted: bool
    received: int
    state: State
    kept_bytes: int = 0


class FlawShown(Message):
    """Samples of one lead that mean nothing: ``lead-off`` or ``saturated``."""

    lead: int
    flaw: str
    first: int
    count: int


class ChunkShown(Message):
    """A stretch of a recording: the samples of each lead, as the device counted.

    ``first_ms`` is the monotonic time of the first; before each index of ``gaps`` samples were lost, for
    about so many milliseconds.
    """

    number: int
    first_ms: int
    gaps: tuple[tuple[int, int], ...]
    flaws: tuple[FlawShown, ...]
    samples: tuple[tuple[int, ...], ...]


class WavesShown(Message):
    """How many recordings are saved on this box, and the devices of which waves are recorded now."""

    saved: int
    recording: tuple[str, ...]


class StreamShown(Message):
    """How far a stream has come; ``stopped`` says why it no longer moves.

    ``oldest_ms``: the wall time of its first entry that was not received, where that is known.
    """

    tip: int
    sent: int
    landed: int
    opened: int
    stopped: str | None
    oldest_ms: int | None = None


class DiskShown(Message):
    """The store and its disk; ``days`` of work like those before it has room for, once there were three."""

    store_bytes: int
    free_bytes: int
    days: int | None


class ForkShown(Message):
    """The store turned out to be an old copy, and began another epoch of its journal.

    ``reason``: ``spool-ahead``, ``head-mismatch``, ``beyond-tip`` or ``restored``; with ``centre-restored``
    the centre lacks again what is purged or erased here. ``again``: how many entries were journalled again,
    so that the centre gets what it may not have.
    """

    reason: str
    at_ms: int
    again: int


class WaitingShown(Message):
    """What has no receipt yet, in bytes, and the seconds it takes at the rate the link has shown.

    The backlog's seconds are those of everything before it, too. ``held_bytes`` wait for another day:
    ``day_bytes``, 0 without bound, allow no more. ``rate``: bytes a second. Two significant digits each.
    """

    urgent_bytes: int
    urgent_s: int
    backlog_bytes: int
    backlog_s: int
    held_bytes: int
    rate: int
    profile: Line
    spent_bytes: int
    day_bytes: int


class LinkShown(Message):
    """What the uplink notes of its connection: a hint, never evidence.

    ``code``: why there is none, or what somebody should look after while there is one.
    """

    connected: bool
    since_ms: int | None
    broker: str | None
    waiting: WaitingShown | None = None
    code: str | None = None


class ClockShown(Message):
    """The box's wall time and where it came from.

    ``off_ms``: what a satellite receiver would add to it, null without one. A clock that agrees with a
    receiver is of its quality; one that does not stays as it is, and readers of the journal correct it.
    """

    wall_ms: int
    quality: str
    off_ms: int | None = None


class UserShown(Message):
    """A person who may sign in, or with ``disabled`` no more."""

    user: str
    name: str
    role: Role
    disabled: bool = False


class FirstBad(Message):
    """The first entry that does not fit the chain."""

    stream: Word
    seq: int


class Saved(Message):
    """Committed durably under these identities."""

    saved: tuple[EntryIdentity, ...]
