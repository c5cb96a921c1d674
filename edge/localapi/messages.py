"""Every message of the local API, version 1: what a method takes, what it answers, which events come.

One JSON object per line. ``docs/reference/local-api.md`` is generated from here, and
``qafila agent schema`` prints `schema`.
"""

import dataclasses
import uuid
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from edge.localapi import answers, events, requests
from edge.localapi.shapes import LinkShown, Message, Nothing, Saved

VERSION: Final = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Method:
    """What a method takes and answers."""

    takes: type[Message]
    answers: type[Message]


METHODS: Final[dict[str, Method]] = {
    "status": Method(Nothing, answers.Status),
    "sign-in": Method(requests.SignIn, answers.SignedIn),
    "sign-out": Method(Nothing, Nothing),
    "lock": Method(Nothing, Nothing),
    "patient.register": Method(requests.Register, answers.Registered),
    "patient.list": Method(Nothing, answers.Patients),
    "patient.find": Method(requests.Find, answers.Patients),
    "encounter.open": Method(requests.PatientNamed, answers.EncounterOpened),
    "encounter.close": Method(requests.EncounterNamed, answers.EncounterClosed),
    "encounter.show": Method(requests.EncounterNamed, answers.Encounter),
    "observe": Method(requests.Observe, Saved),
    "take": Method(requests.Take, Saved),
    "alert.raise": Method(requests.RaiseAlert, Saved),
    "tray.list": Method(Nothing, answers.Tray),
    "tray.assign": Method(requests.Assign, Saved),
    "snapshot": Method(requests.SnapshotAsked, answers.Snapshot),
    "subscribe": Method(requests.Subscribe, Nothing),
    "users.add": Method(requests.AddUser, Nothing),
    "users.list": Method(Nothing, answers.Users),
    "store.verify": Method(Nothing, answers.Verified),
}
"""Every method. The agent has one handler for each; a test compares their parameters."""

EVENTS: Final[dict[str, type[Message]]] = {
    "reading": events.ReadingEvent,
    "wave": events.WaveEvent,
    "saved": events.SavedEvent,
    "not-saved": events.NotSavedEvent,
    "streams": events.StreamsEvent,
    "device": events.DeviceEvent,
    "link": LinkShown,
    "heartbeat": events.Heartbeat,
    "locked": Nothing,
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
                "takes": method.takes.model_json_schema(),
                "answers": method.answers.model_json_schema(mode="serialization"),
            }
            for name, method in METHODS.items()
        },
        "events": {name: event.model_json_schema(mode="serialization") for name, event in EVENTS.items()},
    }
