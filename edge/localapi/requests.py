"""What the methods of the local API take."""

import uuid
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from pydantic import AwareDatetime, Field, SecretStr, StringConstraints

from edge.localapi.shapes import (
    Birth,
    Code,
    ConsentSaid,
    Identifier,
    Line,
    Message,
    ObservedValue,
    Role,
    Seq,
    Sex,
    Topic,
    User,
)

Secret: TypeAlias = Annotated[SecretStr, Field(min_length=1, max_length=128)]


class SignIn(Message):
    """Open a session on this connection; unlocks the store if it is locked.

    ``brief``: for one command; a store that was locked is locked again when the session ends.
    """

    user: User
    pin: Secret
    brief: bool = False


class PatientSaid(Message):
    """What is known of a patient.

    ``family`` and ``given`` are in Latin letters, or in Arabic ones where only these are known; then the two
    Arabic fields stay empty. ``birth`` is as long as it is known; ``birth_estimated``: it was told by guess.
    """

    family: Line
    given: Line
    sex: Sex
    birth: Birth | None = None
    identifiers: Annotated[tuple[Identifier, ...], Field(max_length=8)] = ()
    phone: Line | None = None
    village: Line | None = None
    family_arabic: Line | None = None
    given_arabic: Line | None = None
    birth_estimated: bool = False


class Register(PatientSaid):
    """Enter a new patient, with what was agreed to; see PatientSaid.

    ``expected``: it is this one whom the centre expects, and the identity is theirs.
    """

    consents: Annotated[tuple[ConsentSaid, ...], Field(max_length=4)] = ()
    expected: uuid.UUID | None = None


class CorrectPatient(PatientSaid):
    """All that is known of a patient, corrected; ``revision`` is the one that was corrected."""

    patient: uuid.UUID
    revision: Annotated[int, Field(ge=1, lt=2**31)]


class LikelyAsked(Message):
    """Who may be entered already, before somebody is entered."""

    family: Line
    given: Line
    sex: Sex = "unknown"
    birth: Birth | None = None
    phone: Line | None = None
    family_arabic: Line | None = None
    given_arabic: Line | None = None


class Decide(ConsentSaid):
    """What a patient decided."""

    patient: uuid.UUID


class MergePatients(Message):
    """``duplicate`` is the person ``patient``, entered once more; ``patient`` stays."""

    patient: uuid.UUID
    duplicate: uuid.UUID
    reason: Line


class UnmergePatient(Message):
    """``duplicate`` is another person after all."""

    duplicate: uuid.UUID
    reason: Line


class Arrive(Message):
    """The unit stands at this site, one that is known or one that is named; exactly one of the two."""

    site: uuid.UUID | None = None
    name: Line | None = None


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


class CorrectObservation(Message):
    """Another value in the place of an observation, or with null none: it is taken back.

    ``observation``: its sequence number; the value is in the stored unit.
    """

    encounter: uuid.UUID
    observation: Annotated[int, Field(ge=1, lt=2**63)]
    value: Annotated[Decimal, Field(max_digits=9, decimal_places=4, allow_inf_nan=False)] | None = None
    reason: Line
    confirmed: Annotated[tuple[Code, ...], Field(max_length=32)] = ()


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


Seconds: TypeAlias = Annotated[int, Field(ge=1, le=600)]
DeviceKey: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
Port: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")
]


class Scan(Message):
    """Look around for devices for so many seconds, in the air, on cables, or both."""

    seconds: Seconds = 8
    air: bool = True
    cables: bool = True


class Pair(Message):
    """Pair a device: a new one by kind and port, one that is configured by its key alone."""

    device: DeviceKey
    kind: Code | None = None
    port: Port | None = None
    options: Annotated[dict[Code, Line], Field(max_length=8, default_factory=dict)]
    simulated: bool = False
    seconds: Seconds = 120


class Passkey(Message):
    """The passkey that a device shows; null when it shows none."""

    device: DeviceKey
    passkey: Annotated[int, Field(ge=0, le=999_999)] | None


class Forget(Message):
    """Give up the keys for a device; ``port`` for one that this agent does not know."""

    device: DeviceKey
    port: Port | None = None


class DeviceSecret(Message):
    """What unlocks a device, in hex digits; null to forget it."""

    device: DeviceKey
    secret: Secret | None


class DeviceNamed(Message):
    """Name a device."""

    device: DeviceKey


class WatchDevice(Message):
    """Name a device, and for how long."""

    device: DeviceKey
    seconds: Seconds = 60


class RecordDevice(Message):
    """Record a device for so many seconds."""

    device: DeviceKey
    seconds: Annotated[int, Field(ge=1, le=86_400)] = 60


class Measure(Message):
    """Tell a cuff to measure; ``mode`` is whom it is on."""

    device: DeviceKey
    mode: Literal["adult", "child", "neonate"] = "adult"


class OpenRecording(Message):
    """Ask for the key of a recording made here; ``head`` is the head of its file, in base64."""

    head: Annotated[str, StringConstraints(max_length=8192, pattern=r"^[A-Za-z0-9+/]+={0,2}$")]


class AddUser(Message):
    """Let another person sign in."""

    user: User
    name: Line
    role: Role
    pin: Secret


class UserNamed(Message):
    """Name a person who may sign in."""

    user: User


class ResetPin(Message):
    """A new PIN for somebody else."""

    user: User
    pin: Secret


class SetRole(Message):
    """Another role for somebody."""

    user: User
    role: Role


class ChangePin(Message):
    """One's own PIN, as it is and as it shall be."""

    pin: Secret
    new: Secret


class Backup(Message):
    """Where a backup is to be written: a folder of this machine, as seen by the agent."""

    into: Annotated[str, StringConstraints(pattern=r"^/[^\x00-\x1f\x7f]*$", max_length=1024)]


RecoveryReason: TypeAlias = Literal["forgotten-pin", "supervisor-left", "handover"]


class AskRecovery(Message):
    """Who shall get a new PIN by telephone, and why."""

    user: User
    reason: RecoveryReason


class Recover(Message):
    """The centre's code for a challenge, and the new PIN."""

    user: User
    reason: RecoveryReason
    code: Secret
    pin: Secret


class BreakGlass(Message):
    """Why care cannot wait for a nurse, and for how long; the reason leaves the unit."""

    reason: Line
    minutes: Annotated[int, Field(ge=1, le=60)] = 30
