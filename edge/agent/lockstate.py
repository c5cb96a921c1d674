"""Whether the store is open: a table of states and events.

::

    LOCKED ──PIN_RIGHT──► OPENING ──OPENED──► UNLOCKED ──LOCK_ASKED──► CLOSING ──CLOSED──► LOCKED
                             └──────REFUSED──────► LOCKED

Nothing but a person's PIN leads out of LOCKED, or the key that a process before this one had been given by a
person and that was kept for it (`edge.security.kept_key`): after a boot somebody has to sign in.
"""

from enum import Enum, auto
from typing import Final


class State(Enum):
    """Where the store is."""

    LOCKED = auto()
    OPENING = auto()
    UNLOCKED = auto()
    CLOSING = auto()


class Event(Enum):
    """What happens to it."""

    PIN_RIGHT = auto()
    OPENED = auto()
    REFUSED = auto()
    LOCK_ASKED = auto()
    CLOSED = auto()


TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    (State.LOCKED, Event.PIN_RIGHT): State.OPENING,
    (State.OPENING, Event.OPENED): State.UNLOCKED,
    (State.OPENING, Event.REFUSED): State.LOCKED,
    (State.UNLOCKED, Event.LOCK_ASKED): State.CLOSING,
    (State.CLOSING, Event.CLOSED): State.LOCKED,
}
"""Every move. A pair that is absent changes nothing: late news is not news."""


def after(state: State, event: Event) -> State:
    """The state after an event."""
    return TRANSITIONS.get((state, event), state)
