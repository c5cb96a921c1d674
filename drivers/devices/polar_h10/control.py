"""Starting the ECG: who says what to the control point, as a table.

    settings?  →  start  →  it streams

One command is outstanding at a time. A strap that streams already, because the link broke and it has not
noticed, says so and goes on; that is as good as started.
"""

from enum import StrEnum
from typing import Final

from drivers.devices.polar_h10.codec import (
    ECG,
    GET_SETTINGS,
    Answer,
    Operation,
    Setting,
    Settings,
    decode_response,
    decode_settings,
    start,
)
from edge.ports.driver import DeviceMisbehaved

PREFERRED: Final[Settings] = {Setting.RATE: (130,), Setting.RESOLUTION: (14,)}
"""The only ones an H10 offers; of another offer the first of each is taken."""


class State(StrEnum):
    """How far we are."""

    ASKING = "asking for the settings"
    STARTING = "starting"
    STREAMING = "streaming"
    TOO_SMALL = "the packets of the link are too small"
    NOT_NOW = "it cannot now"
    REFUSED = "it refuses"


class Event(StrEnum):
    """What an answer amounts to."""

    DONE = "done"
    ALREADY = "already so"
    TOO_SMALL = "packets too small"
    NOT_NOW = "not in this state, or charging"
    REFUSED = "refused"


TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    (State.ASKING, Event.DONE): State.STARTING,
    (State.ASKING, Event.ALREADY): State.STARTING,
    (State.ASKING, Event.TOO_SMALL): State.TOO_SMALL,
    (State.ASKING, Event.NOT_NOW): State.NOT_NOW,
    (State.ASKING, Event.REFUSED): State.REFUSED,
    (State.STARTING, Event.DONE): State.STREAMING,
    (State.STARTING, Event.ALREADY): State.STREAMING,
    (State.STARTING, Event.TOO_SMALL): State.TOO_SMALL,
    (State.STARTING, Event.NOT_NOW): State.NOT_NOW,
    (State.STARTING, Event.REFUSED): State.REFUSED,
}
"""Every move. A pair that is absent changes nothing: late answers are not news."""

_EVENTS: Final = {
    Answer.OK: Event.DONE,
    Answer.ALREADY_SO: Event.ALREADY,
    Answer.MTU_TOO_SMALL: Event.TOO_SMALL,
    Answer.WRONG_STATE: Event.NOT_NOW,
    Answer.CHARGING: Event.NOT_NOW,
}
_AWAITED: Final = {State.ASKING: Operation.GET_SETTINGS, State.STARTING: Operation.START}


class Control:
    """One attempt to start the ECG; pure. Write `begin`, then whatever `hear` gives."""

    def __init__(self) -> None:
        self.state = State.ASKING
        self.chosen: dict[int, int] = {}

    @property
    def waits(self) -> bool:
        """Whether an answer is due."""
        return self.state in _AWAITED

    @staticmethod
    def begin() -> bytes:
        return GET_SETTINGS

    def hear(self, raw: bytes) -> bytes | None:
        """Take an indication, and give the next command if one is due.

        Raises:
            DeviceMisbehaved: it is no response, or its settings cannot be read.
        """
        response = decode_response(raw)
        if response.type != ECG or response.operation != _AWAITED.get(self.state):
            return None
        event = (
            _EVENTS.get(Answer(response.error), Event.REFUSED) if _known(response.error) else Event.REFUSED
        )
        settings = decode_settings(response.parameters) if self.state is State.ASKING else {}
        self.state = TRANSITIONS.get((self.state, event), self.state)
        if self.state is not State.STARTING:
            return None
        self.chosen = choose(settings)
        return start(self.chosen)


def choose(offered: Settings) -> dict[int, int]:
    """One value of each setting that is offered; what we know best if it offers nothing.

    Raises:
        DeviceMisbehaved: a setting is offered without any value.
    """
    chosen: dict[int, int] = {}
    for kind, values in (offered or PREFERRED).items():
        if not values:
            raise DeviceMisbehaved("A setting without a value.", code="pmd-refused")
        (wanted,) = PREFERRED.get(kind, values[:1])
        chosen[kind] = wanted if wanted in values else values[0]
    return chosen


def _known(error: int) -> bool:
    return error in Answer.__members__.values()
