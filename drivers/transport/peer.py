"""What one wanted Bluetooth device has been doing, and what that allows next. No radio, no clock, no waiting.

The states follow the device, not our calls: a cuff is absent for hours and ready for seconds, and
hanging up after a reading is how it says goodbye. Only real errors make it rest, longer each time; too
many put it aside; and keys that it refuses twice are a case for a technician, not for another try.
"""

import collections
import random
from enum import StrEnum
from typing import Final

FIRST_REST_S: Final = 0.25
LONGEST_REST_S: Final = 60.0
FAILURES: Final = 5
WITHIN_S: Final = 600.0
"""So many failures within this time put a device aside, for as long again."""
KEY_REFUSALS: Final = 2
KEY_SUSPICIONS: Final = 3
"""In a row; a link that falls while it is made can also be interference."""


class State(StrEnum):
    """How a device stands."""

    ABSENT = "absent"
    SEEN = "seen"
    CONNECTING = "connecting"
    PAIRING = "pairing"
    READY = "ready"
    DRAINING = "draining"
    """It has hung up; what it said before is still being read."""
    RESTING = "resting"
    QUARANTINED = "quarantined"
    BOND_LOST = "bond-lost"


class Event(StrEnum):
    """What happens to a device."""

    ADVERTISED = "advertised"
    CONNECT_BEGUN = "connect-begun"
    PAIRING_BEGUN = "pairing-begun"
    CONNECTED = "connected"
    HUNG_UP = "hung-up"
    RELEASED = "released"
    """The driver has read all it wanted; no fault of anybody."""
    ADAPTER_FAILED = "adapter-failed"
    """The attempt ended through no fault of the device."""
    FAILED = "failed"
    FAILED_OFTEN = "failed-often"
    KEYS_REFUSED_AGAIN = "keys-refused-again"
    RESTED = "rested"
    FORGIVEN = "forgiven"
    """A person asked for another try, or the time of the quarantine has passed."""


_TRYING: Final = (State.SEEN, State.CONNECTING, State.PAIRING, State.READY, State.DRAINING)

TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    (State.ABSENT, Event.ADVERTISED): State.SEEN,
    (State.SEEN, Event.CONNECT_BEGUN): State.CONNECTING,
    (State.SEEN, Event.PAIRING_BEGUN): State.PAIRING,
    (State.CONNECTING, Event.CONNECTED): State.READY,
    (State.PAIRING, Event.CONNECTED): State.READY,
    (State.READY, Event.HUNG_UP): State.DRAINING,
    (State.RESTING, Event.RESTED): State.ABSENT,
    (State.QUARANTINED, Event.FORGIVEN): State.ABSENT,
    (State.BOND_LOST, Event.FORGIVEN): State.ABSENT,
    (State.RESTING, Event.FORGIVEN): State.ABSENT,
    **{(state, Event.RELEASED): State.ABSENT for state in _TRYING},
    **{(state, Event.ADAPTER_FAILED): State.ABSENT for state in _TRYING},
    **{(state, Event.FAILED): State.RESTING for state in _TRYING},
    **{(state, Event.FAILED_OFTEN): State.QUARANTINED for state in _TRYING},
    **{(state, Event.KEYS_REFUSED_AGAIN): State.BOND_LOST for state in _TRYING},
}
"""Every move. A pair that is absent changes nothing: late news is not news."""


class Peer:
    """The history of one wanted device.

    Args:
        jitter: spreads the rests, so that two devices that failed together do not come back together.
    """

    def __init__(self, jitter: random.Random) -> None:
        self.state = State.ABSENT
        self._jitter = jitter
        self._rest_s = FIRST_REST_S
        self._until_s = 0.0
        self._failed_at_s: collections.deque[float] = collections.deque(maxlen=FAILURES)
        self._refusals = 0
        self._suspicions = 0

    def on(self, event: Event) -> None:
        self.state = TRANSITIONS.get((self.state, event), self.state)

    def may_connect(self, now_s: float) -> bool:
        """Whether an advertisement heard now is worth a connection."""
        self.wake(now_s)
        return self.state is State.ABSENT

    def wake(self, now_s: float) -> None:
        """End a rest or a quarantine whose time has passed."""
        if now_s < self._until_s:
            return
        if self.state is State.RESTING:
            self.on(Event.RESTED)
        elif self.state is State.QUARANTINED:
            self.forgive()

    def rests_for_s(self, now_s: float) -> float | None:
        """How long a rest still lasts; None when it does not rest."""
        self.wake(now_s)
        return self._until_s - now_s if self.state is State.RESTING else None

    def released(self, *, spoke: bool) -> None:
        """A session is over without an error; one in which it spoke clears its record."""
        self.on(Event.RELEASED)
        if spoke:
            self._rest_s = FIRST_REST_S
            self._refusals = 0
            self._suspicions = 0
            self._failed_at_s.clear()

    def failed(self, now_s: float) -> None:
        """It could not be reached, or hung up without a word."""
        self._failed_at_s.append(now_s)
        if len(self._failed_at_s) == FAILURES and now_s - self._failed_at_s[0] <= WITHIN_S:
            self._until_s = now_s + WITHIN_S
            self.on(Event.FAILED_OFTEN)
            return
        self._until_s = now_s + self._rest_s * self._jitter.uniform(0.8, 1.2)
        self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)
        self.on(Event.FAILED)

    def keys_suspected(self, now_s: float) -> None:
        """The link came up and fell before it was of use: how a lost bond looks, and bad luck."""
        self._suspicions += 1
        if self._suspicions >= KEY_SUSPICIONS:
            self.on(Event.KEYS_REFUSED_AGAIN)
        else:
            self.failed(now_s)

    def keys_refused(self, now_s: float) -> None:
        """It does not accept our keys; once may be interference, twice is a lost bond."""
        self._refusals += 1
        if self._refusals >= KEY_REFUSALS:
            self.on(Event.KEYS_REFUSED_AGAIN)
        else:
            self.failed(now_s)

    def forgive(self) -> None:
        """Begin anew: somebody asked for another try, or has paired the device again."""
        self._rest_s = FIRST_REST_S
        self._refusals = 0
        self._suspicions = 0
        self._failed_at_s.clear()
        self.on(Event.FORGIVEN)
