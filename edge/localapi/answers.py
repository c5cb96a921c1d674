"""What the methods of the local API answer."""

import uuid
from typing import Literal

from edge.localapi.shapes import (
    ChunkShown,
    ClockShown,
    ConsentShown,
    DeviceShown,
    DiskShown,
    EntryIdentity,
    FirstBad,
    ForkShown,
    IdentityShown,
    LinkShown,
    Message,
    ObservationShown,
    PatientShown,
    PlaceShown,
    RecordingShown,
    Role,
    Saved,
    ScoreShown,
    SiteShown,
    SittingShown,
    StreamShown,
    UserShown,
    VisitShown,
    WavesShown,
    Word,
)


class Status(Message):
    """What anybody who may connect may know; streams only while unlocked."""

    unit: str
    realm: str
    locked: bool
    version: str
    clock: ClockShown
    devices: tuple[DeviceShown, ...]
    streams: dict[Word, StreamShown]
    enrolled: bool
    link: LinkShown
    visit_open: bool
    refusals: dict[str, int]
    """How often something of the centre's or the spool's was refused, by stable code."""
    problem: str | None
    """The code of what is wrong with the unit: nobody can sign in (``store-missing``), nothing is saved
    (``store-full``, until a save succeeds) or nothing can leave (``spool-failed``)."""
    waves: WavesShown | None = None
    """Only while unlocked."""
    forked: ForkShown | None = None
    """The store went back in time and went on by itself. Only while unlocked."""
    notes: tuple[str, ...] = ()
    """Codes of what somebody should look after though everything works (``secret-copy-not-seen``)."""
    screen_lock_s: int = 120
    """How long a session lasts without a sign of a person."""
    place: PlaceShown | None = None
    """Only to somebody who is signed in, and while a receiver knows it."""
    disk: DiskShown | None = None
    """Only while unlocked."""
    receipt_ms: int | None = None
    """When a receipt last moved something since the agent started."""
    certificate_days: int | None = None
    """Until the unit's certificate ends, below 0 after that; null where it has none."""


class Metrics(Message):
    """OpenMetrics 1.0 text."""

    text: str


class SignedIn(Message):
    """The session that was opened."""

    user: str
    name: str
    role: Role


class GlassBroken(Message):
    """For how long; then a `glass-whole` event ends it and the choice of events."""

    minutes: int


class Challenge(Message):
    """What is read to the centre, with the unit's name, the user and the reason."""

    unit: str
    challenge: str


class Recovered(Message):
    """The new PIN holds. ``rotated``: so does the store's new key; else a supervisor changes it later."""

    rotated: bool


class Registered(Saved):
    """A patient was entered."""

    patient: uuid.UUID


class Patients(Message):
    """Patients, the latest first; ``more`` when the list was cut."""

    patients: tuple[PatientShown, ...]
    more: bool


class PatientCorrected(Saved):
    """The patient's revision now."""

    revision: int


class PatientRecord(Message):
    """All that is known of a patient; ``merged`` are the others who turned out to be the same person."""

    patient: PatientShown
    revision: int
    phone: str | None
    village: str | None
    consents: tuple[ConsentShown, ...]
    visits: tuple[VisitShown, ...]
    merged: tuple[PatientShown, ...]


class Arrived(Saved):
    """Visits that are opened from now on are at this site, until the unit is started anew or moves on."""

    site: uuid.UUID


class Sites(Message):
    """Where the unit works, the site it was at last first; ``here`` is where it stands, if it was said."""

    sites: tuple[SiteShown, ...]
    here: uuid.UUID | None


class EncounterOpened(Saved):
    """An encounter was opened; readings are bound to its patient from now on."""

    encounter: uuid.UUID


class EncounterClosed(Saved):
    """An encounter was closed with so many observations."""

    count: int


class Encounter(Message):
    """An encounter, its observations and its recordings; ``purged``: its older values are at the centre.

    ``scores``: the early-warning rule for the patient first. ``asks_pregnancy``: somebody has to say whether
    the patient is pregnant before it is known which rule holds.
    """

    encounter: uuid.UUID
    patient: uuid.UUID
    open: bool
    purged: bool = False
    observations: tuple[ObservationShown, ...]
    recordings: tuple[RecordingShown, ...] = ()
    site: str | None = None
    """The name of the place."""
    scores: tuple[ScoreShown, ...] = ()
    asks_pregnancy: bool = False
    sitting: SittingShown | None = None
    """The readings of the pressure, as the protocol of three counts them."""


class TrendValue(Message):
    """The last value of one kind in a visit."""

    code: str
    value: str
    wall_ms: int | None


class TrendVisit(Message):
    """One visit; ``score`` at the time of its last value; ``purged``: its values are at the centre."""

    encounter: uuid.UUID
    opened_ms: int
    closed_ms: int | None
    purged: bool
    values: tuple[TrendValue, ...]
    score: ScoreShown | None


class Trend(Message):
    """A patient's visits, newest first; ``more``: there are older ones."""

    visits: tuple[TrendVisit, ...]
    more: bool


class Waveform(Message):
    """A recording and some of its chunks, each checked against what was saved; ``more``: ask on."""

    waveform: RecordingShown
    encounter: uuid.UUID
    patient: uuid.UUID
    chunks: tuple[ChunkShown, ...]
    more: bool


class Tray(Message):
    """Readings that belong to nobody yet."""

    observations: tuple[ObservationShown, ...]


class StreamProgress(Message):
    """How far a stream has come."""

    tip: int
    sent: int
    landed: int
    opened: int


class Snapshot(Message):
    """What a screen needs after it lost touch; ``more``: ask again with ``next`` as ``after``."""

    unit: str
    epoch: str
    encounter: uuid.UUID | None
    saved: tuple[EntryIdentity, ...]
    states: dict[Word, StreamProgress]
    more: bool
    next: dict[Word, int] | None = None


class Users(Message):
    """Who may sign in."""

    users: tuple[UserShown, ...]


class NearbyShown(Message):
    """Something near that may be a device.

    ``kinds``: what it looks like, the likeliest first. ``rssi`` in dBm and ``paired`` only in the air.
    ``device``: the key under which it is configured.
    """

    port: str
    also: tuple[str, ...]
    name: str
    kinds: tuple[str, ...]
    rssi: int | None
    paired: bool | None
    device: str | None


class Nearby(Message):
    """What is near; ``blind`` says by ``air`` or ``cables`` why nothing was seen there."""

    found: tuple[NearbyShown, ...]
    blind: dict[str, str]


class Paired(Message):
    """A device was met. It is listened to from now on, until the agent ends: write it into unit.toml."""

    device: str
    kind: str
    port: str
    simulated: bool
    paired: bool
    identity: IdentityShown | None


class SecretKept(Message):
    """Whether something is kept that unlocks the device; what it is never leaves the store."""

    device: str
    kept: bool


class Forgotten(Message):
    """A device is listened to no more; ``had_keys``: this unit's half of a pairing was removed."""

    device: str
    port: str
    had_keys: bool


class StepShown(Message):
    """One step of a test, and where it failed the code, what that means and what to do."""

    step: Literal["way", "there", "paired", "understood", "battery", "clock", "value"]
    result: Literal["passed", "failed", "unknown"]
    code: str | None
    sentence: str
    hint: str


class Tested(Message):
    """How far a device came; ``passed``: it can be used."""

    device: str
    passed: bool
    steps: tuple[StepShown, ...]


class Recorded(Message):
    """A recording is over, and why; so many pieces came as events."""

    device: str
    kind: str
    lines: int
    pieces: int
    ended: Literal["time", "closed", "visit-opened", "too-much"]


class RecordingKey(Message):
    """What opens a recording's chunks, in hex."""

    key: str


class BackedUp(Message):
    """A backup that was written and read back from its medium.

    ``folder`` is its name below the one asked for; ``for_recovery``: the centre can let another box have it.
    """

    folder: str
    backup: str
    entries: int
    size: int
    made_ms: int
    for_recovery: bool


class Verified(Message):
    """What a walk over the whole store found; ``forked``: how it went back in time before, if it did."""

    entries: dict[Word, int]
    valid: bool
    first_bad: FirstBad | None
    damage: str | None
    bad_pages: int = 0
    forked: ForkShown | None = None
