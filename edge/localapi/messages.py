"""Every message of the local API, version 1: what a method takes, what it answers, which events come.

One JSON object per line. ``docs/reference/local-api.md`` is generated from here, and
``qafila agent schema`` prints `schema`.
"""

import dataclasses
import uuid
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from edge.localapi import answers, attaching, events, expertise, exported, queue, requests, sheets, syncing
from edge.localapi.shapes import ForkShown, LinkShown, Message, Nothing, Saved

VERSION: Final = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Method:
    """What a method takes and answers."""

    takes: type[Message]
    answers: type[Message]
    does: str


METHODS: Final[dict[str, Method]] = {
    "status": Method(Nothing, answers.Status, "What anybody may know who may connect; needs no session."),
    "metrics": Method(
        Nothing, answers.Metrics, "The status for programs that watch units; needs no session."
    ),
    "sign-in": Method(
        requests.SignIn,
        answers.SignedIn,
        "Open a session on this connection; unlocks the store if it is locked.",
    ),
    "sign-out": Method(
        Nothing, Nothing, "End this connection's session; the store stays open for measuring."
    ),
    "present": Method(
        Nothing,
        Nothing,
        "A sign of a person on a screen that asks for nothing; else it locks after two minutes.",
    ),
    "lock": Method(Nothing, Nothing, "Close the store and end all sessions."),
    "patient.register": Method(requests.Register, answers.Registered, "Enter a new patient."),
    "patient.correct": Method(
        requests.CorrectPatient,
        answers.PatientCorrected,
        "Say anew all that is known of a patient; what was said before is kept.",
    ),
    "patient.show": Method(
        requests.PatientNamed,
        answers.PatientRecord,
        "All that is known of a patient: what they agreed to, their visits, and who was merged into them.",
    ),
    "patient.trend": Method(
        requests.PatientNamed,
        answers.Trend,
        "Visit after visit the last value of each kind and the score it made; values that are purged here"
        " are at the centre.",
    ),
    "patient.consent": Method(
        requests.Decide, Saved, "What a patient agreed to, refused or withdrew; every decision is kept."
    ),
    "patient.merge": Method(
        requests.MergePatients,
        Saved,
        "Two patients are one person, entered twice; for supervisors. Nothing of either is moved.",
    ),
    "patient.unmerge": Method(
        requests.UnmergePatient, Saved, "They are two persons after all; for supervisors."
    ),
    "site.list": Method(Nothing, answers.Sites, "Where the unit works, and where it stands."),
    "site.arrive": Method(
        requests.Arrive, answers.Arrived, "The unit stands here; visits that are opened have this place."
    ),
    "patient.likely": Method(
        requests.LikelyAsked,
        answers.Patients,
        "Patients who may be the one that somebody is about to enter, the likeliest first; at most five.",
    ),
    "patient.list": Method(Nothing, answers.Patients, "The patients entered last."),
    "patient.find": Method(
        requests.Find,
        answers.Patients,
        "Patients by a part of name, village or phone, or by a whole identifier.",
    ),
    "patient.export": Method(
        exported.Export,
        exported.Exported,
        "Everything kept of one person, some visits at a time, in readable form; for supervisors, with the"
        " reason, and audited.",
    ),
    "visit.sheet": Method(
        requests.EncounterNamed,
        sheets.Sheet,
        "What stands on the sheet of paper that a patient takes home; each time is audited.",
    ),
    "encounter.open": Method(
        requests.PatientNamed,
        answers.EncounterOpened,
        "Open a visit; readings are bound to its patient. One is open at a time.",
    ),
    "encounter.close": Method(requests.EncounterNamed, answers.EncounterClosed, "Close the open visit."),
    "encounter.show": Method(
        requests.EncounterNamed,
        answers.Encounter,
        "A visit, its observations with their states, its recordings.",
    ),
    "waveform.read": Method(
        requests.WaveformNamed, answers.Waveform, "A recording, some chunks at a time; every look is audited."
    ),
    "visit.list": Method(
        queue.QueueAsked,
        queue.Queue,
        "The visits of the day: who was seen, what the values say, how far they have come.",
    ),
    "observe": Method(
        requests.Observe, Saved, "Store values typed by a person: all of them, or none and the reason."
    ),
    "observation.correct": Method(
        requests.CorrectObservation,
        Saved,
        "Put another value in the place of one, or none; what stood there is kept, with the reason.",
    ),
    "take": Method(requests.Take, Saved, "Store what a continuous device shows now."),
    "alert.raise": Method(requests.RaiseAlert, Saved, "Send a coded alert ahead of everything else."),
    "tray.list": Method(Nothing, answers.Tray, "Readings that belong to nobody yet."),
    "tray.assign": Method(
        requests.Assign, Saved, "Give readings of the tray to the open visit, with the reason."
    ),
    "request.ask": Method(
        expertise.AskExpert,
        expertise.Requested,
        "Ask a specialist; an urgent request leaves with the alerts. The patient has to have agreed.",
    ),
    "request.list": Method(
        expertise.RequestsAsked, expertise.Requests, "What specialists were asked, the latest first."
    ),
    "request.show": Method(
        expertise.RequestNamed, expertise.RequestRecord, "One request and what came to it."
    ),
    "request.withdraw": Method(expertise.RequestEnded, Saved, "Nobody has to answer it any more."),
    "request.close": Method(
        expertise.RequestEnded, Saved, "What was answered is done; everything that came has been read."
    ),
    "request.attach": Method(
        attaching.Attach,
        attaching.Attached,
        "Attach the photo or document that this connection has brought; it leaves with its request.",
    ),
    "attachment.bring": Method(
        attaching.Bring,
        attaching.Brought,
        "A piece of a file; with the last one it is checked and written anew, without what it hid.",
    ),
    "attachment.read": Method(
        attaching.AttachmentNamed,
        attaching.AttachmentRead,
        "An attachment, some parts at a time; every look is audited.",
    ),
    "inbox.list": Method(
        Nothing, expertise.InboxList, "What came from the centre for people to read, without its words."
    ),
    "inbox.read": Method(
        expertise.MessageNamed,
        expertise.DownWhole,
        "A message, whole or not at all; that it was read is committed first, and the centre learns it.",
    ),
    "expected.list": Method(
        expertise.ExpectedAsked, expertise.ExpectedList, "Whom the centre expects at this unit."
    ),
    "snapshot": Method(
        requests.SnapshotAsked,
        answers.Snapshot,
        "What is committed: by default all that is not received yet.",
    ),
    "subscribe": Method(
        requests.Subscribe, Nothing, "Choose the events of this connection; replaces the former choice."
    ),
    "users.add": Method(requests.AddUser, Nothing, "Let another person sign in; for supervisors."),
    "users.list": Method(Nothing, answers.Users, "Who may sign in, and who might once."),
    "users.pin": Method(
        requests.ResetPin, Nothing, "Give somebody who forgot theirs a new PIN; for supervisors."
    ),
    "users.role": Method(requests.SetRole, Nothing, "Give somebody another role; for supervisors."),
    "users.disable": Method(
        requests.UserNamed, Nothing, "Let somebody in no more; for supervisors, never the last of them."
    ),
    "pin.change": Method(
        requests.ChangePin, Nothing, "Change one's own PIN; a wrong old one counts as at sign-in."
    ),
    "recover.ask": Method(
        requests.AskRecovery,
        answers.Challenge,
        "The challenge that somebody who cannot get in reads to the centre; needs no session.",
    ),
    "recover": Method(
        requests.Recover,
        answers.Recovered,
        "Set a new PIN for the centre's code; needs no session. The store is locked after it.",
    ),
    "key.rotate": Method(
        Nothing, Nothing, "Give the store a new key; for supervisors. Everybody signs in again."
    ),
    "break-glass": Method(
        requests.BreakGlass,
        answers.GlassBroken,
        "For a technician in an emergency: act as a nurse for some minutes; sent as an alert.",
    ),
    "device.scan": Method(
        requests.Scan, answers.Nearby, "What is near, what kind it looks like, and whether it is configured."
    ),
    "device.pair": Method(
        requests.Pair,
        answers.Paired,
        "Meet a device for the first time, or again after it lost its pairing; nothing else may be paired."
        " A `passkey-asked` event may come meanwhile.",
    ),
    "device.passkey": Method(
        requests.Passkey,
        Nothing,
        "The passkey that the device shows; from another connection, while `device.pair` waits.",
    ),
    "device.forget": Method(
        requests.Forget, answers.Forgotten, "Give up the keys for a device and listen to it no more."
    ),
    "device.secret": Method(
        requests.DeviceSecret,
        answers.SecretKept,
        "What unlocks a device, typed once where it is known; `device.pair` makes one by itself.",
    ),
    "device.test": Method(
        requests.WatchDevice, answers.Tested, "Open a device anew and say how far it comes, step by step."
    ),
    "device.listen": Method(
        requests.DeviceNamed,
        Nothing,
        "Send this connection the `reading` and `device` events of one device; to a technician only while"
        " no visit is open, and nothing out of a memory.",
    ),
    "device.record": Method(
        requests.RecordDevice,
        answers.Recorded,
        "Record what passes between a device and its driver; it comes sealed, as `recorded` events.",
    ),
    "device.measure": Method(
        requests.Measure, Nothing, "Tell a device to measure; the values come as its readings."
    ),
    "device.stop": Method(requests.DeviceNamed, Nothing, "Have it stop, and let the air out of a cuff."),
    "recording.open": Method(
        requests.OpenRecording, answers.RecordingKey, "The key of a recording that was made on this unit."
    ),
    "store.backup": Method(
        requests.Backup,
        answers.BackedUp,
        "Copy the store into a new folder there, sealed under keys of its own, and read it back.",
    ),
    "sync.quarantine": Method(
        Nothing, syncing.Quarantine, "What the centre said last that it has and could not open, and why."
    ),
    "sync.retry": Method(Nothing, syncing.TriedAgain, "Seal once more what the centre could not open."),
    "sync.now": Method(
        Nothing, Nothing, "Seal what waits for its hour, and have the uplink try at once instead of waiting."
    ),
    "store.verify": Method(
        Nothing,
        answers.Verified,
        "Check every entry against its leaf, its chain and its stream's tip, and every page.",
    ),
}
"""Every method. The agent has one handler for each; a test compares their parameters."""

EVENTS: Final[dict[str, type[Message]]] = {
    "reading": events.ReadingEvent,
    "wave": events.WaveEvent,
    "saved": events.SavedEvent,
    "inbox": expertise.InboxEvent,
    "not-saved": events.NotSavedEvent,
    "streams": events.StreamsEvent,
    "device": events.DeviceEvent,
    "device-forgotten": events.DeviceForgotten,
    "place": events.PlaceEvent,
    "unit": events.UnitEvent,
    "forked": ForkShown,
    "link": LinkShown,
    "passkey-asked": events.PasskeyAsked,
    "recorded": events.RecordedEvent,
    "heartbeat": events.Heartbeat,
    "locked": Nothing,
    "screen-locked": Nothing,
    "glass-whole": Nothing,
    "unlocked": Nothing,
    "error": events.ErrorEvent,
}
"""Every event."""


class Envelope(Message):
    """The line a client sends: ``{"v": 1, "id": "<uuidv7>", "do": "observe", "with": {…}}``."""

    v: Literal[1]
    id: uuid.UUID
    do: str
    with_: Annotated[dict[str, Any], Field(alias="with", default_factory=dict)]


class ErrorAnswer(Message):
    """Why a request was refused; ``about`` names what it is about, such as the limits to confirm."""

    code: str
    sentence: str
    next: str
    about: tuple[str, ...] | None = None


def schema() -> dict[str, Any]:
    """JSON Schema of every method and event."""
    return {
        "version": VERSION,
        "request": Envelope.model_json_schema(),
        "error": ErrorAnswer.model_json_schema(),
        "methods": {
            name: {
                "does": method.does,
                "takes": method.takes.model_json_schema(),
                "answers": method.answers.model_json_schema(mode="serialization"),
            }
            for name, method in METHODS.items()
        },
        "events": {name: event.model_json_schema(mode="serialization") for name, event in EVENTS.items()},
    }
